"""The keys of accounts, entries and other items. An entry's key is its cause, so nothing can be booked twice.

A `#` parts the parts of a key. All but the last are escaped, so that no two causes have one key, whatever their texts.
"""

import zlib
from collections.abc import Mapping
from functools import cache
from string import Formatter

from shared import request_ids
from shared.domain import entry_types
from shared.domain.entry import Entry
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables.client import Key


def account_key(member_id: str) -> Key:
    """The key of a member's account."""
    return Key(f"MEMBER#{member_id}", "ACCOUNT")


def shard_of(name: str, shards: int) -> int:
    """Which of some partitions holds what belongs to a name, that one of them takes not all writes."""
    return zlib.crc32(name.encode()) % shards


def entry_key(entry: Entry) -> Key:
    """The key of an entry."""
    return _filled(entry.type, {**entry.source, "member_id": entry.member_id})


def of(type_: str, /, **source: str) -> Key:
    """The key of the entry of a type that names this as its cause; `member_id` if the key has it.

    With a wallet as `member_id` it is the wallet's entry. Raises KeyError if a name is missing.
    """
    return _filled(type_, source)


def _filled(type_: str, names: Mapping[str, str]) -> Key:
    row = entry_types.of(type_)
    places = (is_wallet(names.get("member_id", "")) and row.wallet_places) or row.places
    place = next((one for one in places if one.names <= names.keys()), places[-1])
    return Key(_text(place.pk, names), _text(place.sk, names))


def _text(template: str, names: Mapping[str, str]) -> str:
    inner = _inner(template)
    return template.format_map({**names, **{name: _part(names[name]) for name in inner}} if inner else names)


@cache
def _inner(template: str) -> tuple[str, ...]:
    """The names in a template that others follow."""
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name)[:-1]


def _part(text: str) -> str:
    return request_ids.part(text, "#")


def refunded_key(order_id: str) -> Key:
    """The key of the sum of an order's refunds."""
    return Key(f"ORDER#{order_id}", "REFUNDED")


def paid_key(order_id: str) -> Key:
    """Where the sums stand of what redemptions pay of an order."""
    return Key(f"ORDER#{order_id}", "PAID")


def returned_key(redemption_id: str) -> Key:
    """Where it stands how much of a redemption has come back in parts."""
    return Key(f"REDEMPTION#{redemption_id}", "RETURNED")


def budget_key(name: str) -> Key:
    """The key of a budget's total, and of the points that no slice has leased."""
    return Key(f"BUDGET#{name}", "TOTAL")


def budget_slice_key(name: str, number: int) -> Key:
    """The key of one slice of a budget, with the points that it has leased."""
    return Key(f"BUDGET#{_part(name)}#{number}", "SLICE")


def partner_month(partner_id: str, month: str, shard: int | None) -> str:
    """A partition of a partner's entries of a month in the index `partner`; None: the only one that there once was."""
    whole = f"PARTNER#{_part(partner_id)}#{_part(month)}"
    return whole if shard is None else f"{whole}#{shard}"


def deposit_key(partner_id: str, reference: str) -> Key:
    """The key of a partner's deposit."""
    return Key(f"PARTNER#{partner_id}", f"DEPOSIT#{reference}")


def funds_key(partner_id: str) -> Key:
    """The key of the note that a partner's deposits are running out, and how often they have."""
    return Key(f"PARTNER#{partner_id}", "FUNDS")


def stock_key(reward_id: str) -> Key:
    """The key of the number of pieces of a limited reward that are gone or on shelves."""
    return Key(f"REWARD#{reward_id}", "STOCK")


def shelf_key(reward_id: str, number: int) -> Key:
    """The key of one shelf of a limited reward, with the pieces that lie on it."""
    return Key(f"REWARD#{_part(reward_id)}#{number}", "SHELF")


def is_side_account(account_id: str) -> bool:
    """Whether an account is opened by the first entry that is booked to it, not by somebody who joins."""
    return is_wallet(account_id) or is_pool(account_id)
