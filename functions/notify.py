"""Ledger stream and schedule in, events and messages out.

The stream delivers each entry at least once; events carry the entry's id and messages a marker, so a repeated delivery
does no harm. A record that fails is reported alone and never keeps the others from being told.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from shared import batches, clock, settings, telemetry
from shared.batches import Record
from shared.domain import entry_types
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.errors import MemberNotFoundError, TryAgainError
from shared.domain.invariants import standing_breaches
from shared.domain.lifecycle.passing_of_time import reminders_to_send, up_to_date, waits_for_reminder
from shared.domain.program.program import Program
from shared.domain.spending.pools import pool_among, united
from shared.domain.subaccounts import is_wallet, member_of
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import notes_on, reminder_note
from shared.domain.telling.statements import is_of, statement
from shared.messaging import channels, sender, webhook_queue
from shared.services import partner_deposits
from shared.tables import accounts, deferred_messages, due_index, ledger, programs, statements, upkeep, webhooks

FIRST_RUN_DAYS = 31
OVERLAP_DAYS = 31
"""An account that time has changed stands under that day until the change is booked, which may be a month late."""
DUE_PAGES_MAX = 1000
STATEMENTS_PER_RUN_MAX = 2000
"""What a run has time for; the next one, an hour later, goes on."""
ENTRIES_PAGE, ENTRIES_PAGES_MAX = 100, 20
ONLY_WAITING = "waiting"
"""At night nobody is reminded of anything, but for some members it is morning."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the ledger's stream, each record failing alone, or a schedule (`{"time": ...}`)."""
    if "Records" not in event:
        return _scheduled(datetime.fromisoformat(event["time"]), event.get("work"))
    return batches.from_stream(event, _tell_of)


def tell(entry: Entry) -> None:
    """Publish an entry's event, and send its member the messages about it."""
    event = event_of(entry)
    channels.current().publish([event])
    webhook_queue.enqueue((webhook, event) for webhook in webhooks.remembered() if webhook.wants(event.type))
    telemetry.count(**amounts(entry))
    program, now = programs.load_program(), clock.now()
    account, *others = accounts.load_with_pool(entry.member_id)
    telemetry.report(entry.member_id, standing_breaches(account))
    settled = [up_to_date(one, program, now) for one in (account, *others)]
    account = united(settled[0], pool_among(settled[0], settled))
    for note in notes_on(entry, account, program):
        sender.send(note, program, now, account)
    partner_deposits.watch(entry, program, now)
    if program.messages.sends("statement") and (member_id := member_of(entry.member_id)) is not None:
        statements.note(member_id, month_of(local_day(entry.recorded_at, program.time_zone)), now)


def remind(now: datetime) -> int:
    """Send the reminders due since the last run; to how many members."""
    today = local_day(now, programs.load_program().time_zone)
    last = due_index.load_day(due_index.REMINDER_RUN) or today - timedelta(days=FIRST_RUN_DAYS)
    first = last - timedelta(days=OVERLAP_DAYS)
    reminded, failed = 0, 0
    for day in due_index.between(first, today):
        for shard in range(settings.due_shards()):
            for member_id in due_index.due_members(day, shard, DUE_PAGES_MAX):
                try:
                    reminded += _remind(member_id, today, now)
                except (TryAgainError, MemberNotFoundError) as error:
                    failed += 1
                    extra = {"member_id": member_id, "code": error.code}
                    telemetry.logger().warning("a member could not be reminded", extra=extra)
    if failed:
        raise TryAgainError(f"{failed} members could not be reminded; the next run begins where this one did")
    due_index.note_day(due_index.REMINDER_RUN, max(today, last))
    return reminded


def send_waiting(now: datetime) -> int:
    """Send what waited for the end of somebody's quiet hours; how much that was. What fails waits for the next run."""
    program, sent = programs.load_program(), 0
    for one in list(deferred_messages.over(now)):
        try:
            sender.send(one.note, program, now)
        except Exception:
            extra = {"message_id": one.note.message_id}
            telemetry.logger().exception("a message that waited could not be sent", extra=extra)
            continue
        deferred_messages.remove(one)
        sent += 1
    return sent


def send_statements(now: datetime) -> int:
    """Send last month's statements that were not sent yet; how many those were. What fails is left for the next run."""
    program = programs.load_program()
    if not program.messages.sends("statement"):
        return 0
    today = local_day(now, program.time_zone)
    month, sent = month_of(today.replace(day=1) - timedelta(days=1)), 0
    for member_id in list(islice(statements.members(month), STATEMENTS_PER_RUN_MAX)):
        try:
            account = sender.settled(member_id, program, now)
            entries = _entries_of(member_id, month, program)
            sender.send(statement(account, entries, program, month, today), program, now, account)
        except Exception:
            telemetry.logger().exception("a statement could not be sent", extra={"member_id": member_id})
            continue
        statements.remove(member_id, month)
        sent += 1
    return sent


def _tell_of(record: Record) -> None:
    image = record["dynamodb"].get("NewImage", {})
    if record["eventName"] == "INSERT" and "type" in image:
        tell(ledger.entry_of(image))


def _scheduled(now: datetime, work: str | None) -> dict[str, Any]:
    done = {"waited": send_waiting(now)}
    if work != ONLY_WAITING:
        done |= {"reminders": remind(now), "statements": send_statements(now)}
        if (program := programs.load_program()).partners:
            done["partners"] = partner_deposits.look_at_all(program, now)
    return done


def _remind(member_id: str, today: date, now: datetime) -> int:
    program = programs.load_program()
    stored = accounts.load_account(member_id)
    account = up_to_date(stored.account, program, now)
    due = reminders_to_send(account, program, stored.reminded_on, today)
    for reminder in due:
        note = reminder_note(account, program, reminder, today)
        if note is not None:
            sender.send(note, program, now, account)
    # An account that waits only for the expiry job is left where it stands: else every morning would find it again.
    if due or waits_for_reminder(stored.account, program, stored.reminded_on, today):
        upkeep.mark_reminded(stored, today)
    return 1 if due else 0


def _entries_of(member_id: str, month: str, program: Program) -> Iterator[Entry]:
    """A member's entries of a month, newest first, read no further back than needed."""
    before = ledger.SEQUENCE_MAX
    for _ in range(ENTRIES_PAGES_MAX):
        page = ledger.load_history(member_id, ENTRIES_PAGE, before)
        yield from (entry for entry in page if is_of(entry, month, program))
        if len(page) < ENTRIES_PAGE or month_of(local_day(page[-1].recorded_at, program.time_zone)) < month:
            return
        before = page[-1].sequence


def amounts(entry: Entry) -> dict[str, int]:
    """What the dashboard adds up; the change of what is outstanding is of all points, pending and held as well."""
    if is_wallet(entry.member_id):
        return {"OtherEntries": 1}
    change = {"PointsChange": entry.available_effect + entry.pending_effect + entry.held_effect}
    metric = entry_types.of(entry.type).metric
    if metric == "OtherEntries":
        return {**change, metric: 1}
    return {**change, metric: -entry.held_effect if metric == "PointsRedeemed" else abs(entry.points)}
