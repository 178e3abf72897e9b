"""Vouchers bought, used, undone, given back in parts, given and taken back, in any order: no worth is made or lost."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import count
from math import ceil, floor
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.entry import Entry
from shared.domain.spending import given_vouchers, redemptions, vouchers
from shared.domain.spending.prices import RewardRequest
from shared.domain.spending.redemptions import Part
from shared.domain.spending.vouchers import Use
from tests.model.shop import Shop, a_program, at

POINTS, GRACE, VALID = 100_000, 14, 30
CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "C", "points": 7}
CARD = {"reward_id": "card", "name": "Card", "kind": "gift_card", "value": 1000, "points": 300}
PROGRAM = a_program(
    redeeming={
        "rewards": [
            {**CAKE, "voucher": {"in_parts": True, "valid_days": VALID}},
            {**CARD, "voucher": {"in_parts": True}},
        ],
        "returned_points_grace_days": GRACE,
    },
    tiers={"levels": [{"tier_id": "bronze", "name": "Bronze", "threshold": 0}]},
    given_vouchers=[{"gift_id": "away", "reward_id": "card", "on": {"kind": "absence", "days": 7}}],
)
[GIFT] = PROGRAM.given_vouchers
SHOP: dict[str, Any] = {"actor": "storefront:till"}


@dataclass
class Card:
    """What the clerk writes of one voucher: what was paid for it, what of that is back, and what was used of it."""

    entry: Entry
    points: int
    of: int
    in_money: bool
    back: int = 0
    used: dict[str, Entry] = field(default_factory=dict)
    has_ended: bool = False

    @property
    def units_used(self) -> int:
        return sum(-one.left for entry in self.used.values() for one in entry.vouchers.values())

    @property
    def paid_for(self) -> int:
        """What of it is still paid for: money by each point, a piece until its last point is back."""
        exact = Fraction(self.of * (self.points - self.back), self.points) if self.points else Fraction(self.of)
        return floor(exact) if self.in_money else ceil(exact)


class Vouchers(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.shop = Shop(PROGRAM, at("2026-11-20 12:00"))
        self.shop.enroll("ada")
        self.shop.adjust("ada", POINTS)
        self.cards: dict[str, Card] = {}
        self.names = count()
        self.owed = 0

    @rule(reward=st.sampled_from(["cake", "card"]), quantity=st.integers(1, 3))
    def buy(self, reward: str, quantity: int) -> None:
        account = self.shop.look("ada")
        if len(account.vouchers) == vouchers.LIVE_MAX:
            return
        name = f"R-{next(self.names)}"
        request = RewardRequest(reward_id=reward, quantity=quantity)
        by: dict[str, Any] = {"now": self.shop.now, **SHOP}
        reserved = redemptions.reserve(account, PROGRAM, request, redemption_id=name, fingerprint="f", **by)
        self.shop.book([reserved])
        code = f"CODE-{name}"
        captured = redemptions.capture(self.shop.look("ada"), PROGRAM, name, voucher_code=code, **by)
        self.shop.book([captured])
        in_money = reward == "card"
        units = quantity * (1000 if in_money else 1)
        self.cards[name] = Card(captured, quantity * (300 if in_money else 7), units, in_money)

    @rule()
    def give(self) -> None:
        name, account = f"G-{next(self.names)}", self.shop.look("ada")
        if given_vouchers.why_not(account, PROGRAM, GIFT, self.shop.today) is not None:
            return
        named: dict[str, Any] = {"voucher_id": name, "code": f"CODE-{name}", "cause": name}
        entry = given_vouchers.given(account, PROGRAM, GIFT, **named, now=self.shop.now, actor="stream")
        self.shop.book([entry])
        self.cards[name] = Card(entry, 0, 1000, in_money=True)

    @precondition(lambda self: self.cards)
    @rule(data=st.data(), share=st.integers(1, 4))
    def use(self, data: st.DataObject, share: int) -> None:
        account = self.shop.look("ada")
        name = data.draw(st.sampled_from(sorted(self.cards)))
        card, reference = self.cards[name], f"T-{next(self.names)}"
        live = account.vouchers.get(name)
        if live is None:
            return
        units = max(1, live.left // share)
        asked: dict[str, Any] = {"amount": units} if card.in_money else {"quantity": units}
        request = Use(code="c", reference=reference, **asked)
        [issue] = card.entry.vouchers.values()
        how: dict[str, Any] = {"used": card.units_used, "now": self.shop.now, "fingerprint": "f", **SHOP}
        entry = vouchers.use(account, PROGRAM, name, issue, request, **how)
        self.shop.book([entry])
        card.used[reference] = entry

    @precondition(lambda self: any(card.used for card in self.cards.values()))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, card in self.cards.items() if card.used)))
        card, account = self.cards[name], self.shop.look("ada")
        reference = data.draw(st.sampled_from(sorted(card.used)))
        how: dict[str, Any] = {"used": card.units_used, "stays": card.paid_for, "now": self.shop.now, **SHOP}
        entry = vouchers.undo(account, PROGRAM, name, card.used.pop(reference), **how)
        self.shop.book([entry])
        [issue] = card.entry.vouchers.values()
        card.has_ended |= issue.ends_on is not None and issue.ends_on < self.shop.today

    @precondition(lambda self: any(card.points > card.back for card in self.cards.values()))
    @rule(data=st.data(), share=st.integers(1, 3), by_refund=st.booleans())
    def bring_back(self, data: st.DataObject, share: int, *, by_refund: bool) -> None:
        """A part of what was paid for a voucher comes back; what was used of it only with the order it paid for."""
        open_ones = sorted(name for name, card in self.cards.items() if card.points > card.back)
        name = data.draw(st.sampled_from(open_ones))
        card = self.cards[name]
        points = max(1, (card.points - card.back) // share)
        [issue] = card.entry.vouchers.values()
        if not by_refund and card.units_used > vouchers.paid_for(issue, card.points, card.back + points):
            return
        part = Part(reversal_id=f"V-{next(self.names)}", points=points)
        how: dict[str, Any] = {"part": part, "returned_before": card.back, "now": self.shop.now, **SHOP}
        self.shop.book([redemptions.reverse(self.shop.look("ada"), PROGRAM, card.entry, name, **how)])
        card.back += points

    @precondition(lambda self: any(not card.points for card in self.cards.values()))
    @rule(data=st.data())
    def take_gift_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, card in self.cards.items() if not card.points)))
        card, account = self.cards.pop(name), self.shop.look("ada")
        how: dict[str, Any] = {"used": card.units_used, "now": self.shop.now, "actor": "stream"}
        entry = given_vouchers.gift_taken_back(account, PROGRAM, card.entry, **how)
        self.shop.book([entry])
        assert entry.points == -(300 * card.units_used // card.of)
        self.owed -= entry.points

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.shop.now += timedelta(days=days)
        for card in self.cards.values():
            [issue] = card.entry.vouchers.values()
            card.has_ended |= (issue.ends_on or date.max) < self.shop.today

    @invariant()
    def what_is_left_and_used_is_what_is_paid_for(self) -> None:
        if not hasattr(self, "cards"):
            return
        account = self.shop.look("ada")
        assert set(account.vouchers) <= set(self.cards)
        for name, card in self.cards.items():
            left = account.vouchers[name].left if name in account.vouchers else 0
            unused = max(0, card.paid_for - card.units_used)
            assert left == unused or (card.has_ended and 0 <= left < unused)

    @invariant()
    def points_are_where_they_were_or_paid_for_what_is_kept(self) -> None:
        if not hasattr(self, "cards"):
            return
        account = self.shop.look("ada")
        spent = sum(card.points - card.back for card in self.cards.values())
        assert account.balance - account.debt + spent + self.owed == POINTS


TestVouchers = Vouchers.TestCase
TestVouchers.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
