"""Spending points: which are taken, how a hold ends, and where points go that come back."""

from datetime import date, timedelta
from random import SystemRandom
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import (
    InsufficientPointsError,
    InvalidStateError,
    LoyaltyError,
)
from shared.domain.points.forgiveness import lot_of
from shared.domain.spending import redemptions
from shared.domain.spending.prices import RewardRequest, price
from shared.domain.spending.redemptions import Part, new_voucher_code, state_of, voucher_code_of
from tests.model.shop import SECOND, Shop, a_program, at

GRACED = {"2026-12-14+": 10}
TEA = {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "T", "points": 10}


def a_shop(points: int = 100, **changes: Any) -> Shop:
    """Ada has so many points that never expire."""
    shop = Shop(a_program(**changes), at("2026-11-20 12:00"))
    shop.enroll("ada")
    if points:
        shop.adjust("ada", points)
    return shop


def with_lots(*days: int, **changes: Any) -> Shop:
    """Ada has ten points ending in each of so many days (0: never)."""
    shop = a_shop(0, **changes)
    for length in days:
        expiry = {"kind": "term", "days": length} if length else {"kind": "never"}
        shop.program = a_program(**{**changes, "expiry": expiry})
        shop.adjust("ada", 10)
    shop.program = a_program(**changes)
    return shop


def rewards(*changes: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"redeeming": {"rewards": [{**TEA, **change} for change in changes], **rest}}


def test_the_points_that_expire_soonest_are_spent_first_and_those_that_never_do_last() -> None:
    shop = with_lots(0, 30, 10)
    shop.reserve("ada", "R-1", 15)
    assert shop.look("ada").lots == {"2026-12-20": 5, "never": 10}
    assert shop.look("ada").holds["R-1"].lots == {"2026-11-30": 10, "2026-12-20": 5}
    shop.reserve("ada", "R-2", 7)
    assert shop.look("ada").lots == {"never": 8}


def test_points_on_hold_are_neither_spendable_nor_spent() -> None:
    shop = a_shop()
    entry = shop.reserve("ada", "R-1", "coffee")
    assert (entry.points, entry.balance_after, entry.net_effect) == (-10, 90, 0)
    account = shop.look("ada")
    assert (account.balance, account.held_points, account.totals.captured) == (90, 10, 0)
    shop.capture("ada", "R-1")
    account = shop.look("ada")
    assert (account.balance, account.held_points, account.totals.captured) == (90, 0, 10)


def test_what_the_balance_does_not_cover_is_refused_and_nothing_changes() -> None:
    shop = a_shop(9)
    with pytest.raises(InsufficientPointsError, match="10 points are needed, 9 are there: 1 short"):
        shop.reserve("ada", "R-1", "coffee")
    assert shop.look("ada").balance == 9
    shop.adjust("ada", 1)
    shop.reserve("ada", "R-1", "coffee")
    assert shop.look("ada").balance == 0


def test_neither_pending_nor_held_points_can_be_spent() -> None:
    shop = a_shop(10, earning={"pending_days": 14})
    shop.buy("ada", "A-1", 5000)
    shop.reserve("ada", "R-1", 6)
    with pytest.raises(InsufficientPointsError, match="4 are there"):
        shop.reserve("ada", "R-2", 5)


def test_at_most_twenty_redemptions_are_open_at_once() -> None:
    shop = a_shop()
    for number in range(20):
        shop.reserve("ada", f"R-{number}", 1)
    with pytest.raises(InvalidStateError):
        shop.reserve("ada", "R-20", 1)
    shop.capture("ada", "R-0")
    shop.reserve("ada", "R-20", 1)
    assert len(shop.look("ada").holds) == 20


def test_a_hold_lapses_at_its_instant_and_not_a_second_before() -> None:
    shop = with_lots(10, 30)
    entry = shop.reserve("ada", "R-1", 15)
    assert entry.opened["R-1"].expires_at == at("2026-11-20 12:30")
    shop.now = at("2026-11-20 12:29:59")
    assert shop.look("ada").held_points == 15
    assert state_of({"reserve": entry}, shop.now) == "reserved"
    shop.now += SECOND
    assert state_of({"reserve": entry}, shop.now) == "lapsed", "whether it is booked or not"
    assert shop.look("ada").held_points == 0
    assert shop.look("ada").lots == {"2026-11-30": 10, "2026-12-20": 10}
    lapse = shop.ledgers["ada"][-1]
    assert (lapse.type, lapse.points, lapse.actor, lapse.source["redemption_id"]) == ("lapse", 15, "clock", "R-1")


def test_holds_lapse_each_at_its_own_time() -> None:
    shop = a_shop()
    shop.reserve("ada", "R-2", 1)
    shop.now += timedelta(minutes=10)
    shop.reserve("ada", "R-1", 2)
    shop.now += timedelta(minutes=20)
    assert list(shop.look("ada").holds) == ["R-1"]
    shop.now += timedelta(minutes=10)
    assert shop.look("ada").balance == 100


def test_a_cancelled_redemption_gives_points_back_to_the_lots_they_came_from() -> None:
    shop = with_lots(10, 30, 0)
    before = shop.look("ada").lots
    shop.reserve("ada", "R-1", 25)
    shop.now += timedelta(minutes=29)
    shop.cancel("ada", "R-1")
    assert shop.look("ada").lots == before
    assert shop.look("ada").holds == {}


def test_a_reversed_redemption_gives_points_back_to_the_lots_they_came_from() -> None:
    shop = with_lots(10, 30, 0)
    before = shop.look("ada").lots
    shop.reserve("ada", "R-1", 25)
    shop.capture("ada", "R-1")
    shop.now += timedelta(days=9)
    entry = shop.reverse("ada", "R-1")
    assert entry.points == 25
    assert shop.look("ada").lots == before
    assert shop.look("ada").totals.captured == 0


@pytest.mark.parametrize(("days_later", "lots"), [(10, {"2026-11-30": 10}), (11, GRACED), (24, GRACED), (25, {})])
def test_points_that_the_shop_gives_back_after_their_day_live_for_the_grace_days(
    days_later: int, lots: dict[str, int]
) -> None:
    shop = with_lots(10, redeeming={"returned_points_grace_days": 14})
    shop.reserve("ada", "R-1", 10)
    shop.capture("ada", "R-1")
    shop.now += timedelta(days=days_later)
    entry = shop.reverse("ada", "R-1")
    assert shop.look("ada").lots == lots
    assert (entry.points, entry.expired) == (sum(lots.values()), {} if lots else {"2026-11-30": 10})
    assert shop.look("ada").totals.expired == 10 - sum(lots.values())


def test_the_days_of_grace_are_given_once() -> None:
    shop = with_lots(10, redeeming={"returned_points_grace_days": 14, "hold_minutes": 60 * 24 * 20})
    for number, lots in ((1, GRACED), (2, {})):
        shop.reserve("ada", f"R-{number}", 10)
        shop.now += timedelta(days=15)
        shop.cancel("ada", f"R-{number}")
        assert shop.look("ada").lots == lots
    assert shop.ledgers["ada"][-1].expired == {"2026-12-14+": 10}


@pytest.mark.parametrize("by", ["member:app", "partner:cafe"])
def test_points_that_the_shop_does_not_give_back_have_expired_after_their_day(by: str) -> None:
    shop = with_lots(10, 30, redeeming={"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": 14})
    shop.reserve("ada", "R-1", 15)
    shop.now = at("2026-12-01 00:00")
    entry = shop.cancel("ada", "R-1", by)
    assert (entry.points, entry.expired, entry.balance_after) == (5, {"2026-11-30": 10}, 10)
    assert shop.look("ada").lots == {"2026-12-20": 10}
    assert shop.look("ada").totals.expired == 10


def test_without_grace_days_nothing_comes_back_after_its_day() -> None:
    shop = with_lots(10, redeeming={"returned_points_grace_days": 0})
    shop.reserve("ada", "R-1", 10)
    shop.capture("ada", "R-1")
    shop.now = at("2026-12-01 00:00")
    assert shop.reverse("ada", "R-1").expired == {"2026-11-30": 10}
    assert shop.look("ada").balance == 0


def test_a_hold_that_lapses_after_the_day_of_its_points_gives_nothing_back() -> None:
    shop = with_lots(10, redeeming={"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": 14})
    shop.reserve("ada", "R-1", 10)
    shop.now = at("2026-12-20 12:00")
    assert shop.look("ada").lots == {}
    assert shop.ledgers["ada"][-1].expired == {"2026-11-30": 10}


def test_points_that_expired_while_they_were_held_are_not_owed_when_their_order_comes_back() -> None:
    shop = Shop(
        a_program(expiry={"kind": "term", "days": 10}, redeeming={"hold_minutes": 60 * 24 * 20}),
        at("2026-11-20 12:00"),
    )
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    shop.now = at("2026-12-01 12:00")
    shop.cancel("ada", "R-1", "member:app")
    entry = shop.refund("ada", "A-1", 1000)
    assert (entry.points, entry.lapsed, shop.look("ada").debt) == (0, {"2026-11-30": 10}, 0)


def test_points_that_expired_in_their_days_of_grace_are_not_owed_when_their_order_comes_back() -> None:
    shop = Shop(
        a_program(
            expiry={"kind": "term", "days": 10},
            redeeming={"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": 14},
        ),
        at("2026-11-20 12:00"),
    )
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    shop.now = at("2026-12-01 12:00")
    shop.cancel("ada", "R-1")
    shop.reserve("ada", "R-2", 4)
    shop.now = at("2026-12-15 12:00")
    shop.cancel("ada", "R-2", "member:app")
    entry = shop.refund("ada", "A-1", 1000)
    assert (entry.points, entry.lapsed, shop.look("ada").debt) == (0, {"2026-12-14+": 10}, 0)


@pytest.mark.parametrize(
    ("by", "lots", "expired"),
    [("storefront:till", {"2026-12-14+": 6}, {}), ("member:app", {}, {"2026-11-30": 6})],
)
def test_what_was_forgiven_neither_comes_back_nor_expires_and_the_rest_does_as_ever(
    by: str, lots: dict[str, int], expired: dict[str, int]
) -> None:
    shop = Shop(
        a_program(
            refund_debt="forgiven",
            expiry={"kind": "term", "days": 10},
            redeeming={"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": 14},
        ),
        at("2026-11-20 12:00"),
    )
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    assert shop.refund("ada", "A-1", 400).forgiven == 4
    shop.now = at("2026-12-01 12:00")
    entry = shop.cancel("ada", "R-1", by)
    [(noted, change)] = entry.forgiven_lots.items()
    assert (entry.points, entry.expired) == (sum(lots.values()), expired)
    assert (lot_of(noted), change) == ("2026-11-30", -4)
    totals = shop.look("ada").totals
    assert (shop.look("ada").lots, totals.expired, totals.taken_back) == (lots, sum(expired.values()), 4)


def test_points_that_are_held_past_their_day_do_not_expire_while_they_are_held() -> None:
    shop = with_lots(10, redeeming={"hold_minutes": 60 * 24 * 20})
    shop.reserve("ada", "R-1", 10)
    shop.now = at("2026-12-05 12:00")
    assert shop.look("ada").held_points == 10
    shop.capture("ada", "R-1")
    assert shop.look("ada").totals.captured == 10


def refusal(shop: Shop, reward_id: str = "tea") -> str | None:
    """The code with which the reward is refused now; None: it could be had."""
    try:
        price(shop.look("ada"), shop.program, RewardRequest(reward_id=reward_id), shop.today)
    except LoyaltyError as error:
        return error.code
    return None


@pytest.mark.parametrize("undone", ["cancelled", "lapsed", "reversed"])
def test_a_limited_reward_not_had_in_the_end_can_be_had_again(undone: str) -> None:
    shop = a_shop(**rewards({"limit": {"times": 1, "per": "month"}}))
    shop.reserve("ada", "R-1", "tea")
    assert refusal(shop) == "reward_unavailable"
    if undone == "cancelled":
        shop.cancel("ada", "R-1")
    elif undone == "lapsed":
        shop.now += timedelta(minutes=30)
    else:
        shop.capture("ada", "R-1")
        shop.reverse("ada", "R-1")
    assert refusal(shop) is None


def test_a_reward_of_last_month_given_back_does_not_free_this_months() -> None:
    shop = a_shop(**rewards({"limit": {"times": 1, "per": "month"}}))
    shop.reserve("ada", "R-1", "tea")
    shop.capture("ada", "R-1")
    shop.now = at("2026-12-02 12:00")
    shop.reserve("ada", "R-2", "tea")
    shop.capture("ada", "R-2")
    shop.reverse("ada", "R-1")
    assert refusal(shop) == "reward_unavailable"


def test_a_piece_of_a_limited_stock_is_taken_and_put_back() -> None:
    shop = a_shop(**rewards({"stock": 3}))
    assert shop.reserve("ada", "R-1", "tea").stock == {"tea": -1}
    assert shop.capture("ada", "R-1").stock == {}
    assert shop.reverse("ada", "R-1").stock == {"tea": 1}
    shop.reserve("ada", "R-2", "tea")
    assert shop.cancel("ada", "R-2").stock == {"tea": 1}


def test_a_reward_without_a_stock_takes_no_piece() -> None:
    shop = a_shop()
    assert shop.reserve("ada", "R-1", "coffee").stock == {}
    assert shop.cancel("ada", "R-1").stock == {}


def test_voucher_codes_differ_and_have_no_letters_that_look_alike() -> None:
    codes = {new_voucher_code(SystemRandom().choice) for _ in range(1000)}
    assert len(codes) == 1000
    assert all(len(code) == 17 and not set(code) & set("01ILOU") for code in codes)


def test_a_redemption_has_its_code_from_the_capture_to_the_last_part_that_comes_back() -> None:
    shop = a_shop()
    reserved, captured = shop.reserve("ada", "R-1", 40), shop.capture("ada", "R-1")
    part = Part(reversal_id="part", points=10)
    some = redemptions.reverse(
        shop.look("ada"), shop.program, captured, "R-1", now=shop.now, actor="till", fingerprint="print", part=part
    )
    rest = redemptions.reverse(
        shop.look("ada"), shop.program, captured, "R-1", now=shop.now, actor="till", returned_before=10
    )
    holds = [reserved.opened, captured.closed, some.reversed, rest.reversed]
    assert [hold["R-1"].voucher_code for hold in holds] == [None, "CODE-R-1", "CODE-R-1", None]


def test_what_was_captured_before_codes_were_stored_shows_the_one_that_it_was_given() -> None:
    shop = a_shop()
    shop.reserve("ada", "R-1", 40)
    [hold] = shop.capture("ada", "R-1").closed.values()
    assert voucher_code_of("R-1", hold.model_copy(update={"voucher_code": None})) == "NK2K-DZTX-N9F4"


@given(
    days=st.lists(st.sampled_from([0, 5, 10, 30]), min_size=1, max_size=4),
    spent=st.integers(1, 40),
    later=st.integers(0, 20),
)
def test_undoing_a_redemption_makes_the_balance_what_it_would_have_been(
    days: list[int], spent: int, later: int
) -> None:
    """Apart from points whose day passed while they were away: those get what is left of their grace."""
    shop = with_lots(*days, redeeming={"returned_points_grace_days": 3})
    untouched = with_lots(*days, redeeming={"returned_points_grace_days": 3})
    if spent > shop.look("ada").balance:
        return
    shop.reserve("ada", "R-1", spent)
    [taken] = shop.capture("ada", "R-1").closed.values()
    shop.now = untouched.now = shop.now + timedelta(days=later)
    shop.reverse("ada", "R-1")
    expected = dict(untouched.look("ada").lots)
    for day, points in taken.lots.items():
        if day < str(shop.today):
            grace = date.fromisoformat(day) + timedelta(days=3)
            expected |= {f"{grace}+": points} if grace >= shop.today else {}
    assert shop.look("ada").lots == expected
