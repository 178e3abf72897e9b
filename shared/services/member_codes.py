"""Proof that a member is there: a code of theirs, for five minutes.

Whoever holds it may look the member up. A partner's redemption uses it up.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared import runtime
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.errors import CodeExpiredError, Fault, InvalidRequestError, TryAgainError
from shared.domain.members.codes import LIFE, new_code, read, text_of
from shared.tables import accounts, member_codes
from shared.tables.client import CancelledError, Item, Key, Write


class IssuedCode(NamedTuple):
    """A code, what a QR code says that shows it, and until when it names the member."""

    code: str
    text: str
    expires_at: datetime


def issue(member_id: str, *, caller: Caller, now: datetime) -> IssuedCode:
    """A new code for a member. Raises MemberNotFoundError, MemberMergedError, MemberNotActiveError."""
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    accounts.require_open(account)
    code, expires_at = new_code(runtime.random().choice), now + LIFE
    try:
        member_codes.put(code, account.member_id, expires_at)
    except CancelledError as cancelled:
        raise TryAgainError("no code could be issued just now; the same request may be sent again") from cancelled
    return IssuedCode(code, text_of(code), expires_at)


def find(text: str, now: datetime) -> str | None:
    """Who has the code, or has become of who had it; None: nobody, or it is over. It is not used up."""
    code = member_codes.load(read(text))
    if code is None or code.is_used or code.expires_at <= now:
        return None
    account = accounts.load_survivor(code.member_id)
    return account.member_id if account.is_open else None


def reads(text: str | None) -> list[Key]:
    """What a redemption must read to use a code."""
    return [] if text is None else [member_codes.key_of(read(text))]


def used_up(
    text: str | None, items: Mapping[Key, Item | None], account: Account, redemption_id: str, now: datetime
) -> Write:
    """What uses the member's code up for a redemption; `items` are those that were read.

    Raises InvalidRequestError without a code, and CodeExpiredError for one that was used, is over, or is not theirs.
    """
    if text is None:
        raise InvalidRequestError(Fault("/code", "ask the member for a code: it proves that they are there"))
    [key] = reads(text)
    code = member_codes.code_of(items.get(key))
    if code is None or code.is_used or code.expires_at <= now or code.member_id not in account.ids:
        raise CodeExpiredError("the code was used, is over, or is not this member's; ask the member for a new one")
    return member_codes.use(read(text), redemption_id)
