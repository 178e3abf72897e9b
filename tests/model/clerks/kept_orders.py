"""A clerk who keeps the members' shopping alone, and works out everything else afresh each time somebody asks.

On file are the orders with their lines, what came back of them, the actions, and the terms that each order was credited
by. What a member has follows from the kept lines and the actions; nothing is carried forward, so nothing can be left
behind. Shares only the definitions of a program with the rules.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from shared.domain.program.campaigns import Campaign
from shared.domain.program.cashback import Cashback
from shared.domain.program.challenges import Challenge, Count, Streak, Variety, Visits
from shared.domain.program.common import Limit
from shared.domain.program.partners import Partner
from shared.domain.program.program import Earning, Program
from shared.domain.program.rules import Multiply, Rule

DAY = timedelta(days=1)
Number = TypeVar("Number", int, Fraction)


class Line(NamedTuple):
    """An article of an order; `amount` is for all its pieces, in minor units."""

    sku: str
    category: str | None
    pieces: int
    amount: int


class Return(NamedTuple):
    """What came back at one time: pieces and minor units by SKU, or an amount of everything alike."""

    amount: int
    lines: Mapping[str, tuple[int, int]] = {}


class Terms(NamedTuple):
    """What an order was credited by, and keeps: the tier, what limits and budgets left for each bonus, and the cap.

    A bonus that did not apply is not in `room`; None there is no limit.
    """

    rank: int
    room: Mapping[str, int | None]
    most: int | None
    drawn: Mapping[str, int] = {}
    """What it has taken out of budgets."""


class Kept(NamedTuple):
    """What is kept of an order: minor units in all, and of each line its pieces and its minor units."""

    total: int
    rest: Fraction
    lines: Sequence[tuple[Line, Fraction, Fraction]]

    def pieces(self, bonus: "Rule | Campaign | None", earning: Earning | Cashback) -> Fraction:
        """Pieces of the lines that count."""
        return sum((pieces for line, pieces, _ in self.lines if _counts(line, bonus, earning)), Fraction(0))

    def amount(self, bonus: "Rule | Campaign | None", earning: Earning | Cashback) -> Fraction:
        """Minor units of the lines that count; what no line names counts unless a bonus names its lines."""
        rest = Fraction(0) if bonus and _names_lines(bonus) else self.rest
        return rest + sum(amount for line, _, amount in self.lines if _counts(line, bonus, earning))


@dataclass
class _Left:
    """What is left of a line after some of its pieces came back."""

    line: Line
    pieces: int
    amount: int


@dataclass
class Sale:
    """An order as it is on file."""

    order_id: str
    owner: str
    total: int
    lines: Sequence[Line]
    placed_on: date
    booked_on: date
    terms: Terms
    partner: Partner | None = None
    """Whose order it is, if it is not the shop's."""
    back: dict[str, Return] = field(default_factory=dict)
    """What came back of it, by the refund's id."""
    final: set[str] = field(default_factory=set)
    """The refunds that gave back what was spent on it: nobody takes them back."""

    def counts_toward(self, what: str) -> bool:
        """Whether it counts toward something beside points: a partner's as its terms say."""
        return self.partner is None or what in self.partner.counts_toward

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is kept."""
        return bool(self.back) and self.amount_kept == 0

    @property
    def amount_kept(self) -> int:
        """Minor units."""
        return self.total - sum(one.amount for one in self.back.values())

    def kept(self) -> Kept:
        """Lines of an article come back one after another; what came back otherwise took the same share of all."""
        lines = [_Left(line, line.pieces, line.amount) for line in self.lines]
        rest = self.total - sum(line.amount for line in self.lines)
        for one in self.back.values():
            for sku, came_back in one.lines.items():
                pieces, amount = came_back
                for left in lines:
                    if left.line.sku == sku:
                        gone, paid = min(pieces, left.pieces), min(amount, left.amount)
                        left.pieces, left.amount = left.pieces - gone, left.amount - paid
                        pieces, amount = pieces - gone, amount - paid
        there = rest + sum(left.amount for left in lines)
        share = Fraction(self.amount_kept, there) if there else Fraction(1)
        return Kept(
            self.amount_kept, share * rest, [(left.line, share * left.pieces, share * left.amount) for left in lines]
        )


class Deed(NamedTuple):
    """An order or an action, as challenges see it."""

    on: date
    points: int
    amount: int = 0
    categories: frozenset[str] = frozenset()
    action: str | None = None


@dataclass
class Act:
    """An action, and what it was credited with."""

    owner: str
    action: str
    on: date
    booked_on: date
    points: int


@dataclass
class Spent:
    """What somebody has spent, perhaps on an order, and how much of it has come back."""

    owner: str
    points: int
    order_id: str | None
    back: int = 0


@dataclass
class Person:
    """Who somebody is: since when, and by whom they were brought."""

    joined: date
    advocate: str | None = None


class Course(NamedTuple):
    """How far somebody is with a challenge, and how often they have its badge."""

    done: int
    times: int


@dataclass
class Clerk:
    """The file, as of `today`."""

    program: Program
    today: date
    people: dict[str, Person] = field(default_factory=dict)
    file: list[Sale | Act] = field(default_factory=list)
    """Everything that was bought or done, in the order in which it was booked."""
    spent: dict[str, Spent] = field(default_factory=dict)
    """By the redemption's id."""
    welcomes: dict[str, int] = field(default_factory=dict)
    """How many somebody was before they became one, if more than that."""
    _notes: dict[str, dict[str, int]] = field(default_factory=dict)
    """The pieces of orders, until anything changes on file."""

    # What is put on file ----------------------------------------------------------------------------------------------

    def enroll(self, name: str, advocate: str | None = None) -> None:
        """Somebody joins."""
        self.people[name] = Person(self.today, advocate)

    def buy(
        self,
        name: str,
        order_id: str,
        total: int,
        lines: Sequence[Line],
        placed_on: date,
        partner: Partner | None = None,
    ) -> None:
        """An order is credited, by what holds now."""
        terms = Terms(self.rank(name), {}, None)
        sale = Sale(order_id, name, total, lines, placed_on, self.today, terms, partner)
        self._set_terms(sale)
        self.file.append(sale)

    def take_back(self, order_id: str, refund_id: str, part: Return, *, gives_back: bool = False) -> None:
        """Part of an order comes back, and with it, if it `gives_back`, the same share of what was spent on it."""
        self._notes.clear()
        sale = self.sale(order_id)
        sale.back[refund_id] = part
        for one in self.spent.values() if gives_back else ():
            share = one.points * (sale.total - sale.amount_kept) // sale.total
            if one.order_id == order_id and share > one.back:
                one.back = share
                sale.final.add(refund_id)

    def spend(self, redemption_id: str, name: str, points: int, order_id: str | None) -> None:
        """Points are spent."""
        self.spent[redemption_id] = Spent(name, points, order_id)

    def give_back(self, redemption_id: str, points: int) -> None:
        """Some of what was spent comes back by itself."""
        self.spent[redemption_id].back += points

    def left_of_redemption(self, redemption_id: str) -> int:
        """What of a redemption has not come back."""
        return self.spent[redemption_id].points - self.spent[redemption_id].back

    def keep(self, order_id: str, refund_id: str) -> None:
        """What had come back is kept after all."""
        self._notes.clear()
        del self.sale(order_id).back[refund_id]

    def act(self, name: str, action: str, on: date) -> None:
        """An action, within its limit and the cap of a day."""
        terms = next(one for one in self.program.earning.actions if one.action_id == action)
        room = self._left(terms.limit, self._acts_in(name, action, terms.limit)) if terms.limit else None
        points = _at_most(terms.points, room, self._day_room(name, self.today))
        self.file.append(Act(name, action, on, self.today, points))

    def amend(self, order_id: str, total: int, lines: Sequence[Line]) -> None:
        """An order is as though it had been so from the start: in its tier, within what all others leave.

        It may keep what it has of budgets, although others have used them up since.
        """
        sale = self.sale(order_id)
        drawn = self.drawn(sale)
        sale.total, sale.lines = total, lines
        self._set_terms(sale, drawn)

    def claim(self, order_id: str, name: str) -> None:
        """An order moves to who made it, and is booked there now."""
        sale = self.sale(order_id)
        self.file.remove(sale)
        sale.owner = name
        self.file.append(sale)

    def merge(self, gone: str, into: str) -> None:
        """Two become one: what the one has bought, done and spent is the other's."""
        self._notes.clear()
        of_gone: list[Sale | Act | Spent] = [one for one in (*self.file, *self.spent.values()) if one.owner == gone]
        for one in of_gone:
            one.owner = into
        self.welcomes[into] = self.welcomes.get(into, 1) + self.welcomes.pop(gone, 1)

    # What anybody may ask ---------------------------------------------------------------------------------------------

    def sale(self, order_id: str) -> Sale:
        """The order of an id."""
        return next(one for one in self.file if isinstance(one, Sale) and one.order_id == order_id)

    def all_sales(self) -> list[Sale]:
        """Everybody's orders."""
        return [one for one in self.file if isinstance(one, Sale)]

    def sales(self, name: str) -> list[Sale]:
        """Somebody's orders."""
        return [one for one in self.all_sales() if one.owner == name]

    def points(self, sale: Sale) -> int:
        """What is kept of an order earns: its pieces, rounded once, under the cap."""
        return _at_most(sum(self._pieces(sale).values()), sale.terms.most)

    def credit(self, sale: Sale) -> int:
        """What is kept of an order earns in money."""
        terms = self.program.cashback
        if terms is None or sale.partner or sale.is_gone or sale.amount_kept < terms.minimum_spend:
            return 0
        exact = sale.kept().amount(None, terms) * Fraction(terms.amount, terms.per_amount)
        return _rounded(_at_most(exact, terms.order_max), terms.rounding)

    def drawn(self, sale: Sale) -> dict[str, int]:
        """What an order takes out of campaigns' budgets: never more than when it was credited."""
        return {name: min(points, sale.terms.drawn.get(name, 0)) for name, points in self._draws(sale).items()}

    def _draws(self, sale: Sale) -> dict[str, int]:
        """What is kept of an order would take out of budgets. A cap cuts what comes last first."""
        pieces = self._pieces(sale)
        cut = sum(pieces.values()) - self.points(sale)
        found = {}
        for name, points in reversed(pieces.items()):
            lost = min(cut, points)
            cut -= lost
            found[name] = points - lost
        return {name: points for name, points in found.items() if self._has_budget(name)}

    def left_of(self, campaign: Campaign) -> int:
        """What is left of a campaign's budget."""
        name = name_of(campaign)
        sales = [one for one in self.file if isinstance(one, Sale)]
        total = campaign.budget.total if campaign.budget else 0
        return max(0, total - sum(self.drawn(sale).get(name, 0) for sale in sales))

    def used(self, name: str, bonus: Rule | Campaign) -> tuple[int, int]:
        """How often somebody has had a bonus in its present period, and how many points."""
        return self._used(name, bonus, self.today)

    def had_today(self, name: str) -> int:
        """What counts toward the cap of a day."""
        return self._earned_on(name, self.today)

    def counted(self, name: str) -> dict[str, int]:
        """What counts toward tiers, by month."""
        found: dict[str, int] = {}
        for one in self._of(name):
            month = _month(one.on if isinstance(one, Act) else one.placed_on)
            found[month] = found.get(month, 0) + self._merit(one)
        return {month: amount for month, amount in found.items() if amount}

    def rank(self, name: str) -> int:
        """The highest tier that somebody has reached with what is kept, at any time."""
        reached, counted = 0, 0
        for one in self._of(name):
            counted += self._merit(one)
            reached = max(reached, sum(counted >= tier.threshold for tier in self.program.tiers.levels) - 1)
        return reached

    def activity(self, name: str) -> dict[str, tuple[int, int]]:
        """Orders and minor units by month, as segments look at them."""
        found: dict[str, tuple[int, int]] = {}
        for sale in (one for one in self.sales(name) if one.counts_toward("segments")):
            orders, amount = found.get(_month(sale.placed_on), (0, 0))
            found[_month(sale.placed_on)] = (orders + (not sale.is_gone), amount + sale.amount_kept)
        return {month: one for month, one in found.items() if one != (0, 0)}

    def course(self, name: str, challenge: Challenge) -> Course:
        """How far somebody is with a challenge today."""
        sheet = _Sheet(challenge)
        for one in self._of(name):
            deed = self._deed(one)
            if deed is not None:
                sheet.note(deed)
        return Course(sheet.done(self.today), sheet.times)

    def supports(self, friend: str) -> list[str]:
        """The orders that a friend's referral may rest on: those that are kept and qualify."""
        terms, person = self.program.referrals, self.people[friend]
        if terms is None or person.advocate is None:
            return []
        last = person.joined + terms.purchase_days * DAY
        counting = [sale for sale in self.sales(friend) if sale.counts_toward("referrals")]
        timely = [sale for sale in counting if person.joined <= sale.placed_on <= last]
        return [sale.order_id for sale in timely if 0 < sale.amount_kept >= terms.minimum_spend]

    def rewards(self, name: str) -> int:
        """What somebody has for friends, and for having been brought."""
        terms = self.program.referrals
        if terms is None:
            return 0
        friends = [one for one, person in self.people.items() if person.advocate == name]
        brought = sum(bool(self.supports(one)) for one in friends)
        return brought * terms.advocate_points + bool(self.supports(name)) * terms.friend_points

    def badge_points(self, name: str) -> int:
        """What somebody's badges have brought."""
        return sum(self.course(name, one).times * one.points for one in self.program.challenges)

    def owns(self, name: str) -> int:
        """All points of somebody, what they owe taken off."""
        earned = sum(self.points(one) if isinstance(one, Sale) else one.points for one in self._of(name))
        gifts = (
            self.program.earning.welcome_points * self.welcomes.get(name, 1)
            + self.badge_points(name)
            + self.rewards(name)
        )
        return earned + gifts - sum(one.points - one.back for one in self.spent.values() if one.owner == name)

    # How the clerk works ----------------------------------------------------------------------------------------------

    def _of(self, name: str) -> list[Sale | Act]:
        return [one for one in self.file if one.owner == name]

    def _merit(self, one: Sale | Act) -> int:
        if isinstance(one, Sale) and not one.counts_toward("tiers"):
            return 0
        if self.program.tiers.measure == "points":
            return self.points(one) if isinstance(one, Sale) else one.points
        return one.amount_kept if isinstance(one, Sale) else 0

    def _deed(self, one: Sale | Act) -> Deed | None:
        if isinstance(one, Act):
            return Deed(one.on, one.points, action=one.action)
        if one.is_gone or not one.counts_toward("challenges"):
            return None
        kept = one.kept().lines
        categories = frozenset(line.category for line, pieces, _ in kept if line.category and pieces)
        return Deed(one.placed_on, self.points(one), one.amount_kept, categories)

    def _pieces(self, sale: Sale) -> dict[str, int]:
        """Each part of what is kept: what rounding the sum has gained by it."""
        noted = self._notes.get(sale.order_id)
        if noted is not None:
            return noted
        earning = self.program.earning
        found = self._notes[sale.order_id] = {}
        if sale.is_gone or sale.amount_kept < earning.minimum_spend:
            return found
        exact, before = Fraction(0), 0
        for name, worth in self._exact(sale, sale.kept()):
            exact += worth
            points = _rounded(exact, earning.rounding)
            found[name], before = points - before, points
        return found

    def _exact(self, sale: Sale, kept: Kept) -> Iterator[tuple[str, Fraction]]:
        earning = self.program.earning
        base = self._steps(kept.amount(None, earning)) * earning.points
        yield "base", _at_most(base, earning.base_max)
        yield "tier", base * (self.program.tiers.levels[sale.terms.rank].percent - 100) / 100
        for bonus in bonuses_of(self.program):
            name = name_of(bonus)
            if name in sale.terms.room and kept.total >= bonus.when.minimum_spend:
                yield name, _at_most(self._worth(bonus, kept), sale.terms.room[name])

    def _worth(self, bonus: Rule | Campaign, kept: Kept) -> Fraction:
        """What a bonus adds to what is kept, were there no limit."""
        earning, effect = self.program.earning, bonus.effect
        amount = kept.amount(bonus, earning)
        if isinstance(effect, Multiply):
            return self._steps(amount) * earning.points * (effect.percent - 100) / 100
        if effect.per == "item":
            return kept.pieces(bonus, earning) * effect.points
        return Fraction(effect.points if amount else 0)

    def _steps(self, amount: Fraction) -> Fraction:
        steps = amount / self.program.earning.per_amount
        return Fraction(floor(steps)) if self.program.earning.whole_steps else steps

    def _set_terms(self, sale: Sale, has: Mapping[str, int] = MappingProxyType({})) -> None:
        """Which bonuses apply to an order, and what limits, budgets and caps leave for it beside all others."""
        self._notes.clear()
        on_file = self.file
        self.file = [one for one in on_file if one is not sale]
        room = {
            name_of(bonus): self._room(sale, bonus) for bonus in bonuses_of(self.program) if self._applies(sale, bonus)
        }
        rules = self.program.standing_rules
        most = [rules.caps.points_per_order] if rules and rules.caps.points_per_order else []
        most += self._partner_room(sale)
        day = self._day_room(sale.owner, sale.booked_on)
        budgets = {name_of(campaign): campaign for campaign in self.program.campaigns if campaign.budget}
        left = {name: max(self.left_of(campaign), has.get(name, 0)) for name, campaign in budgets.items()}
        self.file = on_file
        sale.terms = Terms(sale.terms.rank, room, min([*most, *([] if day is None else [day])], default=None))
        self._notes.clear()
        # A budget that does not hold what an order would draw gives the rest of it.
        for name, points in self._draws(sale).items():
            if points > left[name]:
                room[name] = _at_most(left[name], room[name])
        self._notes.clear()
        # What the cap cuts of a campaign no budget has paid for: no return brings it.
        room.update({name: points for name, points in self._draws(sale).items() if points < self._pieces(sale)[name]})
        self._notes.clear()
        sale.terms = sale.terms._replace(drawn=self._draws(sale))
        self._notes.clear()

    def _applies(self, sale: Sale, bonus: Rule | Campaign) -> bool:
        when, earning = bonus.when, self.program.earning
        if sale.total < when.minimum_spend or not when.covers(sale.placed_on):
            return False
        if when.tiers and self.program.tiers.levels[sale.terms.rank].tier_id not in when.tiers:
            return False
        if isinstance(bonus, Campaign) and (_is_held_out(bonus, sale.owner) or not sale.counts_toward("campaigns")):
            return False
        return not _names_lines(bonus) or any(_counts(line, bonus, earning) for line in sale.lines)

    def _room(self, sale: Sale, bonus: Rule | Campaign) -> int | None:
        return self._left(bonus.limit, self._used(sale.owner, bonus, sale.booked_on)) if bonus.limit else None

    def _left(self, limit: Limit, used: tuple[int, int]) -> int | None:
        times, points = used
        if limit.times is not None and times >= limit.times:
            return 0
        return None if limit.points is None else max(0, limit.points - points)

    def _used(self, name: str, bonus: Rule | Campaign, day: date) -> tuple[int, int]:
        if bonus.limit is None:
            return 0, 0
        same = [
            one
            for one in self.sales(name)
            if period_of(one.booked_on, bonus.limit.per) == period_of(day, bonus.limit.per)
        ]
        had = [points for sale in same if (points := self._pieces(sale).get(name_of(bonus), 0))]
        return len(had), sum(had)

    def _acts_in(self, name: str, action: str, limit: Limit) -> tuple[int, int]:
        now = period_of(self.today, limit.per)
        mine = [one for one in self._of(name) if isinstance(one, Act) and one.action == action]
        had = [one.points for one in mine if one.points and period_of(one.booked_on, limit.per) == now]
        return len(had), sum(had)

    def _earned_on(self, name: str, day: date) -> int:
        booked = [one for one in self._of(name) if one.booked_on == day]
        return sum(one.points if isinstance(one, Act) else self.points(one) for one in booked)

    def _day_room(self, name: str, day: date) -> int | None:
        rules = self.program.standing_rules
        if rules is None or rules.caps.points_per_day is None:
            return None
        return max(0, rules.caps.points_per_day - self._earned_on(name, day))

    def _partner_room(self, sale: Sale) -> list[int]:
        """What a partner's limits leave for an order."""
        if sale.partner is None:
            return []
        limits = sale.partner.limits
        room = [limits.points_per_order] if limits.points_per_order else []
        for most, per in ((limits.points_per_member_day, "day"), (limits.points_per_member_month, "month")):
            if most is not None:
                room.append(max(0, most - self.had_of(sale.owner, sale.partner, per, sale.booked_on)))
        return room

    def had_of(self, name: str, partner: Partner, per: str, day: date) -> int:
        """The points that a partner's orders of a period bring somebody."""
        theirs = [one for one in self.sales(name) if one.partner == partner]
        return sum(self.points(one) for one in theirs if period_of(one.booked_on, per) == period_of(day, per))

    def _has_budget(self, name: str) -> bool:
        return any(name_of(one) == name and one.budget for one in self.program.campaigns)


@dataclass
class _Sheet:
    """A challenge's sheet, on which deeds are noted one after the other."""

    challenge: Challenge
    times: int = 0
    period: str = ""
    count: int = 0
    kinds: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    badge_on: date | None = None
    """Of visits: the last day that a badge was had for."""
    streak_on: date | None = None

    def note(self, deed: Deed) -> None:
        """A deed; one that does not count is passed over."""
        if (self.times and not self.challenge.repeatable) or not self._counts(deed):
            return
        goal = self.challenge.goal
        if isinstance(goal, Visits):
            self._visit(goal, deed.on)
        elif isinstance(goal, Streak):
            self._streak(goal, deed.on)
        else:
            self._add(goal, deed)

    def done(self, today: date) -> int:
        """How far it has come by today."""
        goal = self.challenge.goal
        if isinstance(goal, Visits):
            return len([one for one in self.days if one > today - goal.within_days * DAY])
        if isinstance(goal, Streak):
            last = self.streak_on
            return self.count if last and _steps_between(goal.per, last, today) <= 1 else 0
        if self.period != period_of(today, goal.per):
            return 0
        return len(self.kinds) if isinstance(goal, Variety) else self.count

    def _counts(self, deed: Deed) -> bool:
        challenge, goal = self.challenge, self.challenge.goal
        of_actions = bool(challenge.actions) or (isinstance(goal, Count | Variety) and goal.of == "actions")
        if not challenge.covers(deed.on):
            return False
        if of_actions != (deed.action is not None):
            return isinstance(goal, Count) and goal.of == "points" and not challenge.actions
        if challenge.categories and not deed.categories & set(challenge.categories):
            return False
        if challenge.actions and deed.action not in challenge.actions:
            return False
        return deed.amount >= challenge.minimum_spend

    def _visit(self, goal: Visits, day: date) -> None:
        if self.badge_on is not None and day <= self.badge_on:
            return
        days = {*self.days, day}
        latest = sorted(one for one in days if one > max(days) - goal.within_days * DAY)[-goal.target :]
        self.days = set(latest)
        if len(latest) == goal.target:
            self.times, self.badge_on, self.days = self.times + 1, latest[-1], set()

    def _streak(self, goal: Streak, day: date) -> None:
        if self.streak_on is not None and _steps_between(goal.per, self.streak_on, day) <= 0:
            return
        follows = self.streak_on is not None and _steps_between(goal.per, self.streak_on, day) == 1
        self.count, self.streak_on = (self.count + 1 if follows else 1), day
        if self.count == goal.target:
            self.times, self.count = self.times + 1, 0

    def _add(self, goal: Count | Variety, deed: Deed) -> None:
        period = period_of(deed.on, goal.per)
        if period < self.period:
            return
        if period != self.period:
            self.period, self.count, self.kinds = period, 0, set()
        if isinstance(goal, Variety):
            self.kinds |= deed.categories if goal.of == "categories" else {deed.action or ""} - {""}
            reached = len(self.kinds) >= goal.target
            self.kinds = set() if reached else self.kinds
        else:
            gains = {"orders": 1, "actions": 1, "amount": deed.amount, "points": deed.points}
            self.count += gains[goal.of]
            reached = self.count >= goal.target
            self.count = self.count % goal.target if reached else self.count
        self.times += reached


def bonuses_of(program: Program) -> list[Rule | Campaign]:
    """What may add to the base points of an order."""
    return [*program.earning.rules, *program.campaigns]


def name_of(bonus: Rule | Campaign) -> str:
    """Under which name a bonus is counted."""
    return f"campaign:{bonus.campaign_id}" if isinstance(bonus, Campaign) else f"rule:{bonus.rule_id}"


def _names_lines(bonus: Rule | Campaign) -> bool:
    return bool(bonus.when.categories or bonus.when.skus)


def _counts(line: Line, bonus: Rule | Campaign | None, earning: Earning | Cashback) -> bool:
    """Whether a line earns, and by a bonus if one is meant."""
    if line.category in earning.excluded_categories or line.sku in earning.excluded_skus:
        return False
    if bonus is None or not _names_lines(bonus):
        return True
    return line.category in bonus.when.categories or line.sku in bonus.when.skus


def _is_held_out(campaign: Campaign, name: str) -> bool:
    """The published draw: 64 bits of a digest over both ids, in percent."""
    digest = hashlib.sha256(f"hold-out:{campaign.campaign_id}:{name}".encode()).hexdigest()
    return int(digest[:16], 16) % 100 < campaign.hold_out_percent


def _at_most(worth: Number, *limits: int | None) -> Number:
    for limit in limits:
        worth = worth if limit is None or worth <= limit else type(worth)(limit)
    return worth


def _rounded(exact: Fraction, how: str) -> int:
    return {"down": floor(exact), "up": ceil(exact), "nearest": floor(exact + Fraction(1, 2))}[how]


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def period_of(day: date, per: str) -> str:
    """The period that a day lies in; of one kind, they sort as time does."""
    week = "{}-{:02}".format(*day.isocalendar()[:2])
    return {"day": f"{day}", "week": week, "month": _month(day), "year": f"{day:%Y}", "lifetime": "ever"}[per]


def _steps_between(per: str, before: date, after: date) -> int:
    """How many days, weeks or months lie between two days."""
    if per == "month":
        return 12 * (after.year - before.year) + after.month - before.month
    if per == "week":
        return ((after - after.weekday() * DAY) - (before - before.weekday() * DAY)).days // 7
    return (after - before).days
