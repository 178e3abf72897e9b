"""Messages that waited for the end of somebody's quiet hours."""

from datetime import datetime

from shared import telemetry
from shared.messaging import message_queue
from shared.tables import deferred_messages

ONLY_WAITING = "waiting"
"""What a schedule names as its work that sends this alone: at night nobody is reminded, but for some it is morning."""


def send_waiting(now: datetime) -> int:
    """Queue what has waited long enough; how much that was. What fails waits for the next run."""
    sent = 0
    for one in list(deferred_messages.over(now)):
        try:
            message_queue.enqueue([one.note])
        except Exception:
            extra = {"message_id": one.note.message_id}
            telemetry.logger().exception("a message that waited could not be sent", extra=extra)
            continue
        deferred_messages.remove(one)
        sent += 1
    return sent
