"""Tiers are reached at once, and lost only at a review."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.domain.points.tiers import held_tier, qualifying
from tests.model.shop import AUCKLAND, SECOND, Shop, a_program, at


def a_shop(opened: str = "2026-03-15 12:00", **tiers: Any) -> Shop:
    shop = Shop(a_program(tiers=tiers), at(opened))
    shop.enroll("ada")
    return shop


def tier(shop: Shop) -> str:
    """The tier as of now, without booking anything."""
    return shop.peek("ada")[0].tier_status().tier_id


def tier_at(shop: Shop, instant: str) -> str:
    shop.now = at(instant)
    return tier(shop)


def earn(shop: Shop, points: int) -> None:
    """Earn so many points with one order, whatever the tier."""
    percent = held_tier(shop.look("ada"), shop.program.tiers, shop.today).percent
    total = -(-points * 100 * 100 // percent)
    assert shop.buy("ada", f"A-{len(shop.ledgers['ada'])}", total).points == points


def test_everybody_begins_in_the_lowest_tier_and_is_never_reviewed_there() -> None:
    shop = a_shop()
    assert tier(shop) == "bronze"
    assert shop.look("ada").tier_status().review_on is None


def test_a_tier_is_reached_by_the_very_order_that_completes_it() -> None:
    shop = a_shop()
    earn(shop, 499)
    assert tier(shop) == "bronze"
    earn(shop, 1)
    held = shop.look("ada").tier_status()
    assert (held.tier_id, held.since, held.review_on) == (
        "silver",
        date(2026, 3, 15),
        date(2027, 3, 15),
    )


def test_one_large_order_may_lift_a_member_by_two_tiers() -> None:
    shop = a_shop()
    earn(shop, 1000)
    assert tier(shop) == "gold"


def test_the_order_that_reaches_a_tier_does_not_yet_earn_by_it() -> None:
    shop = a_shop()
    assert shop.buy("ada", "A-1", 100_000).points == 1000
    assert shop.buy("ada", "A-2", 1000).points == 15


def test_only_what_is_earned_counts_not_what_is_given_or_left() -> None:
    shop = a_shop()
    earn(shop, 499)
    shop.reserve("ada", "R-1", 400)
    shop.capture("ada", "R-1")
    shop.adjust("ada", 900)
    shop.enroll("bob")
    shop.buy("bob", "B-1", 90_000)
    shop.transfer("bob", "ada", 900)
    assert tier(shop) == "bronze"
    earn(shop, 1)
    assert tier(shop) == "silver"


def test_where_spending_counts_it_is_the_money_that_lifts() -> None:
    shop = a_shop(
        measure="spend",
        levels=[
            {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
            {"tier_id": "silver", "name": "Silver", "threshold": 50_000},
        ],
    )
    shop.buy("ada", "A-1", 49_999)
    assert tier(shop) == "bronze"
    shop.buy("ada", "A-2", 1)
    assert tier(shop) == "silver"


def test_pending_points_count_toward_the_tier_at_once() -> None:
    shop = Shop(a_program(earning={"pending_days": 30}), at("2026-03-15 12:00"))
    shop.enroll("ada")
    earn(shop, 500)
    assert (shop.look("ada").balance, tier(shop)) == (0, "silver")


def test_a_tier_is_kept_until_the_review_begins_and_not_a_second_longer() -> None:
    shop = a_shop("2025-12-15 12:00")
    earn(shop, 500)
    shop.now = at("2026-12-15 00:00")
    shop.look("ada")
    assert tier(shop) == "silver", "December a year ago still counts"
    assert tier_at(shop, "2027-12-14 23:59:59") == "silver"
    assert tier_at(shop, "2027-12-15 00:00") == "bronze"
    account, entries = shop.peek("ada")
    assert account.tier_status().review_on is None
    assert account.tier_status().since == date(2027, 12, 15)
    assert entries[-1].source == {"on": "2027-12-15", "from": "silver", "to": "bronze"}


def test_a_review_takes_place_at_the_shops_midnight() -> None:
    program = a_program(time_zone=AUCKLAND, tiers={"period": "calendar_year"})
    shop = Shop(program, at("2026-05-01 12:00", AUCKLAND))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 50_000)
    shop.now = at("2028-01-01 00:00", AUCKLAND) - SECOND
    assert tier(shop) == "silver"
    shop.now += SECOND
    assert tier(shop) == "bronze"


@pytest.mark.parametrize(("down", "after"), [("one_step", "silver"), ("recalculated", "bronze")])
def test_a_missed_review_costs_one_step_or_all_as_the_program_says(down: str, after: str) -> None:
    shop = a_shop(period="calendar_year", down=down)
    earn(shop, 1000)
    assert tier_at(shop, "2027-12-31 23:59:59") == "gold"
    assert tier_at(shop, "2028-01-01 00:00") == after


def test_going_down_step_by_step_takes_a_review_each() -> None:
    shop = a_shop(period="calendar_year")
    earn(shop, 1000)
    assert [tier_at(shop, f"{year}-01-01 00:00") for year in (2028, 2029, 2030)] == ["silver", "bronze", "bronze"]


def test_recalculated_goes_down_only_to_what_was_earned() -> None:
    shop = a_shop(period="calendar_year", down="recalculated")
    earn(shop, 1000)
    shop.now = at("2027-06-01 12:00")
    earn(shop, 600)
    assert tier_at(shop, "2028-01-01 00:00") == "silver"


def test_who_earns_enough_again_keeps_the_tier_and_its_date() -> None:
    shop = a_shop(period="calendar_year")
    earn(shop, 1000)
    shop.now = at("2027-06-01 12:00")
    earn(shop, 1000)
    shop.now = at("2028-06-01 12:00")
    held = shop.look("ada").tier_status()
    assert (held.tier_id, held.since, held.review_on) == (
        "gold",
        date(2026, 3, 15),
        date(2029, 1, 1),
    )


def test_a_tier_by_the_calendar_year_is_held_to_the_end_of_the_next_one() -> None:
    shop = a_shop(period="calendar_year")
    earn(shop, 500)
    assert shop.look("ada").tier_status().review_on == date(2028, 1, 1)


def test_a_calendar_year_counts_from_january_to_december() -> None:
    shop = a_shop("2026-12-31 23:59:59", period="calendar_year")
    earn(shop, 499)
    shop.now += SECOND
    earn(shop, 1)
    assert tier(shop) == "bronze"
    assert qualifying(shop.look("ada"), shop.program.tiers, date(2026, 12, 31)) == 499
    assert qualifying(shop.look("ada"), shop.program.tiers, date(2027, 1, 1)) == 1


def test_a_rolling_year_counts_this_month_and_the_twelve_before_it() -> None:
    shop = a_shop("2026-03-15 12:00")
    earn(shop, 250)
    shop.now = at("2027-03-31 23:59:59")
    earn(shop, 249)
    assert qualifying(shop.look("ada"), shop.program.tiers, date(2027, 3, 31)) == 499
    shop.now += SECOND
    earn(shop, 1)
    assert qualifying(shop.look("ada"), shop.program.tiers, date(2027, 4, 1)) == 250
    assert tier(shop) == "bronze"


def test_for_a_lifetime_everything_counts_and_nothing_is_reviewed() -> None:
    shop = a_shop("1999-03-15 12:00", period="lifetime")
    earn(shop, 499)
    shop.now = at("2026-11-20 12:00")
    earn(shop, 1)
    assert tier(shop) == "silver"
    assert shop.look("ada").tier_status().review_on is None
    assert tier_at(shop, "2099-11-20 12:00") == "silver"


class TestGraceDays:
    """Whoever misses a review has so many days more; what they earn in them counts on top."""

    def shop(self) -> Shop:
        shop = a_shop(period="calendar_year", grace_days=30)
        earn(shop, 1000)
        shop.now = at("2027-06-01 12:00")
        earn(shop, 900)
        return shop

    def test_a_tier_missed_is_kept_for_the_grace_days_and_then_lost(self) -> None:
        shop = self.shop()
        assert tier_at(shop, "2028-01-30 23:59:59") == "gold"
        held = shop.look("ada").tier_status()
        assert (held.grace, held.review_on) == (True, date(2028, 1, 31))
        assert tier_at(shop, "2028-01-31 00:00") == "silver"
        assert not shop.look("ada").tier_status().grace

    def test_a_tier_missed_is_saved_by_what_is_earned_in_the_grace_days(self) -> None:
        shop = self.shop()
        shop.now = at("2028-01-30 23:59:59")
        earn(shop, 100)
        assert tier_at(shop, "2028-01-31 00:00") == "gold"
        held = shop.look("ada").tier_status()
        assert (held.grace, held.since, held.review_on) == (
            False,
            date(2026, 3, 15),
            date(2029, 1, 1),
        )

    def test_a_tier_missed_is_not_saved_by_a_point_too_few(self) -> None:
        shop = self.shop()
        shop.now = at("2028-01-30 23:59:59")
        earn(shop, 99)
        assert tier_at(shop, "2028-01-31 00:00") == "silver"

    def test_a_tier_kept_at_its_review_needs_no_grace(self) -> None:
        shop = self.shop()
        earn(shop, 100)
        shop.now = at("2028-01-02 12:00")
        held = shop.look("ada").tier_status()
        assert (held.tier_id, held.grace, held.review_on) == ("gold", False, date(2029, 1, 1))

    def test_ninety_days_of_grace_still_reach_the_whole_period_that_was_missed(self) -> None:
        shop = a_shop("2025-02-01 12:00", grace_days=90)
        earn(shop, 500)
        shop.now = at("2026-01-10 12:00")
        earn(shop, 400)
        shop.now = at("2027-02-01 12:00")
        assert shop.look("ada").tier_status().grace
        shop.now = at("2027-05-01 12:00")
        earn(shop, 100)
        shop.now = at("2027-05-02 12:00")
        held = shop.look("ada").tier_status()
        assert (held.tier_id, held.grace) == ("silver", False)


def test_a_program_that_drops_a_tier_gives_its_members_the_one_they_qualify_for() -> None:
    shop = a_shop()
    earn(shop, 1000)
    levels = [
        {"tier_id": "basic", "name": "Basic", "threshold": 0},
        {"tier_id": "plus", "name": "Plus", "threshold": 800, "percent": 200},
        {"tier_id": "top", "name": "Top", "threshold": 5000},
    ]
    shop.program = a_program(tiers={"levels": levels})
    assert held_tier(shop.look("ada"), shop.program.tiers, shop.today).tier_id == "plus"
    assert shop.buy("ada", "B-1", 1000).points == 20
    assert tier(shop) == "plus"


def test_a_dropped_tier_is_replaced_at_its_review() -> None:
    shop = a_shop()
    earn(shop, 500)
    levels = [
        {"tier_id": "basic", "name": "Basic", "threshold": 0},
        {"tier_id": "plus", "name": "Plus", "threshold": 500},
    ]
    shop.program = a_program(tiers={"levels": levels})
    shop.now += timedelta(days=365)
    assert shop.look("ada").tier_status().tier_id == "plus"


def test_what_was_earned_longer_ago_than_any_period_is_not_kept_month_by_month() -> None:
    shop = a_shop("2020-01-15 12:00")
    for _ in range(60):
        earn(shop, 1)
        shop.now += timedelta(days=31)
    account = shop.look("ada")
    assert len(account.qualifying) == 17
    assert account.qualifying_ever == 60
