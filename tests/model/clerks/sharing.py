"""Points that a household keeps in one box, and gifts that wait to be taken."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.model.points_one_by_one import Clerk, Point, Redemption, RefusedError, Use

GIFT_POINTS_A_WEEK = 20
GIFT_DAYS = 10
POOL_MEMBERS_MAX = 2


@dataclass
class Person:
    """What is known of a member beside points."""

    joined: date
    box: str | None = None
    shares_since: date = date.min
    frozen: bool = False
    tags: set[str] = field(default_factory=set)
    place: str | None = None


@dataclass
class SharingClerk(Clerk):
    """A card in a box belongs to the box. Whoever of the household does something has all its cards at hand."""

    people: dict[str, Person] = field(default_factory=dict)
    gifts: dict[str, str] = field(default_factory=dict)
    """To whom each was offered."""
    brought: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By member and box: how many cards somebody has put in, less those they took out."""
    _at_hand: dict[str, str] = field(default_factory=dict)
    """Whose box is open for whom."""

    def enroll(self, name: str) -> None:
        self.people[name] = Person(joined=self.today)
        super().enroll(name)

    def join_box(self, name: str, box: str) -> None:
        person = self.people[name]
        self.require_not_frozen(name)
        self.require_consent(name)
        others = [one for one in self.people.values() if one.box == box]
        if person.box or self.members[name].debt or len(others) >= POOL_MEMBERS_MAX:
            raise RefusedError("invalid_state")
        person.box, person.shares_since = box, self.today
        self._put_in(name)

    def leave_box(self, name: str, *, by_shop: bool = True) -> None:
        """Who leaves takes as many cards along as they have brought and not spent; the last takes all.

        Cards of others that they have laid aside go back into the box first.
        """
        box = self.people[name].box
        for redemption in self.reserved(name) if box else ():
            if self.brought[name, str(box)] >= 0:
                break
            with self.household(name):
                self._give_back(redemption, "held", "cancelled", by_shop=by_shop)
        self.people[name].box = None
        if box:
            is_last = not any(one.box == box for one in self.people.values())
            cards = self._available(box)
            if not is_last:
                cards = cards[: max(0, self.brought[name, box])]
            self.brought[name, box] -= len(cards)
            for card in cards:
                card.owner = name
            self._arrive(name, cards)

    def set_apart(self, name: str) -> None:
        """Whoever is frozen gets their own cards out of the box, as far as they are there, the oldest first."""
        box = self.people[name].box
        if box:
            theirs = self._available(box)[: max(0, self.brought[name, box])]
            self.brought[name, box] -= len(theirs)
            for card in theirs:
                card.owner = name

    def offer(self, giver: str, receiver: str, gift: str, points: int) -> None:
        self.require_not_frozen(giver)
        self.require_consent(giver)
        this_week = self.today.isocalendar()[:2]
        given = [use for use in self.uses if (use.owner, use.what) == (giver, "gift")]
        if points + sum(use.points for use in given if use.day.isocalendar()[:2] == this_week) > GIFT_POINTS_A_WEEK:
            raise RefusedError("invalid_state")
        with self.household(giver):
            for point in self._soonest(giver, points):
                point.state, point.redemption, point.owner = "held", f"gift:{gift}", giver
        self.redemptions[f"gift:{gift}"] = Redemption(giver, "reserved", self.now + timedelta(days=GIFT_DAYS))
        self.gifts[gift] = receiver
        self.uses.append(Use(giver, "gift", self.today, points))

    def accept(self, gift: str, receiver: str) -> None:
        offered = self._waiting_gift(gift)
        self.require_not_frozen(offered.owner)
        with self.household(receiver, offered.owner):
            offered.state = "captured"
            cards = self._keep_living(self._in(f"gift:{gift}", "held"), by_shop=False)
            for card in cards:
                card.owner = receiver
            self._arrive(receiver, cards)

    def give_back(self, gift: str) -> None:
        offered = self._waiting_gift(gift)
        with self.household(offered.owner):
            self._give_back(f"gift:{gift}", "held", "cancelled", by_shop=False)

    def offered(self) -> list[str]:
        """Gifts that wait."""
        return [gift for gift in self.gifts if self.redemptions[f"gift:{gift}"].state == "reserved"]

    def require_not_frozen(self, name: str) -> None:
        if self.people[name].frozen:
            raise RefusedError("member_frozen")

    def require_consent(self, name: str) -> None:
        if self.members[name].status == "provisional":
            raise RefusedError("consent_required")

    def within_reach(self, name: str) -> int:
        """How many points somebody could spend, the household's included, once what they owe is paid."""
        box = self._box(name)
        return max(0, len(self._available(name)) + (self.balance(box) if box else 0) - self.members[name].debt)

    @contextmanager
    def household(self, *names: str) -> Iterator[None]:
        """Have the box at hand, after paying from it what is owed; what is left over goes there.

        Of two with one box the first has it. If the clerk refuses, nothing has been touched.
        """
        paid: list[tuple[str, Point]] = []
        before: dict[tuple[str, str], int] = {}
        for name in names:
            box = self._box(name)
            if box and box not in self._at_hand.values():
                self._at_hand[name] = box
                before[name, box] = self.balance(box)
                for card in self._available(box)[: self.members[name].debt]:
                    card.state = "settled"
                    self.members[name].debt -= 1
                    paid.append((name, card))
        try:
            yield
        except RefusedError:
            for name, card in paid:
                card.state = "available"
                self.members[name].debt += 1
            raise
        finally:
            for name in names:
                self._at_hand.pop(name, None)
        for (name, box), cards in before.items():
            self.brought[name, box] += self.balance(box) - cards
        for name in names:
            self._put_in(name)

    def _reserve(self, name: str, redemption: str, points: int) -> None:
        super()._reserve(name, redemption, points)
        for card in self._in(redemption, "held"):
            card.owner = name

    def _box(self, name: str) -> str | None:
        """The box that somebody shares; nobody who is frozen does."""
        return None if self.people[name].frozen else self.people[name].box

    def _put_in(self, name: str) -> None:
        box = self._box(name)
        for card in self._available(name) if box else ():
            card.owner = box or name
            self.brought[name, card.owner] += 1

    def _available(self, name: str) -> list[Point]:
        own = super()._available(name)
        box = self._at_hand.get(name)
        return sorted([*own, *super()._available(box)], key=_end) if box else own

    def _expired(self, name: str) -> list[Point]:
        """Their own, and those of the box since they have shared it."""
        person = self.people[name]
        of_box = super()._expired(person.box) if person.box else []
        since = person.shares_since
        return [*super()._expired(name), *(card for card in of_box if card.expired_on and card.expired_on > since)]

    def _waiting_gift(self, gift: str) -> Redemption:
        offered = self.redemptions[f"gift:{gift}"]
        if offered.state != "reserved":
            raise RefusedError("invalid_state")
        return offered


def _end(point: Point) -> tuple[date, bool]:
    return point.last_day or date.max, point.graced
