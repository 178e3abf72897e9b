"""Long lives of a few members, played against a clerk who keeps every point on a card of its own."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.account import Account
from shared.domain.calendar import period_of
from shared.domain.entry import Entry
from shared.domain.facets import Use
from shared.domain.invariants import breaches
from shared.domain.points.tiers import qualifying
from shared.domain.program.program import Program
from tests.model.points_one_by_one import CUPS_A_MONTH, Clerk, Line, Sale, all_of
from tests.model.shop import BEIRUT, BERLIN, CAIRO, KIRITIMATI, NEW_YORK, SAO_PAULO, SECOND, ZONES, Shop, a_program
from tests.model.side_by_side import both, both_reserve, both_wait

T = TypeVar("T")

MEMBERS_MAX = 5
HOLDS_MAX = 6
AMOUNT_MAX = 25
SPANS = (
    *(timedelta(minutes=minutes) for minutes in (1, 44, 45, 60 * 7)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 31, 100, 370)),
)

expiries = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("term"), "months": st.sampled_from([1, 2, 12])},
        optional={"ends": st.sampled_from(["day", "month", "quarter", "half_year", "year"])},
    ),
    st.fixed_dictionaries(
        {"kind": st.just("term"), "days": st.sampled_from([1, 10, 45])},
        optional={"ends": st.sampled_from(["day", "month"])},
    ),
    st.fixed_dictionaries({"kind": st.just("inactivity"), "months": st.sampled_from([1, 3])}),
    st.builds(
        lambda day, minimum: {"kind": "calendar_date", "month": day[0], "day": day[1], "minimum_days": minimum},
        st.sampled_from([(12, 31), (2, 29), (6, 30)]),
        st.sampled_from([0, 20]),
    ),
    st.just({"kind": "never"}),
)
BONUS = {
    "rule_id": "bonus",
    "description": "2 points from 5.00 up",
    "when": {"minimum_spend": 500},
    "effect": {"kind": "add", "points": 2},
    "limit": {"times": 2, "per": "month"},
}
TEA = {
    "rule_id": "tea",
    "description": "Tea earns twice",
    "when": {"categories": ["tea"]},
    "effect": {"kind": "multiply", "percent": 200},
}
CUPS = {
    "rule_id": "cups",
    "description": "A point for each cup",
    "when": {"skus": ["cup"]},
    "effect": {"kind": "add", "points": 1, "per": "item"},
    "limit": {"points": CUPS_A_MONTH, "per": "month"},
}
RULES = [BONUS, TEA, CUPS]
EXCLUDED = ["gift"]
REVIEW = {"action_id": "review", "description": "A review", "points": 3, "limit": {"points": 7, "per": "week"}}
earnings = st.fixed_dictionaries(
    {
        "points": st.sampled_from([1, 3]),
        "per_amount": st.sampled_from([100, 700]),
        "rounding": st.sampled_from(["down", "nearest", "up"]),
        "minimum_spend": st.sampled_from([0, 150, 600]),
        "pending_days": st.sampled_from([0, 1, 14]),
        "welcome_points": st.sampled_from([0, 5]),
    }
)


def levels(measure: str) -> list[dict[str, Any]]:
    """Silver and gold within reach of a few orders."""
    silver, gold = (20, 35) if measure == "points" else (2500, 4000)
    return [
        {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
        {"tier_id": "silver", "name": "Silver", "threshold": silver, "percent": 120},
        {"tier_id": "gold", "name": "Gold", "threshold": gold, "percent": 150},
    ]


tierings = st.fixed_dictionaries(
    {
        "measure": st.sampled_from(["points", "spend"]),
        "period": st.sampled_from(["rolling_12_months", "calendar_year", "lifetime"]),
        "down": st.sampled_from(["one_step", "recalculated"]),
        "grace_days": st.sampled_from([0, 10, 90]),
    }
)

REWARDS = [
    {"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "C", "points": 2},
    {
        "reward_id": "mug",
        "name": "Mug",
        "kind": "product",
        "sku": "M",
        "points": 1,
        "limit": {"times": 1, "per": "month"},
    },
    {"reward_id": "cup", "name": "Cup", "kind": "product", "sku": "U", "points": 2, "minimum_tier": "silver"},
]
policies = st.fixed_dictionaries(
    {"earning": earnings, "expiry": expiries, "refund_debt": st.sampled_from(["allowed", "forgiven"])}
)
redeemings = st.fixed_dictionaries(
    {
        "hold_minutes": st.sampled_from([45, 60 * 24 * 40]),
        "returned_points_grace_days": st.sampled_from([0, 3]),
    }
)
# Just before clocks change or a year ends; and anywhere at any time.
places = st.one_of(
    st.sampled_from(
        [
            (SAO_PAULO, datetime(2018, 11, 3, 12, tzinfo=UTC)),
            (SAO_PAULO, datetime(2018, 2, 16, 12, tzinfo=UTC)),
            (CAIRO, datetime(2024, 4, 25, 20, tzinfo=UTC)),
            (BEIRUT, datetime(2026, 3, 28, 20, tzinfo=UTC)),
            (NEW_YORK, datetime(2026, 10, 31, 20, tzinfo=UTC)),
            (BERLIN, datetime(2024, 2, 28, 20, tzinfo=UTC)),
            (KIRITIMATI, datetime(2026, 12, 31, 9, tzinfo=UTC)),
        ]
    ),
    st.tuples(
        st.sampled_from(ZONES),
        st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
            lambda moment: moment.replace(microsecond=0)
        ),
    ),
)
totals = st.one_of(st.integers(1, 2600), st.sampled_from([0, 1, 149, 150, 499, 500, 599, 600, 700, 2500]))
lateness = st.sampled_from([0, 0, 0, 0, 1, 12, 45, 400, 700, -1])
firsts = st.lists(st.tuples(totals, lateness), min_size=2, max_size=6)
amounts = st.integers(1, AMOUNT_MAX)
articles = st.sampled_from([("green", "tea"), ("black", "tea"), ("cup", None), ("voucher", "gift"), ("book", None)])
baskets = st.just(([Line("cup", None, 2, 0)], 0)) | st.tuples(
    st.lists(
        st.builds(
            lambda article, pieces, amount: Line(article[0], article[1], pieces, amount),
            articles,
            st.sampled_from([1, 1, 2, 3]),
            st.one_of(st.integers(1, 900), st.sampled_from([0, 0, 100, 300, 500])),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([0, 0, 1, 250]),
)
"""Lines, and what of the order none of them names; now and then nothing but what is given away."""
picks = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 1, 2, 9]), st.booleans()), min_size=1, max_size=3)
rewards = st.sampled_from(["mug", "mug", "cup", "coffee"])


def visible(shop: Shop, account: Account) -> dict[str, object]:
    """All that the clerk must agree on."""
    if account.status != "active":
        return {
            "status": account.status,
            "left": account.balance + account.pending_points + account.held_points,
            "debt": account.debt,
        }
    tier, tiers, today = account.tier_status(), shop.program.tiers, shop.today
    rank = tiers.rank(tier.tier_id)
    had = {
        (name, period): use
        for name, use in account.uses.items()
        for period in ("week", "month")
        if use.period == period_of(today, period)
    }
    return {
        "status": account.status,
        "balance": account.balance,
        "pending": account.pending_points,
        "held": account.held_points,
        "debt": account.debt,
        "earned": account.earned,
        "lots": account.lots,
        "pending_lots": account.pending,
        "holds": {redemption: dict(hold.lots) for redemption, hold in account.holds.items()},
        "tier": (rank, tier.since, tier.review_on, tier.grace),
        "qualifying": qualifying(account, tiers, today),
        "had": {
            "mugs": had.get(("reward:mug", "month"), Use(period="")).times,
            "bonuses": had.get(("rule:bonus", "month"), Use(period="")).times,
            "cups": had.get(("rule:cups", "month"), Use(period="")).points,
            "review": had.get(("action:review", "week"), Use(period="")).points,
        },
    }


def as_bought(line: Line) -> dict[str, Any]:
    """A line as an order has it."""
    return {"sku": line.sku, "category": line.category, "quantity": line.pieces, "amount": line.amount}


def as_returned(line: Line) -> dict[str, Any]:
    """A line as a refund has it."""
    return {"sku": line.sku, "quantity": line.pieces, "amount": line.amount}


def lines_picked(sale: Sale, chosen: list[tuple[int, int, bool]]) -> list[Line]:
    """Lines of an order to bring back: which, how many of the pieces, and whether for their price or a cent more."""
    back: list[Line] = []
    for which, pieces, is_dearer in chosen:
        sku = sale.lines[which % len(sale.lines)].sku
        bought, gone = all_of(sku, sale.lines), all_of(sku, [*sale.back, *back])
        there, paid = bought.pieces - gone.pieces, max(0, bought.amount - gone.amount)
        fewer = min(pieces, there)
        amount = paid * fewer // there if there else 0
        back.append(Line(sku, None, fewer, amount + is_dearer))
    return back


def beginning_of(day: date, program: Program) -> datetime:
    """One second after the day before ends."""
    zone = ZoneInfo(program.time_zone)
    return datetime.combine(day - timedelta(days=1), time(23, 59, 59, fold=1), zone).astimezone(UTC) + SECOND


def one_of(names: "Callable[[Members], list[T]]") -> st.SearchStrategy[T]:
    """One of what the machine has at the moment."""
    machines: st.SearchStrategy[Members] = st.runner()
    return machines.flatmap(lambda machine: st.sampled_from(names(machine)))


def some(names: "Callable[[Members], list[T]]") -> "Callable[[Members], bool]":
    """Whether there is one."""
    return lambda machine: bool(names(machine))


def active(machine: "Members") -> list[str]:
    return machine.clerk.active()


def refundable(machine: "Members") -> list[str]:
    return machine.clerk.refundable()


def with_lines(machine: "Members") -> list[str]:
    """Orders of which pieces may come back, be it free ones."""
    sales, clerk = machine.clerk.sales.items(), machine.clerk
    return [order for order, sale in sales if sale.lines and clerk.members[sale.owner].status == "active"]


def leaving(machine: "Members") -> list[str]:
    """Those who owe points, if anybody does."""
    return [name for name in active(machine) if machine.clerk.members[name].debt] or active(machine)


def pairs(machine: "Members") -> list[tuple[str, str]]:
    return list(permutations(machine.clerk.active(), 2))


def rich(machine: "Members") -> list[str]:
    return [name for name in machine.clerk.active() if machine.clerk.balance(name)]


def reserved(machine: "Members") -> list[str]:
    return machine.clerk.in_state("reserved")


def captured(machine: "Members") -> list[str]:
    return machine.clerk.in_state("captured")


class Members(RuleBasedStateMachine):
    """The shop and the clerk do the same things at the same time, and must agree on all that can be seen."""

    shop: Shop
    clerk: Clerk
    _decided: Mapping[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self._numbers = iter(range(1, 1_000_000))
        self._checked: dict[str, tuple[int, int]] = {}
        self._versions = 0

    @initialize(place=places, policy=policies, tiers=tierings, redeeming=redeemings, orders=firsts)
    def open(
        self,
        place: tuple[str, datetime],
        policy: dict[str, Any],
        tiers: dict[str, Any],
        redeeming: dict[str, Any],
        orders: list[tuple[int, int]],
    ) -> None:
        zone, start = place
        self._decided = {
            "time_zone": zone,
            "tiers": {**tiers, "levels": levels(tiers["measure"])},
            "redeeming": {**redeeming, "rewards": REWARDS},
        }
        program = self._program(policy)
        self.shop = Shop(program, start, audited=False)  # they_agree does
        self.clerk = Clerk(program, start)
        self.enroll()
        self.enroll()
        for number, (total, days_ago) in enumerate(orders):
            self.buy(f"member-{1 + number % 2}", total, days_ago)

    @precondition(lambda self: len(self.clerk.active()) < 2 and len(self.clerk.members) < MEMBERS_MAX)
    @rule()
    def enroll(self) -> None:
        name = f"member-{next(self._numbers)}"
        self.clerk.enroll(name)
        self.shop.enroll(name)

    @precondition(some(active))
    @rule(name=one_of(active), total=totals, days_ago=lateness)
    def buy(self, name: str, total: int, days_ago: int) -> None:
        order = f"order-{next(self._numbers)}"
        placed_at = self.shop.now - timedelta(days=days_ago)
        earned = self.clerk.buy(name, order, total, placed_at)
        quoted = self.shop.quote(name, total, placed_at)
        assert self.shop.buy(name, order, total, placed_at).points == quoted == earned

    @precondition(some(active))
    @rule(name=one_of(active), basket=baskets, days_ago=lateness)
    def buy_lines(self, name: str, basket: tuple[list[Line], int], days_ago: int) -> None:
        lines, rest = basket
        order, total = f"order-{next(self._numbers)}", rest + sum(line.amount for line in lines)
        placed_at = self.shop.now - timedelta(days=days_ago)
        bought = [as_bought(line) for line in lines]
        earned = self.clerk.buy(name, order, total, placed_at, lines)
        quoted = self.shop.quote(name, total, placed_at, lines=bought)
        assert self.shop.buy(name, order, total, placed_at, lines=bought).points == quoted == earned

    @precondition(some(active))
    @rule(name=one_of(active), days_ago=st.sampled_from([0, 0, 0, 3]))
    def review_a_product(self, name: str, days_ago: int) -> None:
        at = self.shop.now - timedelta(days=days_ago)
        earned = self.clerk.act(name, at)
        assert self.shop.act(name, "review", at).points == earned

    @precondition(some(refundable))
    @rule(order=one_of(refundable), amount=st.one_of(st.none(), st.none(), st.integers(1, 900)))
    def refund(self, order: str, amount: int | None) -> None:
        sale = self.clerk.sales[order]
        amount = sale.total - sale.refunded if amount is None else amount
        owner = sale.owner
        both(lambda: self.clerk.refund(order, amount), lambda: self.shop.refund(owner, order, amount))

    @precondition(some(with_lines))
    @rule(order=one_of(with_lines), chosen=picks)
    def bring_lines_back(self, order: str, chosen: list[tuple[int, int, bool]]) -> None:
        sale = self.clerk.sales[order]
        lines, owner = lines_picked(sale, chosen), sale.owner
        both(
            lambda: self.clerk.refund(order, 0, lines),
            lambda: self.shop.refund(owner, order, lines=[as_returned(line) for line in lines]),
        )

    @precondition(some(active))
    @rule(name=one_of(active), what=rewards | amounts)
    def redeem(self, name: str, what: int | str, *, at_once: bool = False) -> None:
        if len(self.clerk.reserved(name)) >= HOLDS_MAX:
            return
        redemption = f"redemption-{next(self._numbers)}"
        if isinstance(what, int):
            what = self._within_reach(name, what)

        done = both_reserve(self.clerk, name, redemption, what, lambda: self.shop.reserve(name, redemption, what))
        if done and at_once:
            self.capture(redemption)

    @precondition(some(rich))
    @rule(name=one_of(rich))
    def spend_everything(self, name: str) -> None:
        self.redeem(name, self.clerk.balance(name), at_once=True)

    @precondition(some(reserved))
    @rule(redemption=one_of(reserved))
    def capture(self, redemption: str) -> None:
        self.clerk.capture(redemption)
        self.shop.capture(self.clerk.redemptions[redemption].owner, redemption)

    @precondition(some(reserved))
    @rule(redemption=one_of(reserved), by_shop=st.booleans())
    def cancel(self, redemption: str, by_shop: bool) -> None:
        owner = self.clerk.redemptions[redemption].owner
        if by_shop:
            self.clerk.cancel(redemption)
            self.shop.cancel(owner, redemption)
        else:
            self.clerk.give_up(redemption)
            self.shop.cancel(owner, redemption, by="member:app")

    @precondition(some(captured))
    @rule(redemption=one_of(captured))
    def reverse(self, redemption: str) -> None:
        self.clerk.reverse(redemption)
        self.shop.reverse(self.clerk.redemptions[redemption].owner, redemption)

    @precondition(some(pairs))
    @rule(pair=one_of(pairs), points=amounts)
    def transfer(self, pair: tuple[str, str], points: int) -> None:
        giver, receiver = pair
        points = self._within_reach(giver, points)
        both(
            lambda: self.clerk.transfer(giver, receiver, points),
            lambda: self.shop.transfer(giver, receiver, points),
        )

    @precondition(some(pairs))
    @rule(pair=one_of(pairs))
    def merge(self, pair: tuple[str, str]) -> None:
        gone, into = pair
        self.clerk.merge(gone, into)
        self.shop.merge(gone, into)

    @precondition(some(active))
    @rule(name=one_of(active), points=amounts, given=st.booleans())
    def adjust(self, name: str, points: int, given: bool) -> None:
        points = points if given else -self._within_reach(name, points)
        both(lambda: self.clerk.adjust(name, points), lambda: self.shop.adjust(name, points))

    @precondition(lambda self: len(self.clerk.members) > 3 and bool(active(self)))
    @rule(name=one_of(leaving))
    def erase(self, name: str) -> None:
        self.clerk.erase(name)
        self.shop.erase(name)

    @rule(policy=policies)
    def the_shop_changes_its_policy(self, policy: dict[str, Any]) -> None:
        self.shop.program = self.clerk.program = self._program(policy)

    @rule(span=st.sampled_from(SPANS), booked=st.booleans())
    def wait(self, span: timedelta, booked: bool) -> None:
        """Sometimes the scheduled job books what is due, sometimes it is dead."""
        both_wait(self.clerk, self.shop, self.shop.now + span)
        for name in self.clerk.members if booked else ():
            self.shop.look(name)

    @precondition(lambda self: bool(self.clerk.days_to_come()))
    @rule(which=st.sampled_from([0, 0, -1]), early=st.booleans())
    def wait_for_a_day_on_which_something_happens(self, which: int, early: bool) -> None:
        begins = beginning_of(self.clerk.days_to_come()[which], self.shop.program)
        both_wait(self.clerk, self.shop, begins - SECOND if early else begins)

    @precondition(some(reserved))
    @rule(redemption=one_of(reserved), early=st.booleans())
    def wait_for_a_hold_to_lapse(self, redemption: str, early: bool) -> None:
        both_wait(
            self.clerk, self.shop, self.clerk.redemptions[redemption].lapses_at - (SECOND if early else timedelta(0))
        )

    @invariant()
    def they_agree(self) -> None:
        shown = [self._agree_on(name) for name in self.clerk.members]
        for way in ("captured", "expired"):
            left = sum(_left(way, entries) for entries in shown)
            assert left == sum(point.state == way for point in self.clerk.points), way

    def _program(self, policy: dict[str, Any]) -> Program:
        earning = {**policy["earning"], "rules": RULES, "actions": [REVIEW], "excluded_categories": EXCLUDED}
        self._versions += 1
        return a_program(version=self._versions, **self._decided, **{**policy, "earning": earning})

    def _agree_on(self, name: str) -> list[Entry]:
        account, entries = self.shop.peek(name)
        assert visible(self.shop, account) == self.clerk.holdings(name)
        if self._checked.get(name) != (len(self.shop.ledgers[name]), len(entries)):
            self._checked[name] = (len(self.shop.ledgers[name]), len(entries))
            assert breaches(account, entries) == []
            by_time = [(entry.type, entry.source["on"]) for entry in entries if "on" in entry.source]
            assert len(by_time) == len(set(by_time)), "what time caused has its cause for a key"
        return entries

    def _within_reach(self, name: str, points: int) -> int:
        """No more than there are; but of those who ask for most, one more."""
        balance = self.clerk.balance(name)
        return balance + 1 if points == AMOUNT_MAX else min(points, balance or 1)


def _left(way: str, entries: list[Entry]) -> int:
    """Points that left by a way, less those that came back, be it to expire or to be taken since they were forgiven."""
    if way == "captured":
        mine = (entry for entry in entries if entry.type in {"capture", "reverse"})
        return sum(sum(entry.forgiven_lots.values()) - entry.net_effect - entry.expired_points for entry in mine)
    return sum(entry.expired_points - (entry.net_effect if entry.type == "expiry" else 0) for entry in entries)


waits = st.sampled_from([1, 28, 60, 89, 91, 200, 366]) | st.just("review")
deeds = st.sampled_from([None, None, None, 400, 1500, 2600, 5000, "merge"])
years = st.lists(st.tuples(waits, st.sampled_from(["ada", "bob"]), deeds), min_size=6, max_size=16)


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), tiers=tierings, years=years)
def test_years_of_tiers_go_up_and_down_as_the_clerk_says(
    zone: str, tiers: dict[str, Any], years: list[tuple[int | str, str, int | str | None]]
) -> None:
    with_levels = {**tiers, "levels": levels(tiers["measure"])}
    program = a_program(time_zone=zone, earning={"rules": [BONUS]}, tiers=with_levels)
    start = datetime(2025, 3, 20, 12, tzinfo=UTC)
    shop, clerk = Shop(program, start), Clerk(program, start)
    for name in ("ada", "bob"):
        shop.enroll(name)
        clerk.enroll(name)
    for number, (wait, name, deed) in enumerate(years):
        reviews = clerk.days_to_come()
        until = shop.now + timedelta(days=wait) if isinstance(wait, int) else shop.now
        shop.now = beginning_of(reviews[0], program) if wait == "review" and reviews else until
        clerk.wait_until(shop.now)
        if name in clerk.active():
            if isinstance(deed, int):
                clerk.buy(name, f"{number}", deed, clerk.now)
                shop.buy(name, f"{number}", deed)
            elif deed == "merge" and len(clerk.active()) > 1:
                other = "bob" if name == "ada" else "ada"
                clerk.merge(name, other)
                shop.merge(name, other)
        for one in clerk.members:
            assert visible(shop, shop.peek(one)[0]) == clerk.holdings(one)


_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])


class TestEveryPoint(Members.TestCase):  # type: ignore[valid-type,misc]
    """Some lives, on every run of the suite."""

    settings = settings(_COMMON, max_examples=150, stateful_step_count=40)


@pytest.mark.long
class TestEveryPointForLong(Members.TestCase):  # type: ignore[valid-type,misc]
    """Many long lives: `EXAMPLES=20000 pytest -m long tests/model`."""

    settings = settings(_COMMON, max_examples=int(os.environ.get("EXAMPLES", "2000")), stateful_step_count=80)
