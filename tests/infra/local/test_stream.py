"""The ledger's stream reaches its function: entries only, all of them, whatever one of them does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import delivery
from infra.local.delivery import Delivery
from infra.local.journal import Journal
from infra.local.stream import Stream, sequence_number
from infra.machine import engine
from infra.tables import LOYALTY

SECONDS_MAX = 10


class Listener:
    """Remembers the sequences of the entries it was told of; `poison` always fails, `deadly` fells it."""

    def __init__(self, poison: int = 0, deadly: int = 0) -> None:
        self.told: list[int] = []
        self.records: list[dict[str, Any]] = []
        self._poison = poison
        self._deadly = deadly

    def __call__(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        numbers = {sequence_number(record): _number(record) for record in event["Records"]}
        if self._deadly in numbers.values():
            raise RuntimeError("as told")
        self.records += event["Records"]
        self.told += [number for number in numbers.values() if number != self._poison]
        failed = [name for name, number in numbers.items() if number == self._poison]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}


@pytest.fixture(scope="module", params=["ministack", "moto"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engine.running(request.param, tmp_path_factory.mktemp("engine"), keep=False) as started:
        yield started.endpoint


@pytest.fixture
def endpoint(running: str) -> Iterator[str]:
    """An engine with fresh tables."""
    engine.create_missing_tables(running)
    yield running
    engine.client(running).delete_table(TableName=LOYALTY.name)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PAUSE_SECONDS", 0)


@pytest.fixture
def dead_letters(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "dead-letters.jsonl")


def test_entries_are_told_of_in_order_and_nothing_else(endpoint: str, dead_letters: Journal, tmp_path: Path) -> None:
    listener = Listener()
    stream = _stream(endpoint, listener, dead_letters, tmp_path)
    _write(endpoint, 1, 2)
    account = {"pk": {"S": "MEMBER#1"}, "sk": {"S": "ACCOUNT"}}
    _put(endpoint, {**account, "state": {"B": b"\xff"}}, {**account, "state": {"B": b"\x00"}})
    _write(endpoint, 3)
    assert stream.catch_up(SECONDS_MAX)
    assert listener.told == [1, 2, 3]
    first = listener.records[0]
    assert first["eventSource"] == "aws:dynamodb"
    assert first["eventName"] == "INSERT"
    assert first["dynamodb"]["NewImage"]["type"] == {"S": "earn"}
    assert isinstance(first["dynamodb"]["ApproximateCreationDateTime"], float)


@pytest.mark.parametrize("trouble", [{"poison": 2}, {"deadly": 2}])
def test_a_bad_record_holds_up_no_other(
    endpoint: str, dead_letters: Journal, tmp_path: Path, trouble: dict[str, int]
) -> None:
    listener = Listener(**trouble)
    stream = _stream(endpoint, listener, dead_letters, tmp_path)
    _write(endpoint, 1, 2, 3)
    stream.catch_up(SECONDS_MAX)
    _write(endpoint, 4)
    stream.catch_up(SECONDS_MAX)
    assert set(listener.told) == {1, 3, 4}
    assert [_number(dead["record"]) for dead in dead_letters.records()] == [2]


def test_a_restart_goes_on_where_the_last_one_ended(endpoint: str, dead_letters: Journal, tmp_path: Path) -> None:
    _write(endpoint, 1, 2)
    before, after = Listener(), Listener()
    _stream(endpoint, before, dead_letters, tmp_path).catch_up(SECONDS_MAX)
    _write(endpoint, 3)
    _stream(endpoint, after, dead_letters, tmp_path).catch_up(SECONDS_MAX)
    assert (before.told, after.told) == ([1, 2], [3])


def test_a_table_made_anew_is_told_of_from_its_beginning(endpoint: str, dead_letters: Journal, tmp_path: Path) -> None:
    _write(endpoint, 1)
    _stream(endpoint, Listener(), dead_letters, tmp_path).catch_up(SECONDS_MAX)
    engine.client(endpoint).delete_table(TableName=LOYALTY.name)
    engine.create_missing_tables(endpoint)
    _write(endpoint, 1)
    listener = Listener()
    _stream(endpoint, listener, dead_letters, tmp_path).catch_up(SECONDS_MAX)
    assert listener.told == [1]


def test_the_stream_is_followed_in_the_background_and_emptied_at_the_end(
    endpoint: str, dead_letters: Journal, tmp_path: Path
) -> None:
    listener = Listener()
    stream = _stream(endpoint, listener, dead_letters, tmp_path)
    stream.start()
    _write(endpoint, *range(1, 8))
    stream.stop()
    assert listener.told == list(range(1, 8))


def test_an_engine_that_was_restarted_is_read_from_its_new_beginning(dead_letters: Journal, tmp_path: Path) -> None:
    before, after = Listener(), Listener()
    with engine.running("ministack", tmp_path, keep=True) as first:
        engine.create_missing_tables(first.endpoint)
        _write(first.endpoint, 1)
        _stream(first.endpoint, before, dead_letters, tmp_path).catch_up(SECONDS_MAX)
    with engine.running("ministack", tmp_path, keep=True) as second:
        _write(second.endpoint, 2)
        _stream(second.endpoint, after, dead_letters, tmp_path).catch_up(SECONDS_MAX)
    assert (before.told, after.told) == ([1], [2])


def _stream(endpoint: str, listener: Listener, dead_letters: Journal, folder: Path) -> Stream:
    told = Delivery("notify", listener, sequence_number, dead_letters)
    return Stream(engine.streams_client(endpoint), engine.stream_arn(endpoint), [told], folder / "stream.json")


def _write(endpoint: str, *numbers: int) -> None:
    entry = {"sk": {"S": "EARN"}, "type": {"S": "earn"}, "member_id": {"S": "m"}}
    _put(endpoint, *({**entry, "pk": {"S": f"ORDER#{number}"}, "sequence": {"N": str(number)}} for number in numbers))


def _put(endpoint: str, *items: Any) -> None:
    database = engine.client(endpoint)
    for item in items:
        database.put_item(TableName=LOYALTY.name, Item=item)


def _number(record: dict[str, Any]) -> int:
    return int(record["dynamodb"]["NewImage"]["sequence"]["N"])
