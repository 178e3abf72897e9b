"""No two causes have one key, whatever the callers' texts in them are."""

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared import request_ids
from shared.domain import order_ids
from shared.domain.entry_types import ENTRY_TYPES, EntryType, Place
from shared.domain.fields import is_reference
from shared.tables import keys
from shared.tables.client import Key

WALLET = "ada~credit"
OF_THE_PROGRAM = {"role": ["advocate", "friend"]}
"""Parts that are one of the program's own words."""


class Kind(NamedTuple):
    """A kind of key, and the names of its parts."""

    name: str
    parts: tuple[str, ...]
    key: Callable[..., Key]


def _of(row: EntryType, place: Place, *, of_wallet: bool) -> Kind:
    def key(**names: str) -> Key:
        return keys.of(row.name, **{"member_id": WALLET, **names} if of_wallet else names)

    return Kind(f"{row.name} {'of a wallet ' * of_wallet}at {place.sk}", tuple(sorted(place.names)), key)


KINDS = [
    *(_of(row, place, of_wallet=False) for row in ENTRY_TYPES.values() for place in row.places),
    *(_of(row, place, of_wallet=True) for row in ENTRY_TYPES.values() for place in row.wallet_places),
    Kind("account", ("member_id",), keys.account_key),
    Kind("refunded", ("order_id",), keys.refunded_key),
    Kind("paid", ("order_id",), keys.paid_key),
    Kind("returned", ("redemption_id",), keys.returned_key),
    Kind("budget", ("name",), keys.budget_key),
    Kind("slice of a budget", ("name", "number"), keys.budget_slice_key),
    Kind("deposit", ("partner_id", "reference"), keys.deposit_key),
    Kind("funds", ("partner_id",), keys.funds_key),
    Kind("stock", ("reward_id",), keys.stock_key),
    Kind("shelf", ("reward_id", "number"), keys.shelf_key),
    Kind("month of a partner", ("partner_id", "month"), lambda **of: Key("", keys.partner_month(**of, shard=None))),
    Kind("shard of it", ("partner_id", "month", "shard"), lambda **of: Key("", keys.partner_month(**of))),
]
texts = st.text("ab#/%~|:2", min_size=1, max_size=6) | st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), min_size=1, max_size=128
)
"""Texts that callers may send, those that a key is made of among them more often than by chance."""


@st.composite
def causes(draw: st.DrawFn) -> tuple[Kind, dict[str, str]]:
    kind = draw(st.sampled_from(KINDS))
    return kind, {
        name: draw(st.sampled_from(OF_THE_PROGRAM[name]) if name in OF_THE_PROGRAM else texts) for name in kind.parts
    }


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple[Kind, dict[str, str]], tuple[Kind, dict[str, str]]]:
    """Two causes, often with the same text divided otherwise."""
    kind, names = draw(causes())
    if len(names) < 2 or draw(st.booleans()):
        return (kind, names), draw(causes())
    whole = "#".join(names.values())
    places = [number for number, letter in enumerate(whole) if letter == "#" and 0 < number < len(whole) - 1]
    if len(names) > 2 or not places:
        return (kind, names), draw(causes())
    cut = draw(st.sampled_from(places))
    return (kind, names), (kind, dict(zip(names, (whole[:cut], whole[cut + 1 :]), strict=True)))


@settings(max_examples=2000)
@given(pairs())
def test_no_two_causes_have_one_key(pair: tuple[tuple[Kind, dict[str, str]], tuple[Kind, dict[str, str]]]) -> None:
    (kind, names), (other_kind, other_names) = pair
    if (kind.name, names) != (other_kind.name, other_names):
        assert kind.key(**names) != other_kind.key(**other_names)


def test_an_ordinary_text_stands_in_its_key_as_it_is() -> None:
    """So what was booked before parts were escaped is found."""
    key = keys.of("earn", action="write-review", reference="a#b%c/d")
    assert key == Key("ACTION#write-review#a#b%c/d", "EARN")
    assert keys.of("earn", order_id="a#b%") == Key("ORDER#a#b%", "EARN")


@given(texts, texts, st.sampled_from("#|:"))
def test_two_different_texts_stay_different_as_parts(one: str, other: str, mark: str) -> None:
    parts = [request_ids.part(text, mark) for text in (one, other)]
    assert (parts[0] == parts[1]) == (one == other)
    assert not any(mark in part for part in parts)


slugs = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,10}", fullmatch=True)


@given(slugs, texts, slugs, texts, texts)
@example("cafe", "2", "cafe", "2", "cafe/2")
def test_a_partners_order_is_nobody_elses(one: str, order: str, other: str, another: str, of_shop: str) -> None:
    kept = order_ids.of_partner(one, order)
    assert (kept == order_ids.of_partner(other, another)) == ((one, order) == (other, another))
    assert kept != of_shop
    assert not is_reference(kept)
    assert order_ids.as_its_partner_knows_it(kept, one) == order
    assert order_ids.perhaps_of_partner(order_ids.shown(kept)) == kept
