"""Ledger stream and schedule in, events out, and what is to be said onto the queue of messages.

The stream delivers each entry, and each note of what is to be said, at least once. An entry has a marker once it was
announced, events carry its id, and messages a marker of their own: so a repeated delivery does no harm.
"""

from datetime import datetime
from typing import Any

from shared import batches, clock
from shared.batches import Record
from shared.services import (
    announcements,
    deferred_messages,
    parked_events,
    partner_deposits,
    rates,
    reminders,
    statements,
)
from shared.tables import ledger, notes, programs


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the ledger's stream, each record failing alone, or a schedule (`{"time": ...}`)."""
    if "Records" not in event:
        return _scheduled(datetime.fromisoformat(event["time"]), event.get("work"))
    return batches.from_stream(event, _announce)


def _announce(record: Record) -> None:
    if (note := notes.written(record)) is not None:
        announcements.tell(note)
    elif (entry := ledger.booked(record, "type")) is not None:
        rates.watch(entry, clock.now())
        announcements.announce(entry, clock.now())


def _scheduled(now: datetime, work: str | None) -> dict[str, Any]:
    done = {"waited": deferred_messages.send_waiting(now), "resumed": parked_events.resume(now)}
    if work != deferred_messages.ONLY_WAITING:
        done |= {"reminders": reminders.send_due(now), "statements": statements.send_due(now)}
        if (program := programs.load_program()).partners:
            done["partners"] = partner_deposits.look_at_all(program, now)
    return done
