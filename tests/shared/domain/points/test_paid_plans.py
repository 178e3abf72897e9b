"""Paid memberships: their terms, what they bring while paid, and what cancelling gives back."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.errors import InvalidRequestError, InvalidStateError
from shared.domain.points.paid_plans import refundable
from shared.domain.points.tiers import held_tier
from tests.model.shop import Shop, a_program, at

PLUS = {"plan_id": "plus", "name": "Plus", "price": 1200, "months": 1, "tier_id": "silver", "percent": 150}
CLUB = {"plan_id": "club", "name": "Club", "price": 900, "months": 12}
START = at("2026-01-31 12:00")


def shop_with(**details: Any) -> Shop:
    """A shop with two plans, and Ada."""
    shop = Shop(a_program(memberships=[{**PLUS, **details}, CLUB]), START)
    shop.enroll("ada")
    return shop


def paid_through(shop: Shop) -> date | None:
    """The last day that is paid, as of now."""
    membership = shop.look("ada").membership
    return membership.paid_through if membership and membership.state == "paid" else None


def tier(shop: Shop) -> str:
    """The tier Ada holds, as of now."""
    return held_tier(shop.look("ada"), shop.program.tiers, shop.today).tier_id


def test_it_lasts_to_the_end_of_the_day_before_and_no_second_longer() -> None:
    shop = shop_with()
    shop.pay_membership("ada", "plus")
    assert paid_through(shop) == date(2026, 2, 27)
    shop.now = at("2026-02-28 00:00") - timedelta(seconds=1)
    assert tier(shop) == "silver"
    shop.now = at("2026-02-28 00:00")
    assert (paid_through(shop), tier(shop)) == (None, "bronze")


def test_it_never_lowers_a_tier_that_was_earned() -> None:
    shop = shop_with()
    shop.buy("ada", "big", 100_000)
    shop.pay_membership("ada", "plus")
    assert tier(shop) == "gold"


def test_it_multiplies_beside_the_tier_and_a_refund_undoes_both() -> None:
    shop = shop_with()
    shop.pay_membership("ada", "plus")
    entry = shop.buy("ada", "order", 10_000)
    assert [(piece.rule_id, piece.points) for piece in entry.breakdown] == [
        ("base", 100),
        ("tier:silver", 20),
        ("plan:plus", 50),
    ]
    assert shop.refund("ada", "order", 5_000).points == -85


def test_a_renewal_follows_on_the_last_paid_day() -> None:
    shop = shop_with()
    shop.pay_membership("ada", "plus")
    shop.now = at("2026-02-20 12:00")
    shop.pay_membership("ada", "plus")
    membership = shop.look("ada").membership
    assert membership is not None
    assert (membership.since, membership.term_began_on) == (date(2026, 1, 31), date(2026, 2, 28))
    assert membership.paid_through == date(2026, 3, 27)


def test_another_plan_an_unknown_one_and_cancelling_nothing_are_refused() -> None:
    shop = shop_with()
    with pytest.raises(InvalidStateError, match="no membership"):
        shop.cancel_membership("ada")
    with pytest.raises(InvalidRequestError, match=r"^/plan_id: 'gold' is not a plan of the program: plus, club$"):
        shop.pay_membership("ada", "gold")
    shop.pay_membership("ada", "plus")
    with pytest.raises(InvalidStateError, match="paid through 2026-02-27; cancel it first"):
        shop.pay_membership("ada", "club")


@pytest.mark.parametrize(
    ("how", "refund_days", "days_later", "back"),
    [("prorated", 3, 3, 1200), ("prorated", 3, 4, 985), ("none", 0, 1, 0), ("full", 0, 20, 1200)],
)
def test_what_cancelling_gives_back(how: str, refund_days: int, days_later: int, back: int) -> None:
    shop = shop_with(refund=how, refund_days=refund_days)
    shop.pay_membership("ada", "plus")
    shop.now += timedelta(days=days_later)
    assert shop.cancel_membership("ada").source["refund_amount"] == str(back)
    assert (paid_through(shop), tier(shop)) == (None, "bronze")


@given(st.sampled_from(["prorated", "none", "full"]), st.integers(0, 30), st.integers(1, 10**6), st.integers(0, 28))
def test_never_more_than_was_paid_comes_back_and_never_more_the_later(
    how: str, refund_days: int, amount: int, day: int
) -> None:
    shop = shop_with(refund=how, refund_days=refund_days, price=amount)
    shop.pay_membership("ada", "plus", amount)
    membership, plan = shop.look("ada").membership, shop.program.plan("plus")
    assert membership
    backs = [refundable(membership, plan, shop.today + timedelta(days=later)) for later in (day, day + 1)]
    assert 0 <= backs[1] <= backs[0] <= amount


def test_a_merge_keeps_the_membership_that_lasts_longer() -> None:
    shop = shop_with()
    shop.enroll("bob")
    shop.pay_membership("bob", "club")
    shop.pay_membership("ada", "plus")
    shop.merge("bob", "ada")
    assert paid_through(shop) == date(2027, 1, 30)


def test_a_plan_that_multiplies_nothing_has_no_line_of_its_own() -> None:
    shop = shop_with()
    shop.pay_membership("ada", "club")
    assert [piece.rule_id for piece in shop.buy("ada", "order", 10_000).breakdown] == ["base"]


def test_a_cancelled_membership_says_on_which_day_it_ended() -> None:
    shop = shop_with()
    shop.pay_membership("ada", "plus")
    shop.now = at("2026-02-10 12:00")
    shop.cancel_membership("ada")
    membership = shop.look("ada").membership
    assert membership is not None
    assert (membership.state, membership.paid_through) == ("ended", date(2026, 2, 10))


def test_the_price_is_the_plans() -> None:
    shop = shop_with()
    with pytest.raises(
        InvalidRequestError, match=r"^/amount: must be 1200, the price of the plan 'plus', or left out$"
    ):
        shop.pay_membership("ada", "plus", 1)
    shop.pay_membership("ada", "plus", 1200)
    membership = shop.look("ada").membership
    assert membership is not None
    assert membership.amount == 1200


@pytest.mark.parametrize(
    ("how", "second"),
    [("prorated", 1200 * 26 // 28), ("full", 1200 * 26 // 28), ("none", 0)],
)
def test_a_whole_price_comes_back_once_in_a_year(how: str, second: int) -> None:
    shop = shop_with(refund=how, refund_days=14)
    backs = []
    for begins in ("2026-02-01 12:00", "2026-02-03 12:00", "2027-02-01 12:00", "2027-02-03 12:00"):
        shop.now = at(begins)
        shop.pay_membership("ada", "plus")
        shop.now += timedelta(days=1)
        backs.append(int(shop.cancel_membership("ada").source["refund_amount"]))
    assert backs == [1200, second, backs[2], second]


def test_a_share_of_the_days_left_is_no_withdrawal() -> None:
    shop = shop_with(refund_days=2)
    shop.pay_membership("ada", "plus")
    shop.now += timedelta(days=3)
    assert int(shop.cancel_membership("ada").source["refund_amount"]) < 1200
    shop.pay_membership("ada", "plus")
    assert shop.cancel_membership("ada").source["refund_amount"] == "1200"


@pytest.mark.parametrize(
    ("deducts", "back", "taken"), [(False, "1200", None), (True, "1130", "70"), (True, "0", "1200")]
)
def test_what_the_plan_brought_is_said_and_taken_off_where_the_plan_says_so(
    deducts: bool, back: str, taken: str | None
) -> None:
    shop = shop_with(deducts_used=deducts)
    shop.pay_membership("ada", "plus")
    brought = 70 if back != "0" else 99_999
    source = shop.cancel_membership("ada", brought).source
    assert (source["points_brought"], source["refund_amount"]) == (str(brought), back)
    assert source.get("deducted_amount") == taken


def test_what_is_deducted_needs_a_worth() -> None:
    with pytest.raises(ValidationError, match="points_as_money"):
        a_program(memberships=[{**PLUS, "deducts_used": True}], redeeming={"points_as_money": None})
