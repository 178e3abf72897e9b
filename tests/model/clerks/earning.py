"""What orders and actions bring in a program with everything, and what of it a return takes."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction
from math import ceil, floor

from tests.model.clerks.sharing import SharingClerk
from tests.model.points_one_by_one import DAY, Merit, Point, RefusedError, Sale, Use

ORDER_MOST, DAY_MOST, UNKNOWN_MOST = 25, 40, 6
"""Points for an order, for a day, and waiting for somebody unknown."""
SPRING_POINTS, SPRING_A_MONTH, SPRING_BUDGET, SPRING_HELD_OUT = 3, 8, 10, 40
BAKERY_ORDER_MOST, BAKERY_DAY_MOST = 10, 15
CONSULTATION_POINTS, CONSULTATION_RESTS = 4, 3
PLUS_PERCENT = 50
"""What a paid membership adds to the base points."""
EVERY_THIRD_POINTS, TWO_VISITS_POINTS, IN_A_ROW_POINTS = 2, 3, 1


@dataclass
class Stamps:
    """How far a member is with each challenge, and how often each badge was had."""

    orders: int = 0
    days: list[date] = field(default_factory=list)
    run: int = 0
    run_day: date | None = None
    badges: dict[str, int] = field(default_factory=dict)


@dataclass
class WholeSale(Sale):
    """A sale with everything that was on top: `extra` percent of the base, `flat` points, `most` of all."""

    order: str = ""
    extra: int = 0
    flat: int = 0
    most: int = 0
    nothing: bool = False
    partner: bool = False
    placed_on: date = date.min
    pooled: bool = False
    """Whether its points waited for consent, and then went among all others."""


@dataclass
class EarningClerk(SharingClerk):
    """Cards say what they wait for. Budgets are what is left of them."""

    spring_left: int = SPRING_BUDGET
    deposits_left: int = 0
    stamps: dict[str, Stamps] = field(default_factory=dict)
    paid_through: dict[str, date] = field(default_factory=dict)
    """Of paid memberships, while they last."""

    def order(self, name: str, order: str, total: int, placed_at: datetime, *, partner: bool = False) -> int:
        """The points of an order alone."""
        with self.household(name):
            return self._order(name, order, total, placed_at, partner=partner)

    def _order(self, name: str, order: str, total: int, placed_at: datetime, *, partner: bool) -> int:
        began = self._local_day(min(placed_at, self.now))
        percent = self.program.tiers.levels[self.rank(name)].percent + PLUS_PERCENT * (name in self.paid_through)
        nothing = self.is_staff(name)
        counts = not nothing and total >= self.program.earning.minimum_spend
        bonus = counts and self._bonus_applies(name, total)
        spring = self._spring(name, total) if counts else 0
        double = counts and "vip" in self.people[name].tags and total > 0
        available_on = began + self.program.earning.pending_days * DAY
        sale = WholeSale(
            name,
            total,
            self.program.earning,
            percent,
            bonus,
            available_on,
            None,
            began.year * 12 + began.month,
            order=order,
            extra=100 * double,
            flat=spring,
            most=self._most(name, partner=partner),
            nothing=nothing,
            partner=partner,
            placed_on=began,
        )
        earned = self._worth(sale, total)
        if partner and earned > self.deposits_left:
            raise RefusedError("partner_funding_exhausted")
        self._note_uses(sale, earned)
        self._stay_active(name, began)
        sale.last_day = self._bring(name, earned, began, self.program.earning.pending_days, cause=order)
        if self.members[name].status == "provisional":
            sale.last_day, sale.pooled = date.min, True
        self.sales[order] = sale
        self.members[name].earned += earned
        counted = earned if self.program.tiers.measure == "points" else 0 if nothing else total
        self.merits.append(Merit(name, sale.month, counted, order))
        self._rise(name)
        self._stamp(name, began, total)
        return earned

    def refund(self, order: str, amount: int) -> None:
        sale = self._whole(order)
        member = self.members[sale.owner]
        with self.household(sale.owner):
            before = member.earned
            super().refund(order, amount)
            for merit in self.merits:
                merit.amount = 0 if sale.nothing and merit.order == order else merit.amount
            if sale.partner:
                self.deposits_left += before - member.earned

    def act(self, name: str, occurred_at: datetime) -> int:
        """A review."""
        with self.household(name):
            return self._did(name, "review", occurred_at, max(0, min(3, 7 - self._reviewed_this_week(name))))

    def consult(self, name: str, action: str, occurred_at: datetime) -> int:
        """Points wait for an operator, and it is no activity until then; none again for some days."""
        with self.household(name):
            last = [use.day for use in self.uses if (use.owner, use.what) == (name, "consultation")]
            rests = bool(last) and self.today < max(last) + CONSULTATION_RESTS * DAY
            known = self.members[name].status == "active"
            wanted = CONSULTATION_POINTS if known and not rests and not self.is_staff(name) else 0
            points = min(wanted, self._most(name, is_order=False))
            if wanted:
                self.uses.append(Use(name, "consultation", self.today, points, redemption=action))
            if not points:
                return self._did(name, "nothing", occurred_at, 0)
            self.uses.append(Use(name, "day", self.today, points, redemption=action))
            self.points += [Point(name, "waiting", None, cause=action) for _ in range(points)]
            return points

    def decide(self, action: str, *, approved: bool) -> None:
        """An operator's decision on a consultation."""
        cards = [point for point in self.points if (point.state, point.cause) == ("waiting", action)]
        name = cards[0].owner
        with self.household(name):
            if not approved:
                for card in cards:
                    card.state = "taken_back"
                self.uses = [use for use in self.uses if use.redemption != action]
                return
            self._stay_active(name, self.today)
            self.points = [point for point in self.points if point not in cards]
            self._bring(name, len(cards), self.today, self.program.earning.pending_days)
            self.members[name].earned += len(cards)
            if self.program.tiers.measure == "points":
                self.merits.append(Merit(name, self.today.year * 12 + self.today.month, len(cards)))
            self._rise(name)

    def undecided(self) -> list[str]:
        """Consultations that wait for an operator."""
        waiting = [point for point in self.points if point.state == "waiting" and point.cause]
        return sorted({str(point.cause) for point in waiting if str(point.cause).startswith("consultation")})

    def rank(self, name: str) -> int:
        """The tier held, counted from the lowest; a paid membership gives at least the second."""
        return max(self.members[name].rank, 1 if name in self.paid_through else 0)

    def is_staff(self, name: str) -> bool:
        return "staff" in self.people[name].tags

    def earned_today(self, name: str) -> int:
        mine = [use for use in self.uses if (use.owner, use.what, use.day) == (name, "day", self.today)]
        return sum(use.points for use in mine)

    def held_out(self, name: str) -> bool:
        """The published draw: 64 bits of a digest over both ids, in percent."""
        first = hashlib.sha256(f"hold-out:spring:{name}".encode()).hexdigest()[:16]
        return int(first, 16) % 100 < SPRING_HELD_OUT

    def reserve_reward(self, name: str, redemption: str, reward: str) -> None:
        """A cup takes the second tier, reached or paid for."""
        member = self.members[name]
        reached, member.rank = member.rank, self.rank(name)
        try:
            super().reserve_reward(name, redemption, reward)
        finally:
            member.rank = reached

    def _did(self, name: str, what: str, occurred_at: datetime, points: int) -> int:
        began = self._local_day(min(occurred_at, self.now))
        wanted = 0 if self.is_staff(name) else points
        points = min(wanted, self._most(name, is_order=False))
        if wanted:
            self.uses.append(Use(name, what, self.today, wanted))
            self.uses.append(Use(name, "day", self.today, points))
        self._stay_active(name, began)
        self._bring(name, points, began, self.program.earning.pending_days)
        self.members[name].earned += points
        if self.program.tiers.measure == "points":
            self.merits.append(Merit(name, began.year * 12 + began.month, points))
        self._rise(name)
        return points

    def _note_uses(self, sale: WholeSale, earned: int) -> None:
        name, today = sale.owner, self.today
        if sale.bonus:
            self.uses.append(Use(name, "bonus", today, 2))
        if sale.flat:
            self.uses.append(Use(name, "spring", today, sale.flat))
            # What is doubled comes after it, so a cap cuts that first.
            before = self._uncapped(replace(sale, extra=0), sale.total) - sale.flat
            self.spring_left -= min(sale.flat, max(0, earned - before))
        self.uses.append(Use(name, "day", today, earned))
        if sale.partner:
            self.uses.append(Use(name, "bakery", today, earned))
            self.deposits_left -= earned

    def _worth(self, sale: Sale, kept: int) -> int:
        """No more than the caps allow."""
        assert isinstance(sale, WholeSale)
        return min(self._uncapped(sale, kept), sale.most)

    def _uncapped(self, sale: WholeSale, kept: int) -> int:
        """The base with all that multiplies it, and what comes on top."""
        earning = sale.earning
        if sale.nothing or kept == 0 or kept < earning.minimum_spend:
            return 0
        exact = Fraction(kept * earning.points * (sale.percent + sale.extra), earning.per_amount * 100)
        exact += 2 if sale.bonus and kept >= 500 else 0
        exact += sale.flat if kept >= 300 else 0
        return {"down": floor(exact), "up": ceil(exact), "nearest": floor(exact + Fraction(1, 2))}[earning.rounding]

    def _spring(self, name: str, total: int) -> int:
        """3 points from 3.00 up, 8 a month, for those who are not held out, as long as the budget lasts."""
        if total < max(300, 1) or self.held_out(name):
            return 0
        had = sum(use.points for use in self._had_this_month(name, "spring"))
        return max(0, min(SPRING_POINTS, SPRING_A_MONTH - had, self.spring_left))

    def _most(self, name: str, *, is_order: bool = True, partner: bool = False) -> int:
        limits = [DAY_MOST - self.earned_today(name)]
        if is_order:
            limits.append(ORDER_MOST)
        if self.members[name].status == "provisional":
            limits.append(UNKNOWN_MOST - len(self._of(name, "waiting")))
        if partner:
            mine = [use for use in self.uses if (use.owner, use.what, use.day) == (name, "bakery", self.today)]
            limits += [BAKERY_ORDER_MOST, BAKERY_DAY_MOST - sum(use.points for use in mine)]
        return max(0, min(limits))

    def _bring(
        self, name: str, points: int, began: date, pending_days: int = 0, cause: str | None = None
    ) -> date | None:
        """New points: waiting for those who have not agreed, for ever for those who live where none may expire."""
        if self.members[name].status == "provisional":
            self.points += [Point(name, "waiting", None, cause=cause) for _ in range(points)]
            return None
        return self._hand_out(name, points, began, pending_days)

    def _hand_out(self, name: str, points: int, began: date, pending_days: int = 0) -> date | None:
        if self.people[name].place != "US-CA":
            return super()._hand_out(name, points, began, pending_days)
        self._hand_out_for_ever(name, points, began, pending_days)
        return None

    def _still_to_come(self, order: str) -> list[Point]:
        sale = self._whole(order)
        waiting = [card for card in self._of(sale.owner, "waiting") if card.cause == order]
        return waiting or ([] if sale.pooled else super()._still_to_come(order))

    def _whole(self, order: str) -> WholeSale:
        sale = self.sales[order]
        assert isinstance(sale, WholeSale)
        return sale

    def _stamp(self, name: str, day: date, total: int) -> None:
        """Badges: every third order from 3.00 up; two visits within four days, once; two days in a row."""
        stamps = self.stamps.setdefault(name, Stamps())
        had: list[tuple[str, int]] = []
        if total >= 300:
            stamps.orders += 1
            if stamps.orders == 3:
                stamps.orders = 0
                had.append(("every-third", EVERY_THIRD_POINTS))
        if "two-visits" not in stamps.badges:
            days = {*stamps.days, day}
            stamps.days = sorted(one for one in days if one > max(days) - 4 * DAY)[-2:]
            if len(stamps.days) == 2:
                had.append(("two-visits", TWO_VISITS_POINTS))
        if stamps.run_day is None or day > stamps.run_day:
            stamps.run = stamps.run + 1 if stamps.run_day == day - DAY else 1
            stamps.run_day = day
            if stamps.run == 2:
                stamps.run = 0
                had.append(("in-a-row", IN_A_ROW_POINTS))
        for badge, points in had:
            stamps.badges[badge] = stamps.badges.get(badge, 0) + 1
            given = 0 if self.is_staff(name) else points
            self._bring(name, given, self.today, self.program.earning.pending_days)
            self.members[name].earned += given
