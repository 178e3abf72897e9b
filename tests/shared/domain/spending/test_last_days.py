"""A lot keeps the last day that it was earned with, whatever its member does with it; the shop adds grace, once."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.domain.calendar import add_months
from shared.domain.errors import LoyaltyError
from shared.domain.ledger import combined
from shared.domain.lots import GRACED, NEVER, Lots
from shared.domain.subaccounts import pool_account_of
from tests.model.shop import BERLIN, KIRITIMATI, NEW_YORK, SECOND, a_program
from tests.model.whole_shop import WholeShop

INACTIVITY_MONTHS = 1
POLICIES: dict[str, dict[str, Any]] = {
    "days": {"kind": "term", "days": 10},
    "month_end": {"kind": "term", "months": 1, "ends": "month"},
    "inactivity": {"kind": "inactivity", "months": INACTIVITY_MONTHS},
    "calendar_date": {"kind": "calendar_date", "month": 12, "day": 10},
    "never": {"kind": "never"},
}
NAMES = ("ada", "bob")
OTHER = {"ada": "bob", "bob": "ada"}
POOL = "p"

waits = st.sampled_from(
    ["late", "midnight", "midnight", "day", "week", "last_minute", "last_day_over", "last_day_over"]
)
of_members = ["reserve", "reserve", "give_up", "give_up", "offer", "accept", "decline", "send", "share", "part"]
deeds = st.tuples(st.sampled_from(of_members), st.sampled_from(NAMES), st.integers(1, 12))
of_shop = st.tuples(st.sampled_from(["capture", "cancel", "reverse"]), st.sampled_from(NAMES), st.just(0))
grants = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 8), st.integers(0, 6)), min_size=1, max_size=4)

LATE = [("reserve", "ada", 8), "last_day_over"]
LATE_GIFT = [("offer", "ada", 8), "last_day_over"]


class Lives:
    """Two members' points, and how long each may live at most: a list of last days, the latest first."""

    def __init__(self, policy: str, zone: str, grace_days: int, given_: Iterable[tuple[str, int, int]]) -> None:
        redeeming = {"hold_minutes": 60 * 24 * 20, "returned_points_grace_days": grace_days}
        sharing: dict[str, Any] = {"gifts": {"accept_days": 20}, "pools": {}, "transfers": {}}
        program = a_program(time_zone=zone, expiry=POLICIES[policy], redeeming=redeeming, **sharing)
        self.shop = WholeShop(program, datetime(2026, 11, 20, 12, tzinfo=UTC))
        self.policy, self.zone, self.grace = policy, ZoneInfo(zone), timedelta(days=grace_days)
        self.numbers = iter(range(1_000))
        self.open: list[tuple[str, str]] = []
        self.captured: list[tuple[str, str]] = []
        self.gifts: list[tuple[str, str]] = []
        for name in NAMES:
            self.shop.enroll(name)
        self.allowed: list[date] = []
        for name, points, days in given_:
            self.shop.set_right(name, points, self.new())
            self.allowed += [self.own_day(next(iter(self.lots_since(name))))] * points
            self.shop.now += timedelta(days=days)
        self.allowed.sort(reverse=True)

    def new(self) -> str:
        return f"n{next(self.numbers)}"

    def lots_since(self, name: str) -> Lots:
        return self.shop.ledgers[name][-1].lots

    def own_day(self, lot: str) -> date:
        """The last day that the points of a lot were earned with, if they have had all of their grace."""
        if lot == NEVER:
            return date.max
        day = date.fromisoformat(lot.removesuffix(GRACED))
        return day - self.grace if lot.endswith(GRACED) else day

    def do(self, what: str, name: str, points: int) -> None:
        try:
            getattr(self, what)(name, points)
        except LoyaltyError:
            return

    def reserve(self, name: str, points: int) -> None:
        redemption = self.new()
        self.shop.redeem(name, redemption, points)
        self.open.append((name, redemption))

    def give_up(self, *_: Any) -> None:
        if self.open:
            self.shop.end(*self.open.pop(), "give_up")

    def cancel(self, *_: Any) -> None:
        if self.open:
            self.shop.end(*self.open.pop(), "cancel")

    def capture(self, *_: Any) -> None:
        if self.open:
            name, redemption = self.open.pop()
            lives = sorted(self.lives(captured=(name, redemption)), reverse=True)
            self.shop.end(name, redemption, "capture")
            self.captured.append((name, redemption))
            if self.policy == "inactivity":
                deadline = add_months(self.shop.today, INACTIVITY_MONTHS)
                for index, (_day, is_prolonged) in enumerate(lives):
                    if is_prolonged:
                        self.allowed[index] = max(self.allowed[index], deadline)
                self.allowed.sort(reverse=True)

    def reverse(self, *_: Any) -> None:
        if self.captured:
            self.shop.end(*self.captured.pop(), "reverse")

    def offer(self, name: str, points: int) -> None:
        gift = self.new()
        self.shop.offer(name, OTHER[name], points, gift)
        self.gifts.append((name, gift))

    def accept(self, *_: Any) -> None:
        if self.gifts:
            giver, gift = self.gifts.pop()
            self.shop.accept(giver, OTHER[giver], gift)

    def decline(self, *_: Any) -> None:
        if self.gifts:
            giver, gift = self.gifts.pop()
            self.shop.decline(giver, OTHER[giver], gift)

    def send(self, name: str, points: int) -> None:
        self.shop.send(name, OTHER[name], points, self.new())

    def share(self, name: str, _: int) -> None:
        is_new = pool_account_of(POOL) not in self.shop.accounts()
        self.shop.share(name, POOL, self.new(), is_new=is_new)

    def part(self, name: str, _: int) -> None:
        self.shop.part(name, POOL, self.new())

    def wait(self, how: str) -> None:
        """Until ten to midnight, the next midnight, some days; or a minute before or after the next lot ends."""
        today = self.shop.today
        accounts = [self.shop.peek(name)[0] for name in self.shop.accounts()]
        lots = combined(
            *(one.lots for one in accounts), *(hold.lots for one in accounts for hold in one.holds.values())
        )
        last_days = [date.fromisoformat(lot.removesuffix(GRACED)) for lot in lots if lot != NEVER]
        ends = min((day for day in last_days if day >= today), default=today)
        until = {
            "late": self.beginning_of(today + timedelta(days=1)) - timedelta(minutes=10),
            "midnight": self.beginning_of(today + timedelta(days=1)),
            "day": self.shop.now + timedelta(days=1),
            "week": self.shop.now + timedelta(days=7),
            "last_minute": self.beginning_of(ends + timedelta(days=1)) - SECOND,
            "last_day_over": self.beginning_of(ends + timedelta(days=1)),
        }[how]
        self.shop.now = max(self.shop.now, until)

    def beginning_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def lives(self, captured: tuple[str, str] = ("", "")) -> list[tuple[date, bool]]:
        """The own last day of every point there is, and whether a capture prolongs it: it is its member's, or taken."""
        member, redemption = captured
        pool = self.shop.peek(member)[0].pool_id if member else None
        theirs = {member, pool_account_of(pool) if pool else ""}
        found = []
        for name in self.shop.accounts():
            account = self.shop.peek(name)[0]
            held = [(hold.lots, held == redemption) for held, hold in account.holds.items()]
            for lots, is_prolonged in ((account.lots, name in theirs), *held):
                days = [self.own_day(lot) for lot, points in lots.items() for _ in range(points)]
                found += [(day, is_prolonged) for day in days]
        return found

    def check(self, *, has_grace: bool) -> None:
        """Of any day, no more points outlive it than were earned to; and none is there after its day."""
        lives = sorted((day for day, _ in self.lives()), reverse=True)
        assert len(lives) <= len(self.allowed)
        assert all(day <= most for day, most in zip(lives, self.allowed, strict=False)), (lives, self.allowed)
        for name in self.shop.accounts():
            lots = self.shop.peek(name)[0].lots
            assert all(lot >= self.shop.today.isoformat() for lot in lots)
            assert has_grace or not any(lot.endswith(GRACED) for lot in lots)


LONG = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("policy", POLICIES)
@LONG
@example(zone=NEW_YORK, grace_days=14, given_=[("ada", 8, 0)], story=[*LATE, ("give_up", "ada", 0)] * 2)
@example(zone=NEW_YORK, grace_days=14, given_=[("ada", 8, 0)], story=[*LATE_GIFT, ("accept", "bob", 0)])
@example(zone=NEW_YORK, grace_days=14, given_=[("ada", 8, 0)], story=[*LATE_GIFT, ("decline", "bob", 0)])
@given(
    zone=st.sampled_from([NEW_YORK, BERLIN, KIRITIMATI]),
    grace_days=st.sampled_from([0, 1, 14]),
    given_=grants,
    story=st.lists(st.one_of(deeds, waits), max_size=30),
)
def test_nothing_that_members_do_makes_a_point_outlive_its_last_day(
    policy: str, zone: str, grace_days: int, given_: list[tuple[str, int, int]], story: list[Any]
) -> None:
    lives = Lives(policy, zone, grace_days, given_)
    for one in story:
        if isinstance(one, str):
            lives.wait(one)
        else:
            lives.do(*one)
        lives.check(has_grace=False)


@pytest.mark.parametrize("policy", POLICIES)
@LONG
@example(zone=NEW_YORK, grace_days=14, given_=[("ada", 8, 0)], story=[*LATE, ("cancel", "ada", 0)] * 2)
@given(
    zone=st.sampled_from([NEW_YORK, BERLIN, KIRITIMATI]),
    grace_days=st.sampled_from([0, 1, 14]),
    given_=grants,
    story=st.lists(st.one_of(deeds, of_shop, waits), max_size=30),
)
def test_with_the_shops_help_a_point_outlives_its_last_day_by_the_grace_days_once(
    policy: str, zone: str, grace_days: int, given_: list[tuple[str, int, int]], story: list[Any]
) -> None:
    lives = Lives(policy, zone, grace_days, given_)
    for one in story:
        if isinstance(one, str):
            lives.wait(one)
        else:
            lives.do(*one)
        lives.check(has_grace=True)


@pytest.mark.parametrize("policy", ["days", "month_end", "inactivity", "calendar_date"])
def test_reserving_before_midnight_and_letting_go_after_it_night_by_night_gains_nothing(policy: str) -> None:
    lives = Lives(policy, NEW_YORK, 14, [("ada", 8, 0)])
    [last_day] = set(lives.allowed)
    while lives.shop.today < last_day:
        lives.wait("day")
    for _ in range(3):
        lives.wait("late")
        lives.do("reserve", "ada", 8)
        lives.wait("midnight")
        lives.do("give_up", "ada", 0)
    assert lives.shop.look("ada").balance == 0
    assert lives.shop.look("ada").totals.expired == 8
