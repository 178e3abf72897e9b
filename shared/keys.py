"""Where accounts and entries stand: an entry's key is its cause, so nothing can be booked twice."""

from collections.abc import Mapping

from shared.domain.account import Entry, EntryType
from shared.dynamo import Key

SIDE_MARK = "~"
"""Stands in the ids of accounts that belong to members, such as their wallets, and in no id that is issued."""

_KEYS: Mapping[EntryType, tuple[str, str]] = {
    "enroll": ("MEMBER#{member_id}", "ENROLL"),
    "refund": ("ORDER#{order_id}", "REFUND#{refund_id}"),
    "adjust": ("MEMBER#{member_id}", "ADJUST#{reference}"),
    "approve": ("ACTION#{action}#{reference}", "APPROVE"),
    "reject": ("ACTION#{action}#{reference}", "REJECT"),
    "badge": ("MEMBER#{member_id}", "BADGE#{badge_id}#{times}"),
    "referral": ("REFERRAL#{friend}", "{role}"),
    "referral_reversal": ("REFERRAL#{friend}", "REVERSED#{role}"),
    "birthday": ("MEMBER#{member_id}", "BIRTHDAY#{year}"),
    "anniversary": ("MEMBER#{member_id}", "ANNIVERSARY#{year}"),
    "transfer_out": ("TRANSFER#{transfer_id}", "OUT"),
    "transfer_in": ("TRANSFER#{transfer_id}", "IN"),
    "gift_offer": ("GIFT#{gift_id}", "OFFER"),
    "gift_out": ("GIFT#{gift_id}", "OUT"),
    "gift_in": ("GIFT#{gift_id}", "IN"),
    "gift_return": ("GIFT#{gift_id}", "RETURN"),
    "pool_out": ("POOL_MOVE#{move_id}", "OUT"),
    "pool_in": ("POOL_MOVE#{move_id}", "IN"),
    "pool_join": ("POOL_CHANGE#{change_id}", "JOIN#{member_id}"),
    "pool_leave": ("POOL_CHANGE#{change_id}", "LEAVE#{member_id}"),
    "merge_out": ("MERGE#{from}#{into}", "OUT"),
    "merge_in": ("MERGE#{from}#{into}", "IN"),
    "payout": ("PAYOUT#{payout_id}", "PAYOUT"),
    "membership": ("MEMBERSHIP#{reference}", "PAID"),
    "membership_cancel": ("MEMBERSHIP#{reference}", "CANCEL"),
    "membership_end": ("MEMBER#{member_id}", "MEMBERSHIP_END#{on}"),
    "freeze": ("MEMBER#{member_id}", "FREEZE#{reference}"),
    "unfreeze": ("MEMBER#{member_id}", "UNFREEZE#{reference}"),
    "traits": ("MEMBER#{member_id}", "TRAITS#{sequence}"),
    "provisional": ("MEMBER#{member_id}", "PROVISIONAL"),
    "confirm": ("MEMBER#{member_id}", "CONFIRM"),
    "unclaimed": ("MEMBER#{member_id}", "UNCLAIMED"),
    "brought_in": ("MEMBER#{member_id}", "BROUGHT_IN#{reference}"),
    "maturity": ("MEMBER#{member_id}", "MATURITY#{on}"),
    "expiry": ("MEMBER#{member_id}", "EXPIRY#{on}"),
    "tier_review": ("MEMBER#{member_id}", "TIER#{on}"),
    "erase": ("MEMBER#{member_id}", "ERASE"),
}
"""Where each type of entry stands, from its source: its key is its cause."""


def account_key(member_id: str) -> Key:
    """Where a member's account stands."""
    return Key(f"MEMBER#{member_id}", "ACCOUNT")


def entry_key(entry: Entry) -> Key:
    """Where an entry stands: its key is its cause."""
    if entry.type == "earn":
        return earn_key(entry.source)
    if entry.type not in _KEYS:
        return redemption_key(entry.source["redemption_id"], entry.type)
    names = {**entry.source, "member_id": entry.member_id, "sequence": entry.sequence}
    pk, sk = _KEYS[entry.type]
    return Key(pk.format(**names), sk.format(**names))


def earn_key(source: Mapping[str, str]) -> Key:
    """Where the entry that credited an order or an action stands."""
    if "order_id" in source:
        return Key(f"ORDER#{source['order_id']}", "EARN")
    return Key(f"ACTION#{source['action']}#{source['reference']}", "EARN")


def refund_key(order_id: str, refund_id: str) -> Key:
    """Where the entry that took an order's points back stands."""
    return Key(f"ORDER#{order_id}", f"REFUND#{refund_id}")


def refunded_key(order_id: str) -> Key:
    """Where the sum of an order's refunds stands."""
    return Key(f"ORDER#{order_id}", "REFUNDED")


def redemption_key(redemption_id: str, type_: EntryType) -> Key:
    """Where one step of a redemption's life stands."""
    return Key(f"REDEMPTION#{redemption_id}", type_.upper())


def adjustment_key(member_id: str, reference: str) -> Key:
    """Where an operator's adjustment stands."""
    return Key(f"MEMBER#{member_id}", f"ADJUST#{reference}")


def merge_key(gone: str, into: str) -> Key:
    """Where the entry by which one member went into another stands."""
    return Key(f"MERGE#{gone}#{into}", "OUT")


def transfer_key(transfer_id: str) -> Key:
    """Where the giver's side of a transfer stands."""
    return Key(f"TRANSFER#{transfer_id}", "OUT")


def erase_key(member_id: str) -> Key:
    """Where the entry that closed an account for good stands."""
    return Key(f"MEMBER#{member_id}", "ERASE")


def stock_key(reward_id: str) -> Key:
    """Where the number of pieces taken of a limited reward stands."""
    return Key(f"REWARD#{reward_id}", "STOCK")


def is_side_account(account_id: str) -> bool:
    """Whether an account is opened by the first entry that is booked to it, not by somebody who joins."""
    return SIDE_MARK in account_id
