"""How many of the outstanding points will never be spent, from those whose last day has passed."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import sqrt
from typing import Any, NamedTuple

from shared.domain.calendar import add_months

ACCOUNTS_MIN = 30
"""Fewer accounts say nothing: then no breakage is expected, which is the prudent side."""
MONTHS = 24
"""Lots that ended in so many months before are looked at: habits change."""
_NORMAL_95 = 1.96


class Breakage(NamedTuple):
    """The share of points that go unspent, its 95 % interval, and from how many accounts; None: too few."""

    share: Fraction
    low: Fraction
    high: Fraction
    accounts: int


def window(first_open_day: date) -> dict[str, date]:
    """Which lots are looked at: by their last day, from the first to before the second."""
    return {"first_day": add_months(first_open_day, -MONTHS), "first_open_day": first_open_day}


def estimated(sums: Mapping[str, Any]) -> Breakage | None:
    """The share from the answer to the question `breakage`; None if there are too few accounts.

    It is a ratio of two sums over accounts, whose habits differ; so its variance is that of a ratio of means (Cochran,
    Sampling Techniques, 1977, 6.4), over accounts and not over points.
    """
    accounts, resolved = int(sums["accounts"]), int(sums["resolved"])
    if accounts < ACCOUNTS_MIN:
        return None
    share = Fraction(int(sums["broken"]), resolved)
    ratio = float(share)
    squares = sums["broken_squared"] - 2 * ratio * sums["both_multiplied"] + ratio * ratio * sums["resolved_squared"]
    error = _NORMAL_95 * sqrt(accounts / (accounts - 1) * max(0.0, squares)) / resolved
    low, high = (Fraction(min(1.0, max(0.0, end))) for end in (ratio - error, ratio + error))
    return Breakage(share, low, high, accounts)
