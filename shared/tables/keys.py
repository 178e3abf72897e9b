"""Where accounts and entries stand: an entry's key is its cause, so nothing can be booked twice."""

from collections.abc import Mapping

from shared.domain import entry_types
from shared.domain.entry import Entry
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables.client import Key


def account_key(member_id: str) -> Key:
    """Where a member's account stands."""
    return Key(f"MEMBER#{member_id}", "ACCOUNT")


def entry_key(entry: Entry) -> Key:
    """Where an entry stands."""
    return _filled(entry.type, {**entry.source, "member_id": entry.member_id})


def of(type_: str, /, **source: str) -> Key:
    """Where the entry of a type stands that names this as its cause, `member_id` among it if it is in its key.

    With a wallet as `member_id` it is the wallet's entry. Raises KeyError if a name is missing.
    """
    return _filled(type_, source)


def _filled(type_: str, names: Mapping[str, str]) -> Key:
    row = entry_types.of(type_)
    places = (is_wallet(names.get("member_id", "")) and row.wallet_places) or row.places
    place = next((one for one in places if one.names <= names.keys()), places[-1])
    return Key(place.pk.format_map(names), place.sk.format_map(names))


def refunded_key(order_id: str) -> Key:
    """Where the sum of an order's refunds stands."""
    return Key(f"ORDER#{order_id}", "REFUNDED")


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
