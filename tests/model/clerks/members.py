"""Who the members are: how they come and go, who brought them, what they pay for, and which days are theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from tests.model.clerks.cashier import Cashier
from tests.model.clerks.earning import EarningClerk, Stamps
from tests.model.points_one_by_one import (
    DAY,
    Grant,
    Line,
    Member,
    Point,
    RefusedError,
    Sale,
    Standing,
    Use,
    months_later,
)

CONSENT_DAYS = 20
FRIEND_POINTS, ADVOCATE_POINTS, RETURN_DAYS, QUALIFIES_FROM, PURCHASE_DAYS = 2, 3, 5, 500, 90
FRIENDS_A_MONTH = 1
BIRTHDAY_POINTS, NOTICE_DAYS, CHANGE_WAIT_DAYS, ANNIVERSARY_POINTS = 3, 2, 365, 2
RENEW_WITHIN_DAYS, MONTHS_PAID = 10, 1


@dataclass
class Friend:
    """A friend whom `advocate` brought, and the order that this rests on."""

    name: str
    advocate: str
    state: Literal["open", "in_review", "refused", "rewarded", "reversed"] = "open"
    order: str | None = None
    times: int = 1
    """How often it has paid off, the next time included."""
    joined: date | None = None
    """When they joined, if it had paid off before they were merged into another."""

    @property
    def has_paid(self) -> bool:
        return self.order is not None and self.state in {"rewarded", "reversed"}


@dataclass
class WholeClerk(EarningClerk):
    """The whole office."""

    cashier: Cashier = field(kw_only=True)
    friends: dict[str, Friend] = field(default_factory=dict)
    """By who holds the referral now."""
    beside: dict[str, list[Friend]] = field(default_factory=dict)
    """Those of merged members that have paid off, beside the holder's own."""
    rewards: dict[tuple[str, str, int], Grant] = field(default_factory=dict)
    """By friend, role, and the how manieth time."""
    taken_back: set[tuple[str, str, int]] = field(default_factory=set)
    came_back: dict[tuple[str, str], int] = field(default_factory=dict)
    """By friend and order that came back, for the how manieth time it had paid off."""
    taken_in_by: dict[str, str] = field(default_factory=dict)
    consent_until: dict[str, date] = field(default_factory=dict)
    birthdays: dict[str, date] = field(default_factory=dict)
    """The last that was paid for."""
    anniversaries: dict[str, date] = field(default_factory=dict)

    # Coming and going -------------------------------------------------------------------------------------------------

    def enroll_friend(self, name: str, advocate: str, *, in_review: bool) -> None:
        self.enroll(name)
        self.friends[name] = Friend(name, advocate, "in_review" if in_review else "open")
        if not in_review and self._on_joining:
            self._reward_friend(self.friends[name], name, self.today, 0)

    def open_unknown(self, name: str) -> None:
        """Somebody known by an identifier alone."""
        self.enroll(name)
        self.points = [point for point in self.points if point.owner != name]
        self.members[name].earned = 0
        self.members[name].status = "provisional"
        self.consent_until[name] = self.today + CONSENT_DAYS * DAY

    def agree(self, name: str) -> None:
        with self.household(name):
            self.members[name].status = "active"
            del self.consent_until[name]
            waited = self._of(name, "waiting")
            self.points = [point for point in self.points if point not in waited]
            welcome = 0 if self.is_staff(name) else self.program.earning.welcome_points
            last_day = self._hand_out(name, len(waited) + welcome, self.today)
            grants: list[Sale | Grant] = [*self.sales.values(), *self.badges]
            for grant in grants:
                if (grant.owner, grant.last_day) == (name, date.min):
                    grant.agreed_until = last_day
            self.members[name].earned += welcome

    def bring_member(self, name: str, joined: date) -> None:
        """Somebody of another program; years that it has celebrated are over."""
        self.enroll(name)
        self.points = [point for point in self.points if point.owner != name]
        self.members[name] = Member(Standing(since=joined))
        self.people[name].joined = joined
        self.anniversaries[name] = self.today

    def bring_points(self, name: str, points: int, last_day: date | None, available_on: date | None) -> None:
        self.require_consent(name)
        if (last_day and last_day < self.today) or (last_day and available_on and last_day < available_on):
            raise RefusedError("invalid_request")
        with self.household(name):
            cards = [Point(name, "pending", last_day, available_on) for _ in range(points)]
            self.points += cards
            if available_on is None or available_on <= self.today:
                self._arrive(name, cards)
            self.members[name].earned += points

    def merge(self, gone: str, into: str) -> None:
        self.require_not_frozen(gone)
        self.require_consent(gone)
        self.require_consent(into)
        self.leave_box(gone, for_good=True)
        super().merge(gone, into)
        self.lost.setdefault(into, []).extend(self.lost.pop(gone, ()))
        self.taken_in_by[gone] = into
        self._unite_stamps(gone, into)
        self._unite_days(gone, into)
        self._unite_friends(gone, into)
        there, here = self.people[gone], self.people[into]
        here.tags |= there.tags
        here.place = here.place or there.place
        self._put_in(into)
        self.cashier.take_over(gone, into)

    def erase(self, name: str) -> None:
        self.leave_box(name, for_good=True)
        super().erase(name)
        self.people[name].tags, self.people[name].place = set(), None
        self.friends.pop(name, None)
        self.beside.pop(name, None)
        self.consent_until.pop(name, None)
        self.paid_through.pop(name, None)
        self.cashier.close(name)

    def survivor(self, name: str) -> str:
        while name in self.taken_in_by:
            name = self.taken_in_by[name]
        return name

    # Referrals --------------------------------------------------------------------------------------------------------

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
        with self.household(name):
            earned = self._order(name, order, total, placed_at, lines, partner=partner)
            self._pay_off(name, order)
        if not partner and self.members[name].status == "active" and not self.is_staff(name):
            self.cashier.for_ever = self.people[name].place == "US-CA"
            self.cashier.buy(name, order, total, placed_at, lines)
        return earned

    def refund(self, order: str, amount: int, lines: Sequence[Line] = ()) -> int:
        taken = super().refund(order, amount, lines)
        if order in self.cashier.sales:
            self.cashier.refund(order, amount, lines)
        owner = self.sales[order].owner
        if self.sales[order].kept().total < QUALIFIES_FROM:
            for friend in self._friends_of(owner):
                if friend.order == order and friend.state != "reversed":
                    self._rest_anew(owner, friend)
                    break
        return taken

    def _pay_off(self, name: str, order: str) -> None:
        """A friend's order may be the one that pays off, or the first again after another came back."""
        friend = self.friends.get(name)
        if friend is None or not self._qualifies(name, friend, order):
            return
        if friend.state in ("open", "in_review") and friend.order is None:
            friend.order = order
            if friend.state == "in_review":
                return
        elif friend.state == "reversed":
            friend.order, friend.times = order, friend.times + 1
        else:
            return
        friend.state = "rewarded"
        if friend.times > 1 or not self._on_joining:
            self._reward_friend(friend, name, self._whole(order).placed_on, self.program.earning.pending_days)

    def _rest_anew(self, name: str, friend: Friend) -> None:
        """The first of their other orders that is kept takes the place of the one that came back.

        Of somebody who was merged into another these are their own, and none that another friend stands for.
        """
        bear = [one.order for one in self._friends_of(name)]
        mine = [one for one, sale in self.sales.items() if sale.owner == name and one not in bear]
        if friend is not self.friends.get(name):
            mine = [one for one in mine if self._whole(one).by == friend.name]
        fitting = [one for one in mine if self._qualifies(name, friend, one)]
        if fitting:
            friend.order = fitting[0]
        elif friend.state == "in_review":
            friend.order = None
        elif friend.state == "rewarded":
            friend.state = "reversed"
            self.came_back[friend.name, str(friend.order)] = friend.times

    def review_friend(self, name: str, *, approved: bool) -> None:
        with self.household(name):
            friend = self.friends[name]
            friend.state = ("rewarded" if friend.order else "open") if approved else "refused"
            if approved and (friend.order or self._on_joining):
                self._reward_friend(friend, name, self.today, 0)

    def reward_advocate(self, order: str, friend_name: str) -> bool:
        """When it is heard of that a friend's order has paid off. Whether there is anything to book."""
        holder = self.survivor(friend_name)
        friends = (one for one in self._friends_of(holder) if (one.state, one.order) == ("rewarded", order))
        friend = next(friends, None)
        if friend is None:
            return False
        advocate = self.survivor(friend.advocate)
        is_open = self.members[advocate].status in ("active", "provisional")
        key = (friend.name, "ADVOCATE", friend.times)
        if not is_open or advocate == holder or key in self.rewards:
            return False
        with self.household(advocate):
            had = self._had_this_month(advocate, "friend")
            points = ADVOCATE_POINTS if len(had) < FRIENDS_A_MONTH and not self.is_staff(advocate) else 0
            if points:
                self.uses.append(Use(advocate, "friend", self.today, points, redemption=f"friend:{key}"))
            placed_on = self._whole(order).placed_on
            available_on = placed_on + RETURN_DAYS * DAY
            last_day = self._bring(advocate, points, placed_on, RETURN_DAYS)
            self.members[advocate].earned += points
            self.rewards[key] = Grant(advocate, points, self.today, available_on, last_day)
        return True

    def take_back_rewards(self, order: str, name: str) -> None:
        """When it is heard of that the order came back after all."""
        times = self.came_back[name, order]
        for role in ("FRIEND", "ADVOCATE"):
            key = (name, role, times)
            reward = self.rewards.get(key)
            if reward is None or not reward.points or key in self.taken_back:
                continue
            owner = self.survivor(reward.owner)
            if self.members[owner].status in ("active", "provisional"):
                with self.household(owner):
                    self._take_back(owner, reward.points, self._pending_of(owner, reward), reward)
                self.uses = [use for use in self.uses if use.redemption != f"friend:{key}"]
                self.taken_back.add(key)

    # Paid memberships, days of the year, the desk's own word ----------------------------------------------------------

    def pay(self, name: str) -> None:
        through = self.paid_through.get(name)
        if through and self.today < through - RENEW_WITHIN_DAYS * DAY:
            raise RefusedError("invalid_state")
        with self.household(name):
            begins = through + DAY if through else self.today
            self.paid_through[name] = months_later(begins, MONTHS_PAID) - DAY

    def stop_paying(self, name: str) -> None:
        if name not in self.paid_through:
            raise RefusedError("invalid_state")
        with self.household(name):
            del self.paid_through[name]

    def birthday(self, name: str, known_on: date) -> bool:
        """Today is somebody's birthday, and has been known to be since a day. Whether it pays."""
        last = self.birthdays.get(name)
        if self.members[name].status != "active" or (self.today - known_on).days < NOTICE_DAYS or self.is_staff(name):
            return False
        if last and last.year >= self.today.year:
            return False
        if last and known_on >= last and (self.today - last).days < CHANGE_WAIT_DAYS:
            return False
        with self.household(name):
            self.birthdays[name] = self.today
            self._hand_out(name, BIRTHDAY_POINTS, self.today)
            self.members[name].earned += BIRTHDAY_POINTS
        return True

    def freeze(self, name: str, *, frozen: bool) -> None:
        if self.people[name].frozen == frozen:
            raise RefusedError("invalid_state")
        if frozen:
            self.set_apart(name)
        with self.household(name):
            self.people[name].frozen = frozen

    def note(self, name: str, tags: set[str], place: str | None) -> None:
        if (self.people[name].tags, self.people[name].place) == (tags, place):
            raise RefusedError("invalid_state")
        with self.household(name):
            self.people[name].tags, self.people[name].place = tags, place

    # What members of a household do -----------------------------------------------------------------------------------

    def reserve_points(self, name: str, redemption: str, points: int) -> None:
        self._require_may_spend(name)
        with self.household(name):
            super().reserve_points(name, redemption, points)

    def reserve_reward(self, name: str, redemption: str, reward: str) -> None:
        self._require_may_spend(name)
        with self.household(name):
            super().reserve_reward(name, redemption, reward)

    def end(self, redemption: str, how: Literal["capture", "cancel", "give_up", "reverse"]) -> None:
        with self.household(self.redemptions[redemption].owner):
            getattr(self, how)(redemption)

    def transfer(self, giver: str, receiver: str, points: int) -> None:
        self._require_may_spend(giver)
        with self.household(giver, receiver):
            super().transfer(giver, receiver, points)

    def adjust(self, name: str, points: int) -> None:
        with self.household(name):
            if points > 0:
                self._bring(name, points, self.today)
            else:
                super().adjust(name, points)

    def pay_out(self, name: str, amount: int) -> None:
        self.require_not_frozen(name)
        with self.household(name):
            self.cashier.pay_out(name, amount)

    def spend_credit(self, name: str, redemption: str, amount: int) -> None:
        self.require_not_frozen(name)
        with self.household(name):
            self.cashier.spend(name, redemption, amount)

    # Time -------------------------------------------------------------------------------------------------------------

    def wait_until(self, instant: datetime) -> None:
        self.cashier.wait_until(instant)
        super().wait_until(instant)

    def days_to_come(self) -> list[date]:
        more = {day + DAY for day in (*self.paid_through.values(), *self.consent_until.values())}
        more |= {self._next_anniversary(name) for name in self.active()}
        return sorted(
            {*super().days_to_come(), *self.cashier.days_to_come(), *(day for day in more if day > self.today)}
        )

    def _a_day_begins(self) -> None:
        super()._a_day_begins()
        midnight = datetime.combine(self.today, time.min, ZoneInfo(self.program.time_zone)).astimezone(UTC)
        for redemption in self._lapsing_today(midnight):
            self._give_back(redemption, "held", "lapsed", by_shop=False)
        for name in [name for name, through in self.paid_through.items() if through < self.today]:
            del self.paid_through[name]
        for name in self.active():
            if self._is_anniversary(name):
                self.anniversaries[name] = self.today
                self._hand_out(name, ANNIVERSARY_POINTS * (not self.is_staff(name)), self.today)
                self.members[name].earned += ANNIVERSARY_POINTS * (not self.is_staff(name))
        for name in [name for name, until in self.consent_until.items() if until < self.today]:
            del self.consent_until[name]
            super().erase(name)
            self.members[name].status = "lapsed"

    def _is_anniversary(self, name: str) -> bool:
        joined = self.people[name].joined
        is_day = joined < self.today and months_later(joined, 12 * (self.today.year - joined.year)) == self.today
        return is_day and self.today > self.anniversaries.get(name, date.min)

    def _next_anniversary(self, name: str) -> date:
        joined = self.people[name].joined
        this_year = months_later(joined, 12 * (self.today.year - joined.year))
        return this_year if this_year > self.today else months_later(joined, 12 * (self.today.year + 1 - joined.year))

    # How the office works ---------------------------------------------------------------------------------------------

    @property
    def _on_joining(self) -> bool:
        return self.program.referrals is not None and self.program.referrals.friend_gets_them == "on_joining"

    def _require_may_spend(self, name: str) -> None:
        self.require_not_frozen(name)
        self.require_consent(name)

    def _friends_of(self, name: str) -> list[Friend]:
        return [*self.beside.get(name, ()), *([self.friends[name]] if name in self.friends else [])]

    def _qualifies(self, name: str, friend: Friend, order: str) -> bool:
        """Whether what is kept of an order is enough, and came soon enough after joining."""
        sale, joined = self._whole(order), friend.joined or self.people[name].joined
        is_in_time = joined <= sale.placed_on <= joined + PURCHASE_DAYS * DAY
        is_other = self.survivor(friend.advocate) != name and not sale.nothing and not sale.partner
        return is_in_time and is_other and sale.kept().total >= QUALIFIES_FROM

    def _reward_friend(self, friend: Friend, name: str, began: date, pending_days: int) -> None:
        if self.is_staff(name):
            return
        last_day = self._bring(name, FRIEND_POINTS, began, pending_days)
        self.members[name].earned += FRIEND_POINTS
        reward = Grant(name, FRIEND_POINTS, self.today, began + pending_days * DAY, last_day)
        self.rewards[friend.name, "FRIEND", friend.times] = reward

    def _unite_friends(self, gone: str, into: str) -> None:
        """The first stays, and nobody is their own advocate. What has been paid for another can still come back."""
        friend = self.friends.pop(gone, None)
        ours = [name for name in self.members if self.survivor(name) == into]
        self.beside.setdefault(into, []).extend(self.beside.pop(gone, ()))
        if friend and friend.has_paid:
            friend.joined = friend.joined or self.people[gone].joined
        if friend and into not in self.friends and friend.advocate not in ours:
            self.friends[into] = friend
        elif friend and friend.has_paid:
            self.beside[into].append(friend)

    def _unite_stamps(self, gone: str, into: str) -> None:
        self.deeds.setdefault(into, []).append(gone)
        self.stamps.setdefault(into, Stamps()).unite(self.stamps.pop(gone, Stamps()))
        for badge in self.badges:
            badge.owner = into if badge.owner == gone else badge.owner

    def _unite_days(self, gone: str, into: str) -> None:
        for days in (self.birthdays, self.anniversaries, self.paid_through):
            if gone in days:
                days[into] = max(days.pop(gone), days.get(into, date.min))
        rests = [use for use in self.uses if (use.owner, use.what) == (into, "consultation")]
        latest = max((use.day for use in rests), default=date.min)
        self.uses = [use for use in self.uses if use not in rests or use.day == latest]
