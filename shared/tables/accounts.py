"""Accounts as they are stored: each with how often it was written, and its day in the index of what is due."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from shared import settings
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.errors import MemberMergedError, MemberNotActiveError, UnknownMemberError
from shared.domain.lifecycle.passing_of_time import due_on
from shared.domain.program.program import Program
from shared.domain.spending.merges import MERGES_MAX
from shared.domain.spending.pools import pools_of
from shared.domain.subaccounts import owner_of
from shared.tables import client, keys, records
from shared.tables.client import Item, Key, Write


class StoredAccount(NamedTuple):
    """An account as read: how often written, through which day reminders are dealt with, its day in the index `due`."""

    account: Account
    revision: int
    reminded_on: date
    due_on: date | None = None


def account_of(item: Item) -> Account:
    """The account that an item holds."""
    return records.read(Account, item, "state")


def load_account(member_id: str) -> StoredAccount:
    """A member's account. Raises MemberNotFoundError."""
    return stored_of(member_id, client.get(settings.loyalty_table(), keys.account_key(member_id)))


def load_accounts(members: Sequence[str]) -> list[Account]:
    """Several accounts as they stood at one instant. Raises MemberNotFoundError."""
    return [one.account for one in load_together(members)[0]]


def load_with_pool(member_id: str) -> tuple[Account, ...]:
    """A member's account, and after it, at the cost of one more read, the pool that they share in."""
    account = load_account(member_id).account
    return (account, *load_pools(account))


def load_pools(account: Account) -> tuple[Account, ...]:
    """The account of the pool that a member shares in, at the cost of one read; nothing, if there is none."""
    return tuple(load_account(name).account for name in pools_of([account]))


def load_survivor(member_id: str) -> Account:
    """The account of who a member has become by merges: their own, or the one that took theirs in.

    It may be closed. Raises MemberNotFoundError.
    """
    return survivor_of(load_account(member_id).account)


def survivor_of(account: Account) -> Account:
    """The account that goes on with one: itself, unless it was merged into another."""
    # A member takes in so many others at most, ever: no chain of merges is longer.
    for _ in range(MERGES_MAX):
        if account.merged_into is None:
            return account
        account = load_account(account.merged_into).account
    return account


def load_survivors(found: Sequence[Account]) -> tuple[Account, ...]:
    """The accounts that go on with some, and after them the pools that their members share in."""
    own = [survivor_of(account) for account in found]
    known = {account.member_id for account in own}
    return (*own, *(load_account(name).account for name in pools_of(own) if name not in known))


def require_open(account: Account) -> None:
    """Raises MemberMergedError or MemberNotActiveError for an account to which nothing can be booked any more."""
    require_not_merged(account)
    if not account.is_open:
        raise MemberNotActiveError(f"the member {account.member_id} was {account.status}")


def require_not_merged(account: Account) -> None:
    """Raises MemberMergedError for an account that another goes on with."""
    if account.merged_into is not None:
        raise MemberMergedError(owner_of(account.member_id), owner_of(account.merged_into))


def load_together(
    members: Sequence[str], reads: Sequence[Key] = ()
) -> tuple[list[StoredAccount], dict[Key, Item | None]]:
    """Several accounts and further items as they stood at one instant: None for an item that is not there.

    Raises MemberNotFoundError.
    """
    if len(members) == 1 and not reads:
        return [load_account(members[0])], {}
    wanted = [*(keys.account_key(member_id) for member_id in members), *reads]
    items = client.get_together(settings.loyalty_table(), wanted)
    stored = [stored_of(member_id, item) for member_id, item in zip(members, items, strict=False)]
    return stored, dict(zip(reads, items[len(members) :], strict=True))


def stored_of(member_id: str, item: Item | None) -> StoredAccount:
    """The account that an item holds; an empty one for a side account that nobody has opened.

    Raises MemberNotFoundError.
    """
    if item is None:
        if keys.is_side_account(member_id):
            return StoredAccount(Account(member_id=member_id), 0, date.min)
        raise UnknownMemberError(member_id)
    account = account_of(item)
    due = date.fromisoformat(item["due_pk"]["S"].split("#")[1]) if "due_pk" in item else None
    return StoredAccount(account, int(item["revision"]["N"]), date.fromisoformat(item["reminded_on"]["S"]), due)


def put(stored: StoredAccount) -> Write:
    """A write that puts an account over the revision before it."""
    account = stored.account
    attributes: dict[str, Any] = {
        **records.attributes(account, "state"),
        "sequence": {"N": str(account.sequence)},
        "reminded_on": {"S": stored.reminded_on.isoformat()},
    }
    if stored.due_on is not None:
        shard = keys.shard_of(account.member_id, settings.due_shards())
        attributes["due_pk"] = {"S": f"DUE#{stored.due_on.isoformat()}#{shard}"}
        attributes["due_sk"] = {"S": account.member_id}
    key = keys.account_key(account.member_id)
    return client.put_over(settings.loyalty_table(), key, stored.revision - 1, **attributes)


def due_index_day(account: Account, program: Program, reminded_on: date, not_before: date = date.min) -> date | None:
    """The day in the index `due`: not long before the account was last written, for runs may have passed that.

    The day before will do, since runs overlap by weeks, and by the clock of another machine it may still be that.
    """
    due = due_on(account, program, reminded_on)
    if due is None or account.booked_at is None:
        return due
    written_on = max(reminded_on, local_day(account.booked_at, program.time_zone))
    return max(due, written_on - timedelta(days=1), not_before)
