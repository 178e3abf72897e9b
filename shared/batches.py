"""Batches that Lambda takes from a queue or a stream: each record fails alone, and what failed is delivered again."""

from collections.abc import Mapping
from typing import Any, Protocol

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    ExceptionInfo,
    FailureResponse,
    process_partial_response,
)

from shared import telemetry
from shared.domain.errors import TryAgainError

Record = Mapping[str, Any]
"""One message of a queue, or one change of a table, as Lambda delivers it: an item's values keep their types."""


class Work(Protocol):
    """Deals with a record. Raises TryAgainError if it has to wait; whatever it raises, the record comes again."""

    def __call__(self, record: Record) -> None:
        """Named, as Powertools passes it by name."""


def is_of_queue(event: Mapping[str, Any]) -> bool:
    """Whether a batch comes from a queue, where a function takes batches of a stream as well."""
    return bool(event["Records"]) and event["Records"][0].get("eventSource") == "aws:sqs"


def from_queue(event: dict[str, Any], work: Work) -> dict[str, Any]:
    """Deal with each message of a queue's batch; which of them failed, as SQS asks."""
    return _answer(event, work, EventType.SQS)


def from_stream(event: dict[str, Any], work: Work) -> dict[str, Any]:
    """Deal with each change of a stream's batch; which of them failed, as the stream asks."""
    return _answer(event, work, EventType.DynamoDBStreams)


class _Processor(BatchProcessor):
    def failure_handler(self, record: Any, exception: ExceptionInfo) -> FailureResponse:  # noqa: ANN401 - as above it
        """Log why a record failed. What merely has to wait leaves no trace."""
        error = exception[1]
        if isinstance(error, TryAgainError):
            telemetry.logger().warning("a record will be delivered again", extra={"because": error.detail})
        else:
            telemetry.logger().exception("a record failed")
        return super().failure_handler(record, exception)


def _answer(event: dict[str, Any], work: Work, kind: EventType) -> dict[str, Any]:
    # A processor keeps what failed: each batch has its own, as batches run side by side on one machine. A batch that
    # fails as a whole is reported like any other: an exception would count as a failure of the function itself.
    processor = _Processor(kind, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event, work, processor))
