"""Reminders of points that are about to expire, and of accounts that are about to be closed."""

from datetime import date, datetime, timedelta

from shared import settings, telemetry
from shared.domain.calendar import local_day
from shared.domain.errors import MemberNotFoundError, TryAgainError
from shared.domain.lifecycle.passing_of_time import reminders_to_send, up_to_date, waits_for_reminder
from shared.domain.telling.notifications import reminder_note
from shared.messaging import message_queue
from shared.tables import accounts, due_index, programs, upkeep

FIRST_RUN_DAYS = 31
OVERLAP_DAYS = 31
"""An account that time has changed stands under that day until the change is booked, which may be a month late."""
DUE_PAGES_MAX = 1000


def send_due(now: datetime) -> int:
    """Queue the reminders due since the last run; for how many members. Raises TryAgainError if some failed."""
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


def _remind(member_id: str, today: date, now: datetime) -> int:
    program = programs.load_program()
    stored = accounts.load_account(member_id)
    account = up_to_date(stored.account, program, now)
    due = reminders_to_send(account, program, stored.reminded_on, today)
    for reminder in due:
        note = reminder_note(account, program, reminder, today)
        if note is not None:
            message_queue.enqueue([note])
    # An account that waits only for the expiry job is left where it stands: else every morning would find it again.
    if due or waits_for_reminder(stored.account, program, stored.reminded_on, today):
        upkeep.mark_reminded(stored, today)
    return 1 if due else 0
