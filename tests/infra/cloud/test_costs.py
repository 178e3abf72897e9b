"""The bill is made from what operations really use."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import botocore.client
import pytest
from moto import mock_aws

from infra import costs
from shared import clock
from tests.infra.cloud.in_process import REGION, InProcess, make_everything, start_cold
from tests.infra.cloud.stories import enrolled, keyed, ok, ordered

READ_UNIT_BYTES, WRITE_UNIT_BYTES = 4096, 1024


class Meter:
    """Counts units as DynamoDB does: by whole steps of size, double in transactions, and once more for each index."""

    def __init__(self) -> None:
        self.reads, self.writes = 0, 0

    def note(self, operation: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """One request and its answer."""
        if operation == "GetItem":
            self.reads += _steps(answer.get("Item", {}), READ_UNIT_BYTES)
        elif operation == "TransactWriteItems":
            for [request] in (item.values() for item in params["TransactItems"]):
                item = request.get("Item", {})
                steps = _steps(item, WRITE_UNIT_BYTES)
                is_entry, is_account = "type" in item and "sequence" in item, "due_pk" in item
                self.writes += 2 * steps + is_entry * steps + is_account


@pytest.fixture
def world() -> Iterator[InProcess]:
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        names = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in names.items():
            environment.setenv(name, value)
        for name, value in make_everything().items():
            environment.setenv(name, value)
        yield InProcess()
    clock.use(lambda: datetime.now(UTC))
    start_cold()


def test_operations_use_the_units_that_the_bill_says(world: InProcess) -> None:
    member_id = enrolled(world, email="ada@example.com")
    path = f"/v1/members/{member_id}"
    ordered(world, member_id)
    done: dict[str, Callable[[], Any]] = {
        "join": lambda: enrolled(world, email="grace@example.com"),
        "order": lambda: ordered(world, member_id),
        "account": lambda: ok(world, "GET", f"{path}/account"),
        "redemption": lambda: _redeemed(world, path),
    }
    for name, operation in done.items():
        meter = _measured(operation)
        stated = costs.OPERATIONS[name]
        # The programme is read once in a while, and an index entry moves when its day does.
        assert abs(meter.reads - stated.read_units) <= 1, name
        assert abs(meter.writes - stated.write_units) <= 2, name


def test_a_bill_grows_with_the_orders_and_has_no_part_below_nothing() -> None:
    small, large = costs.monthly(1000, 2000), costs.monthly(1000, 20_000)
    assert all(dollars >= 0 for dollars in small.values())
    assert sum(small.values()) < sum(large.values()) < 10 * sum(small.values())


def _redeemed(world: InProcess, path: str) -> None:
    held = ok(world, "POST", f"{path}/redemptions", {"reward_id": "free-coffee"}, headers=keyed())
    ok(world, "POST", f"{path}/redemptions/{held['redemption_id']}/capture")


def _measured(operation: Callable[[], Any]) -> Meter:
    meter, ask = Meter(), botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001

    def metered(client: Any, name: str, params: Mapping[str, Any]) -> Any:
        answer = ask(client, name, params)
        meter.note(name, params, answer)
        return answer

    with patch.object(botocore.client.BaseClient, "_make_api_call", metered):
        operation()
    return meter


def _steps(item: Mapping[str, Any], unit_bytes: int) -> int:
    size = sum(len(name) + len(str(value)) for name, [value] in ((n, v.values()) for n, v in item.items()))
    return max(1, math.ceil(size / unit_bytes))
