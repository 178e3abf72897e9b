"""Limits for each member and period: what is left of one, and the message when it is reached."""

from datetime import date

from shared.domain.account import Account
from shared.domain.calendar import period_begins_on, period_frees_on, period_of
from shared.domain.facets import Use
from shared.domain.program.common import Limit, Times


def allowance(account: Account | None, name: str, limit: Limit | None, today: date) -> int | None:
    """Points that a limit still allows; None: as many as come."""
    if limit is None:
        return None
    use = used(account, name, limit, today)
    if limit.times is not None and use.times >= limit.times:
        return 0
    return None if limit.points is None else max(0, limit.points - use.points)


def used(account: Account | None, name: str, limit: Limit | Times, today: date) -> Use:
    """What has been counted since the period began that `today` lies in.

    That may stand under a later period, where the program's time zone was another one, or under a shorter one, where
    the limit was. No change of these makes a limit start anew.
    """
    period = period_of(today, limit.per)
    use = account.uses.get(name) if account else None
    counts = use is not None and period_begins_on(use.period) >= period_begins_on(period)
    return use if use is not None and counts else Use(period=period)


def one_more(
    account: Account | None, name: str, limit: Limit | Times, today: date, points: int = 0, times: int = 1
) -> Use:
    """What something that counts for a limit adds to what has been counted, under the same period."""
    return Use(period=used(account, name, limit, today).period, times=times, points=points)


def reached(limit: Limit, today: date) -> str:
    """What the limit is, and when it frees."""
    parts = [f"{limit.times} times" if limit.times else "", f"{limit.points} points" if limit.points else ""]
    frees_on = period_frees_on(today, limit.per)
    until = f", frees on {frees_on}" if frees_on else ", never frees"
    return f"limit of {' and '.join(part for part in parts if part)} per {limit.per} reached{until}"
