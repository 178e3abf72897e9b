"""What an entry is announced as: an event for other systems, messages to its member, and the dashboard's counts.

Messages go onto a queue of their own: whatever becomes of them, the entry was announced. It is counted last, and once.
"""

from datetime import datetime

from shared import telemetry
from shared.domain import entry_types
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.invariants import standing_breaches
from shared.domain.lifecycle.passing_of_time import up_to_date_with_pool
from shared.domain.subaccounts import is_wallet, member_of
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import Note, notes_on
from shared.messaging import channels, message_queue, webhook_queue
from shared.services import partner_deposits
from shared.tables import accounts, announced, programs, statements, webhooks


def announce(entry: Entry, now: datetime) -> None:
    """Publish an entry's event, and queue the messages to its member, unless that was done."""
    if announced.is_marked(entry.entry_id):
        return
    event = event_of(entry)
    channels.current().publish([event])
    webhook_queue.enqueue((webhook, event) for webhook in webhooks.remembered() if webhook.wants(event.type))
    program = programs.load_program()
    found = accounts.load_with_pool(entry.member_id)
    telemetry.report(entry.member_id, standing_breaches(found[0]))
    notes = notes_on(entry, up_to_date_with_pool(found, program, now), program)
    message_queue.enqueue(note for note in notes if program.messages.sends(note.kind))
    partner_deposits.watch(entry, program, now)
    if program.messages.sends("statement") and (member_id := member_of(entry.member_id)) is not None:
        statements.note(member_id, month_of(local_day(entry.recorded_at, program.time_zone)), now)
    if announced.mark(entry.entry_id, now):
        telemetry.count(**amounts(entry))


def tell(note: Note) -> None:
    """Queue a message that was written down to go out at once."""
    message_queue.enqueue([note])


def amounts(entry: Entry) -> dict[str, int]:
    """What the dashboard adds up; the change of what is outstanding is of all points, pending and held as well."""
    if is_wallet(entry.member_id):
        return {"OtherEntries": 1}
    change = {"PointsChange": entry.available_effect + entry.pending_effect + entry.held_effect}
    if entry.expired:
        change["PointsExpired"] = entry.expired_points
    metric = entry_types.of(entry.type).metric
    if metric == "OtherEntries":
        return {**change, metric: 1}
    return {**change, metric: -entry.held_effect if metric == "PointsRedeemed" else abs(entry.points)}
