"""The reminder run: tells members of points that are about to expire, and of accounts that are about to be closed."""

from datetime import datetime, timedelta

from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import reminders_to_send, up_to_date, waits_for_reminder
from shared.domain.telling.notifications import reminder_note
from shared.messaging import message_queue
from shared.services import runs
from shared.services.runs import Listing, Page
from shared.tables import accounts, due_index, programs, upkeep

FIRST_RUN_DAYS = 31
OVERLAP_DAYS = 31
"""An account that time has changed stands under that day until the change is booked, which may be a month late."""


def begin(now: datetime) -> int:
    """Queue who is to be reminded since the last run, page by page; how many pages."""
    today = local_day(now, programs.load_program().time_zone)
    last = due_index.load_day(due_index.REMINDER_RUN) or today - timedelta(days=FIRST_RUN_DAYS)
    return runs.begin(RUN, Listing(now, last - timedelta(days=OVERLAP_DAYS), today))


def _remind(member_id: str, page: Page) -> int:
    """Send a member's reminders: 1, or 0 if there were none."""
    program, now = programs.load_program(), page.now
    today = local_day(now, program.time_zone)
    stored = accounts.load_account(member_id)
    account = up_to_date(stored.account, program, now)
    due = reminders_to_send(account, program, stored.reminded_on, today)
    notes = (reminder_note(account, program, reminder, today) for reminder in due)
    message_queue.enqueue(note for note in notes if note is not None)
    # An account that waits only for the expiry job is left where it stands: else every morning would find it again.
    if due or waits_for_reminder(stored.account, program, stored.reminded_on, today):
        upkeep.mark_reminded(stored, today)
    return int(bool(due))


RUN = runs.run_over_due_accounts("reminders", due_index.REMINDER_RUN, _remind)
