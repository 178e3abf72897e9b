"""What orders and actions bring in a program with everything, and what of it a return takes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction

from tests.model.clerks.sharing import SharingClerk
from tests.model.points_one_by_one import DAY, Grant, Line, Merit, Point, RefusedError, Sale, Use, month_number

ORDER_MOST, DAY_MOST, UNKNOWN_MOST = 25, 40, 6
"""Points for an order, for a day, and waiting for somebody unknown."""
SPRING_POINTS, SPRING_A_MONTH, SPRING_BUDGET, SPRING_HELD_OUT = 3, 8, 10, 40
BAKERY_ORDER_MOST, BAKERY_DAY_MOST = 10, 15
CONSULTATION_POINTS, CONSULTATION_RESTS = 4, 3
PLUS_PERCENT = 50
"""What a paid membership adds to the base points."""
BADGES = {"every-third": 2, "two-visits": 3, "in-a-row": 1}
"""Their points."""


@dataclass
class Stamps:
    """How far a member is with each challenge, and how often each badge is held."""

    orders: int = 0
    days: list[date] = field(default_factory=list)
    run: int = 0
    run_day: date | None = None
    badges: dict[str, int] = field(default_factory=dict)

    def stamp(self, day: date, total: int) -> list[str]:
        """Every third order from 3.00 up; two visits within four days, once; two days in a row. The badges for it."""
        had: list[str] = []
        if total >= 300:
            self.orders += 1
            if self.orders == 3:
                self.orders = 0
                had.append("every-third")
        if not self.badges.get("two-visits"):
            days = {*self.days, day}
            self.days = sorted(one for one in days if one > max(days) - 4 * DAY)[-2:]
            if len(self.days) == 2:
                had.append("two-visits")
        if self.run_day is None or day > self.run_day:
            self.run = self.run + 1 if self.run_day == day - DAY else 1
            self.run_day = day
            if self.run == 2:
                self.run = 0
                had.append("in-a-row")
        for badge in had:
            self.badges[badge] = self.badges.get(badge, 0) + 1
        return had

    def progress(self) -> tuple[int, list[date], tuple[str, int]]:
        """What can be seen of it: the days are looked at no more once their badge is there."""
        days = [] if self.badges.get("two-visits") else self.days
        return self.orders, days, (str(self.run_day or ""), self.run)

    def unite(self, other: "Stamps") -> None:
        """Take over whatever is further on."""
        self.orders = max(self.orders, other.orders)
        self.days = other.days if len(other.days) > len(self.days) else self.days
        if (other.run_day or date.min, other.run) > (self.run_day or date.min, self.run):
            self.run_day, self.run = other.run_day, other.run
        for badge, times in other.badges.items():
            self.badges[badge] = times + self.badges.get(badge, 0)


@dataclass
class Badge(Grant):
    """A badge with its points, and the cause that these waited for."""

    name: str
    cause: str
    lost: bool = False


@dataclass
class WholeSale(Sale):
    """A sale with everything that was on top: `extra` percent of the base, `flat` points, `most` of all."""

    order: str = ""
    extra: int = 0
    flat: int = 0
    most: int = 0
    drawn: int = 0
    """What the whole of it costs the campaign's budget."""
    nothing: bool = False
    partner: bool = False
    """Whether it is a partner's: it counts toward no tier, campaign, badge or referral."""
    by: str = ""
    """Who bought it, though they may have been merged into another since."""
    placed_on: date = date.min
    pooled: bool = False
    """Whether its points waited for consent, and then went among all others."""


@dataclass
class EarningClerk(SharingClerk):
    """Cards say what they wait for."""

    deposits_left: int = 0
    deeds: dict[str, list[WholeSale | str]] = field(default_factory=dict)
    """What each member has bought, and whom they took in, one after the other."""
    stamps: dict[str, Stamps] = field(default_factory=dict)
    badges: list[Badge] = field(default_factory=list)
    paid_through: dict[str, date] = field(default_factory=dict)
    """Of paid memberships, while they last."""

    @property
    def spring_left(self) -> int:
        """What the orders that are kept leave of the campaign's budget."""
        sales = map(self._whole, self.sales)
        return SPRING_BUDGET - sum(min(sale.drawn, self._drawn(sale)) for sale in sales)

    def order(
        self,
        name: str,
        order: str,
        total: int,
        placed_at: datetime,
        lines: Sequence[Line] = (),
        *,
        partner: bool = False,
    ) -> int:
        """The points of an order alone."""
        with self.household(name):
            return self._order(name, order, total, placed_at, lines, partner=partner)

    def _order(
        self, name: str, order: str, total: int, placed_at: datetime, lines: Sequence[Line], *, partner: bool
    ) -> int:
        began = self._local_day(min(placed_at, self.now))
        sale = WholeSale(
            name,
            total,
            self.program.earning,
            self.program.tiers.levels[self.rank(name)].percent + PLUS_PERCENT * (name in self.paid_through),
            False,
            began + self.program.earning.pending_days * DAY,
            None,
            month_number(began),
            self.today,
            lines=lines,
            order=order,
            by=name,
            most=self._most(name, partner=partner),
            nothing=self.is_staff(name),
            partner=partner,
            placed_on=began,
        )
        if self._earns(sale):
            sale.bonus = self._bonus_applies(name, sale)
            sale.cups_most = self._cups_most(name)
            if not partner:
                sale.flat = self._spring(name, sale)
                sale.extra = 100 * ("vip" in self.people[name].tags)
        sale.drawn = self._drawn(sale)
        sale.flat = min(sale.flat, sale.drawn)  # what a cap cuts no budget has paid for: no return brings it
        earned = self._worth(sale)
        if partner:
            if earned > self.deposits_left:
                raise RefusedError("partner_funding_exhausted")
            self.deposits_left -= earned
        sale.active_until = self._stay_active(name, began) if earned and not partner else None
        sale.last_day = self._bring(name, earned, began, self.program.earning.pending_days, cause=order)
        if self.members[name].status == "provisional":
            sale.last_day, sale.pooled = date.min, True
        self.sales[order] = sale
        self.members[name].earned += earned
        self._count(Merit(name, sale.month, self._counts(sale), order))
        self._stamp(name, sale)
        return earned

    def refund(self, order: str, amount: int, lines: Sequence[Line] = ()) -> int:
        sale = self._whole(order)
        with self.household(sale.owner):
            taken = super().refund(order, amount, lines)
            self._put_badges_right(sale.owner)
        self.deposits_left += taken if sale.partner else 0
        return taken

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
                self._count(Merit(name, month_number(self.today), len(cards)))

    def undecided(self) -> list[str]:
        """Consultations that wait for an operator."""
        waiting = [point for point in self.points if point.state == "waiting" and point.cause]
        return sorted({str(point.cause) for point in waiting if str(point.cause).startswith("consultation")})

    def qualifying(self, name: str) -> int:
        """What counts toward a tier today."""
        return self._counted(name, self._period_begins(self.today), month_number(self.today))

    def had(self, name: str) -> dict[str, int]:
        """What counts for limits today, or in this month."""
        return {
            "bonuses": self._bonuses_this_month(name),
            "cups": self._cups_this_month(name),
            "spring": self._spring_this_month(name),
            "today": self.earned_today(name),
            "bakery": self._of_bakery_today(name),
        }

    def rank(self, name: str) -> int:
        """The tier held, counted from the lowest; a paid membership gives at least the second."""
        return max(self.members[name].tier.rank, 1 if name in self.paid_through else 0)

    def is_staff(self, name: str) -> bool:
        return "staff" in self.people[name].tags

    def earned_today(self, name: str) -> int:
        mine = [use for use in self.uses if (use.owner, use.what, use.day) == (name, "day", self.today)]
        bought = [sale for sale in self.sales.values() if (sale.owner, sale.booked_on) == (name, self.today)]
        return sum(use.points for use in mine) + sum(self._worth(sale) for sale in bought)

    def held_out(self, name: str) -> bool:
        """The published draw: 64 bits of a digest over both ids, in percent."""
        first = hashlib.sha256(f"hold-out:spring:{name}".encode()).hexdigest()[:16]
        return int(first, 16) % 100 < SPRING_HELD_OUT

    def reserve_reward(self, name: str, redemption: str, reward: str) -> None:
        """A cup takes the second tier, reached or paid for."""
        member = self.members[name]
        reached, member.tier = member.tier, replace(member.tier, rank=self.rank(name))
        try:
            super().reserve_reward(name, redemption, reward)
        finally:
            member.tier = reached

    def _did(self, name: str, what: str, occurred_at: datetime, points: int) -> int:
        began = self._local_day(min(occurred_at, self.now))
        wanted = 0 if self.is_staff(name) else points
        points = min(wanted, self._most(name, is_order=False))
        if wanted:
            self.uses.append(Use(name, what, self.today, wanted))
            self.uses.append(Use(name, "day", self.today, points))
        if points:
            self._stay_active(name, began)
        self._bring(name, points, began, self.program.earning.pending_days)
        self.members[name].earned += points
        if self.program.tiers.measure == "points":
            self._count(Merit(name, month_number(began), points))
        return points

    def _worth(self, sale: Sale) -> int:
        """No more than the caps allow."""
        return min(super()._worth(sale), self._whole_of(sale).most)

    def _earns(self, sale: Sale) -> bool:
        return not self._whole_of(sale).nothing and super()._earns(sale)

    def _exact_pieces(self, sale: Sale) -> list[tuple[str, Fraction]]:
        """And what campaigns add: some points from 3.00 up, and the base again."""
        whole, kept = self._whole_of(sale), sale.kept()
        has_spring = kept.total >= 300 and kept.earning > 0
        again = kept.earning * sale.earning.points * whole.extra / (sale.earning.per_amount * 100)
        return [
            *super()._exact_pieces(sale),
            ("spring", Fraction(whole.flat if has_spring else 0)),
            ("double", again),
        ]

    def _counts(self, sale: Sale) -> int:
        whole = self._whole_of(sale)
        is_nothing = whole.nothing and self.program.tiers.measure == "spend"
        return 0 if is_nothing or whole.partner else super()._counts(sale)

    def _drawn(self, sale: WholeSale) -> int:
        """What a sale would cost the campaign's budget. What is doubled comes after that, so a cap cuts it first."""
        pieces = dict(self._pieces(sale))
        cut = max(0, sum(pieces.values()) - sale.most)
        return max(0, pieces.get("spring", 0) - max(0, cut - pieces.get("double", 0)))

    def _spring(self, name: str, sale: WholeSale) -> int:
        """3 points, 8 a month, for those who are not held out, as long as the budget lasts."""
        if self.held_out(name) or sale.total < 300 or not sale.kept().earning:
            return 0
        return max(0, min(SPRING_POINTS, SPRING_A_MONTH - self._spring_this_month(name), self.spring_left))

    def _spring_this_month(self, name: str) -> int:
        return sum(dict(self._pieces(sale)).get("spring", 0) for sale in self._sales_this_month(name))

    def _of_bakery_today(self, name: str) -> int:
        mine = [sale for sale in map(self._whole, self.sales) if sale.partner and sale.owner == name]
        return sum(self._worth(sale) for sale in mine if sale.booked_on == self.today)

    def _most(self, name: str, *, is_order: bool = True, partner: bool = False) -> int:
        limits = [DAY_MOST - self.earned_today(name)]
        if is_order:
            limits.append(ORDER_MOST)
        if self.members[name].status == "provisional":
            limits.append(UNKNOWN_MOST - len(self._of(name, "waiting")))
        if partner:
            limits += [BAKERY_ORDER_MOST, BAKERY_DAY_MOST - self._of_bakery_today(name)]
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

    def _expired_of(self, name: str, grant: Sale | Grant) -> list[Point]:
        """What waited for consent has the last day that it got then."""
        if grant.last_day == date.min:
            return super()._expired_of(name, replace(grant, last_day=grant.agreed_until)) if grant.agreed_until else []
        return super()._expired_of(name, grant)

    def _whole(self, order: str) -> WholeSale:
        return self._whole_of(self.sales[order])

    def _whole_of(self, sale: Sale) -> WholeSale:
        assert isinstance(sale, WholeSale)
        return sale

    def _stamp(self, name: str, sale: WholeSale) -> None:
        if sale.partner or sale.nothing:
            return
        self.deeds.setdefault(name, []).append(sale)
        for badge in self.stamps.setdefault(name, Stamps()).stamp(sale.placed_on, sale.total):
            self._give_badge(name, badge)

    def _stamped_again(self, name: str) -> Stamps:
        """How far somebody would be had they only ever bought what they have kept."""
        stamps = Stamps()
        for deed in self.deeds.get(name, []):
            if isinstance(deed, str):
                stamps.unite(self._stamped_again(deed))
            elif not deed.is_gone:
                stamps.stamp(deed.placed_on, deed.kept().total)
        return stamps

    def _put_badges_right(self, name: str) -> None:
        before = self.stamps.get(name, Stamps()).badges
        self.stamps[name] = self._stamped_again(name)
        for badge in BADGES:
            gained = self.stamps[name].badges.get(badge, 0) - before.get(badge, 0)
            held = [one for one in self.badges if (one.owner, one.name, one.lost) == (name, badge, False)]
            for lost in held[::-1][: max(0, -gained)]:
                self._take_badge(name, lost)
            for _ in range(gained):
                self._give_badge(name, badge)

    def _give_badge(self, name: str, badge: str) -> None:
        points, pending_days = 0 if self.is_staff(name) else BADGES[badge], self.program.earning.pending_days
        cause = f"badge-{len(self.badges)}"
        last_day = self._bring(name, points, self.today, pending_days, cause=cause)
        if self.members[name].status == "provisional":
            last_day = date.min
        available_on = self.today + pending_days * DAY
        self.badges.append(Badge(name, points, self.today, available_on, last_day, badge, cause))
        self.members[name].earned += points

    def _take_badge(self, name: str, badge: Badge) -> None:
        badge.lost = True
        waiting = [card for card in self._of(name, "waiting") if card.cause == badge.cause]
        self._take_back(name, badge.points, waiting or self._pending_of(name, badge), badge)

    def _pending_of(self, name: str, grant: Grant) -> list[Point]:
        days = (grant.available_on, grant.last_day)
        return [card for card in self._of(name, "pending") if (card.available_on, card.last_day) == days]
