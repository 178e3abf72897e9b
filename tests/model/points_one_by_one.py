"""Every single point as a record of its own: slow and simple, and written without the rules that it is compared with.

It takes the same decisions as a clerk with a box of index cards would, one card a point. A day is told by looking at
the local clock, a deadline by turning the calendar's pages.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Literal
from zoneinfo import ZoneInfo

from shared.domain.program.expiry import CalendarDate, Inactivity, Term
from shared.domain.program.program import Earning, Program

DAY = timedelta(days=1)
CUPS_A_MONTH = 5

State = Literal["pending", "waiting", "available", "held", "captured", "expired", "taken_back", "settled", "forfeited"]
Lot = tuple[date, bool]
"""The last day of points, and whether it is one of grace."""
"""`waiting` is for an approval, `pending` for a day."""


class RefusedError(Exception):
    """The clerk will not do it; the text is the published code."""


@dataclass
class Point:
    owner: str
    state: State
    last_day: date | None
    available_on: date | None = None
    redemption: str | None = None
    cause: str | None = None
    """What they are waiting for."""
    expired_on: date | None = None
    graced: bool = False
    """Whether its last day is one of grace: there is no more of that."""
    ended_in_hold: bool = False
    """Whether its day passed while it was locked, and it expired when it was let go."""
    written_off: bool = False
    """Whether it expired, and some return has counted it as taken back."""


@dataclass
class Line:
    """An article of an order; `amount` is for all pieces."""

    sku: str
    category: str | None
    pieces: int
    amount: int


@dataclass
class Kept:
    """What of an order is kept: cents in all, cents that earn, cents spent on tea, cups."""

    total: int
    earning: Fraction
    tea: Fraction
    cups: Fraction


@dataclass
class Sale:
    owner: str
    total: int
    earning: Earning
    percent: int
    bonus: bool
    available_on: date
    last_day: date | None
    month: int
    booked_on: date
    refunded: int = 0
    lines: Sequence[Line] = ()
    back: list[Line] = field(default_factory=list)
    """What has come back by name; of what came back otherwise, each cent is a bit of everything."""
    cups_most: int = 0
    """The most points that its cups may bring."""
    agreed_until: date | None = None
    """The last day of its points, if they waited for consent and got it."""
    active_until: date | None = None
    """The deadline that it gives as activity, if it does."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing is kept: then it is no order."""
        if self.total:
            return self.refunded == self.total
        return 0 < sum(line.pieces for line in self.lines) <= sum(line.pieces for line in self.back)

    def kept(self) -> Kept:
        """Lines come back, each from the line that it fits; then a cent of anything has lost the same share."""
        lines = [replace(line) for line in self.lines]
        rest = self.total - sum(line.amount for line in lines)
        for gone in self.back:
            pieces, cents = gone.pieces, gone.amount
            for line in fitting([line for line in lines if line.sku == gone.sku], gone):
                taken, paid = min(pieces, line.pieces), min(cents, line.amount)
                line.pieces, line.amount = line.pieces - taken, line.amount - paid
                pieces, cents = pieces - taken, cents - paid
        there, left = rest + sum(line.amount for line in lines), self.total - self.refunded
        share = Fraction(left, there) if there else Fraction(1)
        return Kept(
            left,
            share * (rest + sum(line.amount for line in lines if line.category != "gift")),
            share * sum(line.amount for line in lines if line.category == "tea"),
            share * sum(line.pieces for line in lines if line.sku == "cup"),
        )


@dataclass
class Grant:
    """Points that were given on a day, for something that may prove to rest on nothing."""

    owner: str
    points: int
    booked_on: date
    available_on: date
    last_day: date | None
    agreed_until: date | None = field(default=None, kw_only=True)


@dataclass
class Redemption:
    owner: str
    state: Literal["reserved", "captured", "reversed", "cancelled", "lapsed"]
    lapses_at: datetime
    active_until: date | None = None
    """The deadline that its capture gives as activity, if it does."""


@dataclass
class Forgiven:
    """One point that was gone when its order came back: its lot, and the redemptions that it may have gone for."""

    lot: Lot
    out: frozenset[str]


@dataclass
class Use:
    """One time that something limited was had."""

    owner: str
    what: str
    day: date
    points: int = 0
    redemption: str | None = None


@dataclass
class Merit:
    """What one order or action counts toward tiers, in the month numbered `month`."""

    owner: str
    month: int
    amount: int
    order: str | None = None


@dataclass
class Standing:
    """In which tier somebody is: since when, and when that is looked at again."""

    since: date
    rank: int = 0
    review_on: date | None = None
    grace: bool = False


@dataclass
class Page:
    """What happened to a member's tier on a day: something counts, a review came out so, or somebody was taken in."""

    day: date
    what: Merit | Standing | str


@dataclass
class Prolonged:
    """What activity with one deadline has done: how much of it is kept, and from which lots points came to that day."""

    by: int = 0
    came: Counter[Lot] = field(default_factory=Counter)


@dataclass
class Member:
    tier: Standing
    began: Standing = field(init=False)
    """The tier that somebody came with."""
    diary: list[Page] = field(default_factory=list)
    debt: int = 0
    forgiven: list["Forgiven"] = field(default_factory=list)
    """Points that were gone when their order came back: they do not come back."""
    late: Counter[tuple[Lot, Lot]] = field(default_factory=Counter)
    """Points that came back after their last day, or were prolonged, by their lot before and after that."""
    prolonged: dict[date, Prolonged] = field(default_factory=dict)
    """Where inactivity ends points, what activity has done, by the last day that it gives."""
    earned: int = 0
    status: Literal["active", "provisional", "merged", "erased", "lapsed"] = "active"

    def __post_init__(self) -> None:
        self.began = self.tier


@dataclass
class Clerk:
    """The box of cards, as of `now`. Refuses by raising RefusedError, and then has changed nothing."""

    program: Program
    now: datetime
    members: dict[str, Member] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    sales: dict[str, Sale] = field(default_factory=dict)
    redemptions: dict[str, Redemption] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    merits: list[Merit] = field(default_factory=list)
    today: date = field(init=False)

    def __post_init__(self) -> None:
        self.today = self._local_day(self.now)

    # What members ask for ---------------------------------------------------------------------------------------------

    def enroll(self, name: str) -> None:
        self.members[name] = Member(Standing(since=self.today))
        welcome = self.program.earning.welcome_points
        self._hand_out(name, welcome, self.today)
        self.members[name].earned = welcome

    def buy(self, name: str, order: str, total: int, placed_at: datetime, lines: Sequence[Line] = ()) -> int:
        began = self._local_day(min(placed_at, self.now))
        percent = self.program.tiers.levels[self.members[name].tier.rank].percent
        available_on = began + self.program.earning.pending_days * DAY
        last_day = self._deadline(available_on)
        sale = Sale(
            name,
            total,
            self.program.earning,
            percent,
            False,
            available_on,
            last_day,
            month_number(began),
            self.today,
            lines=lines,
        )
        sale.bonus = self._bonus_applies(name, sale)
        sale.cups_most = self._cups_most(name)
        earned = self._worth(sale)
        sale.active_until = self._stay_active(name, began) if earned else None
        sale.last_day = self._hand_out(name, earned, began, self.program.earning.pending_days)
        self.sales[order] = sale
        self.members[name].earned += earned
        self._count(Merit(name, month_number(began), self._counts(sale), order))
        return earned

    def act(self, name: str, occurred_at: datetime) -> int:
        """A review: three points, but at most seven points a week."""
        began = self._local_day(min(occurred_at, self.now))
        earned = max(0, min(3, 7 - self._reviewed_this_week(name)))
        self.uses.append(Use(name, "review", self.today, earned))
        if earned:
            self._stay_active(name, began)
        self._hand_out(name, earned, began, self.program.earning.pending_days)
        self.members[name].earned += earned
        if self.program.tiers.measure == "points":
            self._count(Merit(name, month_number(began), earned))
        return earned

    def refund(self, order: str, amount: int, lines: Sequence[Line] = ()) -> int:
        """An amount comes back, or lines by name. The points that this takes."""
        sale = self.sales[order]
        before = self._worth(sale)
        self._note_return(sale, amount, lines)
        taken = self._take_back(sale.owner, before - self._worth(sale), self._still_to_come(order), sale)
        if before and not self._worth(sale):
            self._was_not_active(sale.owner, sale.active_until)
        for merit in self.merits:
            if merit.order == order:
                merit.amount = self._counts(sale)
        self.members[sale.owner].tier = self._lived_again(sale.owner)[0]
        return taken

    def reserve_points(self, name: str, redemption: str, points: int) -> None:
        self._reserve(name, redemption, points)

    def reserve_reward(self, name: str, redemption: str, reward: str) -> None:
        """A mug costs 1, at most one a month; a cup 2, from the second tier up; a coffee 2."""
        if reward == "cup" and self.members[name].tier.rank < 1:
            raise RefusedError("reward_unavailable")
        if reward == "mug" and self._had_this_month(name, "mug"):
            raise RefusedError("reward_unavailable")
        self._reserve(name, redemption, {"mug": 1, "cup": 2, "coffee": 2}[reward])
        self.uses.append(Use(name, reward, self.today, redemption=redemption))

    def capture(self, redemption: str) -> None:
        """The till does, and that is activity."""
        one = self.redemptions[redemption]
        one.state = "captured"
        taken = [(card, _end(card)) for card in self._in(redemption, "held")]
        if not self._shares(one.owner):
            cards = [*self._available(one.owner), *(card for card, _ in taken)]
            one.active_until = self._prolong(one.owner, cards, self.today)
        for card, lot in taken:
            card.state = "captured"
            if _end(card) != lot:  # what is spent ends with no lot
                self.members[one.owner].late[lot, _end(card)] -= 1

    def cancel(self, redemption: str) -> None:
        """The till or an operator does."""
        self._give_back(redemption, "held", "cancelled")

    def give_up(self, redemption: str) -> None:
        """The member does."""
        self._give_back(redemption, "held", "cancelled", by_shop=False)

    def reverse(self, redemption: str) -> None:
        self._give_back(redemption, "captured", "reversed")
        one = self.redemptions[redemption]
        self._was_not_active(one.owner, one.active_until, has_grace=True)

    def transfer(self, giver: str, receiver: str, points: int) -> None:
        moving = self._soonest(giver, points)
        for point in moving:
            point.owner = receiver
        self._arrive(receiver, moving)

    def merge(self, gone: str, into: str) -> None:
        away, stays = self.members[gone], self.members[into]
        cards: list[Point | Sale | Redemption | Use | Merit] = [*self.points, *self.uses, *self.merits]
        for card in [*cards, *self.sales.values(), *self.redemptions.values()]:
            if card.owner == gone:
                card.owner = into
        stays.debt += away.debt
        stays.forgiven += away.forgiven
        stays.late += away.late
        for day, note in away.prolonged.items():
            known = stays.prolonged.setdefault(day, Prolonged())
            known.by += note.by
            known.came += note.came
        if away.prolonged:
            self._forget_days(into)
        stays.earned += away.earned
        away.debt = away.earned = 0
        away.status = "merged"
        for point in self._available(into):
            if stays.debt:
                stays.debt -= 1
                point.state = "settled"
        if away.tier.rank > stays.tier.rank:
            stays.tier = replace(away.tier)
        stays.diary.append(Page(self.today, gone))
        self._rise(into)

    def adjust(self, name: str, points: int) -> None:
        if points > 0:
            self._hand_out(name, points, self.today)
        else:
            for point in self._soonest(name, -points):
                point.state = "taken_back"

    def erase(self, name: str) -> None:
        for redemption in self.reserved(name):
            self.cancel(redemption)
        for point in self.points:
            if point.owner == name and point.state in ("available", "pending", "waiting"):
                point.state = "forfeited"
        self.members[name].debt = 0
        self.members[name].status = "erased"

    def wait_until(self, instant: datetime) -> None:
        """Live through every day from now to `instant`."""
        last = self._local_day(instant)
        while True:
            for redemption in self._lapsing_today(instant):
                self._give_back(redemption, "held", "lapsed", by_shop=False)
            if self.today == last:
                break
            self.today += DAY
            self._a_day_begins()
        self.now = instant

    # What there is ----------------------------------------------------------------------------------------------------

    def active(self) -> list[str]:
        return [name for name, member in self.members.items() if member.status == "active"]

    def balance(self, name: str) -> int:
        return len(self._available(name))

    def reserved(self, name: str) -> list[str]:
        return sorted(id_ for id_, one in self.redemptions.items() if (one.owner, one.state) == (name, "reserved"))

    def refundable(self) -> list[str]:
        return [
            order
            for order, sale in self.sales.items()
            if sale.refunded < sale.total and self.members[sale.owner].status == "active"
        ]

    def in_state(self, state: str) -> list[str]:
        return [
            id_
            for id_, one in self.redemptions.items()
            if one.state == state and self.members[one.owner].status == "active"
        ]

    def days_to_come(self) -> list[date]:
        """The days at whose beginning something will happen."""
        ends = {point.last_day + DAY for point in self.points if point.state == "available" and point.last_day}
        opens = {point.available_on for point in self.points if point.state == "pending" and point.available_on}
        reviews = {member.tier.review_on for member in self.members.values() if member.tier.review_on}
        return sorted(day for day in ends | opens | reviews if day > self.today)

    def count(self, state: State) -> int:
        return sum(point.state == state for point in self.points)

    def holdings(self, name: str) -> dict[str, object]:
        """All that can be seen of an account."""
        member = self.members[name]
        mine = [point for point in self.points if point.owner == name]
        if member.status != "active":
            kept = [point for point in mine if point.state in ("available", "pending", "waiting", "held")]
            return {"status": member.status, "left": len(kept), "debt": member.debt}
        return {
            "status": member.status,
            "balance": self.balance(name),
            "pending": len(self._of(name, "pending")),
            "held": len(self._of(name, "held")),
            "debt": member.debt,
            "earned": member.earned,
            "lots": _tally(lot_name(point) for point in mine if point.state == "available"),
            "pending_lots": _tally(
                f"{point.available_on}/{_name(point.last_day)}" for point in mine if point.state == "pending"
            ),
            "holds": {
                redemption: _tally(lot_name(point) for point in self._in(redemption, "held"))
                for redemption in self.reserved(name)
            },
            "tier": (member.tier.rank, member.tier.since, member.tier.review_on, member.tier.grace),
            "qualifying": self._counted(name, self._period_begins(self.today), month_number(self.today)),
            "had": {
                "mugs": len(self._had_this_month(name, "mug")),
                "bonuses": self._bonuses_this_month(name),
                "cups": self._cups_this_month(name),
                "review": self._reviewed_this_week(name),
            },
        }

    # How the clerk works ----------------------------------------------------------------------------------------------

    def _local_day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.program.time_zone)).date()

    def _of(self, name: str, state: State) -> list[Point]:
        return [point for point in self.points if (point.owner, point.state) == (name, state)]

    def _in(self, redemption: str, state: State) -> list[Point]:
        return [point for point in self.points if (point.redemption, point.state) == (redemption, state)]

    def _still_to_come(self, order: str) -> list[Point]:
        """An order's points, or others of the same days, that cannot be spent yet."""
        sale = self.sales[order]
        return [
            point
            for point in self._of(sale.owner, "pending")
            if (point.available_on, point.last_day) == (sale.available_on, sale.last_day)
        ]

    def _available(self, name: str) -> list[Point]:
        """Oldest first, points that never expire last."""
        return sorted(self._of(name, "available"), key=_end)

    def _soonest(self, name: str, points: int) -> list[Point]:
        available = self._available(name)
        if points > len(available):
            raise RefusedError("insufficient_points")
        return available[:points]

    def _hand_out(self, name: str, points: int, began: date, pending_days: int = 0) -> date | None:
        """New points; the last day of their lot."""
        available_on = began + pending_days * DAY
        last_day = self._deadline(available_on)
        if available_on > self.today:
            self.points += [Point(name, "pending", last_day, available_on) for _ in range(points)]
            return last_day
        new = [Point(name, "available", last_day) for _ in range(points)]
        self.points += new
        self._arrive(name, new)
        return self._still_good(last_day)

    def _hand_out_for_ever(self, name: str, points: int, began: date, pending_days: int = 0) -> None:
        """New points where none may end."""
        available_on = began + pending_days * DAY
        new = [Point(name, "pending", None, available_on) for _ in range(points)]
        self.points += new
        if available_on <= self.today:
            self._arrive(name, new)

    def _arrive(self, name: str, points: Iterable[Point]) -> None:
        """Points that can be spent from now on, unless they are owed."""
        points = list(points)
        for point in points:
            point.last_day = self._still_good(point.last_day)
        member = self.members[name]
        for point in sorted(points, key=_end):
            point.redemption = None
            point.state = "settled" if member.debt else "available"
            member.debt -= 1 if member.debt else 0

    def _keep_living(self, points: Iterable[Point], *, by_shop: bool) -> list[Point]:
        """Those of points let go that live on; the shop gives grace once, from their own day on. The others expire."""
        grace, living = self.program.redeeming.returned_points_grace_days * DAY, []
        for point in points:
            if point.last_day is None or point.last_day >= self.today:
                living.append(point)
            elif by_shop and not point.graced and point.last_day + grace >= self.today:
                point.last_day, point.graced = point.last_day + grace, True
                living.append(point)
            else:
                point.state, point.expired_on, point.ended_in_hold = "expired", self.today, True
        return living

    def _still_good(self, last_day: date | None) -> date | None:
        if last_day is None or last_day >= self.today:
            return last_day
        return self.today + self.program.redeeming.returned_points_grace_days * DAY

    def _deadline(self, begins: date) -> date | None:
        policy = self.program.expiry
        if isinstance(policy, Inactivity):
            return months_later(begins, policy.months)
        if isinstance(policy, CalendarDate):
            day = begins + policy.minimum_days * DAY
            while not _falls_on(day, policy.month, policy.day):
                day += DAY
            return day
        if isinstance(policy, Term):
            day = months_later(begins, policy.months) if policy.months else begins + (policy.days or 0) * DAY
            last_months = {
                "day": (),
                "month": range(1, 13),
                "quarter": (3, 6, 9, 12),
                "half_year": (6, 12),
                "year": (12,),
            }[policy.ends]
            while last_months and not ((day + DAY).day == 1 and day.month in last_months):
                day += DAY
            return day
        return None

    def _stay_active(self, name: str, day: date, *, keeps_holds: bool = False) -> date | None:
        """Until when somebody's activity prolongs their points, those that they have reserved among them."""
        if self._shares(name):
            return None
        held = [] if keeps_holds else self._of(name, "held")
        return self._prolong(name, [*self._available(name), *held], day)

    def _shares(self, name: str) -> bool:  # noqa: ARG002 - who shares a box does
        """Whether somebody's points are not theirs alone."""
        return False

    def _prolong(self, name: str, points: Iterable[Point], day: date) -> date | None:
        if not isinstance(self.program.expiry, Inactivity):
            return None
        deadline = months_later(day, self.program.expiry.months)
        note = self.members[name].prolonged.setdefault(deadline, Prolonged())
        note.by += 1
        for point in points:
            if point.last_day is not None and point.last_day < deadline:
                note.came[_end(point)] += 1
                self.members[name].late[_end(point), (deadline, False)] += 1
                point.last_day, point.graced = deadline, False
        self._forget_days(name)
        return deadline

    def _forget_days(self, name: str) -> None:
        """Days that have passed everywhere are no longer noted."""
        notes, oldest = self.members[name].prolonged, self.now.astimezone(UTC).date() - DAY
        for day in [day for day in notes if day < oldest]:
            del notes[day]

    def _was_not_active(self, name: str, deadline: date | None, *, has_grace: bool = False) -> None:
        """What somebody did has come back: the points of its deadline end as they would have without it."""
        note = self.members[name].prolonged.get(deadline) if deadline else None
        if note is None or deadline is None or not note.by:
            return
        note.by -= 1
        if not note.by:
            at = (deadline, False)
            held = sorted((card for card in self._of(name, "held") if _end(card) == at), key=_redemption_of)
            cards = [*held, *(card for card in self._available(name) if _end(card) == at)]
            used: dict[date, Counter[Lot]] = {}
            for card, lot in zip(cards, sorted(self._days_before(name, at, len(cards), used)), strict=True):
                card.last_day, card.graced = lot
                if card.state == "available":
                    self._live_today(card, has_grace=has_grace)
            for day, came in used.items():
                self.members[name].prolonged[day].came -= came
        self._forget_days(name)

    def _days_before(self, name: str, lot: Lot, cards: int, used: dict[date, Counter[Lot]]) -> list[Lot]:
        """The lots in which so many cards of a lot were: those that would have ended last."""
        day, graced = lot
        note = None if graced else self.members[name].prolonged.get(day)
        if note is None or note.by:
            return [lot] * cards
        before = sorted(note.came.elements())
        left = before[max(0, len(before) - cards) :]
        used.setdefault(day, Counter()).update(left)
        found = [lot] * (cards - len(left))
        for one, times in Counter(left).items():
            found += self._days_before(name, one, times, used)
        return found

    def _live_today(self, card: Point, *, has_grace: bool) -> None:
        """A card that would have ended ends with the day, or after the grace of its own."""
        if card.last_day is None or card.last_day >= self.today:
            return
        graced = card.last_day + self.program.redeeming.returned_points_grace_days * DAY * has_grace
        if graced >= self.today and not card.graced:
            card.last_day, card.graced = graced, True
        else:
            card.last_day, card.graced = self.today, False

    def _worth(self, sale: Sale) -> int:
        """What an order over what is kept of it would have earned."""
        return sum(points for _, points in self._pieces(sale))

    def _pieces(self, sale: Sale) -> list[tuple[str, int]]:
        """Each part of that: what rounding the sum has gained by it."""
        exact, before, pieces = Fraction(0), 0, []
        for name, worth in self._exact_pieces(sale) if self._earns(sale) else ():
            exact += worth
            points = _rounded(exact, sale.earning.rounding)
            pieces.append((name, points - before))
            before = points
        return pieces

    def _earns(self, sale: Sale) -> bool:
        return not sale.is_gone and sale.kept().total >= sale.earning.minimum_spend

    def _exact_pieces(self, sale: Sale) -> list[tuple[str, Fraction]]:
        """The tier's share on top, two points from 5.00 up, tea twice, and a point for each cup."""
        earning, kept = sale.earning, sale.kept()
        each = Fraction(earning.points, earning.per_amount)
        has_bonus = sale.bonus and kept.total >= 500 and kept.earning > 0
        return [
            ("base", kept.earning * each * sale.percent / 100),
            ("bonus", Fraction(2 if has_bonus else 0)),
            ("tea", kept.tea * each),
            ("cups", min(kept.cups, Fraction(sale.cups_most))),
        ]

    def _counts(self, sale: Sale) -> int:
        """What is kept of an order toward tiers."""
        return self._worth(sale) if self.program.tiers.measure == "points" else sale.kept().total

    def _note_return(self, sale: Sale, amount: int, lines: Sequence[Line]) -> None:
        for sku in {line.sku for line in lines}:
            bought, back = all_of(sku, sale.lines), all_of(sku, [*sale.back, *lines])
            if back.pieces > bought.pieces or back.amount > bought.amount:
                raise RefusedError("refund_exceeds_order")
        amount = sum(line.amount for line in lines) if lines else amount
        if amount > sale.total - sale.refunded:
            raise RefusedError("refund_exceeds_order")
        sale.refunded += amount
        sale.back += lines

    def _take_back(self, name: str, points: int, pending: list[Point], grant: "Sale | Grant") -> int:
        """Of what a grant has brought: what is to come, its own lot, what of that has expired, then anything else.

        How many are gone, those owed included.
        """
        own = [point for point in self._available(name) if (point.last_day, point.graced) == (grant.last_day, False)]
        others = [point for point in self._available(name) if point not in own]
        cards = [*pending, *own, *self._expired_of(name, grant), *others][:points]
        for card in cards:
            if card.state == "expired":
                card.written_off = True
            else:
                card.state = "taken_back"
        member, short = self.members[name], points - len(cards)
        owed = short if self.program.refund_debt == "allowed" else 0
        taken = owed + sum(card.state == "taken_back" for card in cards)
        member.debt += owed
        if grant.last_day != date.min:
            out = frozenset(id_ for id_, one in self.redemptions.items() if one.owner == name)
            member.forgiven += [Forgiven((grant.last_day or date.max, False), out)] * (short - owed)
        member.earned -= taken
        return taken

    def _expired_of(self, name: str, grant: "Sale | Grant") -> list[Point]:
        """The points of a grant's lot that have expired, and that no return has counted yet.

        Where all points share one deadline, that is any since the grant.
        """
        if grant.last_day is None:
            return []
        expired = [point for point in self._expired(name) if not point.written_off]
        if isinstance(self.program.expiry, Inactivity):
            return sorted((point for point in expired if _was_among(point, grant.last_day, grant.booked_on)), key=_end)
        own = (grant.last_day, False)
        found = [point for point in expired if _end(point) == own]
        late = {own: len(self.points)}
        for (was, lot), points in self.members[name].late.items():
            if was in late:
                late[lot] = late.get(lot, 0) + min(points, late[was])
        for lot, points in late.items():
            if lot != own:
                found += [point for point in expired if _end(point) == lot][:points]
        return sorted(found, key=_end)

    def _expired(self, name: str) -> list[Point]:
        return self._of(name, "expired")

    def _bonus_applies(self, name: str, sale: Sale) -> bool:
        """At most twice a month."""
        least, kept = max(500, self.program.earning.minimum_spend), sale.kept()
        return kept.total >= least and kept.earning > 0 and self._bonuses_this_month(name) < 2

    def _cups_most(self, name: str) -> int:
        return max(0, CUPS_A_MONTH - self._cups_this_month(name))

    def _bonuses_this_month(self, name: str) -> int:
        """How many orders of this month have the bonus for what is kept of them."""
        return sum(dict(self._pieces(sale)).get("bonus", 0) > 0 for sale in self._sales_this_month(name))

    def _cups_this_month(self, name: str) -> int:
        return sum(dict(self._pieces(sale)).get("cups", 0) for sale in self._sales_this_month(name))

    def _sales_this_month(self, name: str) -> list[Sale]:
        mine = [sale for sale in self.sales.values() if sale.owner == name]
        return [sale for sale in mine if month_number(sale.booked_on) == month_number(self.today)]

    def _had_this_month(self, name: str, what: str) -> list[Use]:
        return [
            use
            for use in self.uses
            if (use.owner, use.what) == (name, what) and month_number(use.day) == month_number(self.today)
        ]

    def _reviewed_this_week(self, name: str) -> int:
        this_week = self.today.isocalendar()[:2]
        mine = [use for use in self.uses if (use.owner, use.what) == (name, "review")]
        return sum(use.points for use in mine if use.day.isocalendar()[:2] == this_week)

    def _reserve(self, name: str, redemption: str, points: int) -> None:
        if points > len(self._available(name)):
            raise RefusedError("insufficient_points")
        for point in self._soonest(name, points):
            point.state = "held"
            point.redemption = redemption
        lapses_at = self.now + timedelta(minutes=self.program.redeeming.hold_minutes)
        self.redemptions[redemption] = Redemption(name, "reserved", lapses_at)

    def _give_back(
        self,
        redemption: str,
        state: State,
        ends_as: Literal["cancelled", "lapsed", "reversed"],
        *,
        by_shop: bool = True,
    ) -> None:
        one = self.redemptions[redemption]
        one.state = ends_as
        lots = [(card, _end(card)) for card in self._not_forgiven(redemption, state)]
        self._arrive(one.owner, self._keep_living([card for card, _ in lots], by_shop=by_shop))
        for card, lot in lots:
            if card.state == "available" and _end(card) != lot:
                self.members[one.owner].late[lot, _end(card)] += 1
        self.uses = [use for use in self.uses if use.redemption != redemption]

    def _not_forgiven(self, redemption: str, state: State) -> list[Point]:
        """The cards that come back. Those stay away that were forgiven while they were out."""
        cards, member = sorted(self._in(redemption, state), key=_end), self.members[self.redemptions[redemption].owner]
        known = sorted((one for one in member.forgiven if redemption in one.out), key=lambda one: one.lot)
        others = isinstance(self.program.expiry, Inactivity)
        for of_own_lot in (True, False) if others else (True,):
            for card in (one for one in cards if one.state == state):
                found = next((one for one in known if one.lot == _end(card) or not of_own_lot), None)
                if found:
                    known.remove(found)
                    member.forgiven.remove(found)
                    card.state = "taken_back"
        return [card for card in cards if card.state == state]

    def _lapsing_today(self, until: datetime) -> list[str]:
        open_ = [(one.lapses_at, id_) for id_, one in self.redemptions.items() if one.state == "reserved"]
        return [id_ for at, id_ in sorted(open_) if at <= until and self._local_day(at) == self.today]

    def _a_day_begins(self) -> None:
        for name, member in self.members.items():
            self._arrive(name, [one for one in self._of(name, "pending") if one.available_on == self.today])
            if member.status in ("active", "provisional") and member.tier.review_on == self.today:
                self._review(name)
        for point in self.points:
            if point.state == "available" and point.last_day is not None and point.last_day < self.today:
                point.state, point.expired_on = "expired", self.today

    # Tiers ------------------------------------------------------------------------------------------------------------

    def _counted(self, name: str, first: int, last: int) -> int:
        return self._sum([merit for merit in self.merits if merit.owner == name], first, last)

    def _sum(self, merits: Iterable[Merit], first: int, last: int) -> int:
        always = self.program.tiers.period == "lifetime"
        return sum(merit.amount for merit in merits if always or first <= merit.month <= last)

    def _period_begins(self, day: date) -> int:
        return (
            month_number(date(day.year, 1, 1))
            if self.program.tiers.period == "calendar_year"
            else month_number(day) - 12
        )

    def _reached(self, counted: int) -> int:
        return sum(counted >= tier.threshold for tier in self.program.tiers.levels) - 1

    def _count(self, merit: Merit) -> None:
        self.merits.append(merit)
        self.members[merit.owner].diary.append(Page(self.today, merit))
        self._rise(merit.owner)

    def _rise(self, name: str) -> None:
        mine = [merit for merit in self.merits if merit.owner == name]
        self.members[name].tier = self._risen(self.members[name].tier, mine, self.today)

    def _risen(self, tier: Standing, merits: Iterable[Merit], day: date) -> Standing:
        reached = self._reached(self._sum(merits, self._period_begins(day), month_number(day)))
        return Standing(day, reached, self._next_review(reached, day, years=2)) if reached > tier.rank else tier

    def _lived_again(self, name: str) -> tuple[Standing, list[Merit]]:
        """The tier, and all that counts toward one, had only what is kept been bought; reviews came out as they did."""
        diary, merits = self.members[name].diary, list[Merit]()
        tier = self.members[name].began
        for page in diary:
            if isinstance(page.what, Standing):
                tier = page.what
                continue
            if isinstance(page.what, str):
                other, more = self._lived_again(page.what)
                tier = other if other.rank > tier.rank else tier
                merits += more
            else:
                merits.append(page.what)
            tier = self._risen(tier, merits, page.day)
        return replace(tier), merits

    def _review(self, name: str) -> None:
        member, tiers = self.members[name], self.program.tiers
        tier = member.tier
        missed_on = self.today - tiers.grace_days * DAY if tier.grace else self.today
        counted = self._counted(name, self._period_begins(missed_on - DAY), month_number(self.today - DAY))
        reached = self._reached(counted)
        if reached < tier.rank and tiers.grace_days and not tier.grace:
            member.tier = replace(tier, grace=True, review_on=self.today + tiers.grace_days * DAY)
        elif reached < tier.rank:
            rank = reached if tiers.down == "recalculated" else tier.rank - 1
            member.tier = Standing(self.today, rank, self._next_review(rank, self.today, years=1))
        else:
            member.tier = Standing(tier.since, tier.rank, self._next_review(tier.rank, self.today, years=1))
        member.diary.append(Page(self.today, member.tier))

    def _next_review(self, rank: int, day: date, years: int) -> date | None:
        if rank == 0 or self.program.tiers.period == "lifetime":
            return None
        if self.program.tiers.period == "calendar_year":
            return date(day.year + years, 1, 1)
        return months_later(day, 12)


def _rounded(exact: Fraction, how: str) -> int:
    return {"down": floor(exact), "up": ceil(exact), "nearest": floor(exact + Fraction(1, 2))}[how]


def fitting(lines: list[Line], gone: Line) -> list[Line]:
    """An article's lines, the first the one that a part of it comes back from, if it can come from one."""

    def misfit(line: Line) -> int:
        if gone.pieces > line.pieces or gone.amount > line.amount:
            return 3
        if (gone.pieces, gone.amount) == (line.pieces, line.amount):
            return 0
        return 1 if gone.amount * line.pieces == gone.pieces * line.amount else 2

    return lines if all(misfit(line) == 3 for line in lines) else sorted(lines, key=misfit)


def all_of(sku: str, lines: Iterable[Line]) -> Line:
    """All lines of an article as one."""
    mine = [line for line in lines if line.sku == sku]
    return Line(sku, None, sum(line.pieces for line in mine), sum(line.amount for line in mine))


def _redemption_of(point: Point) -> str:
    return point.redemption or ""


def _end(point: Point) -> Lot:
    return point.last_day or date.max, point.graced


def _was_among(expired: Point, last_day: date, booked_on: date) -> bool:
    """Whether an expired point may be of those booked on a day with a last day, where all share one deadline."""
    if expired.ended_in_hold:
        return _end(expired)[0] >= last_day
    return expired.expired_on is not None and expired.expired_on > booked_on


def lot_name(point: Point) -> str:
    """A lot that has had its grace is another one than those that end on the same day."""
    return f"{_name(point.last_day)}{'+' if point.graced else ''}"


def _name(last_day: date | None) -> str:
    return str(last_day) if last_day else "never"


def _tally(names: Iterable[str]) -> dict[str, int]:
    tally: dict[str, int] = {}
    for name in names:
        tally[name] = tally.get(name, 0) + 1
    return dict(sorted(tally.items()))


def month_number(day: date) -> int:
    """Months numbered through the years."""
    return day.year * 12 + day.month


def months_later(day: date, months: int) -> date:
    """Turn `months` pages; where the page has no such day, its last one."""
    page = day.replace(day=1)
    for _ in range(months):
        page = (page + 31 * DAY).replace(day=1)
    found = page
    while found.day < day.day and (found + DAY).month == page.month:
        found += DAY
    return found


def _falls_on(day: date, month: int, day_of_month: int) -> bool:
    """29 February is kept on the 28th where there is none."""
    if (month, day_of_month) == (2, 29) and (day + DAY).month == 3:
        return day.month == 2
    return (day.month, day.day) == (month, day_of_month)
