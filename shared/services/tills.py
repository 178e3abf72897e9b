"""Cashiers at a till: they sign in with a code, find members, and take back what they have just done.

A cashier acts for the shop, and entries name them with their store. They may do what a storefront may. What they try is
counted, and what they undo is their own, of the last minutes.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from shared import request_ids, runtime
from shared.caller import STOREFRONT, Caller
from shared.domain.entry import Entry
from shared.domain.errors import (
    CodeExpiredError,
    InvalidRequestError,
    InvalidStateError,
    MemberNotFoundError,
    OrderNotFoundError,
    VoucherNotFoundError,
)
from shared.domain.members import codes as member_codes
from shared.domain.members.members import OneIdentifier
from shared.domain.members.sign_ins import new_token
from shared.domain.tills import CODE_LASTS, SESSION_LASTS, UNDONE_WITHIN, Shift, TillSession, new_code, read
from shared.services import accounts, guess_limits, member_search, redemptions, refunds, vouchers
from shared.services.member_search import LookUp
from shared.services.refunds import Refund
from shared.tables import audit, client, keys, ledger, tills
from shared.tables.client import CancelledError

GUESSES_MAX = 60
"""Of a cashier in an hour: a scanner misreads, and not every card is one of ours."""
_RECENT_MAX = 25
_TEXT_MAX = 128


class IssuedCode(NamedTuple):
    """A code to sign in at a till with, and until when."""

    code: str
    expires_at: datetime


class Cashier(NamedTuple):
    """A cashier who is signed in, where, and the caller whom services ask about."""

    name: str
    store_id: str
    caller: Caller


def issue(shift: Shift, *, caller: Caller, now: datetime) -> IssuedCode:
    """A code with which a cashier signs in once."""
    code, ends_at = new_code(runtime.random().choice), now + CODE_LASTS
    session = TillSession(cashier=shift.cashier, store_id=shift.store_id, started_at=now, ends_at=ends_at)
    trail = audit.trail(caller, "cashier.code_issued", now, cashier=shift.cashier, store_id=shift.store_id)
    client.transact([tills.put_code(read(code), session), *trail])
    return IssuedCode(code, ends_at)


def enter(code: str, *, now: datetime) -> str:
    """Sign in with a code; the session's token. Raises CodeExpiredError for one that is wrong, over, or was used."""
    code = read(code)
    shift = tills.load_code(code)
    refusal = CodeExpiredError("the code is wrong, over, or was used; ask for a new one")
    if shift is None or shift.ends_at <= now:
        raise refusal
    token = new_token(runtime.random().choice)
    session = shift.model_copy(update={"started_at": now, "ends_at": now + SESSION_LASTS})
    try:
        client.transact([tills.use_code(code), tills.put_session(token, session)])
    except CancelledError as cancelled:
        raise refusal from cancelled
    return token


def signed_in(token: str, *, now: datetime) -> Cashier | None:
    """Who has signed in with a session's token; None: nobody, or it is over."""
    session = tills.load_session(token)
    if session is None or session.ends_at <= now:
        return None
    subject = f"till:{request_ids.part(session.store_id, ':')}:{session.cashier}"
    return Cashier(session.cashier, session.store_id, Caller(subject, frozenset({STOREFRONT}), None))


def end(token: str) -> None:
    """End a session."""
    tills.end_session(token)


def find(text: str, *, cashier: Cashier, now: datetime) -> str:
    """Who has what was scanned or typed: a card, an address, or a code that the member shows.

    Raises MemberNotFoundError, and TooManyRequestsError for a cashier who has tried too often.
    """
    guess_limits.require_fewer(cashier.caller.subject, GUESSES_MAX, now)
    for reading in _readings(text[:_TEXT_MAX]):
        try:
            return member_search.look_up(reading, caller=cashier.caller, now=now).member_id
        except (InvalidRequestError, MemberNotFoundError):
            continue
    guess_limits.count_for(cashier.caller.subject, now)
    raise MemberNotFoundError("nobody has this card, address or code")


def identifier(text: str) -> OneIdentifier | None:
    """The identifier that a till has noted while it was offline: a code is over by the time that it comes."""
    kind = "email" if "@" in text else "phone" if text.startswith("+") else "card_number"
    try:
        return OneIdentifier.model_validate({kind: text})
    except ValidationError:
        return None


def find_voucher(code: str, *, cashier: Cashier, now: datetime) -> vouchers.LookedUp:
    """The voucher with a code. Raises VoucherNotFoundError, TooManyRequestsError."""
    guess_limits.require_fewer(cashier.caller.subject, GUESSES_MAX, now)
    try:
        return vouchers.look_up(code, caller=cashier.caller, now=now)
    except VoucherNotFoundError:
        guess_limits.count_for(cashier.caller.subject, now)
        raise


def undoable(member_id: str, *, cashier: Cashier, now: datetime) -> list[Entry]:
    """The sales and redemptions of a member that the cashier can undo, the newest first. Raises MemberNotFoundError."""
    entries = accounts.read_history(member_id, _RECENT_MAX, None, caller=cashier.caller).items
    gone = {_about(one) for one in entries if one.type in {"refund", "reverse"}}
    found = (one for one in entries if one.type == "capture" or (one.type == "earn" and "order_id" in one.source))
    return [one for one in found if is_undoable(one, cashier=cashier, now=now) and _about(one) not in gone]


def undo_sale(member_id: str, order_id: str, *, cashier: Cashier, now: datetime) -> None:
    """Take a sale back as a whole return. Raises OrderNotFoundError, InvalidStateError, and what a refund does."""
    entry = ledger.load_entry(keys.of("earn", order_id=order_id))
    if entry is None or entry.order is None:
        raise OrderNotFoundError("no such order has earned points")
    _require_own(entry, cashier, now)
    request = Refund(order_id=order_id, refund_id="till-undo", amount=entry.order.total)
    refunds.refund(member_id, request, caller=cashier.caller, now=now)


def undo_redemption(member_id: str, redemption_id: str, *, cashier: Cashier, now: datetime) -> None:
    """Give the points of a redemption back. Raises RedemptionNotFoundError, InvalidStateError, VoucherUsedError."""
    found = redemptions.read(member_id, redemption_id, caller=cashier.caller, now=now)
    _require_own(found.reserved, cashier, now)
    redemptions.reverse_redemption(member_id, redemption_id, caller=cashier.caller, now=now)


def undo_use(code: str, reference: str, *, cashier: Cashier, now: datetime) -> vouchers.Used:
    """Give a voucher's use back. Raises VoucherNotFoundError, InvalidStateError, TooManyRequestsError."""
    uses = find_voucher(code, cashier=cashier, now=now).uses
    found = next((one.entry for one in uses if one.entry.source["reference"] == reference), None)
    if found is None:
        raise InvalidStateError("the voucher was not used so")
    _require_own(found, cashier, now)
    return vouchers.undo(vouchers.Undo(code=code, reference=reference), caller=cashier.caller, now=now)


def is_undoable(entry: Entry, *, cashier: Cashier, now: datetime) -> bool:
    """Whether the cashier has booked an entry at this store within the last minutes."""
    return entry.actor == cashier.caller.actor and now - entry.recorded_at <= UNDONE_WITHIN


def _require_own(entry: Entry, cashier: Cashier, now: datetime) -> None:
    """Raises InvalidStateError for what somebody else did, or at another store, or too long ago."""
    if not is_undoable(entry, cashier=cashier, now=now):
        raise InvalidStateError("a cashier undoes what they did themselves within the last minutes, and at this store")


def _about(entry: Entry) -> str | None:
    """The order or the redemption that an entry is of."""
    return entry.source.get("order_id") if entry.type in {"earn", "refund"} else entry.source.get("redemption_id")


def _readings(text: str) -> Iterator[LookUp]:
    """What a text may be, the likeliest first."""
    kinds = ["email"] if "@" in text else ["phone"] if text.startswith("+") else ["card_number"]
    if len(member_codes.read(text)) == member_codes.LENGTH and kinds == ["card_number"]:
        kinds.insert(0, "code")
    for kind in kinds:
        try:
            yield LookUp.model_validate({kind: text})
        except ValidationError:
            continue
