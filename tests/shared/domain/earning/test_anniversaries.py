"""Birthdays that were known in time pay once a year; anniversaries of joining come with the clock alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.anniversaries import birthdays_on, next_anniversary
from shared.domain.earning.imports import join
from shared.domain.facets import Traits
from shared.domain.ledger import book
from shared.domain.lifecycle.passing_of_time import due_on, settle
from shared.tables import keys
from tests.model.shop import AUCKLAND, KOLKATA, NEW_YORK, Shop, a_program, at


def a_shop(joined: str = "2026-03-01 10:00", **terms: Any) -> Shop:
    shop = Shop(a_program(celebrations=terms), at(joined))
    shop.enroll("ada")
    return shop


def born(joined: str = "2026-03-01 10:00", **terms: Any) -> Shop:
    return a_shop(joined, birthday={"points": 50, **terms})


@pytest.mark.parametrize(
    ("day", "birthdays"),
    [
        (date(2026, 2, 28), ("02-28", "02-29")),
        (date(2028, 2, 28), ("02-28",)),
        (date(2028, 2, 29), ("02-29",)),
        (date(2100, 2, 28), ("02-28", "02-29")),
        (date(2026, 12, 10), ("12-10",)),
    ],
)
def test_a_birthday_on_the_29th_of_february_falls_on_the_28th_in_other_years(
    day: date, birthdays: tuple[str, ...]
) -> None:
    assert birthdays_on(day) == birthdays


@pytest.mark.parametrize(("days_known", "pays"), [(29, False), (30, True)])
def test_a_birthday_given_late_pays_next_year(days_known: int, pays: bool) -> None:
    shop = born()
    known_since = shop.now
    shop.now += timedelta(days=days_known)
    assert (shop.birthday("ada", known_since) is not None) == pays
    shop.now += timedelta(days=365)
    assert shop.birthday("ada", known_since) is not None


def test_a_birthday_pays_once_a_year_and_every_year() -> None:
    shop = born("2025-01-01 10:00")
    known_since = shop.now
    for year in (2026, 2027, 2028):
        shop.now = at(f"{year}-12-10 09:00")
        assert shop.birthday("ada", known_since) is not None
        assert shop.birthday("ada", known_since) is None
    assert shop.look("ada").balance == 150


@pytest.mark.parametrize("days_later", [0, 1])
def test_whoever_changes_a_birthday_waits_a_year_from_the_last_one_that_paid(days_later: int) -> None:
    shop = born("2025-01-01 10:00")
    since = shop.now
    shop.now = at("2026-12-10 09:00")
    assert shop.birthday("ada", since) is not None
    changed = shop.now + timedelta(days=days_later)
    shop.now = at("2027-03-01 09:00")
    assert shop.birthday("ada", changed) is None
    shop.now = at("2028-03-01 09:00")
    assert shop.birthday("ada", changed) is not None


def test_points_of_a_birthday_that_is_made_up_for_live_from_the_day_they_are_booked() -> None:
    shop = Shop(
        a_program(celebrations={"birthday": {"points": 50}}, expiry={"kind": "term", "days": 10}),
        at("2026-01-01 10:00"),
    )
    shop.enroll("ada")
    since = shop.now
    shop.now = at("2026-12-20 09:00")
    entry = shop.birthday("ada", since, day=date(2026, 12, 10))
    assert entry is not None
    assert (entry.occurred_at, entry.expires_on) == (at("2026-12-10 00:00"), date(2026, 12, 30))


def test_anniversaries_are_booked_by_the_clock_alone() -> None:
    shop = a_shop(anniversary={"points": 20, "starts_on": "2026-01-01"})
    assert due_on(shop.stored("ada"), shop.program, date.max - timedelta(days=1)) == date(2027, 3, 1)
    shop.now = at("2027-02-28 23:59")
    assert shop.look("ada").balance == 0
    shop.now = at("2029-03-01 00:00")
    assert shop.look("ada").balance == 60
    assert [entry.source["year"] for entry in shop.ledgers["ada"][1:]] == ["2027", "2028", "2029"]


def test_anniversaries_before_the_program_celebrated_them_are_not_made_up_for() -> None:
    shop = a_shop("2020-03-01 10:00")
    shop.program = a_program(celebrations={"anniversary": {"points": 20, "starts_on": "2026-03-02"}})
    shop.now = at("2027-02-28 10:00")
    assert shop.look("ada").balance == 0
    shop.now = at("2027-03-01 10:00")
    assert shop.look("ada").balance == 20


def test_an_anniversary_that_another_time_zone_puts_on_another_day_is_in_nobodys_way() -> None:
    terms = {"anniversary": {"points": 20, "starts_on": "2026-01-01"}}
    shop = Shop(a_program(celebrations=terms, time_zone=KOLKATA), at("2026-03-01 23:00", KOLKATA))
    shop.enroll("ada")
    shop.now = at("2027-03-01 12:00", KOLKATA)
    shop.look("ada")
    shop.program = a_program(celebrations=terms, time_zone=AUCKLAND)
    shop.now = at("2027-05-01 12:00", AUCKLAND)
    shop.look("ada")
    stands_at = [keys.entry_key(entry) for entry in shop.ledgers["ada"]]
    assert len(set(stands_at)) == len(stands_at)


def test_a_program_without_celebrations_pays_none() -> None:
    shop = Shop(a_program(), at("2020-03-01 10:00"))
    shop.enroll("ada")
    since, shop.now = shop.now, at("2027-03-01 10:00")
    assert shop.birthday("ada", since) is None
    assert next_anniversary(shop.look("ada"), shop.program) is None


@given(
    joined=st.integers(0, 3650 * 24),
    starts_on=st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    looks=st.lists(st.integers(1, 900), min_size=1, max_size=6),
)
def test_however_often_somebody_looks_each_anniversary_pays_once(
    joined: int, starts_on: date, looks: list[int]
) -> None:
    shop = Shop(
        a_program(celebrations={"anniversary": {"points": 20, "starts_on": starts_on.isoformat()}}),
        datetime(2016, 1, 1, tzinfo=UTC) + timedelta(hours=joined),
    )
    shop.enroll("ada")
    joined_on = local_day(shop.now, NEW_YORK)
    for days in looks:
        shop.now += timedelta(days=days)
        shop.look("ada")
    paid = [entry for entry in shop.ledgers["ada"] if entry.type == "anniversary"]
    years = [
        year
        for year in range(joined_on.year + 1, shop.today.year + 1)
        if max(starts_on, joined_on) <= _anniversary(joined_on, year) <= shop.today
    ]
    assert [int(entry.source["year"]) for entry in paid] == years


def _anniversary(joined_on: date, year: int) -> date:
    try:
        return joined_on.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def test_the_anniversary_is_the_members_and_not_of_their_wallet_or_pool() -> None:
    terms = {"anniversary": {"points": 7, "starts_on": "2026-01-01"}}
    shop = Shop(
        a_program(celebrations=terms, cashback={"amount": 1, "per_amount": 100}, pools={}), at("2026-03-01 10:00")
    )
    shop.enroll("ada")
    shop.join_pool("ada", "p")
    shop.cash_back("ada", "A-1", 500)
    shop.now += timedelta(days=400)
    assert (shop.look("ada").balance, shop.wallet("ada").balance, shop.pool("p").balance) == (7, 5, 0)


def test_anniversaries_before_somebody_was_brought_in_are_not_paid() -> None:
    program = a_program(celebrations={"anniversary": {"points": 7, "starts_on": "2020-01-01"}})
    now = at("2026-03-01 10:00")
    entry = join("ada", program, at("2021-05-01 10:00"), now=now, actor="olga", fingerprint="request")
    account = book(Account(member_id="ada"), entry)
    assert settle(account, program, now).entries == ()
    assert next_anniversary(account, program) == date(2026, 5, 1)


def test_nobody_who_is_excluded_from_earning_is_given_points_on_their_days() -> None:
    terms = {"birthday": {"points": 5}, "anniversary": {"points": 7, "starts_on": "2026-01-01"}}
    shop = Shop(a_program(celebrations=terms, standing_rules={"excluded": {"tags": ["staff"]}}), at("2026-03-01 10:00"))
    shop.enroll("ada")
    shop.note("ada", Traits(tags=("staff",)))
    since = shop.now
    shop.now += timedelta(days=400)
    assert shop.birthday("ada", since) is None
    assert shop.look("ada").balance == 0
