"""Ledger stream, schedules and queues in, events out, and what is to be said onto the queue of messages.

The stream delivers each entry, and each note of what is to be said, at least once. An entry has a marker once it was
announced, events carry its id, and messages a marker of their own: so a repeated delivery does no harm. Each schedule
names its work: none of them waits for another.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from shared import batches, clock, telemetry
from shared.batches import Record
from shared.services import (
    announcements,
    deferred_messages,
    parked_events,
    partner_deposits,
    rates,
    reminders,
    runs,
    statements,
)
from shared.tables import ledger, notes, programs


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the ledger's stream or of a queue, each record failing alone, or a schedule.

    A schedule (`{"time": ..., "work": ...}`) is answered with how much that was; without `work` all is done.
    """
    if "Records" not in event:
        return _scheduled(datetime.fromisoformat(event["time"]), event.get("work"))
    if batches.is_of_queue(event):
        return batches.from_queue(event, _work)
    return batches.from_stream(event, _announce)


def _announce(record: Record) -> None:
    if (note := notes.written(record)) is not None:
        announcements.tell(note)
    elif (entry := ledger.booked(record, "type")) is not None:
        rates.watch(entry, clock.now())
        announcements.announce(entry, clock.now())


def _work(record: Record) -> None:
    runs.work(record["body"], reminders.RUN, statements.RUN)


def _scheduled(now: datetime, work: str | None) -> dict[str, Any]:
    done = {}
    for name, does in WORK.items():
        if work in {None, name}:
            done[name] = does(now)
            # By its calls alone nobody sees which work a schedule no longer asks for.
            telemetry.count(**{telemetry.run_metric(name): 1})
    return done


def _look_at_partners(now: datetime) -> int:
    return partner_deposits.look_at_all(programs.load_program(), now)


WORK: Mapping[str, Callable[[datetime], int]] = {
    "waiting": deferred_messages.send_waiting,
    "resumed": parked_events.resume,
    "reminders": reminders.begin,
    "statements": statements.begin,
    "partners": _look_at_partners,
}
"""What schedules ask for, by the name that they give it."""
