"""What the clock alone does, whether anybody looks or not."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.facets import TierStatus
from shared.domain.lifecycle import passing_of_time
from shared.domain.lifecycle.passing_of_time import due_on, reminded_through, reminders, reminders_to_send, settle
from shared.domain.lots import Hold
from shared.domain.program.program import Program
from shared.domain.telling.statements import statement
from tests.model.shop import SECOND, ZONES, Shop, a_program, at


def a_shop(**changes: Any) -> Shop:
    shop = Shop(a_program(**changes), at("2026-11-20 12:00"))
    shop.enroll("ada")
    return shop


def test_pending_points_can_be_spent_from_the_first_instant_of_their_day() -> None:
    shop = a_shop(earning={"pending_days": 14})
    entry = shop.buy("ada", "A-1", 1000)
    assert entry.available_on == date(2026, 12, 4)
    assert (entry.available_effect, entry.pending_effect) == (0, 10)
    shop.now = at("2026-12-03 23:59:59")
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (0, 10)
    shop.now += SECOND
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (10, 0)
    maturity = shop.ledgers["ada"][-1]
    assert (maturity.type, maturity.points, maturity.occurred_at) == ("maturity", 0, at("2026-12-04 00:00"))


def test_points_wait_from_the_day_of_the_order_however_late_it_is_reported() -> None:
    shop = a_shop(earning={"pending_days": 14})
    assert shop.buy("ada", "A-1", 1000, at("2026-11-10 23:59")).available_on == date(2026, 11, 24)
    assert shop.buy("ada", "A-2", 1000, at("2026-11-06 12:00")).available_on is None
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (10, 10)


def test_all_that_matures_on_one_day_is_one_entry() -> None:
    shop = a_shop(earning={"pending_days": 1})
    shop.buy("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 500)
    shop.now += timedelta(days=1)
    shop.look("ada")
    assert [entry.pending_effect for entry in shop.ledgers["ada"] if entry.type == "maturity"] == [-15]


def test_points_mature_each_on_their_own_day() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=3)
    shop.buy("ada", "A-2", 500)
    shop.now = at("2026-12-04 12:00")
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (10, 5)


def test_years_of_neglect_are_booked_in_the_order_in_which_they_happened() -> None:
    shop = a_shop(
        earning={"pending_days": 14},
        expiry={"kind": "term", "months": 1},
        redeeming={"hold_minutes": 60 * 24 * 90, "returned_points_grace_days": 3},
    )
    shop.adjust("ada", 20)
    shop.buy("ada", "A-1", 50_000)
    shop.reserve("ada", "R-1", 15)
    shop.now = at("2036-01-01 12:00")
    shop.look("ada")
    happened = [(entry.type, str(entry.occurred_at.date())) for entry in shop.ledgers["ada"][4:]]
    assert happened == [
        ("maturity", "2026-12-04"),
        ("expiry", "2026-12-21"),  # five points that were not held
        ("expiry", "2027-01-05"),
        ("lapse", "2027-02-18"),  # the fifteen, whose day has passed: nobody gives grace
        ("tier_review", "2027-11-20"),  # the November that is a year old still counts
        ("tier_review", "2028-11-20"),
    ]
    assert {entry.recorded_at for entry in shop.ledgers["ada"][4:]} == {shop.now}
    account = shop.look("ada")
    assert (account.balance, account.held_points, account.totals.expired) == (0, 0, 520)


def test_a_run_that_may_book_only_so_much_stops_and_the_next_one_goes_on() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 1})
    for number in range(3):
        shop.buy("ada", f"A-{number}", 1000)
        shop.now += timedelta(hours=12)
    account = shop.stored("ada")
    later = shop.now + timedelta(days=30)
    at_once = settle(account, shop.program, later)
    assert at_once.complete
    first = settle(account, shop.program, later, entries_max=1)
    assert (first.complete, len(first.entries)) == (False, 1)
    second = settle(first.account, shop.program, later, entries_max=1)
    assert (first.entries + second.entries, second.account) == (at_once.entries, at_once.account)
    assert second.complete


def test_nothing_happens_any_more_to_a_member_who_was_erased() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 1}, earning={"pending_days": 2})
    shop.buy("ada", "A-1", 100_000)
    shop.erase("ada")
    shop.now += timedelta(days=4000)
    assert shop.peek("ada") == (shop.stored("ada"), shop.ledgers["ada"])
    assert due_on(shop.stored("ada"), shop.program, date(2026, 11, 20)) is None


# When an account is due ----------------------------------------------------------------------------------------------


def test_an_account_is_due_on_the_first_day_on_which_time_changes_it() -> None:
    shop = a_shop(
        earning={"pending_days": 14},
        expiry={"kind": "term", "days": 5},
        redeeming={"hold_minutes": 60},
        messages={"reminder_days": []},
    )
    today = date(2026, 11, 20)
    assert due_on(shop.look("ada"), shop.program, today) is None
    shop.buy("ada", "A-1", 50_000)
    assert due_on(shop.look("ada"), shop.program, today) == date(2026, 12, 4), "they mature"
    shop.adjust("ada", 10)
    assert due_on(shop.look("ada"), shop.program, today) == date(2026, 11, 26), "the adjustment has ended"
    shop.now = at("2026-11-20 23:30")
    shop.reserve("ada", "R-1", 10)
    assert due_on(shop.look("ada"), shop.program, today) == date(2026, 11, 21), "the hold lapses after midnight"
    shop.capture("ada", "R-1")
    shop.now = at("2026-12-10 12:00")
    assert due_on(shop.look("ada"), shop.program, today) == date(2027, 11, 20), "the tier is reviewed"


def test_reminders_come_so_many_days_before_the_last_day() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 40}, messages={"reminder_days": [30, 7, 1]})
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=5)
    shop.buy("ada", "A-2", 500)
    told = [
        (str(one.on), one.days_ahead, str(one.last_day), one.points)
        for one in reminders(shop.look("ada"), shop.program)
    ]
    assert told == [
        ("2026-11-30", 30, "2026-12-30", 10),
        ("2026-12-05", 30, "2027-01-04", 5),
        ("2026-12-23", 7, "2026-12-30", 10),
        ("2026-12-28", 7, "2027-01-04", 5),
        ("2026-12-29", 1, "2026-12-30", 10),
        ("2027-01-03", 1, "2027-01-04", 5),
    ]
    assert due_on(shop.look("ada"), shop.program, date(2026, 11, 29)) == date(2026, 11, 30)
    assert due_on(shop.look("ada"), shop.program, date(2026, 11, 30)) == date(2026, 12, 5)


def test_a_reminder_tells_all_points_of_its_day_those_that_have_had_grace_among_them() -> None:
    shop = a_shop(
        expiry={"kind": "term", "days": 10},
        redeeming={"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": 14},
        messages={"reminder_days": [7]},
    )
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    shop.now = at("2026-12-04 12:00")
    shop.cancel("ada", "R-1")
    shop.buy("ada", "A-2", 500)
    ada = shop.look("ada")
    assert ada.lots == {"2026-12-14": 5, "2026-12-14+": 10}
    [reminder] = reminders_to_send(ada, shop.program, date(2026, 12, 6), date(2026, 12, 7))
    assert (reminder.last_day, reminder.points) == (date(2026, 12, 14), 15)
    note = statement(ada, [], shop.program, "2026-11", shop.today)
    assert (note.values["expiring"], note.values["expiring_on"]) == (15, "2026-12-14")


def test_among_a_lot_for_every_day_the_next_reminder_is_found_as_if_each_were_looked_at() -> None:
    shop = a_shop(messages={"reminder_days": [30, 7, 1]})
    shop.buy("ada", "A-1", 1000)
    first, ahead = date(2027, 1, 1), (30, 7, 1)
    random = Random(3)  # noqa: S311 - guards nothing
    for number in (1, 12, 361):
        days = sorted(random.sample(range(400), number))
        lots = {f"{first + timedelta(days=day)}{'+' if day % 5 == 0 else ''}": day + 1 for day in days}
        ada = shop.look("ada").model_copy(update={"lots": {**lots, "never": 7}})
        told = {(first + timedelta(days=day - before), before): day + 1 for day in days for before in ahead}
        assert {(one.on, one.days_ahead): one.points for one in reminders(ada, shop.program)} == told
        for day in range(-40, 410, 9):
            after = first + timedelta(days=day)
            later = [on for on, _ in told if on > after]
            assert due_on(ada, shop.program, after) == min([*later, first + timedelta(days=days[0] + 1)])
            within = [on for on in later if on <= after + timedelta(days=5)]
            found = reminders(ada, shop.program, after, after + timedelta(days=5))
            assert [one.on for one in found] == sorted(within)
            assert (reminded_through(ada, shop.program, after, after + timedelta(days=5)) == after) == bool(within)


def test_of_a_lot_for_every_day_few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = a_shop(messages={"reminder_days": [30, 7, 1]})
    shop.buy("ada", "A-1", 1000)
    first, looked = date(2027, 1, 1), list[str]()
    lots = {str(first + timedelta(days=day)): 1 for day in range(361)}
    ada = shop.look("ada").model_copy(update={"lots": lots})
    reminded_of = passing_of_time._reminded_of  # noqa: SLF001 - how often it is asked is what bisection saves

    def counted(days_ahead: int) -> Callable[[str], date]:
        def on(lot: str) -> date:
            looked.append(lot)
            return reminded_of(days_ahead)(lot)

        return on

    monkeypatch.setattr(passing_of_time, "_reminded_of", counted)
    assert due_on(ada, shop.program, date(2027, 6, 1)) == date(2027, 1, 2)
    assert reminded_through(ada, shop.program, date(2027, 6, 1), date(2027, 6, 1)) == date(2027, 6, 1)
    assert 0 < len(looked) <= 2 * 3 * 10


def test_points_that_never_expire_call_for_no_reminder() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1000)
    assert reminders(shop.look("ada"), shop.program) == []


def test_of_the_reminders_missed_for_one_lot_only_the_latest_is_sent() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 40}, messages={"reminder_days": [30, 7, 1]})
    shop.buy("ada", "A-1", 1000)
    [sent] = reminders_to_send(shop.look("ada"), shop.program, date(2026, 11, 20), date(2026, 12, 25))
    assert (sent.days_ahead, sent.points) == (7, 10)


def test_a_reminder_is_sent_on_the_last_day_and_not_for_points_that_have_ended() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 40}, messages={"reminder_days": [1]})
    shop.buy("ada", "A-1", 1000)
    account = shop.look("ada")
    day = date(2026, 12, 30)
    assert len(reminders_to_send(account, shop.program, date(2026, 11, 20), day)) == 1
    assert reminders_to_send(account, shop.program, date(2026, 11, 20), day + timedelta(days=1)) == []


def test_points_that_come_late_in_their_life_are_not_announced_by_a_reminder_whose_day_had_passed() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 5}, messages={"reminder_days": [30, 1]})
    today = date(2026, 11, 20)
    through = reminded_through(shop.look("ada"), shop.program, date(2026, 11, 1), today)
    assert through == today
    shop.buy("ada", "A-1", 1000)
    assert reminders_to_send(shop.look("ada"), shop.program, through, today) == []
    assert due_on(shop.look("ada"), shop.program, through) == date(2026, 11, 24)


def test_a_reminder_that_waits_to_be_sent_is_not_counted_as_dealt_with() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 5}, messages={"reminder_days": [1]})
    shop.buy("ada", "A-1", 1000)
    before, day = date(2026, 11, 20), date(2026, 11, 24)
    assert reminded_through(shop.look("ada"), shop.program, before, day) == before
    assert reminded_through(shop.look("ada"), shop.program, day, day) == day


# For any account -----------------------------------------------------------------------------------------------------

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
days_ahead = st.integers(0, 500).map(lambda days: date(2026, 1, 16) + timedelta(days=days))
lots = st.dictionaries(days_ahead.map(str) | st.just("never"), st.integers(1, 50), max_size=4)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    holds = {
        f"R-{number}": Hold(
            points=sum(of.values()), lots=of, expires_at=START + timedelta(minutes=draw(st.integers(1, 600_000)))
        )
        for number, of in enumerate(draw(st.lists(lots.filter(bool), max_size=3)))
    }
    pending = draw(
        st.dictionaries(
            st.builds(lambda day, days: f"{day}/{day + timedelta(days=days)}", days_ahead, st.integers(0, 90)),
            st.integers(1, 50),
            max_size=3,
        )
    )
    owes = draw(st.booleans())
    tier = TierStatus(tier_id=draw(st.sampled_from(["silver", "gold"])), since=START.date(), review_on=draw(days_ahead))
    return Account(
        member_id="ada",
        sequence=7,
        lots={} if owes else draw(lots),
        debt=draw(st.integers(1, 60)) if owes else 0,
        pending=pending,
        holds=holds,
        tier=tier,
        qualifying=draw(st.dictionaries(st.sampled_from(["2025-06", "2026-01"]), st.integers(1, 900))),
        enrolled_at=START,
    )


programs = st.builds(
    lambda zone, grace, tier_grace: a_program(
        time_zone=zone, redeeming={"returned_points_grace_days": grace}, tiers={"grace_days": tier_grace}
    ),
    st.sampled_from(ZONES),
    st.sampled_from([0, 1, 14]),
    st.sampled_from([0, 30]),
)
instants = st.lists(st.integers(0, 600 * 86_400), min_size=1, max_size=6).map(
    lambda seconds: [START + timedelta(seconds=each) for each in sorted(seconds)]
)


@given(account=accounts(), program=programs, looks=instants)
def test_looking_often_changes_nothing_about_what_happens(
    account: Account, program: Program, looks: list[datetime]
) -> None:
    at_once = settle(account, program, looks[-1])
    stepwise = account
    entries: list[Entry] = []
    for instant in looks:
        settled = settle(stepwise, program, instant)
        stepwise = settled.account
        entries += settled.entries
    when = {"recorded_at": looks[-1]}
    assert [entry.model_copy(update=when) for entry in entries] == list(at_once.entries)
    assert stepwise.model_copy(update={"booked_at": None}) == at_once.account.model_copy(update={"booked_at": None})
    assert [entry.occurred_at for entry in entries] == sorted(entry.occurred_at for entry in entries)


@given(account=accounts(), program=programs, looks=instants)
def test_time_neither_makes_points_nor_loses_them_but_by_expiry(
    account: Account, program: Program, looks: list[datetime]
) -> None:
    settled = settle(account, program, looks[-1])
    after = settled.account
    expired = sum(entry.expired_points for entry in settled.entries)
    expired -= sum(entry.points for entry in settled.entries if entry.type == "expiry")
    before = account.balance + account.pending_points + account.held_points - account.debt
    assert after.balance + after.pending_points + after.held_points - after.debt + expired == before
    assert after.totals.expired == expired


@given(account=accounts(), program=programs, looks=instants)
def test_after_looking_an_account_is_not_due_before_tomorrow_unless_a_hold_lapses_today(
    account: Account, program: Program, looks: list[datetime]
) -> None:
    quiet = program.model_copy(update={"messages": program.messages.model_copy(update={"reminder_days": ()})})
    now = looks[-1]
    after = settle(account, quiet, now).account
    due = due_on(after, quiet, date(2000, 1, 1))
    if due is None:
        assert settle(after, quiet, now + timedelta(days=5000)).entries == ()
        return
    assert settle(after, quiet, now).entries == ()
    next_entry = settle(after, quiet, now + timedelta(days=5000)).entries[0]
    assert next_entry.occurred_at > now
    assert settle(after, quiet, next_entry.occurred_at - SECOND).entries == ()
    assert (
        at(f"{due} 00:00", quiet.time_zone) <= next_entry.occurred_at < at(f"{due} 23:59:59", quiet.time_zone) + SECOND
    )


def test_what_falls_on_one_midnight_is_booked_in_an_order_that_never_changes() -> None:
    """Points come before others end; a tier is reviewed with all that counts; who never agreed is gone last."""
    midnight = at("2026-12-01 00:00")
    program = a_program(celebrations={"anniversary": {"points": 5, "starts_on": "2020-01-01"}})
    account = Account(
        member_id="ada",
        enrolled_at=at("2025-12-01 12:00"),
        pending={"2026-12-01/2027-12-31": 7},
        holds={
            "B": Hold(points=3, lots={"2027-12-31": 3}, expires_at=midnight),
            "A": Hold(points=2, lots={"2027-12-31": 2}, expires_at=midnight),
        },
        lots={"2026-11-30": 4},
        tier=TierStatus(tier_id="silver", since=date(2025, 12, 1), review_on=date(2026, 12, 1)),
    )
    settled = settle(account, program, midnight)
    assert [(entry.type, entry.points, entry.occurred_at) for entry in settled.entries] == [
        ("maturity", 0, midnight),
        ("lapse", 2, midnight),
        ("lapse", 3, midnight),
        ("expiry", -4, midnight),
        ("tier_review", 0, midnight),
        ("anniversary", 5, midnight),
    ]
    assert [entry.source.get("redemption_id") for entry in settled.entries[1:3]] == ["A", "B"]
    assert settle(account, program, midnight - SECOND).entries == ()
