"""Points that change hands."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InsufficientPointsError, InvalidRequestError
from tests.model.shop import Shop, a_program, at

DAYS_30 = {"kind": "term", "days": 30}


def a_shop(**changes: Any) -> Shop:
    shop = Shop(a_program(**changes), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.enroll("bob")
    return shop


def owing(shop: Shop, member: str, debt: int) -> None:
    """Let a member spend so many points and return what earned them."""
    shop.buy(member, f"{member}-debt", debt * 100)
    shop.reserve(member, f"{member}-spent", debt)
    shop.capture(member, f"{member}-spent")
    shop.refund(member, f"{member}-debt", debt * 100)
    assert shop.look(member).debt == debt


def test_each_lot_keeps_its_day_and_the_oldest_goes_first() -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.adjust("ada", 10)
    shop.now += timedelta(days=5)
    shop.adjust("ada", 10)
    shop.now += timedelta(days=5)
    moved = shop.transfer("ada", "bob", 15)
    assert (moved.out.points, moved.into.points) == (-15, 15)
    assert shop.look("ada").lots == {"2026-12-25": 5}
    assert shop.look("bob").lots == {"2026-12-20": 10, "2026-12-25": 5}
    assert shop.look("ada").totals.transferred_out == 15
    assert shop.look("bob").earned == 0


def test_the_receivers_debt_is_settled_first() -> None:
    shop = a_shop()
    owing(shop, "bob", 8)
    shop.adjust("ada", 20)
    shop.transfer("ada", "bob", 5)
    assert (shop.look("bob").balance, shop.look("bob").debt) == (0, 3)
    shop.transfer("ada", "bob", 5)
    assert (shop.look("bob").balance, shop.look("bob").debt) == (2, 0)


def test_more_than_the_balance_is_refused() -> None:
    shop = a_shop(earning={"pending_days": 5})
    shop.adjust("ada", 10)
    shop.buy("ada", "A-1", 5000)
    shop.reserve("ada", "R-1", 1)
    with pytest.raises(InsufficientPointsError, match="9 are there: 1 short"):
        shop.transfer("ada", "bob", 10)
    assert shop.look("bob").balance == 0


def test_to_oneself_is_refused() -> None:
    shop = a_shop()
    shop.adjust("ada", 10)
    with pytest.raises(InvalidRequestError) as refusal:
        shop.transfer("ada", "ada", 1)
    assert [fault.pointer for fault in refusal.value.faults] == ["/to_member_id"]


# Conservation --------------------------------------------------------------------------------------------------------

gifts = st.lists(st.tuples(st.sampled_from(["ada", "bob", "eve"]), st.integers(1, 20)), max_size=6)
moves = st.lists(
    st.tuples(st.sampled_from([("ada", "bob"), ("bob", "ada"), ("eve", "ada"), ("bob", "eve")]), st.integers(1, 15)),
    max_size=8,
)


@given(gifts=gifts, moves=moves, debt=st.integers(0, 9), merged=st.booleans())
def test_whatever_is_handed_around_no_point_is_made_or_lost(
    gifts: list[tuple[str, int]], moves: list[tuple[tuple[str, str], int]], debt: int, merged: bool
) -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.enroll("eve")
    if debt:
        owing(shop, "eve", debt)
    for member, points in gifts:
        shop.adjust(member, points)
        shop.now += timedelta(days=1)

    def worth() -> int:
        return sum(shop.look(member).balance - shop.look(member).debt for member in ("ada", "bob", "eve"))

    before = worth()
    for (giver, receiver), points in moves:
        if points <= shop.look(giver).balance:
            shop.transfer(giver, receiver, points)
    if merged:
        shop.merge("eve", "ada")
    assert worth() == before
