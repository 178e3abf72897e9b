"""The queue of deliveries to webhooks: what is put on it, and how a delivery that failed waits its turn."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from shared import settings
from shared.aws import sqs
from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import Webhook


class Task(NamedTuple):
    """One event for one endpoint."""

    webhook_id: str
    event: Event


class Queue(Protocol):
    """Where tasks wait."""

    def send(self, bodies: list[str]) -> None:
        """Queue one message for each body, at most `queues.BATCH`."""

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Deliver a received message again after so long."""


def enqueue(tasks: Iterable[tuple[Webhook, Event]]) -> None:
    """Have events delivered to endpoints. Raises TryAgainError if the queue does not take them all."""
    bodies = [
        json.dumps({"webhook_id": webhook.webhook_id, "event": event.model_dump(mode="json")})
        for webhook, event in tasks
    ]
    for start in range(0, len(bodies), sqs.BATCH):
        queue().send(bodies[start : start + sqs.BATCH])


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
    return _queue or _Sqs()


_queue: Queue | None = None


class _Sqs:
    def send(self, bodies: list[str]) -> None:
        sqs.send(settings.webhook_queue_url(), bodies)

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        sqs.postpone(settings.webhook_queue_url(), record, seconds)
