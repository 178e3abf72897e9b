"""The one write of an operation: entries, the accounts that they change, and whatever else goes with them."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.ledger import book_all
from shared.domain.lifecycle.passing_of_time import due_on, reminded_through
from shared.domain.program.program import Program
from shared.tables import accounts, budgets, client, ledger, order_payments, orders, stock, vouchers
from shared.tables.accounts import StoredAccount
from shared.tables.client import Item, Key, Write


def write(
    stored: Sequence[StoredAccount],
    booked: Sequence[Entry],
    program: Program,
    further: Sequence[Write] = (),
    not_before: date = date.min,
    read: Mapping[Key, Item | None] = MappingProxyType({}),
) -> list[StoredAccount]:
    """Write `further`, accounts, entries, sums and stock at once; the accounts after it.

    `read` says what else the entries were decided on, None for what was not there: the sums among it must be so still.
    An account that was not there and stays empty is left out. Raises CancelledError, which counts `further` from 0.
    """
    writes: list[Write] = []
    after: list[StoredAccount] = []
    for one in stored:
        account = book_all(one.account, (entry for entry in booked if entry.member_id == one.account.member_id))
        if account.sequence == 0:
            after.append(one)
            continue
        booked_on = local_day(account.booked_at, program.time_zone) if account.booked_at else one.reminded_on
        reminded_on = reminded_through(one.account, program, one.reminded_on, booked_on)
        day = accounts.due_index_day(account, program, reminded_on, not_before)
        next_one = StoredAccount(account, one.revision + 1, reminded_on, day)
        writes.append(accounts.put(next_one))
        after.append(next_one)
    writes += [ledger.put(entry, program) for entry in booked]
    writes += stock.changes(booked, program)
    writes += [write for entry in booked for write in orders.changes(entry)]
    writes += [write for entry in booked for write in ledger.returned_sums(entry)]
    writes += [write for entry in booked for write in vouchers.changes(entry)]
    writes += order_payments.writes(booked, read)
    writes += budgets.draws(booked)
    client.transact([*further, *writes])
    return after


def opened(booked: Sequence[Entry], program: Program) -> StoredAccount:
    """A new account with its first entries."""
    account = book_all(Account(member_id=booked[0].member_id), booked)
    today = local_day(booked[0].recorded_at, program.time_zone)
    return StoredAccount(account, 1, today, due_on(account, program, today))
