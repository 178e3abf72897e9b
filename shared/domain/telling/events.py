"""Events for other systems: one for each entry, with no personal data."""

from collections.abc import Mapping
from datetime import datetime

from shared.domain import entry_types, order_ids
from shared.domain.entry import Entry
from shared.domain.entry_types import ENTRY_TYPES
from shared.domain.fields import Record, Stored
from shared.domain.spending.gifts import lapsed_gift
from shared.domain.subaccounts import is_pool, is_wallet

_UNTOLD = frozenset({"reason", "reason_for", "note", "requested_by", "approved_by"})
"""What of an entry's source is the shop's own affair."""


class Event(Stored):
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


_GIFT_LAPSED = "gift.lapsed"
"""A gift's hold that times out, where another's is a redemption's."""

ALL_TYPES: tuple[str, ...] = tuple(
    dict.fromkeys(
        (
            *(row.event for row in ENTRY_TYPES.values()),
            *(row.wallet_event for row in ENTRY_TYPES.values() if row.wallet_event),
            *(row.pool_event for row in ENTRY_TYPES.values() if row.pool_event),
            _GIFT_LAPSED,
        )
    )
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
    told = {name: value for name, value in entry.source.items() if name not in _UNTOLD}
    return {name: order_ids.shown(value) if name == "order_id" else value for name, value in told.items()}


def _type_of(entry: Entry) -> str:
    if lapsed_gift(entry):
        return _GIFT_LAPSED
    row = entry_types.of(entry.type)
    if is_pool(entry.member_id):
        return row.pool_event or row.event
    return (row.wallet_event if is_wallet(entry.member_id) else None) or row.event
