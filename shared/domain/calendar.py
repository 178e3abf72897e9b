"""Days, months and periods in the program's time zone.

A local day lasts 23, 24 or 25 hours; only its first instant is ever computed, and the next day's first instant ends it.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Period = Literal["day", "week", "month", "year", "lifetime"]
DayEnds = Literal["day", "month", "quarter", "half_year", "year"]

_MONTHS_IN: dict[DayEnds, int] = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def local_day(instant: datetime, zone: str) -> date:
    """The calendar day in `zone` (an IANA name) at `instant`."""
    return instant.astimezone(ZoneInfo(zone)).date()


def local_time(instant: datetime, zone: str) -> time:
    """The wall clock's time in `zone` at `instant`."""
    return instant.astimezone(ZoneInfo(zone)).time()


def start_of_day(day: date, zone: str) -> datetime:
    """The first instant of `day` in `zone`, in UTC.

    Where clocks jump over midnight, the gap's own beginning: `fold=0` reads it with the offset before the jump.
    """
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


def end_of_day(day: date, zone: str) -> datetime:
    """The instant at which `day` is over in `zone`, in UTC: the next day's first one."""
    return start_of_day(day + timedelta(days=1), zone)


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of(day: date, unit: DayEnds) -> date:
    """The last day of the day, month, quarter, half year or year that `day` lies in."""
    if unit == "day":
        return day
    months = _MONTHS_IN[unit]
    last_month = ((day.month - 1) // months + 1) * months
    return date(day.year, last_month, monthrange(day.year, last_month)[1])


def next_occurrence(month: int, day_of_month: int, not_before: date) -> date:
    """The first `month`/`day_of_month` on or after a day; 29 February falls on the 28th where there is none."""
    for year in (not_before.year, not_before.year + 1):
        found = date(year, month, min(day_of_month, monthrange(year, month)[1]))
        if found >= not_before:
            return found
    raise AssertionError("every date occurs once in two years")


def period_of(day: date, period: Period) -> str:
    """A name for the period that `day` lies in: 2026-11-20, 2026-W47, 2026-11, 2026, or always."""
    if period == "day":
        return day.isoformat()
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    if period == "month":
        return month_of(day)
    return str(day.year) if period == "year" else "always"


def period_begins_on(name: str) -> date:
    """The first day of the period of that name."""
    if name == "always":
        return date.min
    return date.fromisoformat(f"{name}-1" if "W" in name else f"{name}-01-01"[:10])


def is_in_period(day: date, name: str) -> bool:
    """Whether a day lies in the period of that name."""
    return name in {period_of(day, period) for period in get_args(Period)}


def period_frees_on(day: date, period: Period) -> date | None:
    """The first day of the next period, on which a limit per period starts anew; None where it never does."""
    if period == "day":
        return day + timedelta(days=1)
    if period == "week":
        return day + timedelta(days=8 - day.isoweekday())
    if period == "month":
        return end_of(day, "month") + timedelta(days=1)
    return date(day.year + 1, 1, 1) if period == "year" else None


def month_of(day: date) -> str:
    """The month as 2026-11, which sorts as time does."""
    return f"{day.year:04}-{day.month:02}"
