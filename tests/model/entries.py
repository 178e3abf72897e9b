"""What every entry says, whoever asked for it: checked wherever a test books one."""

from collections.abc import Mapping

from shared.domain.account import Entry

BY_TIME: frozenset[str] = frozenset(
    {"anniversary", "birthday", "expiry", "lapse", "maturity", "membership_end", "tier_review", "unclaimed"}
)
"""Whose actor is the clock."""
BY_ANYBODY: frozenset[str] = frozenset({"cancel", "erase", "pool_in", "pool_leave", "pool_out"})
"""Whose actor is the clock, or whoever asked: what led to it may be either, such as a birthday or an order."""
ASKED_FOR: frozenset[str] = frozenset(
    {
        "adjust",
        "confirm",
        "freeze",
        "gift_offer",
        "membership",
        "membership_cancel",
        "payout",
        "provisional",
        "reserve",
        "transfer_out",
        "unfreeze",
    }
)
"""What a request makes, with its fingerprint; others do so too, but not always."""
EARNS: frozenset[str] = frozenset(
    {"anniversary", "badge", "birthday", "confirm", "enroll", "referral", "referral_reversal", "refund"}
)
"""Whose points count as earned, all of them."""
MOVES: frozenset[str] = frozenset(
    {
        "adjust",
        "cancel",
        "capture",
        "expiry",
        "freeze",
        "gift_in",
        "gift_offer",
        "gift_out",
        "gift_return",
        "lapse",
        "maturity",
        "membership",
        "payout",
        "pool_in",
        "pool_join",
        "pool_leave",
        "pool_out",
        "reserve",
        "reverse",
        "tier_review",
        "traits",
        "transfer_in",
        "transfer_out",
        "unclaimed",
        "unfreeze",
    }
)
"""Which earn nobody anything."""
EXPLAINED: frozenset[str] = frozenset({"badge", "birthday", "earn", "referral"})
"""Whose points are explained piece by piece."""
SOURCES: Mapping[str, set[str]] = {
    "adjust": {"reason", "reference"},
    "anniversary": {"on", "year"},
    "approve": {"action", "reference"},
    "badge": {"badge_id", "times"},
    "birthday": {"year"},
    "brought_in": {"brought_in", "reference"},
    "cancel": {"redemption_id"},
    "capture": {"redemption_id"},
    "expiry": {"on"},
    "freeze": {"reason", "reference"},
    "gift_in": {"from", "gift_id", "to"},
    "gift_offer": {"from", "gift_id", "to"},
    "gift_out": {"from", "gift_id", "to"},
    "gift_return": {"from", "gift_id", "to"},
    "lapse": {"redemption_id"},
    "maturity": {"on"},
    "membership": {"plan_id", "reference", "renewed"},
    "membership_cancel": {"plan_id", "reference", "refund_amount"},
    "membership_end": {"on", "plan_id"},
    "merge_in": {"from", "into"},
    "merge_out": {"from", "into"},
    "payout": {"payout_id", "reference", "to"},
    "pool_in": {"by", "move_id", "pool_id"},
    "pool_join": {"by", "change_id", "pool_id"},
    "pool_leave": {"by", "change_id", "pool_id"},
    "pool_out": {"by", "move_id", "pool_id"},
    "referral": {"friend", "role"},
    "referral_reversal": {"friend", "role"},
    "referral_review": {"friend", "state"},
    "refund": {"order_id", "refund_id"},
    "reject": {"action", "reference"},
    "reserve": {"redemption_id"},
    "reverse": {"redemption_id"},
    "tier_review": {"from", "on", "to"},
    "transfer_in": {"from", "to", "transfer_id"},
    "transfer_out": {"from", "to", "transfer_id"},
    "unclaimed": {"on"},
    "unfreeze": {"frozen_under", "reason", "reference"},
}
"""What each names as its cause, at least."""


def check_entry(entry: Entry) -> None:
    """Whether an entry says who caused it and why, and whether its figures agree with one another."""
    assert (entry.actor == "clock") == (entry.type in BY_TIME) or entry.type in BY_ANYBODY, entry
    assert entry.fingerprint or entry.type not in ASKED_FOR, entry
    assert set(entry.source) >= SOURCES.get(entry.type, set()), entry
    assert entry.points == entry.available_effect + entry.pending_effect - entry.debt, entry
    assert entry.earned == entry.points or entry.type not in EARNS, entry
    assert entry.earned == 0 or entry.type not in MOVES, entry
    assert entry.points == sum(piece.points for piece in entry.breakdown) or entry.type not in EXPLAINED, entry
    said = [*entry.source.values(), *(piece.description for piece in entry.breakdown)]
    assert all(said), entry
    assert "None" not in " ".join(said), entry
