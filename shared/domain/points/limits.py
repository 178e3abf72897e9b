"""Limits for each member and period: what is left of one, and the message when it is reached."""

from datetime import date

from shared.domain.account import Account
from shared.domain.calendar import period_frees_on, period_of
from shared.domain.facets import Use
from shared.domain.program.common import Limit


def allowance(account: Account | None, name: str, limit: Limit | None, today: date) -> int | None:
    """Points that a limit still allows; None: as many as come."""
    if limit is None:
        return None
    use = used(account, name, limit, today)
    if limit.times is not None and use.times >= limit.times:
        return 0
    return None if limit.points is None else max(0, limit.points - use.points)


def used(account: Account | None, name: str, limit: Limit, today: date) -> Use:
    """What has been counted in the period that `today` lies in."""
    period = period_of(today, limit.per)
    use = account.uses.get(name) if account else None
    return use if use is not None and use.period == period else Use(period=period)


def reached(limit: Limit, today: date) -> str:
    """What the limit is, and when it frees."""
    parts = [f"{limit.times} times" if limit.times else "", f"{limit.points} points" if limit.points else ""]
    frees_on = period_frees_on(today, limit.per)
    until = f", frees on {frees_on}" if frees_on else ", never frees"
    return f"limit of {' and '.join(part for part in parts if part)} per {limit.per} reached{until}"
