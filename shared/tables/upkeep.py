"""Work on one account that no request asked for: booking what time has done, checking, repairing, noting reminders."""

from datetime import date, datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.errors import TryAgainError
from shared.domain.invariants import Breach, breaches
from shared.domain.lifecycle.passing_of_time import settle
from shared.tables import accounts, client
from shared.tables.accounts import StoredAccount, load_account
from shared.tables.client import CancelledError, Item
from shared.tables.ledger import load_whole_history
from shared.tables.operation import ATTEMPTS_MAX, SETTLE_ENTRIES_MAX
from shared.tables.programs import load_program
from shared.tables.transaction import write


def catch_up(member_id: str, now: datetime, stored: StoredAccount | None = None, *, not_before: date = date.min) -> int:
    """Book what time has done to one account, and move it to its next day in the index `due`, `not_before` a day.

    How many entries were booked; `stored` is the account if it has been read. Raises TryAgainError when others kept
    winning the race.
    """
    program = load_program()
    stored = stored or load_account(member_id)
    booked = 0
    for attempt in range(ATTEMPTS_MAX):
        settled = settle(stored.account, program, stored.account.present(now), SETTLE_ENTRIES_MAX)
        day = accounts.due_index_day(stored.account, program, stored.reminded_on, not_before)
        if not settled.entries and stored.due_on == day:
            return booked
        try:
            [stored] = write([stored], settled.entries, program, (), not_before)
        except CancelledError:
            client.back_off(attempt)
            stored = load_account(member_id)
            continue
        booked += len(settled.entries)
        if settled.complete:
            return booked
    raise TryAgainError(f"the account {member_id} could not be settled")


def audit(member_id: str, stored: StoredAccount | None = None) -> list[Breach]:
    """The invariants that an account breaks against its whole ledger; none where the index is a moment behind it.

    `stored` is the account if it has been read.
    """
    account = (stored or load_account(member_id)).account
    newest_first = load_whole_history(member_id)
    entries = [entry for entry in reversed(newest_first) if entry.sequence <= account.sequence]
    is_caught_up = bool(entries) and entries[-1].sequence == account.sequence
    return breaches(account, entries) if is_caught_up else []


def replace_account(existing: Item | None, account: Account) -> None:
    """Replace the existing item of an account, if there is one, by what the ledger says; for repairs.

    What a newer release keeps there, in fields of the account that this one does not know, stays.

    Raises CancelledError if somebody else has written it since it was read.
    """
    program = load_program()
    today = local_day(account.booked_at, program.time_zone) if account.booked_at else date.min
    reminded_on = date.fromisoformat(existing["reminded_on"]["S"]) if existing else today
    revision = int(existing["revision"]["N"]) if existing else 0
    due = accounts.due_index_day(account, program, reminded_on)
    if existing:
        account = account.model_copy(update=accounts.account_of(existing).model_extra or {})
    client.transact([accounts.put(StoredAccount(account, revision + 1, reminded_on, due))])


def mark_reminded(stored: StoredAccount, through: date) -> bool:
    """Note that reminders through a day are dealt with; False if the account was changed meanwhile."""
    try:
        write([stored._replace(reminded_on=through)], (), load_program())
    except CancelledError:
        return False
    return True
