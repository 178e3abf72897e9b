"""Queue in, e-mails and text messages out: each message to a member, at the mail service's rate."""

from typing import Any

from shared import batches, clock
from shared.batches import Record
from shared.messaging import message_queue
from shared.services import messages


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the queue's messages; those that are to be tried again are reported as failed."""
    return batches.from_queue(event, _send)


def _send(record: Record) -> None:
    try:
        messages.send(message_queue.note_of(record), clock.now())
    except Exception:
        seconds = message_queue.wait_seconds(int(record["attributes"]["ApproximateReceiveCount"]))
        if seconds is not None:
            message_queue.queue().postpone(record, seconds)
        raise
