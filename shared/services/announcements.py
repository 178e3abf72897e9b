"""What an entry is announced as: an event for other systems, messages to its member, and the dashboard's counts."""

from datetime import datetime

from shared import telemetry
from shared.domain import entry_types
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.invariants import standing_breaches
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.spending.pools import pool_among, united
from shared.domain.subaccounts import is_wallet, member_of
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import Note, notes_on
from shared.messaging import channels, sender, webhook_queue
from shared.services import partner_deposits
from shared.tables import accounts, programs, statements, webhooks


def announce(entry: Entry, now: datetime) -> None:
    """Publish an entry's event, and send its member the messages about it."""
    event = event_of(entry)
    channels.current().publish([event])
    webhook_queue.enqueue((webhook, event) for webhook in webhooks.remembered() if webhook.wants(event.type))
    telemetry.count(**amounts(entry))
    program = programs.load_program()
    account, *others = accounts.load_with_pool(entry.member_id)
    telemetry.report(entry.member_id, standing_breaches(account))
    settled = [up_to_date(one, program, now) for one in (account, *others)]
    account = united(settled[0], pool_among(settled[0], settled))
    for note in notes_on(entry, account, program):
        sender.send(note, program, now, account)
    partner_deposits.watch(entry, program, now)
    if program.messages.sends("statement") and (member_id := member_of(entry.member_id)) is not None:
        statements.note(member_id, month_of(local_day(entry.recorded_at, program.time_zone)), now)


def tell(note: Note, now: datetime) -> None:
    """Send a message that was written down to go out at once."""
    sender.send(note, programs.load_program(), now)


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
