"""What may not get worse unnoticed, in counts, which a busy machine does not change: requests, units, modules.

Times are for `loyalty bench`. A number here is what was reached: lowered when it can be, raised only knowingly.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.bench import counts, expiry
from infra.bench.cold_start import EVERYDAY
from infra.bench.world import World, open_world
from tests.test_architecture import HEAVY, ROOT

MODULES_MAX = 299
"""Modules of packages that a function which is ready for work has imported. The standard library's differ between its
versions, and our own cost next to nothing."""
_READY = """
import importlib, json, sys
importlib.import_module(f"functions.{sys.argv[1]}")
from shared.tables import client
client.client()
known = {"functions", "shared", *sys.stdlib_module_names}
print(json.dumps([name for name in sys.modules if name.split(".")[0] not in known]))
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened


def test_operations_send_no_more_requests_than_they_did(world: World) -> None:
    asked = {name: len(requests) for name, requests in counts.requests(world).items()}
    assert asked == counts.REQUESTS_MAX


def test_an_earn_takes_no_more_write_units_than_it_did(world: World) -> None:
    units = {name: counts.written(found) for name, found in counts.write_units(world).items()}
    assert units == {
        "earn": counts.WRITE_UNITS_MAX,
        "a member's first earn": counts.WRITE_UNITS_MAX,
        "partner's earn": counts.PARTNER_WRITE_UNITS_MAX,
    }


def test_an_expiry_run_asks_for_what_is_due_however_many_accounts_there_are() -> None:
    with open_world() as empty:
        few, many = (taken.requests for taken in expiry.measure(empty, among=(10, 60), due=10).values())
    assert few == many
    assert few["TransactWriteItems"] == 10


@pytest.mark.parametrize("function", EVERYDAY)
def test_a_function_that_is_ready_has_imported_no_more_than_it_did(function: str) -> None:
    command = [sys.executable, "-c", _READY, function]
    region = {"AWS_DEFAULT_REGION": "us-east-1", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    ready = subprocess.run(command, cwd=ROOT, env=region, capture_output=True, text=True, check=True, timeout=60)
    modules = set(json.loads(ready.stdout))
    assert not modules & (HEAVY - {"botocore.session"})
    assert len(modules) <= MODULES_MAX
