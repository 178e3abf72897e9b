"""What a limit has counted stays counted until its period is over, whatever becomes of the program's days."""

from datetime import date

import pytest

from shared.domain.account import Account
from shared.domain.facets import Use
from shared.domain.points.limits import allowance, one_more, used
from shared.domain.program.common import Limit

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
