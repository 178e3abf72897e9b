"""What a limit has counted stays counted until its period is over, whatever becomes of the program's days."""

from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.calendar import Period, period_of
from shared.domain.facets import Use
from shared.domain.ledger import uses_after, uses_brought, uses_together
from shared.domain.points.limits import allowance, one_more, used
from shared.domain.program.common import Limit
from tests.model.shop import Shop, a_program, at

TODAY = date(2026, 11, 20)


def an_account(period: str) -> Account:
    return Account(member_id="ada", uses={"rule:tea": Use(period=period, times=2, points=30)})


@pytest.mark.parametrize(
    ("stored", "per", "counts"),
    [
        ("2026-11-20", "day", True),
        ("2026-11-21", "day", True),  # counted where it was tomorrow already
        ("2026-11-19", "day", False),
        ("2026-W47", "week", True),
        ("2026-W48", "week", True),
        ("2026-W46", "week", False),
        ("2026-12", "month", True),
        ("2026-10", "month", False),
        ("2027", "year", True),
        ("2025", "year", False),
        ("2026-11-02", "month", True),  # the limit was one of a day
        ("2026-10-31", "month", False),
        ("2026-11", "day", False),  # the limit was one of a month, and begins anew as one of a day
        ("always", "day", False),
        ("2020", "lifetime", True),
        ("always", "lifetime", True),
    ],
)
def test_what_has_counted_since_the_period_began_counts(stored: str, per: str, counts: bool) -> None:
    limit = Limit.model_validate({"points": 100, "per": per})
    account = an_account(stored)
    assert used(account, "rule:tea", limit, TODAY).points == (30 if counts else 0)
    assert allowance(account, "rule:tea", limit, TODAY) == (70 if counts else 100)


def test_more_is_counted_beside_what_has_been_in_the_later_period() -> None:
    limit = Limit(points=100, per="day")
    later = one_more(an_account("2026-11-21"), "rule:tea", limit, TODAY, 5)
    assert later == Use(period="2026-11-21", times=1, points=5)
    assert one_more(an_account("2026-11-19"), "rule:tea", limit, TODAY, 5).period == "2026-11-20"
    assert one_more(None, "rule:tea", limit, TODAY, 5).period == "2026-11-20"


PERIODS: tuple[Period, ...] = get_args(Period)
NAME = "rule:tea"
COUNTED = st.tuples(st.sampled_from(PERIODS), st.integers(-400, 1), st.integers(1, 9))
"""By a limit of which period, how many days from today, and how many points: where it was tomorrow already, too."""


def counted(today: date, period: Period, days: int, points: int) -> dict[str, Use]:
    return {NAME: Use(period=period_of(today + timedelta(days=days), period), times=1, points=points)}


def points_counted(uses: dict[str, Use], per: Period, today: date) -> int:
    return used(Account(member_id="ada", uses=uses), NAME, Limit(points=100, per=per), today).points


@given(st.dates(date(2025, 1, 1), date(2028, 12, 31)), COUNTED, COUNTED)
def test_no_limit_begins_anew_when_two_accounts_become_one(
    today: date, one: tuple[Period, int, int], other: tuple[Period, int, int]
) -> None:
    known, use = counted(today, *one), counted(today, *other)
    merged = dict(uses_after(known, uses_brought(use, known, today)))
    assert merged == uses_together(known, use, today)
    for per in {one[0], other[0]}:
        both = points_counted(known, per, today) + points_counted(use, per, today)
        assert points_counted(merged, per, today) >= both
        if one[0] == other[0]:
            assert points_counted(merged, per, today) == both


@pytest.mark.parametrize(
    ("known", "use", "merged"),
    [
        ("2026-11", "2026-W46", "2026-W46"),  # the limit is one of a month, and was one of a week, or the other way
        ("2026-W46", "2026-11", "2026-W46"),
        ("always", "2026-11", "2026-11"),
        ("2026", "2026-11-20", "2026-11-20"),
    ],
)
def test_a_week_and_a_month_count_together_under_what_begins_later(known: str, use: str, merged: str) -> None:
    before, more = ({NAME: Use(period=period, times=1, points=points)} for period, points in ((known, 5), (use, 2)))
    assert uses_brought(more, before, TODAY) != {}
    assert uses_after(before, uses_brought(more, before, TODAY)) == {NAME: Use(period=merged, times=2, points=7)}


@pytest.mark.parametrize(
    ("known", "use"), [("2026-10", "2026-W47"), ("2026-W47", "2026-10"), ("2026-11", "2026-10"), ("2026-10", "2026-11")]
)
def test_what_has_counted_in_a_month_that_is_over_counts_no_more(known: str, use: str) -> None:
    before, more = ({NAME: Use(period=period, times=1, points=points)} for period, points in ((known, 5), (use, 2)))
    later = max(before[NAME], more[NAME], key=lambda one: one.period != "2026-10")
    assert uses_after(before, uses_brought(more, before, TODAY)) == {NAME: later}


def test_a_return_that_rounding_makes_count_more_begins_no_later_period_anew() -> None:
    """Of 150, 110, 70 and 30 the bonus has 1, 1, 0 and 1 points: what the sum gains by it once it is rounded."""
    tea = {
        "rule_id": "tea",
        "description": "Tea",
        "when": {"skus": ["TEA"]},
        "effect": {"kind": "add", "points": 1, "per": "item"},
        "limit": {"points": 9, "per": "month"},
    }
    shop = Shop(a_program(earning={"rules": [tea], "rounding": "nearest"}), at("2026-03-20 12:00"))
    shop.enroll("ada")
    lines = [{"sku": "TEA", "quantity": 1, "amount": 50}]
    shop.buy("ada", "march", 150, lines=lines)
    shop.now = at("2026-04-20 12:00")
    shop.buy("ada", "april", 500, lines=[{"sku": "TEA", "quantity": 5, "amount": 500}])
    assert shop.stored("ada").uses["rule:tea"] == Use(period="2026-04", times=1, points=5)
    for amount in (40, 40, 40):
        shop.refund("ada", "march", amount)
        assert shop.stored("ada").uses["rule:tea"] == Use(period="2026-04", times=1, points=5)
