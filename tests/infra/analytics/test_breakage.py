"""The share of points that go unspent, and how sure it is."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random

import duckdb
import pytest

from infra.analytics import breakage
from infra.analytics.columns import TABLES
from infra.analytics.lake_queries import Lake

SHARE = 0.3
"""Of the points that these members get, in the long run so much expires."""
DAY = date(2026, 12, 1)
AT = datetime(2026, 12, 1, tzinfo=UTC)
BEFORE = AT.replace(tzinfo=None) - timedelta(days=30)


Accounts = list[tuple[int, int]]
"""Of each account, how many points expired, and how many ended either way."""


def alike(random: Random, accounts: int) -> Accounts:
    """Every point expires by a chance of its own."""
    ended = [random.choice([5, 20, 100]) for _ in range(accounts)]
    return [(sum(random.random() < SHARE for _ in range(points)), points) for points in ended]


def with_habits(random: Random, accounts: int) -> Accounts:
    """A member who lets one point expire lets most of them."""
    ended = [random.choice([50, 200, 1000]) for _ in range(accounts)]
    return [(round(points * random.betavariate(0.6, 1.4)), points) for points in ended]


def sums(accounts: Accounts) -> Mapping[str, float]:
    """What the question `breakage` answers."""
    return {
        "accounts": len(accounts),
        "broken": sum(broken for broken, _ in accounts),
        "resolved": sum(resolved for _, resolved in accounts),
        "broken_squared": sum(broken * broken for broken, _ in accounts),
        "both_multiplied": sum(broken * resolved for broken, resolved in accounts),
        "resolved_squared": sum(resolved * resolved for _, resolved in accounts),
    }


@pytest.mark.parametrize("drawn", [alike, with_habits])
def test_the_interval_covers_the_truth_as_often_as_it_says(drawn: Callable[[Random, int], Accounts]) -> None:
    random, covered, shops = Random(5), 0, 1000  # noqa: S311
    for _ in range(shops):
        found = breakage.estimated(sums(drawn(random, 150)))
        assert found is not None
        covered += found.low <= SHARE <= found.high
    assert 0.93 <= covered / shops <= 0.97


def test_a_few_accounts_tell_nothing() -> None:
    some = with_habits(Random(1), breakage.ACCOUNTS_MIN)  # noqa: S311
    assert breakage.estimated(sums(some)) is not None
    assert breakage.estimated(sums(some[1:])) is None


def test_the_interval_stays_between_nothing_and_all() -> None:
    for broken in (0, 1):
        found = breakage.estimated(sums([(broken, 1)] * 50))
        assert found == breakage.Breakage(Fraction(broken), Fraction(broken), Fraction(broken), 50)


def test_the_question_looks_at_lots_that_have_ended_and_at_nothing_else() -> None:
    ended = date(2026, 11, 30)
    rows: list[tuple[str, str, str, date | None, int]] = []
    for number in range(40):
        rows += [(f"a{number}", "points", "expired", ended, number), (f"a{number}", "points", "spent", ended, 50)]
    rows += [
        ("late", "points", "expired", DAY, 1000),
        ("long-ago", "points", "expired", date(2024, 11, 30), 1000),
        ("held", "points", "held", ended, 1000),
        ("never", "points", "spent", None, 1000),
        ("money", "credit", "expired", ended, 1000),
    ]
    with duckdb.connect() as database:
        columns = ", ".join(f"{name} {column.type}" for name, column in TABLES["movements"].items())
        database.execute(f"CREATE TABLE movements ({columns})")
        for account, unit, bucket, day, units in rows:
            values = ["", account, unit, BEFORE, bucket, day, units]
            database.execute("INSERT INTO movements VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        lake = Lake(database)
        assert lake.ask_one("breakage", to_at=AT, **breakage.window(DAY)) == sums(
            [(number, number + 50) for number in range(40)]
        )
        earlier = AT - timedelta(days=60)
        assert lake.ask_one("breakage", to_at=earlier, **breakage.window(DAY))["accounts"] == 0
