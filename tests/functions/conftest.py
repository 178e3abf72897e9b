"""The functions as API Gateway calls them, on moto: one thread, small tables."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from infra.machine.engine import create_table_request
from infra.tables import LOYALTY, PEOPLE
from shared import runtime
from shared.tables import client as dynamo
from tests.functions.message_queue import MessageQueue
from tests.functions.run_queues import Queues, run_queues
from tests.functions.shop import REGION, Shop, check_every_account, moto_tables
from tests.shared.wire import Wire, hold_to_limits

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENVIRONMENT = {
    "LOYALTY_TABLE": "loyalty",
    "PEOPLE_TABLE": "people",
    "IDENTITY_KEY": "00" * 32,
    "DUE_SHARDS": "2",
    "WEBHOOK_TARGETS": "public",
    "PUBLIC_URL": "https://loyalty.example",
    "MESSAGES": "send",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@pytest.fixture(scope="package")
def moto() -> "Iterator[DynamoDBClient]":
    """One moto, one client and two tables for many tests: starting anew for each would take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        # Set before moto starts: it puts back the credentials that it found.
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with mock_aws():
            runtime.reset()
            client = dynamo.client()
            for table in (LOYALTY, PEOPLE):
                # A stream would be copied with every transaction, all of its history, and nobody reads it here.
                client.create_table(**create_table_request(replace(table, stream=None)))
            with runtime.use(database=lambda: client):
                yield client
    runtime.reset()


@pytest.fixture
def database(moto: "DynamoDBClient") -> "DynamoDBClient":
    """The client that the functions use, with empty tables."""
    for table in moto_tables().values():
        table.items.clear()
    runtime.forget()
    return moto


@pytest.fixture
def shop(database: "DynamoDBClient") -> Iterator[Shop]:
    """A shop with empty tables and the default program; the invariants are checked when its test ends."""
    database.meta.events.register("before-parameter-build.dynamodb", hold_to_limits)
    try:
        with runtime.use(message_queue=MessageQueue()):
            yield Shop()
            check_every_account()
    finally:
        database.meta.events.unregister("before-parameter-build.dynamodb", hold_to_limits)


@pytest.fixture
def queues(shop: Shop) -> Iterator[Queues]:  # noqa: ARG001 - what the shop has replaced is put back after this
    """What waits for the workers of runs."""
    with run_queues() as waiting:
        yield waiting


@pytest.fixture
def wire(database: "DynamoDBClient") -> Iterator[Wire]:
    """The requests to DynamoDB: counted, and made to fail."""
    wire = Wire(database)
    yield wire
    wire.close()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """What was counted for the dashboard."""
    counts: list[dict[str, int]] = []
    monkeypatch.setattr("shared.telemetry.count", lambda **amounts: counts.append(amounts))
    return counts
