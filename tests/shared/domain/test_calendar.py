"""Days are days where the shop is, however long its clocks make them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.calendar import (
    DayEnds,
    Period,
    add_months,
    end_of,
    local_day,
    next_occurrence,
    period_begins_on,
    period_frees_on,
    period_of,
    start_of_day,
)
from tests.model.shop import AUCKLAND, BEIRUT, BERLIN, CAIRO, KIRITIMATI, KOLKATA, NEW_YORK, SAO_PAULO, SECOND, ZONES

days = st.dates(date(1995, 1, 1), date(2037, 12, 31))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
        (AUCKLAND, "2026-09-27", 23),
        (AUCKLAND, "2026-04-05", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        (KOLKATA, "2026-03-29", 24),
        (KIRITIMATI, "2026-12-31", 24),
        (SAO_PAULO, "2018-11-04", 23),
        (SAO_PAULO, "2018-02-17", 25),
        (CAIRO, "2024-04-26", 23),
        (BEIRUT, "2026-03-29", 23),
        ("Atlantic/Azores", "2026-10-25", 25),
        ("Pacific/Apia", "2011-12-30", 0),
    ],
)
def test_a_day_lasts_as_long_as_the_clocks_there_say(zone: str, day: str, hours: float) -> None:
    first = date.fromisoformat(day)
    lasts = start_of_day(first + timedelta(days=1), zone) - start_of_day(first, zone)
    assert lasts == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "day", "begins_at"),
    [
        (SAO_PAULO, "2018-11-04", "2018-11-04T03:00:00Z"),
        (CAIRO, "2024-04-26", "2024-04-25T22:00:00Z"),
        (BEIRUT, "2026-03-29", "2026-03-28T22:00:00Z"),
        ("Atlantic/Azores", "2026-10-25", "2026-10-25T00:00:00Z"),
        (KIRITIMATI, "2027-01-01", "2026-12-31T10:00:00Z"),
        (KOLKATA, "2027-01-01", "2026-12-31T18:30:00Z"),
        (AUCKLAND, "2027-01-01", "2026-12-31T11:00:00Z"),
    ],
)
def test_a_day_begins_at_its_first_instant_even_where_midnight_is_skipped_or_strikes_twice(
    zone: str, day: str, begins_at: str
) -> None:
    begins = start_of_day(date.fromisoformat(day), zone)
    assert begins == datetime.fromisoformat(begins_at)
    assert begins.utcoffset() == timedelta(0)


@given(day=days, zone=st.sampled_from(ZONES))
def test_no_second_lies_between_one_day_and_the_next(day: date, zone: str) -> None:
    begins = start_of_day(day, zone)
    assert local_day(begins, zone) == day
    assert local_day(begins - SECOND, zone) == day - timedelta(days=1)


def test_the_same_instant_is_three_different_days_around_the_world() -> None:
    instant = datetime(2026, 12, 31, 10, 30, tzinfo=UTC)
    assert local_day(instant, KIRITIMATI) == date(2027, 1, 1)
    assert local_day(instant, NEW_YORK) == date(2026, 12, 31)
    assert local_day(datetime(2026, 12, 31, 4, tzinfo=UTC), NEW_YORK) == date(2026, 12, 30)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-12-31", 12, "2027-12-31"),
        ("2026-11-30", 1, "2026-12-30"),
        ("2026-01-31", -2, "2025-11-30"),
        ("2026-03-15", 0, "2026-03-15"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_that_month_has(day: str, months: int, expected: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(expected)


@given(day=days, later=days, months=st.integers(0, 120))
def test_who_starts_later_never_ends_sooner(day: date, later: date, months: int) -> None:
    first, second = sorted([day, later])
    assert add_months(first, months) <= add_months(second, months)


@pytest.mark.parametrize(
    ("unit", "day", "expected"),
    [
        ("day", "2026-02-10", "2026-02-10"),
        ("month", "2026-02-10", "2026-02-28"),
        ("month", "2028-02-29", "2028-02-29"),
        ("month", "2026-12-01", "2026-12-31"),
        ("quarter", "2026-04-01", "2026-06-30"),
        ("quarter", "2026-09-30", "2026-09-30"),
        ("half_year", "2026-06-30", "2026-06-30"),
        ("half_year", "2026-07-01", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
        ("year", "2026-12-31", "2026-12-31"),
    ],
)
def test_a_month_a_quarter_a_half_and_a_year_end_on_their_last_day(unit: DayEnds, day: str, expected: str) -> None:
    assert end_of(date.fromisoformat(day), unit) == date.fromisoformat(expected)


def test_the_leap_day_is_kept_on_the_28th_in_other_years() -> None:
    assert next_occurrence(2, 29, date(2026, 3, 1)) == date(2027, 2, 28)
    assert next_occurrence(2, 29, date(2027, 3, 1)) == date(2028, 2, 29)
    assert next_occurrence(2, 29, date(2028, 2, 29)) == date(2028, 2, 29)


def test_a_day_of_the_year_that_has_just_passed_comes_next_year() -> None:
    assert next_occurrence(12, 31, date(2026, 12, 31)) == date(2026, 12, 31)
    assert next_occurrence(6, 30, date(2026, 7, 1)) == date(2027, 6, 30)


def test_the_first_days_of_january_may_belong_to_the_last_week_of_the_old_year() -> None:
    assert period_of(date(2027, 1, 3), "week") == period_of(date(2026, 12, 28), "week") == "2026-W53"
    assert period_of(date(2027, 1, 4), "week") == "2027-W01"
    assert period_of(date(2027, 1, 3), "year") == "2027"


@given(day=days, period=st.sampled_from(["day", "week", "month", "year"]))
def test_a_limit_frees_on_the_first_day_that_is_not_in_the_same_period(day: date, period: Period) -> None:
    frees_on = period_frees_on(day, period)
    assert frees_on is not None
    assert period_of(frees_on - timedelta(days=1), period) == period_of(day, period) < period_of(frees_on, period)


@given(day=days, period=st.sampled_from(["day", "week", "month", "year"]))
def test_a_period_begins_on_the_first_day_that_has_its_name(day: date, period: Period) -> None:
    name = period_of(day, period)
    begins_on = period_begins_on(name)
    assert period_of(begins_on, period) == name
    assert period_of(begins_on - timedelta(days=1), period) != name


@given(day=days, other=days)
def test_a_lifetime_has_one_period_and_never_frees(day: date, other: date) -> None:
    assert period_of(day, "lifetime") == period_of(other, "lifetime")
    assert period_frees_on(day, "lifetime") is None
    assert period_begins_on("always") == date.min
