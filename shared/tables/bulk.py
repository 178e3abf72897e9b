"""Many accounts in one transaction: all are written or none.

For much work at once. Where none is written, each is done alone, which says what stood in the way.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared import settings
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import LoyaltyError
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.program.program import Program
from shared.tables import accounts, client, ledger
from shared.tables.client import CancelledError, Key, Write
from shared.tables.programs import load_program
from shared.tables.transaction import opened, write


def load_entries(wanted: Sequence[Key]) -> list[Entry | None]:
    """The entry at each of some different keys, or None, but not all of one instant."""
    items = client.get_many(settings.loyalty_table(), wanted)
    return [ledger.entry_of(item) if item else None for item in items]


def enroll_together(newcomers: Sequence[tuple[Entry, Sequence[Write]]]) -> bool:
    """Write several new accounts with their first entries, and what goes with each; whether they were written."""
    program = load_program()
    writes = [write for _, further in newcomers for write in further]
    for entry, _ in newcomers:
        writes += [ledger.put(entry, program), accounts.put(opened([entry], program))]
    if len(writes) > client.WRITES_TOGETHER_MAX:
        return False
    try:
        client.transact(writes)
    except (LoyaltyError, CancelledError):
        return False
    return True


def book_together(members: Sequence[str], decide: Callable[[Account, Program], Sequence[Entry]], now: datetime) -> bool:
    """Book what `decide` makes of several members' accounts, one by one; whether it was booked.

    It is not where time has done something to an account, it was merged, the rules refuse one, others were writing, or
    it is too much for one transaction.
    """
    program = load_program()
    try:
        stored, _ = accounts.load_together(members)
        if not all(_is_plain(one.account, program, now) for one in stored):
            return False
        booked = [entry for one in stored for entry in decide(one.account, program)]
        if len(stored) + len(booked) > client.WRITES_TOGETHER_MAX:
            return False
        write(stored, booked, program)
    except (LoyaltyError, CancelledError):
        return False
    return True


def _is_plain(account: Account, program: Program, now: datetime) -> bool:
    """Whether an account is open, nobody was merged into it, and time has nothing to book on it."""
    is_settled = not settle(account, program, account.present(now), 1).entries
    return account.is_open and not account.merged_from and is_settled
