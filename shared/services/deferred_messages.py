"""Messages that waited for the end of somebody's quiet hours."""

from datetime import datetime

from shared import runtime, telemetry
from shared.messaging import message_queue
from shared.services.runs import SECONDS_MIN
from shared.tables import deferred_messages


def send_waiting(now: datetime) -> int:
    """Queue what has waited long enough; how much that was. What fails, or finds no time, waits for the next run."""
    sent = 0
    for one in deferred_messages.over(now):
        if runtime.seconds_left() < SECONDS_MIN:
            break
        try:
            message_queue.enqueue([one.note])
        except Exception:
            extra = {"message_id": one.note.message_id}
            telemetry.logger().exception("a message that waited could not be sent", extra=extra)
            continue
        deferred_messages.remove(one)
        sent += 1
    return sent
