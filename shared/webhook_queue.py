"""The queue of deliveries to webhooks: what is put on it, and how a delivery that failed waits its turn."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shared import settings
from shared.domain.errors import TryAgainError
from shared.domain.messages import Event
from shared.domain.webhooks import Webhook

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10


class Task(NamedTuple):
    """One event for one endpoint."""

    webhook_id: str
    event: Event


class Queue(Protocol):
    """Where tasks wait."""

    def send(self, bodies: list[str]) -> None:
        """Queue one message for each body, at most BATCH."""

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Deliver a received message again after so long."""


def enqueue(tasks: Iterable[tuple[Webhook, Event]]) -> None:
    """Have events delivered to endpoints. Raises TryAgainError if the queue does not take them all."""
    bodies = [
        json.dumps({"webhook_id": webhook.webhook_id, "event": event.model_dump(mode="json")})
        for webhook, event in tasks
    ]
    for start in range(0, len(bodies), BATCH):
        queue().send(bodies[start : start + BATCH])


def task_of(record: Mapping[str, Any]) -> Task:
    """What a message asks for."""
    body = json.loads(record["body"])
    return Task(body["webhook_id"], Event.model_validate_json(json.dumps(body["event"])))


def use(queue: Queue) -> None:
    """Let tasks wait in `queue` instead of in SQS: on one machine it is in the same process."""
    global _queue  # noqa: PLW0603 - one process, one queue
    _queue = queue


def queue() -> Queue:
    """Where tasks wait: in SQS, unless the process was told otherwise."""
    return _queue or _sqs_queue()


_queue: Queue | None = None


class _Sqs:
    def send(self, bodies: list[str]) -> None:
        entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        answer = _client().send_message_batch(QueueUrl=settings.webhook_queue_url(), Entries=entries)
        if answer.get("Failed"):
            raise TryAgainError(f"the queue refused {len(answer['Failed'])} deliveries")

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        _client().change_message_visibility(
            QueueUrl=settings.webhook_queue_url(), ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
        )


@cache
def _sqs_queue() -> Queue:
    return _Sqs()


@cache
def _client() -> "SQSClient":
    import boto3  # noqa: PLC0415 - importing this module makes no client

    return boto3.client("sqs")
