"""What a coalition may have at most: told by what was bought and kept, and by what is given once; never by a ledger.

Every figure is a bound from above: the best factor that any order may have had, each bonus once for each order and
never beyond its limit, each gift once for each address that nobody was known by. A tight bound is that of a plot in
which everything was returned: nothing but gifts is left.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from shared.domain.calendar import local_day, period_of
from shared.domain.points.expiry import expires_on
from shared.domain.program.challenges import Challenge, Count, Variety
from shared.domain.program.common import Limit
from shared.domain.program.expiry import Inactivity
from shared.domain.program.program import Program
from shared.domain.program.rules import Add, Multiply

NEVER = date.max


@dataclass
class Bought:
    """An order as it stands: what it comes to, in minor units and pieces, and what has come back of it."""

    order_id: str
    owner: str
    total: int
    lines: tuple[tuple[str, str | None, int, int], ...]
    days: list[date]
    """On which it was booked, and changed since, or its owner agreed to the terms: its points begin then."""
    partner_id: str | None = None
    back: dict[str, int] = field(default_factory=dict)
    """Minor units that have come back, by the refund."""
    put_right: bool = False
    """Whether it was claimed, or kept after all: it has what it had brought, whatever its member has had since."""
    lines_back: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Minor units that are kept of it."""
        return self.total - sum(self.back.values())

    @property
    def pieces(self) -> int:
        """Pieces that were bought."""
        return sum(pieces for _, _, pieces, _ in self.lines)

    def left(self, sku: str) -> tuple[int, int]:
        """Pieces and minor units of an article that nobody has returned by its line."""
        own = [(pieces, amount) for name, _, pieces, amount in self.lines if name == sku]
        gone = [one[sku] for one in self.lines_back.values() if sku in one]
        return sum(one for one, _ in own) - sum(one for one, _ in gone), sum(one for _, one in own) - sum(
            one for _, one in gone
        )


@dataclass
class Spent:
    """A redemption: what it takes, of points or of credit, and what of it has come back."""

    points: int
    account: str
    order_id: str | None
    partner_id: str | None = None
    is_credit: bool = False
    is_captured: bool = False
    back: int = 0


@dataclass
class Owed:
    """What an account owed when it ended. `addresses` are its owner's, and until when it waits for whoever has one."""

    addresses: Mapping[str, datetime]
    points: int = 0
    credit: int = 0
    met_by: str | None = None


class Grant(NamedTuple):
    """At most so many points, that live at most through a day."""

    points: int
    last_day: date


@dataclass
class Facts:
    """What has happened, as everybody at the counter has seen it."""

    program: Program
    orders: dict[str, Bought] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)
    given_back: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """What returns have given back of what was spent on their order: by the order, and whether it was credit."""
    paid_out: int = 0
    joined: dict[str, date] = field(default_factory=dict)
    """Every address that the coalition has shown, since its first day."""
    welcomed: list[date] = field(default_factory=list)
    """When somebody has joined as a new person."""
    known: set[str] = field(default_factory=set)
    """The addresses that were a member's at some time."""
    left: dict[str, datetime] = field(default_factory=dict)
    """The addresses that a member has changed for another, and until when that is remembered."""
    members: set[str] = field(default_factory=set)
    """The accounts of those who have joined."""
    returned: int = 0
    """How often somebody has joined anew after the program had forgotten them: as good as a new person."""
    friends: int = 0
    """How many have joined by somebody's code, those who were not forgotten once each."""
    acts: list[tuple[str, date]] = field(default_factory=list)
    decided: list[date] = field(default_factory=list)
    """When an action was booked, or a review decided."""
    owed: dict[str, Owed] = field(default_factory=dict)
    """By the account that has ended."""
    written_off: Counter[bool] = field(default_factory=Counter)
    """Debts that wait for nobody any more: of points, and of credit."""
    debts_made: int = 0
    plans_paid: int = 0
    plans_refunded: int = 0
    active_on: date = date.min
    """The last day of an order, an action or a redemption."""
    heard_on: date = date.min
    """The last day on which the stream told of an order, however late."""

    @property
    def persons(self) -> int:
        """As how many persons the coalition can have been seen: one for each address, and for each forgotten one."""
        return len(self.joined) + self.returned

    def joins(self, account: str, address: str, now: datetime, *, is_friend: bool) -> None:
        """Somebody has joined by an address, perhaps as a friend."""
        ended = (one for name, one in self.owed.items() if name in self.members)
        ends = [one.addresses[address] for one in ended if address in one.addresses]
        ends += [self.left[address]] if address in self.left else []
        is_forgotten = address in self.known and bool(ends) and max(ends) <= now
        is_new = address not in self.known or is_forgotten
        self.returned += is_forgotten
        self.friends += is_friend and is_new
        self.welcomed += [today_of(self.program, now)] if is_new else []
        self.members.add(account)
        self.shown(account, address, now)

    def changed(self, account: str, before: str, address: str, now: datetime) -> None:
        """A member has another address."""
        self.left[before] = now + timedelta(days=self.program.remembered_days)
        self.shown(account, address, now)

    def shown(self, account: str, address: str, now: datetime) -> None:
        """An address is an account's owner's: what waits for whoever has it is booked there."""
        self.joined.setdefault(address, today_of(self.program, now))
        self.known.add(address)
        for one in self.owed.values():
            if one.met_by is None and address in one.addresses and now < one.addresses[address]:
                one.met_by = account

    # Bounds -----------------------------------------------------------------------------------------------------------

    def taken(self, *, credit: bool) -> int:
        """Points, or minor units of credit, that the coalition has turned into goods and money."""
        by_order: Counter[str] = Counter()
        for redemption_id, one in self.spent.items():
            if one.is_captured and one.is_credit == credit:
                by_order[one.order_id or f"redemption {redemption_id}"] += one.points - one.back
        for (order_id, is_credit), back in self.given_back.items():
            if is_credit == credit:
                by_order[order_id] -= back
        taken = sum(max(0, one) for one in by_order.values())
        return taken + (self.paid_out if credit else 0)

    def waiting(self, *, credit: bool) -> int:
        """What persons owe whose account has ended, and who have not come again."""
        waits = sum((one.credit if credit else one.points) for one in self.owed.values() if one.met_by is None)
        return waits + self.written_off[credit]

    def credit_at_most(self) -> int:
        """Minor units of credit that what is kept has earned at most."""
        terms = self.program.cashback
        if terms is None:
            return 0
        rate = Fraction(terms.amount, terms.per_amount)
        return sum(ceil(one.kept * rate) for one in self.orders.values() if one.partner_id is None)

    def grants(self, today: date, paid_by_partners: int) -> Iterator[Grant]:
        """All that may have been granted: points, and how long they live at most."""
        bought = max((day for one in self.orders.values() for day in one.days), default=date.min)
        came, acted = (max(days, default=date.min) for days in (self.welcomed, self.decided))
        yield from self._earned_at_most()
        yield Grant(sum(self._bonuses()) + paid_by_partners, self._last_day(bought))
        yield Grant(self.program.earning.welcome_points * len(self.welcomed), self._last_day(came))
        yield Grant(self._of_actions(), self._last_day(acted))
        yield Grant(self._of_badges(), self._last_day(max(bought, acted)))
        waits = self.program.referrals.return_days if self.program.referrals else 0
        late = self.heard_on + timedelta(days=self.program.redeeming.returned_points_grace_days)
        yield Grant(self._of_referrals(), max(late, self._last_day(max(bought, came), waits)))
        yield Grant(self._of_days(today), self._last_day(today))

    def _lives(self, order: Bought) -> date:
        return max(self._last_day(day) for day in order.days)

    def _last_day(self, day: date, waits: int = 0) -> date:
        """Until when points live at most that were first given on a day and waited so long, grace included."""
        program = self.program
        if day == date.min:
            return day
        if isinstance(program.expiry, Inactivity):
            day = max(day, self.active_on)
        last = expires_on(program.expiry, day + timedelta(days=max(waits, program.earning.pending_days)))
        return NEVER if last is None else last + timedelta(days=program.redeeming.returned_points_grace_days)

    def _earned_at_most(self) -> list[Grant]:
        earning, factor = self.program.earning, self._factor()
        found = []
        for order in self._own_orders():
            exact = Fraction(order.kept * earning.points * factor, earning.per_amount * 100)
            found.append(Grant(ceil(exact), self._lives(order)))
        return found

    def _own_orders(self) -> list[Bought]:
        least = max(1, self.program.earning.minimum_spend)
        return [one for one in self.orders.values() if one.partner_id is None and one.kept >= least]

    def _factor(self) -> int:
        """The best factor on base points that any order may have had, in percent."""
        levels = [tier.percent for tier in self.program.tiers.levels]
        plans = [plan.percent for plan in self.program.memberships] if self.plans_paid else []
        return 100 + max(levels) - 100 + max(plans, default=100) - 100

    def _bonuses(self) -> Iterator[int]:
        """What each rule and campaign adds at most to the orders that are kept."""
        program = self.program
        for rule in program.earning.rules:
            yield self._bonus(rule.when.minimum_spend, rule.effect, rule.limit)
        for campaign in program.campaigns:
            most = self._bonus(campaign.when.minimum_spend, campaign.effect, campaign.limit)
            yield min(most, campaign.budget.total) if campaign.budget else most

    def _bonus(self, minimum_spend: int, effect: Multiply | Add, limit: Limit | None) -> int:
        earning, put_right = self.program.earning, 0
        by_period: dict[str, list[int]] = {}
        for order in self._own_orders():
            if order.kept < minimum_spend:
                continue
            if isinstance(effect, Multiply):
                share = Fraction(order.kept * earning.points, earning.per_amount)
                most = ceil(share * (effect.percent - 100) / 100)
            else:
                most = effect.points * (order.pieces or 1 if effect.per == "item" else 1)
            if order.put_right:
                put_right += most
                continue
            period = period_of(order.days[0], limit.per) if limit else ""
            by_period.setdefault(period, []).append(most)
        return put_right + sum(self._limited(limit, each) for each in by_period.values())

    def _limited(self, limit: Limit | None, each: Sequence[int]) -> int:
        """What a limit lets through in one period; for each address, as if all of them were persons of their own."""
        persons, let_through = self.persons, sorted(each, reverse=True)
        if limit is not None and limit.times is not None:
            let_through = let_through[: limit.times * persons]
        if limit is not None and limit.points is not None:
            return min(sum(let_through), limit.points * persons)
        return sum(let_through)

    def _of_actions(self) -> int:
        total = 0
        for action in self.program.earning.actions:
            per = action.limit.per if action.limit else "lifetime"
            acts = Counter(period_of(day, per) for name, day in self.acts if name == action.action_id)
            total += sum(self._limited(action.limit, [action.points] * times) for times in acts.values())
        return total

    def _counting(self, what: str) -> list[Bought]:
        """The orders of which something is kept and that count toward something."""
        program = self.program
        return [
            one
            for one in self.orders.values()
            if one.kept > 0 and ((partner := program.partner(one.partner_id)) is None or what in partner.counts_toward)
        ]

    def _of_referrals(self) -> int:
        terms = self.program.referrals
        if terms is None:
            return 0
        qualifying = sum(one.kept >= terms.minimum_spend for one in self._counting("referrals"))
        paid_off = min(self.friends, qualifying)
        at_once = self.friends if terms.friend_gets_them == "on_joining" else paid_off
        return terms.friend_points * at_once + terms.advocate_points * paid_off

    def _of_badges(self) -> int:
        return sum(challenge.points * self._badges(challenge) for challenge in self.program.challenges)

    def _badges(self, challenge: Challenge) -> int:
        """How many badges of a challenge the orders that are kept bring at most."""
        goal = challenge.goal
        orders = [one for one in self._counting("challenges") if one.kept >= challenge.minimum_spend]
        most = len(orders) // goal.target
        if isinstance(goal, Variety):
            most = len(orders)
        elif isinstance(goal, Count) and goal.of != "orders":
            acts = len(self.acts) + sum(self._of_actions() for _ in range(goal.of == "points"))
            points = sum(one.points for one in self._earned_at_most()) + sum(self._bonuses())
            of = {"amount": sum(one.kept for one in orders), "points": points + acts, "actions": acts}
            most = of[goal.of] // goal.target
        return most if challenge.repeatable else min(most, self.persons)

    def _of_days(self, today: date) -> int:
        """Birthdays and anniversaries: once a year, for each address."""
        terms, years = self.program.celebrations, today.year - min(self.joined.values(), default=today).year
        if terms is None:
            return 0
        birthdays = terms.birthday.points * (years + 1) if terms.birthday else 0
        anniversaries = terms.anniversary.points * years if terms.anniversary else 0
        return (birthdays + anniversaries) * self.persons

    # What becomes of debts --------------------------------------------------------------------------------------------

    def ended(self, account: str, addresses: Iterable[str], left: Mapping[str, datetime], now: datetime) -> Owed:
        """An account has ended. Of its owner's addresses some may have `left` it for others before."""
        days = timedelta(days=self.program.remembered_days)
        until = {one: now + days if one not in left or left[one] > now - days else now for one in addresses}
        return self.owed.setdefault(account, Owed(until))

    def owes_still(
        self, account: str, survivors: Mapping[str, str], points: int, now: datetime, *, credit: bool
    ) -> None:
        """A refund of an account that has ended has found points spent: they are owed by whoever it was.

        That is known for a while; then nobody owes them.
        """
        seen: set[str] = set()
        while account in self.owed and account not in seen:
            seen.add(account)
            one = self.owed[account]
            if one.met_by is None:
                one.credit += points if credit else 0
                one.points += 0 if credit else points
                return
            if max(one.addresses.values(), default=now) <= now:
                self.written_off[credit] += points
                return
            account = _survivor(one.met_by, survivors)
        if not seen:
            self.written_off[credit] += points


def _survivor(account: str, survivors: Mapping[str, str]) -> str:
    while account in survivors:
        account = survivors[account]
    return account


def outliving(held: Mapping[date, int], grants: Iterable[Grant], debts: int) -> str | None:
    """Which points live longer than any that were granted, if some do; `debts` are all that were ever made."""
    granted = list(grants)
    for day in sorted(held):
        has = sum(points for last, points in held.items() if last >= day)
        most = sum(one.points for one in granted if one.last_day >= day)
        if has > most + debts:
            return f"{has} points live through {day} or longer, of {most} that may, {debts} owed at some time"
    return None


def today_of(program: Program, now: datetime) -> date:
    """The day, where the program is."""
    return local_day(now, program.time_zone)
