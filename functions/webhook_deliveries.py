"""Queue in, HTTP out: posts events to webhooks, signed, and tries failed deliveries again."""

from typing import Any

from shared import batches, clock
from shared.batches import Record
from shared.domain.errors import TryAgainError
from shared.messaging import webhook_queue
from shared.services import webhook_deliveries


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the queue's messages; those that are to be tried again are reported as failed."""
    return batches.from_queue(event, _deliver)


def _deliver(record: Record) -> None:
    task = webhook_queue.task_of(record)
    attempt = int(record["attributes"]["ApproximateReceiveCount"])
    delivery = webhook_deliveries.deliver(task.webhook_id, task.event, attempt, clock.now())
    if delivery is None or delivery.succeeded:
        return
    if delivery.next_in_seconds is not None:
        webhook_queue.queue().postpone(record, delivery.next_in_seconds)
    raise TryAgainError(f"webhook {task.webhook_id} did not take an event")
