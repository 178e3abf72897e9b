"""Batches of a queue and of a stream: what failed is delivered again, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from shared import batches, runtime
from shared.batches import Record
from shared.domain.errors import TryAgainError

Batch = Callable[[dict[str, Any], batches.Work], dict[str, Any]]

IMAGE = {"points": {"N": "5"}, "body": {"S": "{}"}}


class Log:
    """Keeps what is logged, by level."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def logger(self) -> Any:
        return self

    def warning(self, message: str, extra: dict[str, Any]) -> None:
        self.lines.append(("warning", f"{message}: {extra}"))

    def exception(self, message: str) -> None:
        self.lines.append(("error", message))

    def count(self, **amounts: int) -> None: ...

    def report(self, member_id: str, breaches: Any) -> None: ...


@pytest.fixture
def log() -> Log:
    return Log()


def _queue(*names: str) -> dict[str, Any]:
    return {"Records": [{"messageId": name, "body": name} for name in names]}


def _stream(*names: str) -> dict[str, Any]:
    changes = [{"NewImage": IMAGE, "SequenceNumber": name} for name in names]
    return {
        "Records": [{"eventName": "INSERT", "messageId": name["SequenceNumber"], "dynamodb": name} for name in changes]
    }


BOTH = pytest.mark.parametrize(
    ("deal_with", "batch"), [(batches.from_queue, _queue), (batches.from_stream, _stream)], ids=["queue", "stream"]
)


@BOTH
@pytest.mark.parametrize("bad", [(), ("2",), ("1", "3"), ("1", "2", "3")])
def test_what_failed_is_reported_and_never_keeps_the_rest_from_being_dealt_with(
    log: Log, deal_with: Batch, batch: Callable[..., dict[str, Any]], bad: tuple[str, ...]
) -> None:
    seen: list[str] = []

    def work(record: Record) -> None:
        seen.append(record["messageId"])
        if record["messageId"] in bad:
            raise ConnectionError("the mail server is away")

    with runtime.use(telemetry=log):
        answer = deal_with(batch("1", "2", "3"), work)
    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in bad]}
    assert seen == ["1", "2", "3"]
    assert log.lines == [("error", "a record failed")] * len(bad)


@BOTH
def test_what_has_to_wait_is_reported_and_leaves_no_trace_in_the_log(
    log: Log, deal_with: Batch, batch: Callable[..., dict[str, Any]]
) -> None:
    def work(record: Record) -> None:  # noqa: ARG001
        raise TryAgainError("an account is busy")

    with runtime.use(telemetry=log):
        assert deal_with(batch("1"), work) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [level for level, _ in log.lines] == ["warning"]
    assert "an account is busy" in log.lines[0][1]


def test_an_item_of_a_stream_arrives_as_the_table_holds_it() -> None:
    images: list[Any] = []

    def work(record: Record) -> None:
        images.append(record["dynamodb"]["NewImage"])

    batches.from_stream(_stream("1"), work)
    assert images == [IMAGE]


def test_a_batch_within_a_batch_reports_its_own_failures_alone(log: Log) -> None:
    def fail(record: Record) -> None:  # noqa: ARG001
        raise ConnectionError

    def work(record: Record) -> None:  # noqa: ARG001
        assert batches.from_queue(_queue("inner"), fail)["batchItemFailures"] == [{"itemIdentifier": "inner"}]

    with runtime.use(telemetry=log):
        assert batches.from_queue(_queue("outer"), work) == {"batchItemFailures": []}
