"""Points that a household keeps in one box, and gifts that wait to be taken."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.model.points_one_by_one import Clerk, Point, Redemption, RefusedError, State, Use

GIFT_POINTS_A_WEEK = 20
GIFT_DAYS = 10
POOL_MEMBERS_MAX = 2


@dataclass
class Person:
    """What is known of a member beside points."""

    joined: date
    box: str | None = None
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
    """By member and box: how many cards somebody has put in, less those they took out and those that expired there."""
    slips: dict[str, list[tuple[date, str]]] = field(default_factory=dict)
    """In each box, one for each card that somebody has a right to: how long it would have been good, and who."""
    lost: dict[str, list[Point]] = field(default_factory=dict)
    """The cards to which each had a right when they expired in a box."""
    given_up: Counter[str] = field(default_factory=Counter)
    """How many cards those had a right to who went for good while there were too few of them in a box."""
    drawn: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Of a redemption: the box that cards were taken from for it, by whom, and how many."""
    _at_hand: dict[str, str] = field(default_factory=dict)
    """Whose box is open for whom."""
    _counting: dict[tuple[str, str], Counter[date]] = field(default_factory=dict)
    """What was in a box when somebody began to do something with it."""

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
        person.box = box
        self._put_in(name)

    def leave_box(self, name: str, *, by_shop: bool = True, for_good: bool = False) -> None:
        """Who leaves takes as many cards along as they have a right to; the last also those that nobody has.

        Cards of others that they have laid aside go back into the box first.
        """
        box = self.people[name].box
        if not box:
            return
        mine = self._begin(name, box)
        if not self.people[name].frozen:
            self._lay_in(name, box)
        self._let_go(name, box, by_shop=by_shop)
        self.people[name].box = None
        cards = self._available(box)
        theirs = max(0, self._right(name, box))
        if not self._sharers(box):
            theirs = max(theirs, len(cards) - self._rights_of_former(box, name))
        for card in cards[:theirs]:
            card.owner = name
        self._arrive(name, cards[:theirs])
        self._end(mine)
        if for_good:
            self.given_up[box] += max(0, self.brought[name, box])
            self.brought[name, box] = min(0, self.brought[name, box])
            self.slips[box] = [slip for slip in self.slips[box] if slip[1] != name]

    def set_apart(self, name: str) -> None:
        """Whoever is frozen lets go of others' cards, and gets their own as far as they are there, oldest first."""
        box = self._box(name)
        if box:
            mine = self._begin(name, box)
            with self.household(name):
                pass
            self._let_go(name, box, by_shop=True)
            for card in self._available(box)[: max(0, self._right(name, box))]:
                card.owner = name
            self._end(mine)

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
            cards = self._keep_living(self._not_forgiven(f"gift:{gift}", "held"), by_shop=False)
            owed = min(self.members[offered.owner].debt, len(cards))
            for card in sorted(cards, key=_end)[:owed]:
                card.state = "settled"
            self.members[offered.owner].debt -= owed
            cards = sorted(cards, key=_end)[owed:]
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
        counted: dict[str, tuple[str, str] | None] = {}
        for name in names:
            box = self._box(name)
            if box and box not in self._at_hand.values():
                self._at_hand[name] = box
                counted[name] = self._begin(name, box)
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
            for one in filter(None, counted.values()):
                del self._counting[one]
            raise
        finally:
            for name in names:
                self._at_hand.pop(name, None)
        for name in names:
            self._put_in(name)
            self._end(counted.get(name))

    def _reserve(self, name: str, redemption: str, points: int) -> None:
        super()._reserve(name, redemption, points)
        cards, box = self._in(redemption, "held"), self._box(name)
        if box:
            self.drawn[redemption] = (box, name, sum(card.owner == box for card in cards))
        for card in cards:
            card.owner = name

    def _give_back(self, redemption: str, state: State, ends_as: Any, *, by_shop: bool = True) -> None:
        cards = self._in(redemption, state)
        super()._give_back(redemption, state, ends_as, by_shop=by_shop)
        if ends_as == "reversed" and redemption in self.drawn:
            living = [card for card in cards if card.state in ("available", "settled")]
            self._pay_back(self.redemptions[redemption].owner, living, *self.drawn[redemption])

    def _pay_back(self, name: str, cards: list[Point], box: str, by: str, drawn: int) -> None:
        """Cards that come back to who shares the box no longer make up for those of others that they had spent."""
        if self._box(name) == box:
            return
        back = min(drawn, len(cards), max(0, -self.brought[by, box]))
        if not self._sharers(box, but=name):
            back = min(back, self._rights_of_former(box, by))
        mine = self._begin(by, box)
        for card in sorted(cards, key=lambda one: (one.state == "settled", _end(one)))[:back]:
            self.members[name].debt += card.state == "settled"
            card.state, card.owner = "available", box
        self._end(mine)

    def _let_go(self, name: str, box: str, *, by_shop: bool) -> None:
        for redemption in self.reserved(name):
            if self._right(name, box) >= 0:
                break
            self._give_back(redemption, "held", "cancelled", by_shop=by_shop)
            self._lay_in(name, box)

    def _sharers(self, box: str, but: str = "") -> list[str]:
        return [name for name, one in self.people.items() if one.box == box and name != but]

    def _rights_of_former(self, box: str, but: str) -> int:
        sharers = {*self._sharers(box), but}
        return sum(max(0, n) for (name, of), n in self.brought.items() if of == box and name not in sharers)

    # Who has a right to what is in a box ------------------------------------------------------------------------------

    def _begin(self, name: str, box: str) -> tuple[str, str] | None:
        """Look into a box; None if they are at it already."""
        if (name, box) in self._counting:
            return None
        self._counting[name, box] = self._days_in(box)
        return name, box

    def _end(self, begun: tuple[str, str] | None) -> None:
        """Say what somebody has put in, all told, or taken out."""
        if begun is None:
            return
        name, box = begun
        before, after, slips = self._counting.pop(begun), self._days_in(box), self.slips.setdefault(box, [])
        net, own = after.total() - before.total(), self.brought[begun]
        self.brought[begun] += net
        for slip in sorted(slip for slip in slips if slip[1] == name)[: max(0, -net)]:
            slips.remove(slip)
        more = sorted((after - before).elements())[: max(0, net)]
        slips += [(day, name) for day in more[: len(more) - min(len(more), max(0, -own))]]

    def _right(self, name: str, box: str) -> int:
        before = self._counting.get((name, box))
        return self.brought[name, box] + (self._days_in(box).total() - before.total() if before is not None else 0)

    def _days_in(self, box: str) -> Counter[date]:
        return Counter(_end(card)[0] for card in super()._available(box))

    def _a_day_begins(self) -> None:
        before = {box: self._days_in(box).total() for box in self.slips}
        super()._a_day_begins()
        for box, cards in before.items():
            self._lose(box, cards - self._days_in(box).total())

    def _lose(self, box: str, cards: int) -> None:
        """The slips of cards that have expired go: the soonest ones, and of one day each person's share."""
        expired = sorted((card for card in super()._expired(box) if card.expired_on == self.today), key=_end)
        for day in sorted({day for day, _ in self.slips[box]}):
            people = Counter(name for one, name in sorted(self.slips[box]) if one == day)
            gone, total, passed = min(cards, people.total()), people.total(), 0
            for name, slips in people.items():
                loss = (passed + slips) * gone // total - passed * gone // total
                passed += slips
                self.brought[name, box] -= loss
                self.lost.setdefault(name, []).extend(expired[:loss])
                del expired[:loss]
                for _ in range(loss):
                    self.slips[box].remove((day, name))
            cards -= gone
        self.given_up[box] -= cards

    def _box(self, name: str) -> str | None:
        """The box that somebody shares; nobody who is frozen does."""
        return None if self.people[name].frozen else self.people[name].box

    def _shares(self, name: str) -> bool:
        return self._box(name) is not None

    def _put_in(self, name: str) -> None:
        box = self._box(name)
        if box:
            mine = self._begin(name, box)
            self._lay_in(name, box)
            self._end(mine)

    def _lay_in(self, name: str, box: str) -> None:
        for card in super()._available(name):
            card.owner = box

    def _available(self, name: str) -> list[Point]:
        own = super()._available(name)
        box = self._at_hand.get(name)
        return sorted([*own, *super()._available(box)], key=_end) if box else own

    def _expired(self, name: str) -> list[Point]:
        """Their own, and those that they had a right to in a box."""
        return [*super()._expired(name), *self.lost.get(name, ())]

    def _waiting_gift(self, gift: str) -> Redemption:
        offered = self.redemptions[f"gift:{gift}"]
        if offered.state != "reserved":
            raise RefusedError("invalid_state")
        return offered


def _end(point: Point) -> tuple[date, bool]:
    return point.last_day or date.max, point.graced
