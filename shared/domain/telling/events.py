"""What other systems are told of what happened: an event for each entry, with nothing personal in it."""

from collections.abc import Mapping
from datetime import datetime

from shared.domain.account import Entry
from shared.domain.fields import Record
from shared.domain.spending.gifts import lapsed_gift
from shared.domain.subaccounts import is_pool, is_wallet

EVENT_TYPES: Mapping[str, str] = {
    "enroll": "member.enrolled",
    "earn": "points.earned",
    "refund": "points.refunded",
    "adjust": "points.adjusted",
    "approve": "points.approved",
    "reject": "points.rejected",
    "badge": "badge.earned",
    "referral": "referral.rewarded",
    "referral_review": "referral.reviewed",
    "referral_reversal": "referral.reversed",
    "birthday": "points.birthday",
    "anniversary": "points.anniversary",
    "transfer_out": "points.sent",
    "transfer_in": "points.received",
    "gift_offer": "gift.offered",
    "gift_out": "gift.accepted",
    "gift_in": "gift.received",
    "gift_return": "gift.returned",
    "pool_out": "pool.drawn",
    "pool_in": "pool.added",
    "pool_join": "pool.joined",
    "pool_leave": "pool.left",
    "merge_out": "member.merged",
    "merge_in": "member.absorbed",
    "reserve": "redemption.reserved",
    "capture": "redemption.captured",
    "cancel": "redemption.cancelled",
    "lapse": "redemption.lapsed",
    "reverse": "redemption.reversed",
    "payout": "credit.paid_out",
    "membership": "membership.paid",
    "membership_cancel": "membership.cancelled",
    "membership_end": "membership.ended",
    "freeze": "member.frozen",
    "unfreeze": "member.unfrozen",
    "traits": "member.traits_changed",
    "provisional": "member.provisional",
    "confirm": "member.confirmed",
    "unclaimed": "member.lapsed",
    "brought_in": "points.brought_in",
    "maturity": "points.matured",
    "expiry": "points.expired",
    "tier_review": "tier.reviewed",
    "erase": "member.erased",
}

_UNTOLD = frozenset({"reason", "requested_by", "approved_by"})
"""What of an entry's source is the shop's own affair."""


class Event(Record):
    """Something that happened, for other systems. `sequence` has no gaps per member: who misses one can tell."""

    event_id: str
    type: str
    member_id: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    points: int
    balance_after: int
    program_version: int
    tier_id: str | None = None
    source: Mapping[str, str] = {}


_ON_WALLETS: Mapping[str, str] = {
    "enroll": "credit.opened",
    "earn": "credit.earned",
    "refund": "credit.refunded",
    "maturity": "credit.matured",
    "expiry": "credit.expired",
    "merge_out": "credit.merged",
    "merge_in": "credit.absorbed",
    "erase": "credit.erased",
}
"""What is about money on a wallet, where the same entry of a member's own account is about points or the member."""
_ON_POOLS: Mapping[str, str] = {"enroll": "pool.opened", "expiry": "pool.expired"}

_GIFT_LAPSED = "gift.lapsed"
"""A gift's hold that times out, where another's is a redemption's."""

ALL_TYPES: tuple[str, ...] = tuple(
    dict.fromkeys((*EVENT_TYPES.values(), *_ON_WALLETS.values(), *_ON_POOLS.values(), _GIFT_LAPSED))
)
"""Every type that an event may have."""


LOW_FUNDS = "partner.low_funds"
"""Told on the bus alone, for it is about no member."""


class PartnerEvent(Record):
    """Something that happened with a partner: of its deposits fewer points are left than `alert_below`."""

    event_id: str
    type: str = LOW_FUNDS
    partner_id: str
    points_left: int
    alert_below: int
    recorded_at: datetime


def event_of(entry: Entry) -> Event:
    """The event that an entry is to other systems. No personal data."""
    return Event(
        event_id=entry.entry_id,
        type=_type_of(entry),
        member_id=entry.member_id,
        sequence=entry.sequence,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        points=entry.points,
        balance_after=entry.balance_after,
        program_version=entry.program_version,
        tier_id=entry.tier.tier_id if entry.tier else None,
        source=_source_of(entry),
    )


def _source_of(entry: Entry) -> dict[str, str]:
    if gift_id := lapsed_gift(entry):
        return {"gift_id": gift_id}
    return {name: value for name, value in entry.source.items() if name not in _UNTOLD}


def _type_of(entry: Entry) -> str:
    if lapsed_gift(entry):
        return _GIFT_LAPSED
    of_kind = _ON_POOLS if is_pool(entry.member_id) else _ON_WALLETS if is_wallet(entry.member_id) else {}
    return of_kind.get(entry.type, EVENT_TYPES[entry.type])
