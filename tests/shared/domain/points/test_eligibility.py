"""The standing rules: age, excluded customers, caps, places where points do not expire."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.earning.kept_orders import Sale, kept
from shared.domain.errors import NotEligibleError
from shared.domain.facets import Traits
from shared.domain.points.eligibility import is_excluded_address, require_age
from tests.model.shop import Shop, a_program, at

NOW = at("2026-11-20T13:00")
TODAY = date(2026, 11, 20)


def a_shop(caps: dict[str, int] | None = None, **rules: Any) -> Shop:
    program = a_program(standing_rules={"caps": caps or {}, **rules}, expiry={"kind": "term", "months": 12})
    shop = Shop(program, NOW)
    shop.enroll("ada")
    return shop


@pytest.mark.parametrize(
    ("born_on", "may_join_from"),
    [(date(2010, 11, 20), None), (date(2010, 11, 21), "2026-11-21"), (date(2012, 2, 29), "2028-02-29")],
)
def test_who_is_too_young_is_told_when_they_may_join(born_on: date, may_join_from: str | None) -> None:
    program = a_program(standing_rules={"minimum_age": 16})
    if may_join_from is None:
        require_age(program, TODAY, is_confirmed=False, born_on=born_on)
        return
    with pytest.raises(NotEligibleError, match=may_join_from):
        require_age(program, TODAY, is_confirmed=True, born_on=born_on)


def test_somebody_born_on_a_leap_day_is_old_enough_on_the_first_of_march() -> None:
    program = a_program(standing_rules={"minimum_age": 17})
    with pytest.raises(NotEligibleError, match="2029-03-01"):
        require_age(program, TODAY, is_confirmed=False, born_on=date(2012, 2, 29))


@pytest.mark.parametrize(
    ("email", "excluded"),
    [("a@reseller.example", True), ("a@eu.reseller.example", True), ("a@notreseller.example", False), (None, False)],
)
def test_an_address_is_excluded_with_its_subdomains(email: str | None, excluded: bool) -> None:
    program = a_program(standing_rules={"excluded": {"email_domains": ["reseller.example"]}})
    assert is_excluded_address(program, email) == excluded


def test_staff_are_members_but_earn_nothing_and_reach_no_tier() -> None:
    shop = Shop(a_program(standing_rules={"excluded": {"tags": ["staff"]}}, tiers={"measure": "spend"}), NOW)
    shop.enroll("ada")
    shop.note("ada", Traits(tags=("staff",)))
    entry = shop.buy("ada", "A-1", 100_000)
    assert (entry.points, entry.qualifying, entry.breakdown[0].rule_id) == (0, {}, "excluded")
    assert shop.look("ada").tier_status().tier_id == "bronze"


def test_an_order_earns_at_most_its_cap_and_the_lines_add_up() -> None:
    shop = a_shop({"points_per_order": 100})
    entry = shop.buy("ada", "A-1", 25_000)
    assert [(piece.rule_id, piece.points) for piece in entry.breakdown] == [("base", 250), ("cap:order", -150)]
    assert shop.quote("ada", 25_000) == 100


def test_a_day_earns_at_most_its_cap_and_the_next_day_begins_anew() -> None:
    shop = a_shop({"points_per_day": 100})
    assert [shop.buy("ada", f"A-{number}", 6_000).points for number in range(3)] == [60, 40, 0]
    shop.now = at("2026-11-21T00:00")
    assert shop.buy("ada", "A-9", 6_000).points == 60


def test_points_earned_in_some_places_never_expire_and_moving_away_changes_new_ones_only() -> None:
    shop = a_shop(no_expiry_in=["US-CA", "BR"])
    shop.note("ada", Traits(place="US-CA"))
    shop.buy("ada", "A-1", 1_000)
    shop.note("ada", Traits(place="US-NY"))
    shop.buy("ada", "A-2", 2_000)
    shop.note("ada", Traits(place="BR-SP"))
    shop.buy("ada", "A-3", 4_000)
    assert shop.look("ada").lots == {"2027-11-20": 20, "never": 50}


@settings(max_examples=100, deadline=None)
@given(
    cap=st.integers(1, 200),
    total=st.integers(1, 40_000),
    shares=st.lists(st.integers(0, 100), max_size=6),
)
def test_after_any_refunds_a_capped_order_has_earned_what_its_rest_would_have(
    cap: int, total: int, shares: list[int]
) -> None:
    shop = a_shop({"points_per_order": cap})
    entry = shop.buy("ada", "A-1", total)
    assert entry.points == kept(Sale(entry)).points == min(cap, total // 100)
    left = total
    for share in shares:
        amount = left * share // 100
        if amount:
            left -= amount
            shop.refund("ada", "A-1", amount)
        assert shop.look("ada").balance == min(cap, left // 100)


@settings(max_examples=60, deadline=None)
@given(cap=st.integers(1, 300), orders=st.lists(st.tuples(st.integers(0, 30_000), st.booleans()), max_size=10))
def test_no_day_brings_more_than_its_cap(cap: int, orders: list[tuple[int, bool]]) -> None:
    shop = a_shop({"points_per_day": cap, "points_per_order": 150})
    by_day: dict[date, int] = {}
    for number, (total, is_next_day) in enumerate(orders):
        if is_next_day:
            shop.now += at("2026-11-21T13:00") - NOW
        points = shop.buy("ada", f"A-{number}", total).points
        assert 0 <= points <= 150
        by_day[shop.today] = by_day.get(shop.today, 0) + points
    assert all(points <= cap for points in by_day.values())
