"""Gifts of points: offered, then accepted, returned or withdrawn."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared import request_ids
from shared.caller import Caller, is_valid_id
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    GiftNotFoundError,
    IdempotencyMismatchError,
    InvalidRequestError,
    InvalidStateError,
    LoyaltyError,
    MemberNotActiveError,
    UnknownMemberError,
)
from shared.domain.fields import PositivePoints, Record, Reference, Text
from shared.domain.points.operator_limits import counting
from shared.domain.spending.gifts import GiftState, accept, gift_state, give_back, offer
from shared.services import caller_keys
from shared.tables import accounts, gift_messages, keys, ledger, members, operation
from shared.tables.operation import Decide, Decision, Situation


class Gift(Record):
    """Points for another member, who may accept or return them, and words that go with them."""

    to_member_id: Reference
    points: PositivePoints
    message: Text | None = None


class OfferedGift(NamedTuple):
    """A gift: the entry that offered it, its state, the words that went with it, whether this had been done before."""

    offer: Entry
    state: GiftState
    message: str | None
    replayed: bool = False


def offer_gift(member_id: str, gift: Gift, *, key: str, caller: Caller, now: datetime) -> OfferedGift:
    """Hold points for another member; `key` tells the request from the caller's others for the giver.

    Raises MemberNotFoundError, InvalidRequestError, and what the rules refuse.
    """
    giver, receiver = caller.authorized_member_id(member_id), gift.to_member_id
    if receiver == giver:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))
    if not is_valid_id(receiver):
        raise UnknownMemberError(receiver)
    return caller_keys.under(caller, ("gift", giver, key), lambda gift_id: _offered(giver, gift, gift_id, caller, now))


def _offered(giver: str, gift: Gift, gift_id: str, caller: Caller, now: datetime) -> OfferedGift:
    receiver = gift.to_member_id
    fingerprint = members.private_fingerprint(f"gift:{request_ids.fingerprint(gift)}")

    def decide(situation: Situation) -> Decision:
        _require_open(receiver, situation.other_account(receiver))
        entry = offer(
            situation.account,
            situation.program,
            gift.points,
            to=receiver,
            gift_id=gift_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        entry = _counting(entry, situation.account, situation, gift.points)
        words = gift_messages.words_writes(gift_id, giver, receiver, gift.message) if gift.message else ()
        return Decision([entry], words)

    key, reads = keys.of("gift_offer", gift_id=gift_id), [keys.account_key(receiver)]
    outcome = operation.run([giver], decide, key=key, fingerprint=fingerprint, now=now, reads=reads, actor=caller.actor)
    state = gift_state(_steps(gift_id), outcome.accounts[0], now) if outcome.replayed else "offered"
    return OfferedGift(outcome.entry, state, gift.message, outcome.replayed)


def _counting(entry: Entry, whose: Account | None, situation: Situation, points: int) -> Entry:
    """The entry, counting toward what one operator moves of the member, if an operator acts.

    No second operator approves a gift. Raises TooMuchForOneError.
    """
    if whose is None:
        return entry
    today = local_day(situation.now, situation.program.time_zone)
    return counting(entry, whose, situation.program, points, today)


def read_gift(member_id: str, gift_id: str, *, caller: Caller, now: datetime) -> OfferedGift:
    """A gift, for who gave it and who was given it. Raises GiftNotFoundError for anybody else."""
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    steps = _steps(gift_id)
    offered = steps.get("gift_offer")
    if offered is None or not {offered.source["from"], offered.source["to"]} & set(account.ids):
        raise _not_found(gift_id)
    giver = accounts.load_survivor(offered.member_id)
    return OfferedGift(offered, gift_state(steps, giver, now), _words(offered))


def accept_gift(member_id: str, gift_id: str, *, caller: Caller, now: datetime) -> OfferedGift:
    """Take a gift; each lot keeps its expiry date. Raises GiftNotFoundError, InvalidStateError."""
    receiver, offered = caller.authorized_member_id(member_id), _load(gift_id)
    if receiver == offered.member_id:
        raise _not_found(gift_id)

    def decide(situation: Situation) -> Decision:
        receiving, giving = situation.accounts
        if offered.source["to"] not in receiving.ids:
            raise _not_found(gift_id)
        entries = accept(receiving, giving, situation.program, gift_id, now=situation.now, actor=caller.actor)
        is_in = {"gift_in": receiving}
        return Decision([_counting(one, is_in.get(one.type), situation, one.points) for one in entries])

    outcome = _end(offered, "gift_in", decide, now, receiver)
    return OfferedGift(offered, "accepted", _words(offered), outcome.replayed)


def return_gift(member_id: str, gift_id: str, *, caller: Caller, now: datetime) -> OfferedGift:
    """Decline a gift: the points go back to the giver's lots. Raises GiftNotFoundError, InvalidStateError."""
    return _give_back(member_id, gift_id, "to", caller, now)


def withdraw_gift(member_id: str, gift_id: str, *, caller: Caller, now: datetime) -> OfferedGift:
    """Take an offered gift back. Raises GiftNotFoundError, InvalidStateError."""
    return _give_back(member_id, gift_id, "from", caller, now)


def _give_back(member_id: str, gift_id: str, side: str, caller: Caller, now: datetime) -> OfferedGift:
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    offered = _load(gift_id)
    if offered.source[side] not in account.ids:
        raise _not_found(gift_id)

    def decide(situation: Situation) -> Decision:
        to, at = offered.source["to"], situation.now
        return Decision([give_back(situation.account, situation.program, gift_id, to=to, now=at, actor=caller.actor)])

    outcome = _end(offered, "gift_return", decide, now)
    return OfferedGift(offered, "returned", _words(offered), outcome.replayed)


def _end(offered: Entry, type_: str, decide: Decide, now: datetime, *receiver: str) -> operation.Outcome:
    key = keys.of(type_, gift_id=offered.source["gift_id"])
    try:
        return operation.run([*receiver, offered.member_id], decide, key=key, fingerprint="", now=now)
    except (MemberNotActiveError, IdempotencyMismatchError) as error:  # perhaps merged since
        giver = _survivor(offered.member_id, error)
    if giver in receiver:
        raise InvalidStateError("giver and receiver have become one member; withdraw the gift")
    return operation.run([*receiver, giver], decide, key=key, fingerprint="", now=now)


def _survivor(member_id: str, error: LoyaltyError) -> str:
    """Who has a gift's points after its giver was merged. Raises MemberNotActiveError if nobody has, or `error`."""
    survivor = accounts.load_survivor(member_id)
    if survivor.member_id == member_id and isinstance(error, IdempotencyMismatchError):
        raise error
    if survivor.member_id == member_id or not survivor.is_open:
        raise MemberNotActiveError("one of the two is no longer a member") from error
    return survivor.member_id


def _require_open(member_id: str, account: Account | None) -> None:
    if account is None:
        raise UnknownMemberError(member_id)
    accounts.require_open(account)


def _words(offered: Entry) -> str | None:
    return gift_messages.load_words(offered.source["gift_id"], offered.source["to"])


def _steps(gift_id: str) -> Mapping[str, Entry]:
    if not is_valid_id(gift_id):
        raise _not_found(gift_id)
    return {entry.type: entry for entry in ledger.load_gift(gift_id)}


def _load(gift_id: str) -> Entry:
    offered = ledger.load_entry(keys.of("gift_offer", gift_id=gift_id)) if is_valid_id(gift_id) else None
    if offered is None:
        raise _not_found(gift_id)
    return offered


def _not_found(gift_id: str) -> GiftNotFoundError:
    """One answer for a gift that does not exist and for one of others."""
    return GiftNotFoundError(f"the member has no gift {gift_id}")
