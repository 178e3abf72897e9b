"""What counts toward a badge, when it begins anew, and what it pays."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.earning.challenges import courses, merged_badges, merged_progress
from shared.domain.facets import Badge, Progress
from shared.domain.invariants import breaches
from tests.model.shop import Shop, a_program, at

START = at("2026-03-02 12:00")  # a Monday
VISITS = {"kind": "visits", "target": 3, "within_days": 30}


def shop_with(goal: dict[str, Any], *, points: int = 50, **details: Any) -> Shop:
    """A shop with one challenge, and Ada."""
    challenge = {"challenge_id": "c", "name": "C", "goal": goal, "points": points, **details}
    review = {"action_id": "review", "description": "A review", "points": 1}
    walk = {"action_id": "walk", "description": "A walk", "points": 1}
    shop = Shop(a_program(challenges=[challenge], earning={"actions": [review, walk]}), START)
    shop.enroll("ada")
    return shop


def buy(shop: Shop, number: int, **details: Any) -> None:
    """An order of ten dollars with that number."""
    shop.buy("ada", f"order-{number}", 1000, **details)


def times(shop: Shop) -> int:
    """How often Ada has earned the badge."""
    badge = shop.look("ada").badges.get("c")
    return badge.times if badge else 0


def percent(shop: Shop) -> int:
    """How far Ada is, as of now."""
    [course] = courses(shop.peek("ada")[0], shop.program, shop.today)
    return course.percent


def test_three_visits_in_thirty_days_are_three_days_not_three_orders() -> None:
    shop = shop_with(VISITS)
    for number in range(3):
        buy(shop, number)
    assert (times(shop), percent(shop)) == (0, 33)
    shop.now += timedelta(days=15)
    buy(shop, 3)
    assert percent(shop) == 66
    shop.now += timedelta(days=14)
    buy(shop, 4)
    assert (times(shop), percent(shop)) == (1, 100)
    assert shop.look("ada").balance == 5 * 10 + 50


def test_a_visit_too_long_ago_counts_no_more() -> None:
    shop = shop_with(VISITS)
    for day in (0, 15, 30):
        shop.now = START + timedelta(days=day)
        buy(shop, day)
    assert (times(shop), percent(shop)) == (0, 66)
    shop.now = START + timedelta(days=44)
    assert percent(shop) == 66
    shop.now = START + timedelta(days=45)
    assert percent(shop) == 33


def test_the_day_that_brought_a_badge_does_not_begin_the_next_one() -> None:
    shop = shop_with({"kind": "visits", "target": 2, "within_days": 7}, repeatable=True)
    for number, day in enumerate((0, 1, 1, 2, 3)):
        shop.now = START + timedelta(days=day)
        buy(shop, number)
    assert times(shop) == 2


@pytest.mark.parametrize(("gap", "earned"), [(7, 1), (13, 1), (14, 0)])
def test_a_streak_of_weeks_allows_any_day_of_the_next_week_but_no_week_without(gap: int, earned: int) -> None:
    shop = shop_with({"kind": "streak", "target": 2, "per": "week"})
    buy(shop, 1)
    shop.now += timedelta(days=gap)
    buy(shop, 2)
    assert times(shop) == earned


def test_a_streak_that_broke_shows_no_progress() -> None:
    shop = shop_with({"kind": "streak", "target": 4, "per": "month"})
    for day in ("2026-03-31", "2026-04-01", "2026-05-30"):
        shop.now = at(f"{day} 12:00")
        buy(shop, int(day[5:7]))
    assert percent(shop) == 75
    shop.now = at("2026-06-30 12:00")
    assert percent(shop) == 75
    shop.now = at("2026-07-01 12:00")
    assert percent(shop) == 0


def test_variety_counts_each_category_once_and_only_in_its_period() -> None:
    shop = shop_with({"kind": "variety", "of": "categories", "target": 3, "per": "month"})
    lines = [{"sku": "T", "category": "tea", "amount": 500}, {"sku": "C", "category": "cake", "amount": 500}]
    buy(shop, 1, lines=lines)
    buy(shop, 2, lines=lines)
    assert percent(shop) == 66
    shop.now = at("2026-04-01 12:00")
    assert percent(shop) == 0
    buy(shop, 3, lines=[{"sku": "J", "category": "jam", "amount": 1000}])
    assert (times(shop), percent(shop)) == (0, 33)


def test_what_goes_beyond_a_count_counts_toward_the_next_badge() -> None:
    shop = shop_with({"kind": "count", "of": "amount", "target": 2500}, repeatable=True)
    for number in range(3):
        buy(shop, number)
    assert (times(shop), percent(shop)) == (1, 20)


def test_an_order_reported_late_does_not_undo_a_later_period() -> None:
    shop = shop_with({"kind": "count", "of": "orders", "target": 3, "per": "month"})
    shop.now = at("2026-04-10 12:00")
    buy(shop, 1)
    buy(shop, 2, placed_at=at("2026-03-31 12:00"))
    assert percent(shop) == 33


def test_only_what_the_challenge_asks_for_counts() -> None:
    shop = shop_with({"kind": "count", "of": "actions", "target": 1}, actions=["review"])
    buy(shop, 1)
    shop.act("ada", "walk")
    assert percent(shop) == 0
    shop.act("ada", "review")
    assert times(shop) == 1
    shop.act("ada", "review")
    assert times(shop) == 1


def test_minimum_spend_and_days_of_validity_are_kept() -> None:
    goal = {"kind": "count", "of": "orders", "target": 2}
    shop = shop_with(goal, minimum_spend=1000, ends_on="2026-03-03")
    shop.buy("ada", "small", 999)
    buy(shop, 1)
    shop.now += timedelta(days=2)
    buy(shop, 2)
    assert times(shop) == 0
    assert courses(shop.look("ada"), shop.program, shop.today) == []


def test_badge_points_wait_as_others_do_and_a_refund_takes_the_badge() -> None:
    challenge = {"challenge_id": "c", "name": "C", "goal": {"kind": "count", "of": "orders", "target": 1}, "points": 50}
    shop = Shop(a_program(challenges=[challenge], earning={"pending_days": 14}), START)
    shop.enroll("ada")
    buy(shop, 1)
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (0, 60)
    shop.refund("ada", "order-1", 1000)
    assert (shop.look("ada").pending_points, times(shop)) == (0, 0)


def test_a_merge_unites_badges_and_takes_the_further_progress() -> None:
    shop = shop_with({"kind": "count", "of": "orders", "target": 3})
    shop.enroll("bob")
    buy(shop, 1)
    for number in (2, 3):
        shop.buy("bob", f"order-{number}", 1000)
    shop.merge("bob", "ada")
    assert percent(shop) == 66
    buy(shop, 4)
    assert times(shop) == 1


GOALS = st.sampled_from(
    [
        VISITS,
        {"kind": "streak", "target": 2, "per": "day"},
        {"kind": "variety", "of": "stores", "target": 2, "per": "week"},
        {"kind": "count", "of": "orders", "target": 3, "per": "month"},
        {"kind": "count", "of": "points", "target": 25},
    ]
)
PURCHASES = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["north", "south"]), st.integers(0, 60)), min_size=1, max_size=12
)


@given(GOALS, st.booleans(), PURCHASES)
def test_badges_are_paid_once_each_and_nothing_else_changes(
    goal: dict[str, Any], repeatable: bool, purchases: list[tuple[int, str, int]]
) -> None:
    shop, plain = shop_with(goal, repeatable=repeatable), Shop(a_program(), START)
    plain.enroll("ada")
    for number, (days, store, late) in enumerate(purchases):
        shop.now = plain.now = shop.now + timedelta(days=days)
        for one in (shop, plain):
            one.buy("ada", f"order-{number}", 1000, one.now - timedelta(days=late), store_id=store)
    account, ledger = shop.peek("ada")
    paid = [entry.source["times"] for entry in ledger if entry.type == "badge"]
    assert paid == [str(count) for count in range(1, times(shop) + 1)]
    assert times(shop) <= (len(purchases) if repeatable else 1)
    assert account.balance == plain.look("ada").balance + 50 * len(paid)
    assert breaches(account, ledger) == []
    progress = account.progress.get("c")
    assert progress is None or len(progress.days) + len(progress.kinds) <= goal["target"]


def test_of_two_who_become_one_the_further_keeps_its_progress_and_each_its_badges() -> None:
    ada = Account(
        member_id="ada",
        progress={
            "even": Progress(period="2026-11", kinds=("cake",)),
            "later": Progress(period="2026-12", count=1),
            "fewer": Progress(period="2026-11", count=1),
            "new": Progress(streak=1),
        },
        badges={"old": Badge(on=date(2026, 1, 1), times=1), "lone": Badge(on=date(2026, 3, 1), times=4)},
    )
    bob = Account(
        member_id="bob",
        progress={
            "even": Progress(period="2026-11", kinds=("tea",)),
            "later": Progress(period="2026-11", count=5),
            "fewer": Progress(period="2026-11", days=(date(2026, 11, 1), date(2026, 11, 2))),
        },
        badges={"old": Badge(on=date(2026, 2, 1), times=3)},
    )
    assert set(merged_progress(ada, bob)) == {"later", "new"}
    assert merged_badges(ada, bob) == {
        "old": Badge(on=date(2026, 1, 1), times=4),
        "lone": Badge(on=date(2026, 3, 1), times=4),
    }
    assert merged_badges(bob, ada) == {"old": Badge(on=date(2026, 1, 1), times=4)}


def test_points_of_actions_count_where_points_are_counted() -> None:
    shop = shop_with({"kind": "count", "of": "points", "target": 4})
    shop.act("ada", "review")
    assert percent(shop) == 25


def test_a_second_order_in_the_same_week_neither_adds_to_a_streak_nor_breaks_it() -> None:
    shop = shop_with({"kind": "streak", "per": "week", "target": 3})
    for number, day in enumerate((0, 7, 8, 14)):
        shop.now = START + timedelta(days=day)
        buy(shop, number)
    assert times(shop) == 1
