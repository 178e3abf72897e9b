"""Taking back what an order earned, for the part of it that was returned."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared import request_ids
from shared.caller import Caller
from shared.domain.earning.kept_orders import Returned, Sale
from shared.domain.earning.orders import LINES_MAX
from shared.domain.earning.refunds import ReturnedLine, returned_by_amount, returned_by_lines
from shared.domain.fields import Instant, PositiveAmount, Record, Reference
from shared.domain.lifecycle.changed_order import refunded
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.services.orders import OrderReader
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation


class Refund(Record):
    """Which part of an order came back: some of its lines, or `amount` minor units of what counted toward points."""

    order_id: Reference
    refund_id: Reference
    amount: PositiveAmount | None = None
    lines: Annotated[tuple[ReturnedLine, ...], Field(min_length=1, max_length=LINES_MAX)] | None = None
    refunded_at: Instant

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        if self.lines is None and self.amount is None:
            raise ValueError("send lines or amount: what of the order came back")
        of_lines = sum(line.amount for line in self.lines or ())
        if self.lines is not None and self.amount not in {None, of_lines}:
            raise ValueError(f"amount is {self.amount} and the lines add up to {of_lines}: leave amount out")
        return self


def refund(member_id: str, request: Refund, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take back points and store credit of the returned part of an order, and whatever rests on it.

    Raises OrderNotFoundError, OrderBelongsToAnotherMemberError, RefundExceedsOrderError, and InvalidRequestError for
    lines that the order does not have.
    """
    partner = partner_access.calling(caller)
    request = request.model_copy(update={"order_id": partner_access.own_id(partner, request.order_id)})
    fingerprint = request_ids.fingerprint(request)
    member = caller.authorized_member_id(member_id)
    reader = OrderReader(request.order_id, partner)

    def decide(situation: Situation) -> Decision:
        order = reader.find(situation)
        entries = refunded(
            situation.accounts,
            situation.program,
            order,
            _returned(order.sale, request),
            reader.background(situation),
            refund_id=request.refund_id,
            refunded_at=request.refunded_at,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision(entries)

    outcome = operation.run(
        [member, wallet_of(member)],
        decide,
        key=keys.of("refund", order_id=request.order_id, refund_id=request.refund_id),
        fingerprint=fingerprint,
        now=now,
        reads=reader.reads(member),
        asks=reader.asks,
    )
    return partner_access.shown(partner, outcome)


def _returned(sale: Sale, request: Refund) -> Returned:
    if request.lines is not None:
        return returned_by_lines(sale, request.lines)
    return returned_by_amount(sale, request.amount or 0)
