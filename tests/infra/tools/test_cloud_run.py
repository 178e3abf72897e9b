"""What functions in the cloud do to the parts of a table is what this machine does to the whole."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from infra.cloud.whole_tables import machine_definition
from infra.tools import cloud_run, parts, publish_totals, segments, verify
from infra.tools.parts import Part, Tell
from infra.tools.verify import Report, check_by_parts
from shared import runtime, settings
from shared.tables import client, keys
from tests.functions.shop import Shop

BUCKET = "runs"
MEMBERS = 7


@pytest.fixture(autouse=True)
def _bucket(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
    monkeypatch.setenv(cloud_run.BUCKET, BUCKET)
    monkeypatch.setattr(segments, "_count", lambda *_: 3)
    monkeypatch.setattr(verify, "ACCOUNTS_A_PART", 2)
    for number in range(MEMBERS):
        shop.order(shop.enroll(f"member-{number}"), f"A-{number}")


class Machine:
    """The state machine, one step after another."""

    def __init__(self, shop: Shop) -> None:
        self.event = {"command": "verify", "run": uuid4().hex, "now": shop.now.isoformat()}
        self.parts = 0

    def step(self) -> dict[str, Any]:
        done: dict[str, Any] = json.loads(json.dumps(cloud_run.handler(self.event, None)))
        return done

    def work(self, step: dict[str, Any]) -> None:
        """Work on all parts that wait."""
        for one in self.waiting(step):
            self.parts += 1
            selected = {"part": one["part"], "digest": one["digest"], "folder": step["folder"], "work": step["work"]}
            assert cloud_run.handler(json.loads(json.dumps(selected)), None) == {}

    def waiting(self, step: dict[str, Any]) -> list[Any]:
        found = boto3.client("s3").get_object(Bucket=BUCKET, Key=step["parts"])
        waiting: list[Any] = json.loads(found["Body"].read())
        return waiting

    def run(self) -> dict[str, Any]:
        while not (step := self.step())["done"]:
            self.work(step)
        return step


def here(shop: Shop) -> Report:
    with parts.unkept(shop.now) as run:
        return check_by_parts(client.client(), settings.loyalty_table(), run)


@pytest.fixture
def counted() -> Iterator[list[dict[str, int]]]:
    """What was counted."""
    found: list[dict[str, int]] = []

    class Telemetry:
        def count(self, **amounts: int) -> None:
            found.append(amounts)

    telemetry: Any = Telemetry()
    with runtime.use(telemetry=telemetry):
        yield found


def test_the_cloud_reports_what_this_machine_does_and_counts_it(shop: Shop, counted: list[dict[str, int]]) -> None:
    machine, found = Machine(shop), here(shop)
    done = machine.run()
    assert done["report"] == {"first": json.loads(json.dumps(found._asdict())), "violations": 0, "currency": "USD"}
    assert found.accounts == MEMBERS
    assert machine.parts > 3 + MEMBERS // 2 - 1, "segments, and accounts by twos"
    [amounts] = counted
    assert amounts[publish_totals.OUTSTANDING_POINTS] == found.outstanding > 0
    assert (amounts[publish_totals.LEDGER_CHECKS], amounts[publish_totals.LEDGER_VIOLATIONS]) == (1, 0)


def test_it_names_the_account_that_is_broken(shop: Shop, counted: list[dict[str, int]]) -> None:
    broken = shop.enroll("broken")
    item: Any = client.get("loyalty", keys.account_key(broken))
    client.client().put_item(TableName="loyalty", Item={**item, "state": {"S": "{"}})
    report, found = Machine(shop).run()["report"], here(shop)
    assert report["first"]["violations"] == [list(first) for first in found.first_of_each()]
    assert broken in {first[1] for first in report["first"]["violations"]}
    assert counted[0][publish_totals.LEDGER_VIOLATIONS] == report["violations"] == len(found.violations) > 0
    client.client().put_item(TableName="loyalty", Item=item)


def test_a_part_that_fails_is_named_once_all_others_are_finished(
    shop: Shop, counted: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(shop)
    step = machine.step()
    last = machine.waiting(step)[-1]

    def fails(part: Part, tell: Tell) -> Any:
        if part == last["part"]:
            raise ValueError("out of order")
        return verify.look_part(part, tell)

    monkeypatch.setattr(cloud_run, "WORKS", {**cloud_run.WORKS, "look": fails})
    with pytest.raises(ValueError, match="out of order"):
        machine.work(step)  # as the map tolerates: the other two are finished
    done = machine.step()
    assert done["done"]
    assert done["failed"].startswith("1 of 3 parts failed, the others are finished:")
    assert last["part"]["name"] in done["failed"]
    assert not counted


def test_the_machine_hands_over_what_the_function_reads(shop: Shop) -> None:
    states = machine_definition("function", BUCKET)["States"]
    assert set(states["Begin"]["Parameters"]) == {f"{name}.$" for name in Machine(shop).event}
    assert {name.removesuffix(".$") for name in states["Work on parts"]["ItemSelector"]} == {
        "part",
        "digest",
        "folder",
        "work",
    }
