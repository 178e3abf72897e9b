"""What the database's answers, refusals and silences mean."""

from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from shared import runtime
from shared.domain.errors import TryAgainError
from shared.tables import client
from shared.tables.client import CancelledError, Key
from tests.shared.wire import Wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "loyalty"
URL = "https://dynamodb.example"


def put(sk: str, **attributes: Any) -> None:
    client.transact([client.put_new(TABLE, Key("P", sk), **attributes)])


def revision_of(sk: str) -> str:
    item = client.get(TABLE, Key("P", sk))
    assert item is not None
    return str(item["revision"]["N"])


@pytest.mark.usefixtures("database")
def test_an_item_is_put_once() -> None:
    put("one", colour={"S": "red"})
    with pytest.raises(CancelledError) as refused:
        put("one", colour={"S": "blue"})
    assert refused.value.failed == {0: {"pk": {"S": "P"}, "sk": {"S": "one"}, "colour": {"S": "red"}}}
    assert client.get(TABLE, Key("P", "one")) == refused.value.failed[0]


@pytest.mark.usefixtures("database")
def test_a_revision_is_put_over_the_one_that_was_read_and_no_other() -> None:
    key = Key("P", "one")
    for revision in range(3):
        client.transact([client.put_over(TABLE, key, revision)])
    assert revision_of("one") == "3"
    for stale in (0, 1, 2, 4):
        with pytest.raises(CancelledError) as refused:
            client.transact([client.put_over(TABLE, key, stale)])
        existing = refused.value.failed[0]
        assert existing is not None
        assert existing["revision"] == {"N": "3"}
    assert revision_of("one") == "3"


@pytest.mark.usefixtures("database")
def test_all_writes_of_a_transaction_happen_or_none() -> None:
    put("one")
    with pytest.raises(CancelledError) as refused:
        client.transact([client.put_new(TABLE, Key("P", sk)) for sk in ("zero", "one", "two")])
    assert list(refused.value.failed) == [1]
    assert client.get_together(TABLE, [Key("P", "zero"), Key("P", "two")]) == [None, None]


@pytest.mark.usefixtures("database")
def test_what_stands_nowhere_is_read_as_nothing() -> None:
    put("one")
    assert client.get(TABLE, Key("P", "two")) is None
    first, second = client.get_together(TABLE, [Key("P", "two"), Key("P", "one")])
    assert first is None
    assert second is not None


def all_of(pages_max: int) -> list[str]:
    found = client.query(
        TABLE,
        pages_max=pages_max,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "P"}},
        Limit=2,
    )
    return [item["sk"]["S"] for item in found]


@pytest.mark.usefixtures("database")
def test_a_query_follows_its_pages() -> None:
    for number in range(5):
        put(str(number))
    assert all_of(pages_max=3) == ["0", "1", "2", "3", "4"]


@pytest.mark.usefixtures("database")
def test_what_follows_is_found_though_a_page_of_the_database_ends_before() -> None:
    names = [f"{number:02}" for number in range(6)]
    for name in names:
        put(name, text={"S": "x" * 350_000})  # three of them fill a page
    assert [item["sk"]["S"] for item in client.following(TABLE, "P", "00", 4)] == names[1:5]
    assert [item["sk"]["S"] for item in client.following(TABLE, "P", "", 9)] == names


@pytest.mark.usefixtures("database")
def test_a_query_with_more_pages_than_expected_is_given_up() -> None:
    for number in range(5):
        put(str(number))
    with pytest.raises(TryAgainError, match="2 pages"):
        all_of(pages_max=2)


def reason(code: str, **item: Any) -> dict[str, Any]:
    return {"Code": code, **item}


def test_a_refused_condition_is_told_though_another_write_was_in_the_way_as_well(wire: Wire) -> None:
    item = {"pk": {"S": "P"}}
    reasons = [reason("TransactionConflict"), reason("ConditionalCheckFailed", Item=item), reason("None")]
    wire.refuse("TransactWriteItems", "TransactionCanceledException", reasons=reasons)
    with pytest.raises(CancelledError) as refused:
        put("one")
    assert refused.value.failed == {1: item}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_write_in_anothers_way_has_failed_no_condition(wire: Wire, code: str) -> None:
    wire.refuse("TransactWriteItems", "TransactionCanceledException", reasons=[reason("None"), reason(code)])
    with pytest.raises(CancelledError) as refused:
        put("one")
    assert refused.value.failed == {}


@pytest.mark.parametrize(
    "silence",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_does_not_answer_is_to_be_asked_again(wire: Wire, silence: Exception) -> None:
    def fall_silent() -> None:
        raise silence

    wire.before("GetItem", fall_silent)
    with pytest.raises(TryAgainError):
        client.get(TABLE, Key("P", "one"))
    wire.before("TransactWriteItems", fall_silent)
    with pytest.raises(TryAgainError):
        put("one")


@pytest.mark.usefixtures("database")
def test_a_mistake_of_our_own_is_not_taken_for_silence() -> None:
    with pytest.raises(ZeroDivisionError):
        client.ask(lambda: 1 // 0)


def test_a_refusal_that_nobody_understands_is_told_as_it_is(wire: Wire) -> None:
    for request in ("GetItem", "TransactGetItems", "Query"):
        wire.refuse(request, "ValidationException")
    with pytest.raises(ClientError):
        client.get(TABLE, Key("P", "one"))
    with pytest.raises(ClientError):
        client.get_together(TABLE, [Key("P", "one")])
    with pytest.raises(ClientError):
        all_of(pages_max=1)


class Unlucky(Random):
    """Draws the longest wait each time."""

    def uniform(self, _: float, ceiling: float) -> float:
        return ceiling


def test_nobody_waits_longer_than_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(client, "time", SimpleNamespace(sleep=waits.append))
    with runtime.use(random=Unlucky()):
        for attempt in range(20):
            client.back_off(attempt)
    assert waits == sorted(waits)
    assert waits[0] == client.BACKOFF_SECONDS
    assert waits[-1] == client.BACKOFF_SECONDS_MAX


def test_there_is_one_client(database: "DynamoDBClient") -> None:
    assert client.client() is database
    with runtime.use():
        del runtime.replaced["database"]
        made = client.client()
        assert made is not database
        assert client.client() is made
