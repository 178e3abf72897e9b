"""Redemptions, of points and of store credit, and credit that is paid out."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.requests import TILL, Request
from shared import request_ids
from shared.domain.spending.prices import CreditRequest, MoneyRequest, RewardRequest
from shared.domain.spending.redemptions import Part
from shared.domain.spending.store_credit import Payout
from shared.services import redemptions, store_credit
from shared.services.redemptions import CREDIT_SUFFIX, Redemption
from shared.tables.operation import Outcome

REDEMPTIONS_MEETING = 6


class Redemptions:
    """Requests that spend."""

    def __init__(self, known: Knowledge) -> None:
        self._known, self._random = known, known.random

    def reserve(self) -> Request[Redemption]:
        """Reserve points for a reward or as money, or capture them at once."""
        member_id, name = self._known.member(), self._known.new("k")
        at_once = self._random.randrange(3) == 0
        if self._random.randrange(2):
            reward = self._random.choice(self._known.program().redeeming.rewards)
            return self._redeem(member_id, name, RewardRequest(reward_id=reward.reward_id, capture=at_once))
        points = self._random.choice((1, 2, 5, 9, 30))
        body = MoneyRequest(points=points, **self._basket(member_id), currency="USD", capture=at_once)
        return self._redeem(member_id, name, body)

    def spend_credit(self) -> Request[Redemption]:
        """Reserve store credit, or capture it at once."""
        credit, at_once = self._random.choice((1, 20, 90)), bool(self._random.randrange(2))
        member_id = self._known.member()
        body = CreditRequest(credit=credit, **self._basket(member_id), currency="USD", capture=at_once)
        return self._redeem(member_id, self._known.new("k"), body)

    def capture(self) -> Request[Redemption] | None:
        """Make a redemption final."""
        return self._step("capture", redemptions.capture_redemption)

    def cancel(self) -> Request[Redemption] | None:
        """Release what is held."""
        return self._step("cancel", redemptions.cancel_redemption)

    def reverse(self) -> Request[Redemption] | None:
        """Give all back that is left of a redemption."""
        return self._step("reverse", redemptions.reverse_redemption)

    def reverse_part(self) -> Request[Redemption] | None:
        """Give a part of a redemption back."""
        if not self._known.redemptions:
            return None
        member_id, redemption_id = self._random.choice(self._known.redemptions[-12:])
        what = "credit" if redemption_id.endswith(CREDIT_SUFFIX) else "points"
        part = Part.model_validate({what: self._random.choice((1, 2, 5, 20)), "reversal_id": self._known.new("v")})

        def call(now: datetime) -> Redemption:
            return redemptions.reverse_redemption(member_id, redemption_id, part, caller=TILL, now=now)

        return Request("reverse", call, (f"REDEMPTION#{redemption_id}", f"REVERSE#{part.reversal_id}"))

    def pay_out(self) -> Request[Outcome]:
        """Take credit out of the program."""
        member_id, reference = self._known.member(), self._known.new("y")
        body = Payout(amount=self._random.choice((10, 35)), currency="USD", reference=reference)

        def call(now: datetime) -> Outcome:
            return store_credit.pay_out_credit(member_id, body, caller=TILL, now=now)

        return Request("payout", call, (f"PAYOUT#{request_ids.derived_id('payout', member_id, reference)}", "PAYOUT"))

    def _redeem(
        self, member_id: str, name: str, body: RewardRequest | MoneyRequest | CreditRequest
    ) -> Request[Redemption]:
        redemption_id = request_ids.derived_id("redemption", member_id, name)
        redemption_id += CREDIT_SUFFIX if isinstance(body, CreditRequest) else ""

        def call(now: datetime) -> Redemption:
            return redemptions.redeem(member_id, body, key=name, caller=TILL, now=now)

        def learn(_: Redemption) -> None:
            self._known.redemptions.append((member_id, redemption_id))

        return Request("reserve", call, (f"REDEMPTION#{redemption_id}", "RESERVE"), learn)

    def _step(self, name: str, take: Callable[..., Redemption]) -> Request[Redemption] | None:
        if not self._known.redemptions:
            return None
        member_id, redemption_id = self._random.choice(self._known.redemptions[-12:])

        def call(now: datetime) -> Redemption:
            return take(member_id, redemption_id, caller=TILL, now=now)

        return Request(name, call, (f"REDEMPTION#{redemption_id}", name.upper()))

    def _basket(self, member_id: str) -> dict[str, Any]:
        """What is paid for: some order, the one on which a few redemptions meet, or the member's last one."""
        if self._random.randrange(2):
            return {"order_total": 100_000}
        lately = self._known.orders[-25:]
        own = [(order_id, total) for owner, order_id, total in lately if owner == member_id and total]
        if own and self._random.randrange(2):
            order_id, total = own[-1]
            self._known.paid.append((member_id, order_id, total))
            return {"order_total": total, "order_id": order_id}
        return {"order_total": 30, "order_id": f"basket-{len(self._known.redemptions) // REDEMPTIONS_MEETING}"}
