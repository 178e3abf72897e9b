"""Orders and actions, and what becomes of orders: refunds, amendments, claims."""

from datetime import datetime
from typing import Any

from infra.simulation.fake_dynamodb import Key
from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.requests import OLGA, TILL, Request
from shared.domain.earning.actions import Occasion
from shared.domain.earning.orders import Order
from shared.services import earning, order_corrections, refunds
from shared.services.asking import Asked
from shared.services.order_corrections import Amendment, Claim, RefundOfOrder
from shared.services.refunds import Refund
from shared.tables import reviews
from shared.tables.operation import Outcome


class Orders:
    """Requests about orders and actions."""

    def __init__(self, known: Knowledge) -> None:
        self._known, self._random = known, known.random

    def order(self) -> Request[Outcome]:
        """Credit an order."""
        total = self._random.choice((0, 99, 250, 777, 1300, 2500, 4999, self._random.randrange(1, 9000)))
        return self._credit(self._known.member(), self._placed(self._known.new("o"), total))

    def other_order(self, request: Request[Any]) -> Request[Outcome] | None:
        """Another order under the same id, or the same order by another member."""
        owner, other_id = request.owner, self._known.member()
        if owner is None or request.key is None or request.again_by is None:
            return None
        if owner != other_id and owner in self._known.members and self._random.randrange(2):
            return request.again_by(other_id).as_intruder()
        order = self._placed(request.key[0][6:], self._random.randrange(10_000, 20_000))
        return self._credit(owner, order).as_intruder()

    def action(self) -> Request[Outcome]:
        """Credit an action, which may have to wait for an operator's approval."""
        member_id, reference = self._known.member(), self._known.new("a")
        action = self._random.choice(self._known.program().earning.actions)
        occasion = Occasion(action=action.action_id, reference=reference, occurred_at=self._known.lately())

        def call(now: datetime) -> Outcome:
            return earning.earn_for_action(member_id, occasion, caller=TILL, now=now)

        def learn(_: Outcome) -> None:
            if action.approval:
                self._known.reviews.append(reviews.id_of("action", action.action_id, reference))

        return Request("action", call, (f"ACTION#{action.action_id}#{reference}", "EARN"), learn)

    def refund(self) -> Request[Outcome] | None:
        """Take back what a part of an order earned."""
        if not self._known.orders:
            return None
        paid = self._known.paid
        lately = paid if paid and self._random.randrange(3) == 0 else self._known.orders
        member_id, order_id, total = self._random.choice(lately[-25:])
        if total == 0:
            return None
        part = self._random.choice((1, max(1, total // 7), max(1, total // 3), max(1, total // 2), total))
        name, return_spent = self._known.new("r"), bool(self._random.randrange(2))
        return self._refund(member_id, order_id, name, part, return_spent=return_spent)

    def other_refund(self, request: Request[Any]) -> Request[Outcome] | None:
        """Another refund under the same id."""
        owner = request.owner
        if owner is None or request.key is None:
            return None
        amount = self._random.randrange(10_000, 20_000)
        return self._refund(owner, request.key[0][6:], request.key[1][7:], amount).as_intruder()

    def reverse_refund(self) -> Request[Outcome] | None:
        """Book back what a refund took."""
        if not self._known.refunds:
            return None
        member_id, order_id, refund_id = self._random.choice(self._known.refunds[-15:])
        body = RefundOfOrder(order_id=order_id)

        def call(now: datetime) -> Outcome:
            return order_corrections.reverse_refund(member_id, refund_id, body, caller=TILL, now=now)

        return Request("reverse_refund", call, (f"ORDER#{order_id}", f"REFUND_REVERSED#{refund_id}"))

    def amend(self) -> Request[Outcome] | None:
        """Change an order's total."""
        if not self._known.orders:
            return None
        member_id, order_id, total = self._random.choice(self._known.orders[-15:])
        name = self._known.new("e")
        total = self._random.choice((0, total // 2, total + 500, 2 * total, 9_999))
        body = Amendment(amendment_id=name, amended_at=self._known.lately(), total=total)

        def call(now: datetime) -> Outcome:
            return order_corrections.amend(member_id, order_id, body, caller=TILL, now=now)

        return Request("amend", call, (f"ORDER#{order_id}", f"AMEND#{name}"))

    def claim(self) -> Request[Outcome | Asked] | None:
        """Move an order to another member."""
        if not self._known.orders:
            return None
        _, order_id, total = self._random.choice(self._known.orders[-15:])
        member_id, name = self._known.member(), self._known.new("c")
        body = Claim(claim_id=name, reason="the wrong card")

        key: Key | None = (f"ORDER#{order_id}", f"CLAIM#{name}")
        if self._known.may_be_asked_for():
            key = None

        def call(now: datetime) -> Outcome | Asked:
            return order_corrections.claim(member_id, order_id, body, caller=OLGA, now=now)

        def learn(done: Outcome | Asked) -> None:
            if isinstance(done, Asked):
                self._known.reviews.append(done.review.review_id)
            else:
                self._known.orders.append((member_id, order_id, total))

        return Request("claim", call, key, learn)

    def _placed(self, order_id: str, total: int) -> Order:
        return Order(order_id=order_id, placed_at=self._known.lately(), currency="USD", total=total)

    def _credit(self, member_id: str, order: Order) -> Request[Outcome]:
        def call(now: datetime) -> Outcome:
            return earning.earn_order(member_id, order, caller=TILL, now=now)

        def learn(_: Outcome) -> None:
            self._known.orders.append((member_id, order.order_id, order.total))

        request = Request("order", call, (f"ORDER#{order.order_id}", "EARN"), learn)
        request.again_by = lambda other: self._credit(other, order)
        return request

    def _refund(
        self, member_id: str, order_id: str, refund_id: str, amount: int, *, return_spent: bool = False
    ) -> Request[Outcome]:
        body = Refund(
            order_id=order_id,
            refund_id=refund_id,
            amount=amount,
            refunded_at=self._known.lately(),
            return_spent=return_spent,
        )

        def call(now: datetime) -> Outcome:
            return refunds.refund(member_id, body, caller=TILL, now=now)

        def learn(_: Outcome) -> None:
            self._known.refunds.append((member_id, order_id, refund_id))

        return Request("refund", call, (f"ORDER#{order_id}", f"REFUND#{refund_id}"), learn)
