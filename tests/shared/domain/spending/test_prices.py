"""What rewards, points as money and credit are asked for by, what they cost, and who can have them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.domain.errors import (
    InvalidRequestError,
    RewardNotFoundError,
    RewardUnavailableError,
)
from shared.domain.spending.prices import CreditRequest, MoneyRequest, RewardRequest, Spending, nearest_reward
from tests.model.shop import at
from tests.shared.domain.spending.test_redemptions import a_shop, refusal, rewards


def as_money(**rate: Any) -> dict[str, Any]:
    return {"redeeming": {"points_as_money": {"points": 100, "amount": 50, **rate}}}


def test_an_unknown_reward_is_not_found() -> None:
    with pytest.raises(RewardNotFoundError):
        a_shop().reserve("ada", "R-1", "moon")


def test_a_reward_is_had_on_its_days_only() -> None:
    shop = a_shop(**rewards({"starts_on": "2026-11-21", "ends_on": "2026-11-22"}))
    codes = []
    for instant in ("2026-11-20 23:59:59", "2026-11-21 00:00", "2026-11-22 23:59:59", "2026-11-23 00:00"):
        shop.now = at(instant)
        try:
            shop.reserve("ada", instant, "tea")
            codes.append("had")
        except RewardUnavailableError as error:
            codes.append(error.code)
    assert codes == ["reward_unavailable", "had", "had", "reward_unavailable"]


def test_a_reward_for_silver_members_is_refused_below_and_given_above() -> None:
    shop = a_shop(**rewards({"minimum_tier": "silver"}))
    assert refusal(shop) == "reward_unavailable"
    shop.buy("ada", "A-1", 50_000)
    assert refusal(shop) is None
    shop.buy("ada", "A-2", 50_000)
    assert shop.look("ada").tier_status().tier_id == "gold"
    assert refusal(shop) is None


def test_a_reward_limited_to_two_times_a_month_is_refused_the_third_time() -> None:
    shop = a_shop(**rewards({"limit": {"times": 2, "per": "month"}}))
    shop.reserve("ada", "R-1", "tea")
    shop.reserve("ada", "R-2", "tea")
    with pytest.raises(RewardUnavailableError, match="2 times per month; it frees on 2026-12-01"):
        shop.reserve("ada", "R-3", "tea")
    shop.now = at("2026-12-01 00:00")
    shop.reserve("ada", "R-3", "tea")


def test_the_next_reward_is_the_cheapest_that_is_missing_points_and_nothing_else() -> None:
    shop = a_shop(
        15,
        **rewards(
            {"reward_id": "had", "points": 15},
            {"reward_id": "far", "points": 99},
            {"reward_id": "near", "points": 20},
            {"reward_id": "gold-only", "points": 16, "minimum_tier": "gold"},
            {"reward_id": "gone", "points": 17, "ends_on": "2026-11-19"},
        ),
    )
    nearest = nearest_reward(shop.look("ada"), shop.program, shop.today)
    assert nearest is not None
    assert nearest.reward_id == "near"
    shop.adjust("ada", 84)
    assert nearest_reward(shop.look("ada"), shop.program, shop.today) is None


def test_a_rewards_value_is_known_to_the_hold() -> None:
    off = {"reward_id": "tea", "name": "Tea for less", "kind": "money_off", "value": 500, "points": 10}
    shop = a_shop(redeeming={"rewards": [off]})
    hold = shop.reserve("ada", "R-1", "tea").opened["R-1"]
    assert (hold.reward_id, hold.value) == ("tea", 500)


def test_points_are_worth_what_the_program_says() -> None:
    shop = a_shop(**as_money())
    assert shop.reserve("ada", "R-1", 60).opened["R-1"].value == 30


@pytest.mark.parametrize(
    ("points", "order_total", "rate", "words"),
    [
        (61, 1000, {}, "multiple of 2"),
        (10, 1000, {"minimum_points": 20}, "at least 20 points"),
        (80, 39, {}, "of which this order takes 39"),
        (80, 79, {"order_share_percent": 50}, "of which this order takes 39"),
    ],
)
def test_points_as_money_have_their_rules(points: int, order_total: int, rate: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as refused:
        a_shop(**as_money(**rate)).reserve("ada", "R-1", points, order_total)
    assert [fault.pointer for fault in refused.value.faults] == ["/points"]


def test_points_may_pay_exactly_the_share_of_an_order_that_the_program_allows() -> None:
    assert a_shop(**as_money(order_share_percent=50)).reserve("ada", "R-1", 80, 80).points == -80


def test_points_are_money_in_the_programs_currency_only() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        a_shop(currency="EUR").reserve("ada", "R-1", 10)
    assert [fault.pointer for fault in refused.value.faults] == ["/currency"]


def test_a_program_without_points_as_money_takes_none() -> None:
    with pytest.raises(RewardUnavailableError):
        a_shop(redeeming={"points_as_money": None}).reserve("ada", "R-1", 10)


@given(points=st.integers(1, 500), per=st.integers(1, 60), amount=st.integers(1, 60))
def test_no_fraction_of_a_cent_is_ever_gained_or_lost(points: int, per: int, amount: int) -> None:
    shop = a_shop(500, redeeming={"points_as_money": {"points": per, "amount": amount}})
    try:
        value = shop.reserve("ada", "R-1", points).opened["R-1"].value
    except InvalidRequestError:
        assert points * amount % per != 0
    else:
        assert value is not None
        assert value * per == points * amount


def test_a_request_is_for_a_reward_if_it_names_one_and_else_for_money() -> None:
    spending: TypeAdapter[RewardRequest | MoneyRequest | CreditRequest] = TypeAdapter(Spending)
    assert isinstance(spending.validate_python({"reward_id": "tea"}), RewardRequest)
    assert isinstance(spending.validate_python({"points": 5, "order_total": 100, "currency": "USD"}), MoneyRequest)


@pytest.mark.parametrize("body", [5, None, True, "tea", [], ["reward_id"], {}, {"reward_id": "tea", "points": 5}])
def test_a_request_of_no_known_shape_is_refused(body: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Spending).validate_python(body)
