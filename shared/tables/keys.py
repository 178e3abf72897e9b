"""Where accounts and entries stand: an entry's key is its cause, so nothing can be booked twice."""

from collections.abc import Mapping
from typing import Literal

from shared.domain.account import Entry, EntryType
from shared.domain.points.reviews import Ruling
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables.client import Key

_KEYS: Mapping[EntryType, tuple[str, str]] = {
    "enroll": ("MEMBER#{member_id}", "ENROLL"),
    "refund": ("ORDER#{order_id}", "REFUND#{refund_id}"),
    "adjust": ("MEMBER#{member_id}", "ADJUST#{reference}"),
    "approve": ("ACTION#{action}#{reference}", "APPROVE"),
    "reject": ("ACTION#{action}#{reference}", "REJECT"),
    "badge": ("MEMBER#{member_id}", "BADGE#{badge_id}#{times}"),
    "referral": ("REFERRAL#{friend}", "{role}"),
    "referral_review": ("REFERRAL#{friend}", "REVIEW"),
    "referral_reversal": ("REFERRAL#{friend}", "REVERSED#{role}"),
    "birthday": ("MEMBER#{member_id}", "BIRTHDAY#{year}"),
    "anniversary": ("MEMBER#{member_id}", "ANNIVERSARY#{on}"),
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
    "traits": ("MEMBER#{member_id}", "TRAITS#{reference}"),
    "provisional": ("MEMBER#{member_id}", "PROVISIONAL"),
    "confirm": ("MEMBER#{member_id}", "CONFIRM"),
    "unclaimed": ("MEMBER#{member_id}", "UNCLAIMED"),
    "brought_in": ("MEMBER#{member_id}", "BROUGHT_IN#{brought_in}#{reference}"),
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
        return credit_earn_key(entry.source["order_id"]) if is_wallet(entry.member_id) else earn_key(entry.source)
    if entry.type == "refund" and is_wallet(entry.member_id):
        return Key(f"ORDER#{entry.source['order_id']}", f"CREDIT_REFUND#{entry.source['refund_id']}")
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


def credit_earn_key(order_id: str) -> Key:
    """Where the entry by which an order earned store credit stands."""
    return Key(f"ORDER#{order_id}", "EARN#credit")


def payout_key(payout_id: str) -> Key:
    """Where the entry that paid store credit out stands."""
    return Key(f"PAYOUT#{payout_id}", "PAYOUT")


def pool_key(change_id: str, step: str, member_id: str) -> Key:
    """Where a member's entry about joining (`JOIN`) or leaving (`LEAVE`) a pool stands."""
    return Key(f"POOL_CHANGE#{change_id}", f"{step}#{member_id}")


def gift_key(gift_id: str, step: str) -> Key:
    """Where one step of a gift's life stands: OFFER, OUT and IN, or RETURN."""
    return Key(f"GIFT#{gift_id}", step)


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


def action_decision_key(source: Mapping[str, str], decision: Ruling) -> Key:
    """Where the entry by which an operator approved or rejected an action stands."""
    return Key(f"ACTION#{source['action']}#{source['reference']}", "APPROVE" if decision == "approved" else "REJECT")


def freeze_key(member_id: str, type_: Literal["freeze", "unfreeze"], reference: str) -> Key:
    """Where the entry that froze a member, or ended that, stands."""
    return Key(f"MEMBER#{member_id}", f"{type_.upper()}#{reference}")


def birthday_key(member_id: str, year: int) -> Key:
    """Where the entry of a year's birthday stands."""
    return Key(f"MEMBER#{member_id}", f"BIRTHDAY#{year}")


def merge_key(gone: str, into: str) -> Key:
    """Where the entry by which one member went into another stands."""
    return Key(f"MERGE#{gone}#{into}", "OUT")


def transfer_key(transfer_id: str) -> Key:
    """Where the giver's side of a transfer stands."""
    return Key(f"TRANSFER#{transfer_id}", "OUT")


def membership_key(reference: str, step: str) -> Key:
    """Where a payment (`PAID`) or cancellation (`CANCEL`) of a membership stands."""
    return Key(f"MEMBERSHIP#{reference}", step)


def traits_key(member_id: str, reference: str) -> Key:
    """Where a change of what segments look at stands, by what caused it."""
    return Key(f"MEMBER#{member_id}", f"TRAITS#{reference}")


def erase_key(member_id: str) -> Key:
    """Where the entry that closed an account for good stands."""
    return Key(f"MEMBER#{member_id}", "ERASE")


def referral_key(friend: str, role: str) -> Key:
    """Where the reward for a friend's coming stands: the FRIEND's own, or the ADVOCATE's."""
    return Key(f"REFERRAL#{friend}", role)


def referral_review_key(friend: str) -> Key:
    """Where an operator's word on a referral stands."""
    return Key(f"REFERRAL#{friend}", "REVIEW")


def referral_reversal_key(friend: str, role: str) -> Key:
    """Where the entry that took such a reward back stands."""
    return Key(f"REFERRAL#{friend}", f"REVERSED#{role}")


def enroll_key(member_id: str) -> Key:
    """Where a member's first entry stands."""
    return Key(f"MEMBER#{member_id}", "ENROLL")


def brought_in_key(member_id: str, what: str, reference: str) -> Key:
    """Where the entry that brought in points or a tier from another programme stands."""
    return Key(f"MEMBER#{member_id}", f"BROUGHT_IN#{what}#{reference}")


def confirm_key(member_id: str) -> Key:
    """Where a provisional member's consent stands."""
    return Key(f"MEMBER#{member_id}", "CONFIRM")


def budget_key(name: str) -> Key:
    """Where a budget's total stands, and what of it is not leased to a slice."""
    return Key(f"BUDGET#{name}", "TOTAL")


def budget_slice_key(name: str, number: int) -> Key:
    """Where one slice of a budget stands, with the points leased to it."""
    return Key(f"BUDGET#{name}#{number}", "SLICE")


def partner_month(partner_id: str, month: str) -> str:
    """Under which key a partner's entries of a month stand in the index `partner`."""
    return f"PARTNER#{partner_id}#{month}"


def deposit_key(partner_id: str, reference: str) -> Key:
    """Where what a partner has paid in under a reference stands."""
    return Key(f"PARTNER#{partner_id}", f"DEPOSIT#{reference}")


def funds_key(partner_id: str) -> Key:
    """Where it is noted that a partner's deposits are running out, and how often they have."""
    return Key(f"PARTNER#{partner_id}", "FUNDS")


def stock_key(reward_id: str) -> Key:
    """Where the number of pieces taken of a limited reward stands."""
    return Key(f"REWARD#{reward_id}", "STOCK")


def is_side_account(account_id: str) -> bool:
    """Whether an account is opened by the first entry that is booked to it, not by somebody who joins."""
    return is_wallet(account_id) or is_pool(account_id)
