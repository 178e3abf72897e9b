"""What a member has: their account with the pool that they share in, and its history."""

from typing import NamedTuple

from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.services import histories
from shared.services.histories import Page, Place
from shared.tables import accounts, programs


class AccountView(NamedTuple):
    """An account as it was last written, the pool's account behind it if the member shares in one, and the program."""

    account: Account
    others: tuple[Account, ...]
    program: Program


def read_account(member_id: str, *, caller: Caller) -> AccountView:
    """A member's account. Raises MemberNotFoundError, MemberMergedError."""
    account, *others = accounts.load_with_pool(caller.authorized_member_id(member_id))
    accounts.require_not_merged(account)
    return AccountView(account, tuple(others), programs.load_program())


def read_history(member_id: str, limit: int, place: Place[int] | None, *, caller: Caller) -> Page[Entry, int]:
    """A page of a member's entries. Raises MemberNotFoundError, MemberMergedError, InvalidRequestError."""
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    accounts.require_not_merged(account)
    return histories.read_entries(account, limit, place)
