"""Refunds for members who are gone: the order's sums follow, and so do those whom the order has brought something.

A closed account keeps nothing: what its member had spent of a pool's points only passes through. What a refund would
have taken is told by the account as it stood before it was closed: points that were forfeited unspent count as taken
back, and those that had been spent are owed by the person. The wallet of a provisional member who has lapsed stays
open: what a refund takes from it is booked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.earning.kept_orders import Returned
from shared.domain.earning.referrals import friend_of, reversal, side_of
from shared.domain.entry import Entry
from shared.domain.ledger import book_all, combined, negative
from shared.domain.lifecycle.changed_order import Background, BookedOrder, refunded
from shared.domain.lifecycle.lapsed_points import lapsed_unspent
from shared.domain.lots import Lots
from shared.domain.program.program import Program
from shared.domain.subaccounts import is_wallet

_TAKES = frozenset({"refund", "badge_lost", "referral_reversal"})


def refunded_of_gone(
    accounts: Sequence[Account],
    order: BookedOrder,
    part: Returned,
    background: Background,
    *,
    refund_id: str,
    refunded_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    """Record that a part of an order came back whose member is gone, in their ledger and in their wallet's.

    `accounts` are the member's and their wallet; `background` has the ledgers of both.
    """
    found = [_before_closing(account, background.histories) for account in accounts]
    made = refunded(
        found,
        order,
        part,
        background,
        refund_id=refund_id,
        refunded_at=refunded_at,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
    )
    of_points = [entry for entry in made if not is_wallet(entry.member_id) and entry.type in _TAKES]
    of_points += _reward_taken_back(book_all(found[0], of_points), background.in_force, of_points[0], background, now)
    of_credit = [entry for entry in made if is_wallet(entry.member_id)]
    of_wallet = of_credit if accounts[1].is_open else [_unbooked(of_credit)] if of_credit else []
    return [_unbooked(of_points), *of_wallet]


def reward_of_gone_taken_back(
    account: Account, program: Program, paid: Entry, histories: Mapping[str, Sequence[Entry]], now: datetime
) -> Entry:
    """Record that an advocate who is gone was paid for an order that came back: what they had spent of it is owed.

    `histories` has the account's ledger.
    """
    found = _before_closing(account, histories)
    lapsed = lapsed_unspent(found, program.expiry, paid, histories)
    return _unbooked([reversal(found, program, paid, now, lapsed)])


def _before_closing(account: Account, histories: Mapping[str, Sequence[Entry]]) -> Account:
    """The account as its closing found it, without what refunds have counted of that since."""
    if account.is_open:
        return account
    entries = histories[account.member_id]
    closing = next(n for n, entry in enumerate(entries) if entry_types.of(entry.type).status_after == account.status)
    before = book_all(Account(member_id=account.member_id), entries[:closing])
    counted = combined(*(entry.lapsed for entry in entries[closing + 1 :]))
    left = {"lots": _left(before.lots, counted), "pending": _left(before.pending, counted)}
    return account.model_copy(update={"status": before.status, "prolonged": {}, **left})


def _left(lots: Lots, counted: Lots) -> Lots:
    return {lot: points - counted.get(lot, 0) for lot, points in lots.items() if points > counted.get(lot, 0)}


def _reward_taken_back(
    account: Account, program: Program, refund: Entry, background: Background, now: datetime
) -> list[Entry]:
    """What takes back the reward that the member got for the order as somebody's friend, if it no longer pays off."""
    if refund.referred is None or refund.referred.state != "reversed":
        return []
    cause = {"friend": friend_of(refund), "role": side_of("FRIEND", refund.referred.times)}
    entries = (entry for name in account.ids for entry in background.histories.get(name, ()))
    paid = (entry for entry in entries if entry.type == "referral" and cause.items() <= entry.source.items())
    return [
        reversal(account, program, entry, now, lapsed_unspent(account, program.expiry, entry, background.histories))
        for entry in paid
        if entry.points
    ]


def _unbooked(made: Sequence[Entry]) -> Entry:
    """The refund's own entry, the first of those that an open account would get, as a closed one has it."""
    own = made[0]
    counted = combined(*(lots for one in made for lots in (one.lapsed, negative(one.lots), negative(one.pending))))
    update = {
        "points": 0,
        "balance_after": 0,
        "lots": {},
        "pending": {},
        "debt": 0,
        "earned": 0,
        "tier": None,
        "progress": {},
        "lapsed": counted,
        "forgiven": sum(one.forgiven for one in made),
        "unbooked": -own.points,
        "owed": sum(one.debt for one in made),
    }
    return own.model_copy(update=update)
