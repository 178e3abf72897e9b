"""What storefronts, members and operators ask for, and how they behave: they repeat what was not answered.

A request is a call of a function's route with what it takes; what it asks for follows from chance and from what
earlier answers have said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from functions import account as accounts
from functions import consent, earn, enroll, gifts, memberships, operators, orders, pools, redeem, transfers, wallet
from infra.simulation.fake_dynamodb import Key
from shared import request_ids
from shared.api.schemas.orders import OrderEarn
from shared.caller import OPERATOR, STOREFRONT
from shared.domain.members.members import Consent, Enrollment, Marketing, OneIdentifier
from shared.domain.points.paid_plans import Payment
from shared.domain.program.program import Program
from shared.domain.spending.prices import CreditRequest, MoneyRequest, RewardRequest
from shared.domain.spending.store_credit import Payout
from shared.services.adjustments import Adjustment, Undo
from shared.services.approvals import Rejection
from shared.services.consent import Agreement
from shared.services.freezes import Cause
from shared.services.gifts import Gift
from shared.services.order_corrections import Amendment, Claim, RefundOfOrder
from shared.services.paid_plans import Cancellation
from shared.services.redemptions import CREDIT_SUFFIX
from shared.services.refunds import Refund
from shared.services.transfers import Transfer
from shared.tables import reviews

Answer = Mapping[str, Any]
TILL = {"sub": "till", "scope": STOREFRONT}
OLGA = {"sub": "olga", "scope": OPERATOR}
OTTO = {"sub": "otto", "scope": OPERATOR}
MEMBERS_MAX = 30
REDEMPTIONS_MEETING = 6


def _ignore(_: Answer) -> None:
    """Nothing to learn from an answer."""


@dataclass
class Request:
    """One request, as often as it is sent: the same call under the same key, at `key` its entry if one is known."""

    kind: str
    app: Any
    call: Callable[[], Any]
    claims: Mapping[str, str]
    key: Key | None = None
    learn: Callable[[Answer], None] = _ignore
    intrudes: bool = False
    """Sent under another's key, or with another payload: never to be answered as that one was."""
    attempts: int = 0
    entry_id: str | None = None
    again_by: "Callable[[str], Request] | None" = None
    """Makes the same request for another member."""


@dataclass
class Storefront:
    """Everybody who calls, and what they know."""

    random: Random
    now: Callable[[], datetime]
    program: Callable[[], Program]
    members: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    orders: list[tuple[str, str, int]] = field(default_factory=list)
    paid: list[tuple[str, str, int]] = field(default_factory=list)
    """Those orders that their members have redeemed something on."""
    refunds: list[tuple[str, str, str]] = field(default_factory=list)
    adjustments: list[tuple[str, str, str]] = field(default_factory=list)
    redemptions: list[tuple[str, str]] = field(default_factory=list)
    gifts: list[tuple[str, str, str]] = field(default_factory=list)
    pools: list[tuple[str, str]] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    count: int = 0

    def ask(self) -> Request:
        """A new request."""
        if len(self.members) < 3 or (len(self.members) < MEMBERS_MAX and self.random.randrange(40) == 0):  # noqa: PLR2004
            return self._enroll()
        weights, makers = zip(*self._usual(), strict=True)
        [make] = self.random.choices(makers, weights)
        request: Request | None = make()
        return request or self._order()

    def intrude(self, request: Request) -> Request | None:
        """The same key with another payload or by somebody else; None if there is no such thing."""
        make = getattr(self, f"_intrude_{request.kind}", None)
        return None if make is None else make(request)

    def _usual(self) -> list[tuple[int, Callable[[], Request | None]]]:
        program = self.program()
        usual: list[tuple[int, Callable[[], Request | None]]] = [
            (26, self._order),
            (5, self._action),
            (12, self._refund),
            (3, self._reverse_refund),
            (3, self._amend),
            (2, self._claim),
            (2, self._undo),
            (12, self._reserve),
            (8, lambda: self._step("capture", redeem.capture_redemption)),
            (5, lambda: self._step("cancel", redeem.cancel_redemption)),
            (3, lambda: self._step("reverse", redeem.reverse_redemption)),
            (3, self._reverse_part),
            (5, self._adjust),
            (6, self._transfer),
            (1, self._freeze),
            (1, self._unfreeze),
            (4, self._read),
            (3, self._decide),
        ]
        if program.gifts:
            usual += [(5, self._gift), (4, self._end_gift)]
        if program.pools:
            usual += [(1, self._open_pool), (2, self._join_pool), (1, self._leave_pool)]
        if program.memberships:
            usual += [(2, self._membership), (1, self._cancel_membership)]
        if program.cashback:
            usual += [(3, self._spend_credit), (2, self._pay_out)]
        if program.automatic_enrolment:
            usual += [(2, self._arrive), (2, self._agree)]
        if len(self.members) > 8:  # noqa: PLR2004
            usual += [(1, self._merge), (1, self._erase)]
        return usual

    # Requests, each with its key written down a second time -----------------------------------------------------------

    def _new(self, what: str) -> str:
        self.count += 1
        return f"{what}-{self.count}"

    def _member(self) -> str:
        # A few members meet most requests, so that they get in one another's way.
        return self.random.choice(self.members[-4:] if self.random.randrange(3) else self.members)

    def _enroll(self) -> Request:
        name = self._new("m")
        details: dict[str, Any] = {"external_id": name}
        if self.random.randrange(8) == 0:
            details["email"] = f"{name}@shop.example"
            details["consent"] = Consent(terms_version="1", marketing=Marketing(email=True))
        if self.codes and self.random.randrange(2):
            details["referral_code"] = self.random.choice(self.codes)
        request = Enrollment(**details)

        def learn(answer: Answer) -> None:
            self.members.append(answer["member_id"])
            if answer["referral_code"]:
                self.codes.append(answer["referral_code"])

        return Request("enroll", enroll.app, lambda: enroll.enroll_member(request, name), TILL, learn=learn)

    def _order(self) -> Request:
        total = self.random.choice((0, 99, 250, 777, 1300, 2500, 4999, self.random.randrange(1, 9000)))
        return self._ordered(self._member(), self._an_order(self._new("o"), total))

    def _an_order(self, order_id: str, total: int) -> OrderEarn:
        return OrderEarn(type="order", order_id=order_id, placed_at=self._lately(), currency="USD", total=total)

    def _ordered(self, member_id: str, order: OrderEarn) -> Request:
        def learn(_: Answer) -> None:
            self.orders.append((member_id, order.order_id, order.total))

        key = (f"ORDER#{order.order_id}", "EARN")
        request = Request("order", earn.app, lambda: earn.earn(member_id, order), TILL, key, learn)
        request.again_by = lambda other: self._ordered(other, order)
        return request

    def _intrude_order(self, request: Request) -> Request | None:
        """Another order under the same id, or the same order by another member."""
        owner, other_id = self._owner(request), self._member()
        if owner is None or request.key is None or request.again_by is None:
            return None
        if owner != other_id and owner in self.members and self.random.randrange(2):
            other = request.again_by(other_id)
        else:
            other = self._ordered(owner, self._an_order(request.key[0][6:], self.random.randrange(10_000, 20_000)))
        other.learn, other.intrudes = _ignore, True
        return other

    def _owner(self, request: Request) -> str | None:
        return request.entry_id.rpartition("-")[0] if request.entry_id else None

    def _action(self) -> Request:
        member_id, reference = self._member(), self._new("a")
        action = self.random.choice(self.program().earning.actions)
        occasion = earn.ActionEarn(
            type="action", action=action.action_id, reference=reference, occurred_at=self._lately()
        )

        def learn(_: Answer) -> None:
            if action.approval:
                self.reviews.append(reviews.id_of("action", action.action_id, reference))

        key = (f"ACTION#{action.action_id}#{reference}", "EARN")
        return Request("action", earn.app, lambda: earn.earn(member_id, occasion), TILL, key, learn)

    def _refund(self) -> Request | None:
        if not self.orders:
            return None
        lately = self.paid if self.paid and self.random.randrange(3) == 0 else self.orders
        member_id, order_id, total = self.random.choice(lately[-25:])
        if total == 0:
            return None
        part = self.random.choice((1, max(1, total // 7), max(1, total // 3), max(1, total // 2), total))
        return self._refunded(member_id, order_id, self._new("r"), part, return_spent=bool(self.random.randrange(2)))

    def _refunded(
        self, member_id: str, order_id: str, refund_id: str, amount: int, *, return_spent: bool = False
    ) -> Request:
        body = Refund(
            order_id=order_id,
            refund_id=refund_id,
            amount=amount,
            refunded_at=self._lately(),
            return_spent=return_spent,
        )
        key = (f"ORDER#{order_id}", f"REFUND#{refund_id}")

        def learn(_: Answer) -> None:
            self.refunds.append((member_id, order_id, refund_id))

        return Request("refund", orders.app, lambda: orders.refund(member_id, body), TILL, key, learn)

    def _reverse_refund(self) -> Request | None:
        if not self.refunds:
            return None
        member_id, order_id, refund_id = self.random.choice(self.refunds[-15:])
        body = RefundOfOrder(order_id=order_id)
        key = (f"ORDER#{order_id}", f"REFUND_REVERSED#{refund_id}")
        return Request(
            "reverse_refund", orders.app, lambda: orders.reverse_refund(member_id, refund_id, body), TILL, key
        )

    def _amend(self) -> Request | None:
        if not self.orders:
            return None
        member_id, order_id, total = self.random.choice(self.orders[-15:])
        name = self._new("e")
        total = self.random.choice((0, total // 2, total + 500, 2 * total, 9_999))
        body = Amendment(amendment_id=name, amended_at=self._lately(), total=total)
        key = (f"ORDER#{order_id}", f"AMEND#{name}")
        return Request("amend", orders.app, lambda: orders.amend_order(member_id, order_id, body), TILL, key)

    def _claim(self) -> Request | None:
        if not self.orders:
            return None
        _, order_id, total = self.random.choice(self.orders[-15:])
        member_id, name = self._member(), self._new("c")
        body = Claim(claim_id=name, reason="the wrong card")

        def learn(_: Answer) -> None:
            self.orders.append((member_id, order_id, total))

        key = (f"ORDER#{order_id}", f"CLAIM#{name}")
        return Request("claim", orders.app, lambda: orders.claim_order(member_id, order_id, body), OLGA, key, learn)

    def _undo(self) -> Request | None:
        if not self.adjustments:
            return None
        member_id, reference, entry_id = self.random.choice(self.adjustments[-5:])
        body = Undo(reason="a slip")
        key = (f"MEMBER#{entry_id.rpartition('-')[0]}", f"ADJUST_UNDONE#{reference}")
        return Request("undo", operators.app, lambda: operators.undo_adjustment(member_id, entry_id, body), OLGA, key)

    def _intrude_refund(self, request: Request) -> Request | None:
        owner = self._owner(request)
        if owner is None or request.key is None:
            return None
        amount = self.random.randrange(10_000, 20_000)
        other = self._refunded(owner, request.key[0][6:], request.key[1][7:], amount)
        other.intrudes = True
        return other

    def _reserve(self) -> Request:
        member_id, name = self._member(), self._new("k")
        at_once = self.random.randrange(3) == 0
        body: RewardRequest | MoneyRequest
        if self.random.randrange(2):
            reward = self.random.choice(self.program().redeeming.rewards)
            body = RewardRequest(reward_id=reward.reward_id, capture=at_once)
        else:
            points = self.random.choice((1, 2, 5, 9, 30))
            body = MoneyRequest(points=points, **self._basket(member_id), currency="USD", capture=at_once)
        return self._redeem(member_id, name, body)

    def _redeem(self, member_id: str, name: str, body: RewardRequest | MoneyRequest | CreditRequest) -> Request:
        def learn(answer: Answer) -> None:
            self.redemptions.append((member_id, answer["redemption_id"]))

        request = Request("reserve", redeem.app, lambda: redeem.redeem(member_id, body, name), TILL, learn=learn)
        redemption_id = request_ids.derived_id("redemption", member_id, name)
        redemption_id += CREDIT_SUFFIX if isinstance(body, CreditRequest) else ""
        request.key = (f"REDEMPTION#{redemption_id}", "RESERVE")
        return request

    def _spend_credit(self) -> Request:
        credit, at_once = self.random.choice((1, 20, 90)), bool(self.random.randrange(2))
        member_id = self._member()
        body = CreditRequest(credit=credit, **self._basket(member_id), currency="USD", capture=at_once)
        return self._redeem(member_id, self._new("k"), body)

    def _basket(self, member_id: str) -> dict[str, Any]:
        """What is paid for: some order, the one on which a few redemptions meet, or the member's last one."""
        if self.random.randrange(2):
            return {"order_total": 100_000}
        own = [(order_id, total) for owner, order_id, total in self.orders[-25:] if owner == member_id and total]
        if own and self.random.randrange(2):
            order_id, total = own[-1]
            self.paid.append((member_id, order_id, total))
            return {"order_total": total, "order_id": order_id}
        return {"order_total": 30, "order_id": f"basket-{len(self.redemptions) // REDEMPTIONS_MEETING}"}

    def _step(self, name: str, route: Callable[[str, str], Any]) -> Request | None:
        if not self.redemptions:
            return None
        member_id, redemption_id = self.random.choice(self.redemptions[-12:])
        key = (f"REDEMPTION#{redemption_id}", name.upper())
        return Request(name, redeem.app, lambda: route(member_id, redemption_id), TILL, key)

    def _reverse_part(self) -> Request | None:
        if not self.redemptions:
            return None
        member_id, redemption_id = self.random.choice(self.redemptions[-12:])
        part = {"credit" if redemption_id.endswith(CREDIT_SUFFIX) else "points": self.random.choice((1, 2, 5, 20))}
        body = redeem.Reversal(reversal_id=self._new("v"), **part)
        key = (f"REDEMPTION#{redemption_id}", f"REVERSE#{body.reversal_id}")
        route = redeem.reverse_redemption
        return Request("reverse", redeem.app, lambda: route(member_id, redemption_id, body), TILL, key)

    def _adjust(self) -> Request:
        member_id, reference = self._member(), self._new("j")
        points = self.random.choice((3, 15, 60, -1, -4, -25))
        body = Adjustment(points=points, reason="to set it right", reference=reference)
        key: Key | None = (f"MEMBER#{member_id}", f"ADJUST#{reference}")
        terms = self.program().operators
        if terms and terms.adjustment_limit_points and abs(points) > terms.adjustment_limit_points:
            key = None

        def learn(answer: Answer) -> None:
            if "review_id" in answer:
                self.reviews.append(answer["review_id"])
            else:
                self.adjustments.append((member_id, reference, answer["entry"]["entry_id"]))

        return Request("adjust", operators.app, lambda: operators.adjust_points(member_id, body), OLGA, key, learn)

    def _decide(self) -> Request | None:
        if not self.reviews:
            return None
        review_id = self.random.choice(self.reviews[-6:])
        if self.random.randrange(3):
            return Request("approve", operators.app, lambda: operators.approve(review_id), OTTO)
        body = Rejection(reason="no")
        return Request("reject", operators.app, lambda: operators.reject(review_id, body), OTTO)

    def _transfer(self) -> Request | None:
        giver, to, name = self._member(), self._member(), self._new("t")
        if giver == to:
            return None
        body = Transfer(to_member_id=to, points=self.random.choice((1, 3, 10, 40)))
        key = (f"TRANSFER#{request_ids.derived_id('transfer', giver, name)}", "OUT")
        return Request("transfer", transfers.app, lambda: transfers.transfer_points(giver, body, name), OLGA, key)

    def _freeze(self) -> Request:
        member_id, cause = self._member(), Cause(reason="a doubt", reference=self._new("f"))
        key = (f"MEMBER#{member_id}", f"FREEZE#{cause.reference}")
        return Request("freeze", operators.app, lambda: operators.freeze_member(member_id, cause), OLGA, key)

    def _unfreeze(self) -> Request:
        member_id, cause = self._member(), Cause(reason="all is well", reference=self._new("f"))
        key = (f"MEMBER#{member_id}", f"UNFREEZE#{cause.reference}")
        return Request("unfreeze", operators.app, lambda: operators.unfreeze_member(member_id, cause), OLGA, key)

    def _gift(self) -> Request | None:
        giver, to, name = self._member(), self._member(), self._new("g")
        if giver == to:
            return None
        body = Gift(to_member_id=to, points=self.random.choice((1, 4, 20)), message=None)

        def learn(answer: Answer) -> None:
            self.gifts.append((giver, to, answer["gift_id"]))

        key = (f"GIFT#{request_ids.derived_id('gift', giver, name)}", "OFFER")
        return Request("gift", gifts.app, lambda: gifts.offer_gift(giver, body, name), TILL, key, learn)

    def _end_gift(self) -> Request | None:
        if not self.gifts:
            return None
        giver, to, gift_id = self.random.choice(self.gifts[-6:])
        step = self.random.randrange(4)
        if step == 0:
            withdraw = (f"GIFT#{gift_id}", "RETURN")
            return Request("withdraw", gifts.app, lambda: gifts.withdraw_gift(giver, gift_id), TILL, withdraw)
        if step == 1:
            returned = (f"GIFT#{gift_id}", "RETURN")
            return Request("return", gifts.app, lambda: gifts.return_gift(to, gift_id), TILL, returned)
        return Request("accept", gifts.app, lambda: gifts.accept_gift(to, gift_id), TILL, (f"GIFT#{gift_id}", "IN"))

    def _open_pool(self) -> Request:
        member_id, name = self._member(), self._new("p")

        def learn(answer: Answer) -> None:
            self.pools.append((answer["pool_id"], member_id))

        body = pools.Joining(member_id=member_id)
        return Request("open pool", pools.app, lambda: pools.open_pool(body, name), TILL, learn=learn)

    def _join_pool(self) -> Request | None:
        if not self.pools:
            return None
        pool_id, member_id, name = self.random.choice(self.pools)[0], self._member(), self._new("p")

        def learn(_: Answer) -> None:
            self.pools.append((pool_id, member_id))

        body = pools.Joining(member_id=member_id)
        return Request("join pool", pools.app, lambda: pools.join_pool(pool_id, body, name), TILL, learn=learn)

    def _leave_pool(self) -> Request | None:
        if not self.pools:
            return None
        (pool_id, member_id), name = self.random.choice(self.pools), self._new("p")
        return Request("leave pool", pools.app, lambda: pools.leave_pool(pool_id, member_id, name), TILL)

    def _membership(self) -> Request:
        member_id, reference = self._member(), self._new("s")
        payment = Payment(plan_id="plus", reference=reference, amount=900, currency="USD", paid_at=self._lately())
        key = (f"MEMBERSHIP#{reference}", "PAID")

        def learn(_: Answer) -> None:
            self.plans.append(member_id)

        call = lambda: memberships.pay_membership(member_id, payment)  # noqa: E731 - as everywhere else here
        return Request("membership", memberships.app, call, TILL, key, learn)

    def _cancel_membership(self) -> Request | None:
        if not self.plans:
            return None
        member_id, body = self.random.choice(self.plans), Cancellation(reference=self._new("s"))
        key = (f"MEMBERSHIP#{body.reference}", "CANCEL")
        call = lambda: memberships.cancel_membership(member_id, body)  # noqa: E731
        return Request("cancel membership", memberships.app, call, TILL, key)

    def _pay_out(self) -> Request:
        member_id, reference = self._member(), self._new("y")
        body = Payout(amount=self.random.choice((10, 35)), currency="USD", reference=reference)
        key = (f"PAYOUT#{request_ids.derived_id('payout', member_id, reference)}", "PAYOUT")
        return Request("payout", wallet.app, lambda: wallet.pay_out_credit(member_id, body), TILL, key)

    def _arrive(self) -> Request:
        who, order_id = f"x-{self.random.randrange(6)}", self._new("o")
        total = self.random.choice((250, 1300, 2500))
        arrival = consent.Arrival(
            type="order",
            order_id=order_id,
            placed_at=self._lately(),
            currency="USD",
            total=total,
            identifier=OneIdentifier(external_id=who),
        )

        def learn(answer: Answer) -> None:
            member_id = answer["account"]["member_id"]
            self.orders.append((member_id, order_id, total))
            if member_id not in self.members:
                self.members.append(member_id)

        key = (f"ORDER#{order_id}", "EARN")
        return Request("arrive", consent.app, lambda: consent.earn_by_identifier(arrival), TILL, key, learn)

    def _agree(self) -> Request:
        member_id, body = self._member(), Agreement(terms_version="1")
        return Request("agree", consent.app, lambda: consent.agree(member_id, body), TILL)

    def _merge(self) -> Request | None:
        gone, into = self._member(), self._member()
        if gone == into:
            return None
        body = enroll.Merge(from_member_id=gone)

        def learn(_: Answer) -> None:
            self._forget(gone)

        key = (f"MERGE#{gone}#{into}", "OUT")
        return Request("merge", enroll.app, lambda: enroll.merge_members(into, body), TILL, key, learn)

    def _erase(self) -> Request:
        member_id = self._member()

        def learn(_: Answer) -> None:
            self._forget(member_id)

        return Request("erase", enroll.app, lambda: enroll.erase_member(member_id), OLGA, learn=learn)

    def _read(self) -> Request:
        member_id = self._member()
        return Request("read", accounts.app, lambda: accounts.read_account(member_id), TILL)

    def _forget(self, member_id: str) -> None:
        if member_id in self.members and self.random.randrange(3):  # some go on asking for who is gone
            self.members.remove(member_id)

    def _lately(self) -> datetime:
        return self.now() - timedelta(minutes=self.random.choice((0, 0, 1, 60, 60 * 24 * 3)))
