"""Every way in which points move, in a program with everything, against a clerk who keeps each one on a card.

`test_every_point.py` plays the core under every policy that a shop can have; here one shop has all features at once.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.domain.account import Account
from shared.domain.calendar import Period, period_of
from shared.domain.earning.imports import BroughtPoints
from shared.domain.entry import Entry
from shared.domain.entry_types import ENTRY_TYPES
from shared.domain.errors import LoyaltyError
from shared.domain.facets import Progress, Use
from shared.domain.invariants import breaches
from shared.domain.lots import NEVER, UNTIL_APPROVED
from shared.domain.points.tiers import qualifying
from shared.domain.subaccounts import is_pool, is_wallet, owner_of, pool_account_of
from tests.model.clerks import earning, members, sharing
from tests.model.clerks.cashier import Cashier
from tests.model.clerks.members import WholeClerk
from tests.model.points_one_by_one import Line, lot_name
from tests.model.shop import BERLIN, CAIRO, KIRITIMATI, NEW_YORK, SECOND, a_program
from tests.model.side_by_side import both, both_reserve, both_wait
from tests.model.test_every_point import (
    EXCLUDED,
    REVIEW,
    REWARDS,
    RULES,
    as_bought,
    as_returned,
    baskets,
    beginning_of,
    levels,
    lines_picked,
    picks,
)
from tests.model.whole_shop import WholeShop

T = TypeVar("T")

MEMBERS_MAX = 8
HOLDS_MAX = 6
AMOUNT_MAX = 25
OPERATIONS_WANTED = int(os.environ.get("OPERATIONS", "200000"))
LIVES = 500
"""So many are played before it is asked whether there were enough operations."""

NO_GIFTS = {"excluded_categories": EXCLUDED}
CONSULTATION = {
    "action_id": "consultation",
    "description": "A consultation",
    "points": earning.CONSULTATION_POINTS,
    "cool_off_days": earning.CONSULTATION_RESTS,
    "approval": True,
}
CAMPAIGNS = [
    {
        "campaign_id": "spring",
        "description": "Spring",
        "when": {"minimum_spend": 300},
        "effect": {"kind": "add", "points": earning.SPRING_POINTS},
        "limit": {"points": earning.SPRING_A_MONTH, "per": "month"},
        "hold_out_percent": earning.SPRING_HELD_OUT,
        "budget": {"points": earning.SPRING_BUDGET},
    },
    {
        "campaign_id": "double",
        "description": "Double for the best",
        "when": {"segments": ["best"]},
        "effect": {"kind": "multiply", "percent": 200},
    },
]
CHALLENGES = [
    {
        "challenge_id": "every-third",
        "name": "Every third order",
        "goal": {"kind": "count", "of": "orders", "target": 3},
        "points": earning.BADGES["every-third"],
        "repeatable": True,
        "minimum_spend": 300,
    },
    {
        "challenge_id": "two-visits",
        "name": "Two visits within four days",
        "goal": {"kind": "visits", "target": 2, "within_days": 4},
        "points": earning.BADGES["two-visits"],
    },
    {
        "challenge_id": "in-a-row",
        "name": "Two days in a row",
        "goal": {"kind": "streak", "target": 2, "per": "day"},
        "points": earning.BADGES["in-a-row"],
        "repeatable": True,
    },
]
PLUS = {
    "plan_id": "plus",
    "name": "Plus",
    "price": 1200,
    "months": members.MONTHS_PAID,
    "tier_id": "silver",
    "percent": 100 + earning.PLUS_PERCENT,
    "renew_within_days": members.RENEW_WITHIN_DAYS,
}
BAKERY = {
    "partner_id": "bakery",
    "name": "Bakery",
    "funding": "prepaid",
    "point_cost": {"points": 1, "amount": 1},
    "limits": {"points_per_order": earning.BAKERY_ORDER_MOST, "points_per_member_day": earning.BAKERY_DAY_MOST},
}
CELEBRATIONS = {
    "birthday": {
        "points": members.BIRTHDAY_POINTS,
        "notice_days": members.NOTICE_DAYS,
        "change_wait_days": members.CHANGE_WAIT_DAYS,
    },
    "anniversary": {"points": members.ANNIVERSARY_POINTS, "starts_on": "2000-01-01"},
}
STANDING = {
    "excluded": {"tags": ["staff"]},
    "caps": {"points_per_order": earning.ORDER_MOST, "points_per_day": earning.DAY_MOST},
    "no_expiry_in": ["US-CA"],
}
FEATURES: dict[str, Any] = {
    "challenges": CHALLENGES,
    "campaigns": CAMPAIGNS,
    "segments": {"named": [{"segment_id": "best", "name": "The best", "any": [{"tags": ["vip"]}]}]},
    "memberships": [PLUS],
    "partners": [BAKERY],
    "celebrations": CELEBRATIONS,
    "standing_rules": STANDING,
    "automatic_enrolment": {"consent_days": members.CONSENT_DAYS, "points_max": earning.UNKNOWN_MOST},
    "pools": {"members_max": sharing.POOL_MEMBERS_MAX},
    "gifts": {
        "accept_days": sharing.GIFT_DAYS,
        "limit": {"points": sharing.GIFT_POINTS_A_WEEK, "per": "week"},
    },
}
expiries = st.sampled_from(
    [
        {"kind": "term", "days": 12},
        {"kind": "term", "months": 2, "ends": "month"},
        {"kind": "inactivity", "months": 1},
        {"kind": "never"},
    ]
)
choices = st.fixed_dictionaries(
    {
        "expiry": expiries,
        "refund_debt": st.sampled_from(["allowed", "allowed", "forgiven"]),
        "earning": st.fixed_dictionaries(
            {
                "per_amount": st.sampled_from([100, 700]),
                "rounding": st.sampled_from(["down", "nearest", "up"]),
                "minimum_spend": st.sampled_from([0, 150]),
                "pending_days": st.sampled_from([0, 0, 3]),
                "welcome_points": st.sampled_from([0, 5]),
            }
        ),
        "measure": st.sampled_from(["points", "spend"]),
        "grace_days": st.sampled_from([0, 3]),
        "credit": st.fixed_dictionaries(
            {
                "per_amount": st.sampled_from([100, 300]),
                "rounding": st.sampled_from(["down", "nearest", "up"]),
                "minimum_spend": st.sampled_from([0, 200]),
                "pending_days": st.sampled_from([0, 2]),
                "expiry": expiries,
                "minimum_payout": st.sampled_from([1, 4]),
            }
        ),
        "friend_gets_them": st.sampled_from(["on_joining", "on_first_purchase"]),
        "deposit": st.sampled_from([0, 20, 1000]),
    }
)
places = st.tuples(
    st.sampled_from([NEW_YORK, BERLIN, CAIRO, KIRITIMATI]),
    st.sampled_from(
        [
            datetime(2024, 2, 27, 20, tzinfo=UTC),
            datetime(2024, 4, 25, 20, tzinfo=UTC),
            datetime(2026, 10, 31, 20, tzinfo=UTC),
            datetime(2026, 12, 30, 9, tzinfo=UTC),
        ]
    ),
)
totals = st.one_of(st.integers(1, 2600), st.sampled_from([0, 149, 299, 300, 499, 500, 600, 2500]))
lateness = st.sampled_from([0, 0, 0, 0, 0, 1, 2, 40, -1])
amounts = st.integers(1, AMOUNT_MAX)
SPANS = (
    *(timedelta(minutes=minutes) for minutes in (1, 45, 60 * 11)),
    *(timedelta(days=days) for days in (1, 1, 2, 3, 4, 5, 11, 21, 31, 100, 366)),
)


def program_sections(zone: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The sections of a program with everything, as a shop has decided."""
    return {
        **FEATURES,
        "time_zone": zone,
        "expiry": chosen["expiry"],
        "refund_debt": chosen["refund_debt"],
        "earning": {**chosen["earning"], "rules": RULES, "actions": [REVIEW, CONSULTATION], **NO_GIFTS},
        "tiers": {"measure": chosen["measure"], "levels": levels(chosen["measure"])},
        "redeeming": {
            "hold_minutes": 60 * 24 * 4,
            "returned_points_grace_days": chosen["grace_days"],
            "rewards": REWARDS,
        },
        "cashback": {"amount": 1, **chosen["credit"], **NO_GIFTS},
        "referrals": {
            "friend_points": members.FRIEND_POINTS,
            "friend_gets_them": chosen["friend_gets_them"],
            "advocate_points": members.ADVOCATE_POINTS,
            "minimum_spend": members.QUALIFIES_FROM,
            "purchase_days": members.PURCHASE_DAYS,
            "return_days": members.RETURN_DAYS,
            "limit": {"times": members.FRIENDS_A_MONTH, "per": "month"},
        },
    }


def cashiers(zone: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The program of a shop that gives cents as others give points, and does nothing else."""
    terms = {name: term for name, term in chosen["credit"].items() if name not in {"expiry", "minimum_payout"}}
    return {
        "time_zone": zone,
        "expiry": chosen["credit"]["expiry"],
        "refund_debt": chosen["refund_debt"],
        "earning": {"points": 1, **terms, **NO_GIFTS},
        "tiers": {"levels": [{"tier_id": "all", "name": "All", "threshold": 0}]},
        "redeeming": {"hold_minutes": 60 * 24 * 4, "returned_points_grace_days": chosen["grace_days"]},
    }


def one_of(names: "Callable[[Movements], list[T]]") -> st.SearchStrategy[T]:
    """One of what the machine has at the moment."""
    machines: st.SearchStrategy[Movements] = st.runner()
    return machines.flatmap(lambda machine: st.sampled_from(names(machine)))


def some(names: "Callable[[Movements], list[T]]") -> "Callable[[Movements], bool]":
    """Whether there is one."""
    return lambda machine: bool(names(machine))


def active(machine: "Movements") -> list[str]:
    return machine.clerk.active()


def unknown(machine: "Movements") -> list[str]:
    return [name for name, one in machine.clerk.members.items() if one.status == "provisional"]


def open_ones(machine: "Movements") -> list[str]:
    return [*active(machine), *unknown(machine)]


def pairs(machine: "Movements") -> list[tuple[str, str]]:
    return list(permutations(machine.clerk.active(), 2))


def refundable(machine: "Movements") -> list[str]:
    return [
        order
        for order, sale in machine.clerk.sales.items()
        if sale.refunded < sale.total and machine.clerk.members[sale.owner].status in {"active", "provisional"}
    ]


def with_lines(machine: "Movements") -> list[str]:
    """Orders of which pieces may come back, be it free ones."""
    sales, clerk = machine.clerk.sales.items(), machine.clerk
    return [
        order for order, sale in sales if sale.lines and clerk.members[sale.owner].status in {"active", "provisional"}
    ]


def reserved(machine: "Movements") -> list[str]:
    return [one for one in machine.clerk.in_state("reserved") if not one.startswith("gift:")]


def captured(machine: "Movements") -> list[str]:
    return [one for one in machine.clerk.in_state("captured") if not one.startswith("gift:")]


def offered(machine: "Movements") -> list[str]:
    clerk = machine.clerk
    return [
        gift for gift in clerk.offered() if clerk.members[clerk.redemptions[f"gift:{gift}"].owner].status == "active"
    ]


def sharing_ones(machine: "Movements") -> list[str]:
    return [name for name in active(machine) if machine.clerk.people[name].box]


def in_review(machine: "Movements") -> list[str]:
    friends = machine.clerk.friends
    return [name for name in active(machine) if name in friends and friends[name].state == "in_review"]


def unheard(machine: "Movements") -> list[Entry]:
    return machine.shop.stream[:1]


def heard(machine: "Movements") -> list[Entry]:
    return machine.shop.heard


def paying(machine: "Movements") -> list[str]:
    return [name for name in active(machine) if name in machine.clerk.paid_through]


def with_money(machine: "Movements") -> list[str]:
    return [name for name in active(machine) if name in machine.clerk.cashier.members]


def undecided(machine: "Movements") -> list[str]:
    return machine.clerk.undecided()


class Movements(RuleBasedStateMachine):
    """The shop and the clerk do the same things at the same time, and must agree on all that can be seen."""

    operations = 0
    played: Counter[str] = Counter()
    shop: WholeShop
    clerk: WholeClerk

    def __init__(self) -> None:
        super().__init__()
        self._numbers = iter(range(1, 1_000_000))
        self._checked: dict[str, tuple[int, int]] = {}
        self._ways: dict[str, Counter[str]] = {}
        self._decided: tuple[str, dict[str, Any]] = ("", {})
        self._versions = 0
        self._deposited = 0

    @initialize(place=places, chosen=choices, in_review=st.booleans())
    def open(self, place: tuple[str, datetime], chosen: dict[str, Any], in_review: bool) -> None:
        zone, start = place
        self._decided, self._versions = (zone, chosen), 1
        program = a_program(**program_sections(zone, chosen))
        cashier = Cashier(a_program(**cashiers(zone, chosen)), start)
        cashier.minimum_payout = chosen["credit"]["minimum_payout"]
        self.shop = WholeShop(program, start)
        self.clerk = WholeClerk(program, start, cashier=cashier)
        self._deposited = self.clerk.deposits_left = chosen["deposit"]
        self.shop.deposit("bakery", chosen["deposit"])
        self.enroll()
        self.enroll_friend("member-1", in_review=in_review)

    # Coming and going -------------------------------------------------------------------------------------------------

    def _room(self) -> bool:
        return len(open_ones(self)) < 4 and len(self.clerk.members) < MEMBERS_MAX

    @precondition(_room)
    @rule()
    def enroll(self) -> None:
        name = self._new("member")
        self.clerk.enroll(name)
        self.shop.enroll(name)

    @precondition(lambda self: self._room() and bool(active(self)))
    @rule(advocate=one_of(active), in_review=st.sampled_from([False, False, True]))
    def enroll_friend(self, advocate: str, in_review: bool) -> None:
        name = self._new("member")
        self.clerk.enroll_friend(name, advocate, in_review=in_review)
        self.shop.enroll_friend(name, advocate, in_review=in_review)

    @precondition(_room)
    @rule(total=totals)
    def an_unknown_orders(self, total: int) -> None:
        name = self._new("unknown")
        self.clerk.open_unknown(name)
        self.shop.open_unknown(name)
        self.order(name, total, 0)

    @precondition(some(unknown))
    @rule(name=one_of(unknown))
    def agree(self, name: str) -> None:
        self.clerk.agree(name)
        self.shop.agree(name)

    @precondition(_room)
    @rule(total=totals, approved=st.booleans())
    def an_unknown_agrees_and_returns(self, total: int, approved: bool) -> None:
        """What waited for consent is not what waits for an operator."""
        self.an_unknown_orders(max(total, 1))
        name, order = list(self.clerk.members)[-1], list(self.clerk.sales)[-1]
        self.agree(name)
        self.consult(name)
        self.refund(order, None)
        if self.clerk.undecided():
            self.decide(self.clerk.undecided()[-1], approved)

    @precondition(_room)
    @rule(years=st.sampled_from([0, 1, 4]))
    def bring_a_member(self, years: int) -> None:
        name, joined = self._new("member"), self.shop.now - timedelta(days=366 * years + 10)
        self.clerk.bring_member(name, self.clerk._local_day(joined))  # noqa: SLF001 - the clerk's own calendar
        self.shop.bring_member(name, joined)

    @precondition(some(open_ones))
    @rule(
        name=one_of(open_ones),
        points=amounts,
        lives=st.sampled_from([None, -1, 0, 9]),
        waits=st.sampled_from([None, 0, 2]),
    )
    def bring_points(self, name: str, points: int, lives: int | None, waits: int | None) -> None:
        today = self.shop.today
        last_day = None if lives is None else today + timedelta(days=lives)
        starts = None if waits is None else today + timedelta(days=waits)
        brought = BroughtPoints(
            reference=self._new("brought"),
            points=points,
            earned_at=self.shop.now,
            expires_on=last_day,
            available_on=starts,
        )
        both(
            lambda: self.clerk.bring_points(name, points, last_day, starts),
            lambda: self.shop.bring_points(name, brought),
        )

    @precondition(some(pairs))
    @rule(pair=one_of(pairs))
    def merge(self, pair: tuple[str, str]) -> None:
        gone, into = pair
        self._tick()
        both(lambda: self.clerk.merge(gone, into), lambda: self.shop.merge_all(gone, into))

    @precondition(lambda self: len(open_ones(self)) > 2)
    @rule(name=one_of(open_ones))
    def erase(self, name: str) -> None:
        self.clerk.erase(name)
        self.shop.erase_all(name)

    # Orders and actions -----------------------------------------------------------------------------------------------

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), total=totals, days_ago=lateness)
    def order(self, name: str, total: int, days_ago: int) -> None:
        order, placed_at = self._new("order"), self.shop.now - timedelta(days=days_ago)
        earned = self.clerk.order(name, order, total, placed_at)
        assert self.shop.earn(name, order, total, placed_at).points == earned

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), basket=baskets, days_ago=lateness, partner=st.sampled_from([None, None, "bakery"]))
    def order_lines(self, name: str, basket: tuple[list[Line], int], days_ago: int, partner: str | None) -> None:
        lines, rest = basket
        order, total = self._new("order"), rest + sum(line.amount for line in lines)
        placed_at = self.shop.now - timedelta(days=days_ago)
        bought = [as_bought(line) for line in lines]
        both(
            lambda: self.clerk.order(name, order, total, placed_at, lines, partner=partner is not None),
            lambda: self.shop.earn(name, order, total, placed_at, partner, bought),
        )

    @precondition(some(active))
    @rule(name=one_of(active), total=totals)
    def order_at_the_bakery(self, name: str, total: int) -> None:
        order, now = self._new("order"), self.shop.now
        both(
            lambda: self.clerk.order(name, order, total, now, partner=True),
            lambda: self.shop.earn(name, order, total, now, partner="bakery"),
        )

    @precondition(some(active))
    @rule(name=one_of(active), total=totals)
    def return_to_the_bakery(self, name: str, total: int) -> None:
        """Two orders of a day, the first of which comes back."""
        self.order_at_the_bakery(name, 1500)
        latest = refundable(self)[-1:]
        self.order_at_the_bakery(name, total)
        for order in latest:
            self.refund(order, None)

    @precondition(some(refundable))
    @rule(order=one_of(refundable), amount=st.one_of(st.none(), st.integers(1, 900)))
    def refund(self, order: str, amount: int | None) -> None:
        sale = self.clerk.sales[order]
        amount, owner = sale.total - sale.refunded if amount is None else amount, sale.owner
        both(lambda: self.clerk.refund(order, amount), lambda: self.shop.give_back_order(owner, order, amount))

    @precondition(some(with_lines))
    @rule(order=one_of(with_lines), chosen=picks)
    def bring_lines_back(self, order: str, chosen: list[tuple[int, int, bool]]) -> None:
        sale = self.clerk.sales[order]
        lines, owner = lines_picked(sale, chosen), sale.owner
        returned = [as_returned(line) for line in lines]
        both(
            lambda: self.clerk.refund(order, 0, lines),
            lambda: self.shop.give_back_order(owner, order, lines=returned),
        )

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), days_ago=st.sampled_from([0, 0, 3]))
    def review_a_product(self, name: str, days_ago: int) -> None:
        at = self.shop.now - timedelta(days=days_ago)
        earned = self.clerk.act(name, at)
        assert self.shop.do(name, "review", self._new("review"), at).points == earned

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones))
    def consult(self, name: str) -> None:
        reference = self._new("consultation")
        waits = self.clerk.consult(name, reference, self.shop.now)
        assert self.shop.do(name, "consultation", reference, self.shop.now).points == waits

    @precondition(some(active))
    @rule(name=one_of(active), days=st.sampled_from([earning.CONSULTATION_RESTS - 1, earning.CONSULTATION_RESTS]))
    def consult_again(self, name: str, days: int) -> None:
        self.consult(name)
        both_wait(self.clerk, self.shop, self.shop.now + timedelta(days=days))
        self.consult(name)

    @precondition(some(active))
    @rule(name=one_of(active), days=st.sampled_from([1, 2, 3, 4]))
    def come_again(self, name: str, days: int) -> None:
        self.order(name, 300, 0)
        both_wait(self.clerk, self.shop, self.shop.now + timedelta(days=days))
        self.order(name, 300, 0)

    @precondition(some(active))
    @rule(
        name=one_of(active),
        totals=st.lists(st.sampled_from([299, 300, 600]), min_size=2, max_size=4),
        days=st.sampled_from([0, 1, 2]),
        spends=st.booleans(),
        which=st.integers(0, 3),
        kept=st.sampled_from([0, 0, 1, 299, 300]),
    )
    def come_several_times_and_bring_one_back(
        self, name: str, totals: list[int], days: int, spends: bool, which: int, kept: int
    ) -> None:
        """What orders have brought together goes, or stays, with one of them."""
        orders = []
        for total in totals:
            self.order(name, total, 0)
            orders.append(list(self.clerk.sales)[-1])
            both_wait(self.clerk, self.shop, self.shop.now + timedelta(days=days))
        if spends:
            self.redeem(name, max(1, self.clerk.within_reach(name)), at_once=True)
        order = orders[which % len(orders)]
        self.refund(order, max(1, self.clerk.sales[order].total - kept))

    @precondition(some(undecided))
    @rule(reference=one_of(undecided), approved=st.booleans())
    def decide(self, reference: str, approved: bool) -> None:
        [name] = {point.owner for point in self.clerk.points if point.cause == reference and point.state == "waiting"}
        self.clerk.decide(reference, approved=approved)
        self.shop.say(reference, name, approved=approved)

    # Spending and giving ----------------------------------------------------------------------------------------------

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), what=st.sampled_from(["mug", "cup", "coffee"]) | amounts, at_once=st.booleans())
    def redeem(self, name: str, what: int | str, at_once: bool) -> None:
        if len(self.clerk.reserved(name)) >= HOLDS_MAX:
            return
        redemption = self._new("redemption")
        if isinstance(what, int):
            what = self._within_reach(name, what)

        done = both_reserve(self.clerk, name, redemption, what, lambda: self.shop.redeem(name, redemption, what))
        if done and at_once:
            self._end(redemption, "capture")

    @precondition(some(reserved))
    @rule(redemption=one_of(reserved), how=st.sampled_from(["capture", "cancel", "give_up"]))
    def end_a_redemption(self, redemption: str, how: Literal["capture", "cancel", "give_up"]) -> None:
        self._end(redemption, how)

    @precondition(some(active))
    @rule(name=one_of(active))
    def buy_and_spend_and_return(self, name: str) -> None:
        """Whoever does owes points, if the shop lets them."""
        self.order(name, 1500, 0)
        order = list(self.clerk.sales)[-1]
        self.redeem(name, max(1, self.clerk.within_reach(name)), at_once=True)
        self.refund(order, None)

    @precondition(some(captured))
    @rule(redemption=one_of(captured))
    def reverse(self, redemption: str) -> None:
        self._end(redemption, "reverse")

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts)
    def transfer(self, pair: tuple[str, str], points: int) -> None:
        giver, receiver = pair
        points, transfer = self._within_reach(giver, points), self._new("transfer")
        both(
            lambda: self.clerk.transfer(giver, receiver, points),
            lambda: self.shop.send(giver, receiver, points, transfer),
        )

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), points=amounts, given=st.booleans())
    def adjust(self, name: str, points: int, given: bool) -> None:
        points, reference = points if given else -self._within_reach(name, points), self._new("adjustment")
        both(lambda: self.clerk.adjust(name, points), lambda: self.shop.set_right(name, points, reference))

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts)
    def offer_a_gift(self, pair: tuple[str, str], points: int) -> None:
        giver, receiver = pair
        if len(self.clerk.reserved(giver)) >= HOLDS_MAX:
            return
        points, gift = self._within_reach(giver, points), self._new("gift")
        both(
            lambda: self.clerk.offer(giver, receiver, gift, points),
            lambda: self.shop.offer(giver, receiver, points, gift),
        )

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts, as_gift=st.booleans(), shared=st.booleans())
    def help_out(self, pair: tuple[str, str], points: int, as_gift: bool, shared: bool) -> None:
        """Somebody owes points, perhaps, and another gives some, or puts some into what they share."""
        if shared:
            self.all_share(1)
        self.buy_and_spend_and_return(pair[1])
        self.adjust(pair[0], points, given=True)
        if shared:
            self.adjust(pair[1], 1, given=True)
        elif as_gift:
            self.give(pair, points, frozen=False)
        else:
            self.transfer(pair, points)

    @precondition(some(pairs))
    @rule(points=amounts)
    def all_share(self, points: int) -> None:
        for name in active(self):
            self.share(name, "p1")
        for name in sharing_ones(self):
            self.adjust(name, points, given=True)

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts)
    def try_with_a_frozen_account(self, pair: tuple[str, str], points: int) -> None:
        self.adjust(pair[0], points, given=True)
        self.freeze(pair[0], frozen=True)
        self.transfer(pair, points)
        self.redeem(pair[0], points, at_once=True)
        self.offer_a_gift(pair, points)
        self.freeze(pair[0], frozen=False)
        for which in range(len(self.shop.again)):
            self.a_request_is_sent_again(which)

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts, frozen=st.booleans())
    def give(self, pair: tuple[str, str], points: int, frozen: bool) -> None:
        self.offer_a_gift(pair, points)
        if frozen:
            self.freeze(pair[0], frozen=True)
        if self.clerk.offered():
            self.answer_a_gift(self.clerk.offered()[-1], accepted=True)

    @precondition(some(offered))
    @rule(gift=one_of(offered), accepted=st.sampled_from([True, True, False]))
    def answer_a_gift(self, gift: str, accepted: bool) -> None:
        giver = self.clerk.redemptions[f"gift:{gift}"].owner
        receiver = self.clerk.survivor(self.clerk.gifts[gift])
        if accepted and giver != receiver and receiver in active(self):
            both(lambda: self.clerk.accept(gift, receiver), lambda: self.shop.accept(giver, receiver, gift))
        else:
            both(lambda: self.clerk.give_back(gift), lambda: self.shop.decline(giver, receiver, gift))

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), box=st.sampled_from(["p1", "p1", "p2"]))
    def share(self, name: str, box: str) -> None:
        change, is_new = self._new("join"), pool_account_of(box) not in self.shop.accounts()
        both(
            lambda: self.clerk.join_box(name, pool_account_of(box)),
            lambda: self.shop.share(name, box, change, is_new=is_new),
        )

    @precondition(some(sharing_ones))
    @rule(name=one_of(sharing_ones))
    def share_no_longer(self, name: str) -> None:
        pool = owner_of(str(self.clerk.people[name].box))
        self.clerk.leave_box(name, by_shop=False)
        self.shop.part(name, pool, self._new("leave"))

    @precondition(some(with_money))
    @rule(name=one_of(with_money), amount=amounts, paid_out=st.booleans())
    def spend_money(self, name: str, amount: int, paid_out: bool) -> None:
        there = self.clerk.cashier.balance(name)
        amount = there + 1 if amount == AMOUNT_MAX else min(amount, there or 1)
        cause = self._new("money")
        if paid_out:
            both(lambda: self.clerk.pay_out(name, amount), lambda: self.shop.cash_out(name, amount, cause))
        else:
            both(
                lambda: self.clerk.spend_credit(name, cause, amount),
                lambda: self.shop.pay_with_credit(name, cause, amount),
            )

    # Memberships, days, the desk --------------------------------------------------------------------------------------

    @precondition(some(active))
    @rule(name=one_of(active))
    def pay_for_a_membership(self, name: str) -> None:
        reference = self._new("payment")
        both(lambda: self.clerk.pay(name), lambda: self.shop.pay_for(name, "plus", reference))

    @precondition(some(paying))
    @rule(name=one_of(paying))
    def cancel_a_membership(self, name: str) -> None:
        self.clerk.stop_paying(name)
        self.shop.stop_paying(name, self._new("cancellation"))

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), known_for=st.sampled_from([0, 1, 2, 30, 400]))
    def birthday(self, name: str, known_for: int) -> None:
        since = self.shop.now - timedelta(days=known_for)
        pays = self.clerk.birthday(name, self.clerk._local_day(since))  # noqa: SLF001 - the clerk's own calendar
        assert self.shop.celebrate(name, since) == pays

    @precondition(some(active))
    @rule(name=one_of(active), days=st.sampled_from([340, 365, 366]), known_for=st.sampled_from([2, 400]))
    def birthday_again(self, name: str, days: int, known_for: int) -> None:
        self.birthday(name, 30)
        both_wait(self.clerk, self.shop, self.shop.now + timedelta(days=days))
        self.birthday(name, known_for)

    @precondition(some(open_ones))
    @rule(name=one_of(open_ones), frozen=st.booleans())
    def freeze(self, name: str, frozen: bool) -> None:
        reference = self._new("case")
        both(lambda: self.clerk.freeze(name, frozen=frozen), lambda: self.shop.turn(name, reference, frozen=frozen))

    @precondition(some(open_ones))
    @rule(
        name=one_of(open_ones),
        tags=st.sampled_from([set(), {"vip"}, {"vip"}, {"staff"}]),
        place=st.sampled_from([None, None, "US-CA", "US-NY"]),
    )
    def describe(self, name: str, tags: set[str], place: str | None) -> None:
        reference = self._new("note")
        both(
            lambda: self.clerk.note(name, set(tags), place),
            lambda: self.shop.describe(name, tags, place, reference),
        )

    @precondition(some(in_review))
    @rule(name=one_of(in_review), approved=st.booleans())
    def review_a_friend(self, name: str, approved: bool) -> None:
        self.clerk.review_friend(name, approved=approved)
        self.shop.judge_friend(name, approved=approved)

    @precondition(some(unheard))
    @rule()
    def the_stream_is_heard(self) -> None:
        self._follow(self.shop.stream.pop(0))

    @precondition(lambda self: self._room() and bool(active(self)))
    @rule(
        advocate=one_of(active),
        in_review=st.booleans(),
        approved=st.booleans(),
        days=st.sampled_from([None, 0, 6]),
        again=st.sampled_from([None, "before", "after"]),
    )
    def a_friend_comes_and_buys(
        self, advocate: str, in_review: bool, approved: bool, days: int | None, again: str | None
    ) -> None:
        """And perhaps brings it back some days later, when both have spent what they had; or else brings a friend.

        They may have bought something else before it comes back, or do so after.
        """
        self.enroll_friend(advocate, in_review)
        name = list(self.clerk.members)[-1]
        self.order(name, members.QUALIFIES_FROM, 0)
        if in_review:
            self.review_a_friend(name, approved)
        self._hear_all()
        if days is None:
            self.enroll_friend(advocate, in_review=False)
            self.order(list(self.clerk.members)[-1], members.QUALIFIES_FROM, 0)
        else:
            both_wait(self.clerk, self.shop, self.shop.now + timedelta(days=days))
            for one in (name, advocate):
                self.redeem(one, max(1, self.clerk.within_reach(one)), at_once=True)
            first = next(order for order, sale in reversed(self.clerk.sales.items()) if sale.owner == name)
            if again == "before":
                self.order(name, members.QUALIFIES_FROM, 0)
            self.refund(first, 1)
            if again == "after":
                self.order(name, members.QUALIFIES_FROM, 0)
        self._hear_all()

    @precondition(some(heard))
    @rule(entry=one_of(heard))
    def the_stream_is_heard_again(self, entry: Entry) -> None:
        self._follow(entry)

    @precondition(lambda self: bool(self.shop.again))
    @rule(which=st.integers(0, 11))
    def a_request_is_sent_again(self, which: int) -> None:
        done = self.shop.again[which % len(self.shop.again)]
        if not all(self.shop.is_open(name) for name in done.accounts):
            return
        with suppress(LoyaltyError):  # who is refused changes nothing either
            assert self.shop.would_be_found(done), "the cause is the key, whatever has become of the accounts"

    # Time -------------------------------------------------------------------------------------------------------------

    @rule(chosen=choices)
    def the_shop_changes_its_policy(self, chosen: dict[str, Any]) -> None:
        """What tiers measure, and when friends get their points, stays. What was due is booked by the old one."""
        for name in self.shop.accounts():
            self.shop.look(name)
        zone, before = self._decided
        chosen |= {name: before[name] for name in ("measure", "friend_gets_them")}
        self._versions += 1
        self.shop.program = self.clerk.program = a_program(version=self._versions, **program_sections(zone, chosen))
        self.clerk.cashier.program = a_program(**cashiers(zone, chosen))
        self.clerk.cashier.minimum_payout = chosen["credit"]["minimum_payout"]

    @rule(span=st.sampled_from(SPANS), booked=st.booleans())
    def wait(self, span: timedelta, booked: bool) -> None:
        """Sometimes the scheduled job books what is due, sometimes it is dead."""
        both_wait(self.clerk, self.shop, self.shop.now + span)
        for name in self.shop.accounts() if booked else ():
            self.shop.look(name)

    @precondition(lambda self: bool(self.clerk.days_to_come()))
    @rule(which=st.sampled_from([0, 0, 1, -1]), early=st.booleans())
    def wait_for_a_day_on_which_something_happens(self, which: int, early: bool) -> None:
        days = self.clerk.days_to_come()
        begins = beginning_of(days[which % len(days)], self.shop.program)
        both_wait(self.clerk, self.shop, begins - SECOND if early else begins)

    # What must be so --------------------------------------------------------------------------------------------------

    @invariant()
    def they_agree(self) -> None:
        Movements.operations += 1
        names = self.shop.accounts()
        ways = [self._agree_on(name) for name in names]
        for is_money, clerk in ((False, self.clerk), (True, self.clerk.cashier)):
            own = [way for name, way in zip(names, ways, strict=True) if is_wallet(name) == is_money]
            assert sum(way["captured"] for way in own) == clerk.count("captured")
            assert sum(way["expired"] for way in own) == clerk.count("expired")
            assert self.shop.between[is_money] == 0, "what leaves one account comes to another"

    @invariant()
    def budgets_are_kept(self) -> None:
        left = self.shop.budgets
        assert left == {"campaign:spring": self.clerk.spring_left, "partner:bakery": self.clerk.deposits_left}
        assert min(left.values()) >= 0

    def _agree_on(self, name: str) -> Counter[str]:
        account, entries = self.shop.peek(name)
        if is_wallet(name):
            assert _buckets(account) == _cards(self.clerk.cashier, owner_of(name))
        elif is_pool(name):
            assert _buckets(account) == _cards(self.clerk, name)
            assert _put_in(account) == account.balance - self.clerk.given_up[name]
            assert _stakes(account) == Counter(self.clerk.slips.get(name, ()))
            assert {*account.pool_members} == {one for one, who in self.clerk.people.items() if who.box == name}
        else:
            assert _shown(account, self.shop) == _known(self.clerk, name)
        known = self._checked.get(name, (0, 0))
        if known != (len(self.shop.ledgers[name]), len(entries)):
            self._checked[name] = (len(self.shop.ledgers[name]), len(entries))
            self._ways[name] = _left(entries)
            assert breaches(account, entries) == []
            Movements.played.update(entry.type for entry in entries[known[1] :])
        return self._ways[name]

    # How it is done ---------------------------------------------------------------------------------------------------

    def _new(self, what: str) -> str:
        """A name for something new, which comes a moment after whatever was before."""
        self._tick()
        return f"{what}-{next(self._numbers)}"

    def _tick(self) -> None:
        both_wait(self.clerk, self.shop, self.shop.now + timedelta(microseconds=1))

    def _within_reach(self, name: str, points: int) -> int:
        """No more than there are; but of those who ask for most, one more."""
        reach = self.clerk.within_reach(name)
        return reach + 1 if points == AMOUNT_MAX else min(points, reach or 1)

    def _end(self, redemption: str, how: Literal["capture", "cancel", "give_up", "reverse"]) -> None:
        owner = self.clerk.redemptions[redemption].owner
        self.clerk.end(redemption, how)
        self.shop.end(owner, redemption, how)

    def _hear_all(self) -> None:
        while self.shop.stream:
            self.the_stream_is_heard()

    def _follow(self, entry: Entry) -> None:
        assert entry.referred is not None
        if entry.referred.state == "rewarded":
            self.clerk.reward_advocate(entry.referred.order_id or "", entry.member_id)
        else:
            friend = entry.referred.friend or entry.member_id
            self.clerk.take_back_rewards(entry.referred.order_id or "", friend)
        self.shop.follow(entry)


def _shown(account: Account, shop: WholeShop) -> dict[str, object]:
    """All of a member's account that the clerk must agree on."""
    if not account.is_open:
        return {"status": account.status, **_buckets(account)}
    tier, membership = account.tier_status(), account.membership
    return {
        "status": account.status,
        **_buckets(account),
        "earned": account.earned,
        "tier": (shop.program.tiers.rank(tier.tier_id), tier.since, tier.review_on),
        "paid_through": membership.paid_through if membership and membership.state == "paid" else None,
        "frozen": bool(account.frozen),
        "traits": (set(account.traits.tags), account.traits.place),
        "qualifying": qualifying(account, shop.program.tiers, shop.today),
        "had": _used(account, shop.today),
        "badges": {name: badge.times for name, badge in account.badges.items() if badge.times},
        "progress": _progress(account),
        "pool": pool_account_of(account.pool_id) if account.pool_id else None,
        "friend": account.referred and account.referred.state,
    }


def _used(account: Account, today: date) -> dict[str, int]:
    """What counts for limits in the periods that today is in."""

    def use(name: str, period: Period) -> Use:
        known = account.uses.get(name, Use(period=""))
        return known if known.period == period_of(today, period) else Use(period="")

    return {
        "bonuses": use("rule:bonus", "month").times,
        "cups": use("rule:cups", "month").points,
        "spring": use("campaign:spring", "month").points,
        "today": use("standing:day", "day").points,
        "bakery": use("partner_day:bakery", "day").points,
    }


def _progress(account: Account) -> tuple[int, list[date], tuple[str, int]]:
    """Orders, visits unless these have brought their badge, and days in a row since the last badge for them."""
    orders, visits, row = (account.progress.get(name, Progress()) for name in ("every-third", "two-visits", "in-a-row"))
    return orders.count, list(visits.days), (row.period, row.streak)


def _known(clerk: WholeClerk, name: str) -> dict[str, object]:
    member, person = clerk.members[name], clerk.people[name]
    if member.status not in {"active", "provisional"}:
        return {"status": member.status, **_cards(clerk, name)}
    friend, stamps = clerk.friends.get(name), clerk.stamps.get(name, earning.Stamps())
    return {
        "status": member.status,
        **_cards(clerk, name),
        "earned": member.earned,
        "tier": (member.tier.rank, member.tier.since, member.tier.review_on),
        "paid_through": clerk.paid_through.get(name),
        "frozen": person.frozen,
        "traits": (person.tags, person.place),
        "qualifying": clerk.qualifying(name),
        "had": clerk.had(name),
        "badges": {badge: times for badge, times in stamps.badges.items() if times},
        "progress": stamps.progress(),
        "pool": person.box,
        "friend": friend and friend.state,
    }


def _buckets(account: Account) -> dict[str, object]:
    return {
        "lots": dict(account.lots),
        "pending": {lot: points for lot, points in account.pending.items() if lot != UNTIL_APPROVED},
        "waiting": account.pending.get(UNTIL_APPROVED, 0),
        "holds": {redemption: dict(hold.lots) for redemption, hold in account.holds.items()},
        "debt": account.debt,
    }


def _cards(clerk: WholeClerk | Cashier, name: str) -> dict[str, object]:
    """The clerk's cards of one owner, as an account would say it."""
    mine = [point for point in clerk.points if point.owner == name]
    lots = Counter(lot_name(point) for point in mine if point.state == "available")
    pending = Counter(f"{point.available_on}/{lot_name(point)}" for point in mine if point.state == "pending")
    holds: dict[str, Counter[str]] = {}
    for point in mine:
        if point.state == "held" and point.redemption:
            holds.setdefault(point.redemption, Counter())[lot_name(point)] += 1
    return {
        "lots": dict(lots),
        "pending": dict(pending),
        "waiting": sum(point.state == "waiting" for point in mine),
        "holds": {redemption: dict(lots) for redemption, lots in holds.items()},
        "debt": clerk.members[name].debt if name in clerk.members else 0,
    }


def _put_in(pool: Account) -> int:
    """What members have put into a pool, less what they have spent from it and what of it has expired there."""
    assert all(use.points >= 0 for use in pool.uses.values())
    signs = {"contributed": 1, "spent": -1, "expired": -1}
    return sum(signs[name.partition(":")[0]] * use.points for name, use in pool.uses.items())


def _stakes(pool: Account) -> Counter[tuple[date, str]]:
    """How many points each may take along, by their last day."""
    parts = {key.partition("/"): points for key, points in pool.stakes.items()}
    return Counter(
        {(date.max if day == NEVER else date.fromisoformat(day), who): n for (day, _, who), n in parts.items()}
    )


def _left(entries: list[Entry]) -> Counter[str]:
    """Points that left by a way, less those that came back, be it to expire."""
    ways: Counter[str] = Counter()
    for entry in entries:
        ways["expired"] += entry.expired_points
        if entry.type in {"capture", "reverse", "payout"}:
            kept_back = sum(entry.forgiven_lots.values())
            ways["captured"] -= entry.net_effect + entry.expired_points - kept_back
        elif entry.type == "expiry":
            ways["expired"] -= entry.net_effect
    return ways


_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=list(HealthCheck), max_examples=60)


class TestEveryMovement(Movements.TestCase):  # type: ignore[valid-type,misc]
    """Some lives, on every run of the suite."""

    settings = settings(_COMMON, stateful_step_count=40)


@pytest.mark.long
def test_every_movement_for_long() -> None:
    """200,000 operations, and each type of entry among them: `pytest -m long -s tests/model/test_every_movement.py`.

    With `OPERATIONS=1000000` so many. It says how many there were, and how often each type of entry was booked.
    """
    begun, phases = Movements.operations, tuple(phase for phase in Phase if phase != Phase.reuse)
    lives = settings(_COMMON, max_examples=LIVES, stateful_step_count=80, phases=phases)
    while (played := Movements.operations - begun) < OPERATIONS_WANTED:
        print(f"{played} operations", flush=True)
        run_state_machine_as_test(Movements, settings=lives)
    print(f"{played} operations; {dict(Movements.played.most_common())}")
    # What is met by joining again needs profiles, which the clerks do not keep: `functions/test_remembered.py` has it.
    # Vouchers have a clerk of their own: `test_vouchers.py`. A tier by hand moves nothing.
    elsewhere = {"remembered", "remembered_lift", "tier_set", "tier_set_end"}
    elsewhere |= {name for name in ENTRY_TYPES if name.startswith("voucher_")}
    assert set(Movements.played) == set(ENTRY_TYPES) - elsewhere
