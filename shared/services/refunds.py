"""Taking back what an order earned, for the part of it that was returned."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared import request_ids
from shared.caller import Caller
from shared.domain.earning.kept_orders import Returned, Sale
from shared.domain.earning.moments import moment
from shared.domain.earning.orders import LINES_MAX
from shared.domain.earning.refunds import ReturnedLine, part_by_amount, part_by_lines
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Instant, PositiveAmount, Record, Reference
from shared.domain.lifecycle.changed_order import refunded
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.services.orders import OrderReader
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation


class Refund(Record):
    """Which part of an order came back: some of its lines, or `amount` minor units of what counted toward points.

    Without `refunded_at` it comes back now; one dated before its order counts as made with it.
    """

    order_id: Reference
    refund_id: Reference
    amount: PositiveAmount | None = None
    lines: Annotated[tuple[ReturnedLine, ...], Field(min_length=1, max_length=LINES_MAX)] | None = None
    refunded_at: Instant | None = None


def refund(member_id: str, request: Refund, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take back points and store credit of the returned part of an order, and whatever rests on it.

    Raises OrderNotFoundError, OrderBelongsToAnotherMemberError, RefundExceedsOrderError, and InvalidRequestError for
    lines that the order does not have.
    """
    _require_one_amount(request)
    partner = partner_access.calling(caller)
    request = request.model_copy(update={"order_id": partner_access.own_id(partner, request.order_id)})
    fingerprint = request_ids.fingerprint(request)
    member = caller.authorized_member_id(member_id)
    reader = OrderReader(request.order_id, partner)

    def decide(situation: Situation) -> Decision:
        order = reader.find(situation)
        refunded_at = moment(request.refunded_at, "/refunded_at", situation.program, now)
        entries = refunded(
            situation.accounts,
            situation.program,
            order,
            _part(order.sale, request),
            reader.background(situation),
            refund_id=request.refund_id,
            refunded_at=max(refunded_at, order.sale.entry.occurred_at),
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


def _require_one_amount(request: Refund) -> None:
    """Raises InvalidRequestError unless lines or an amount say what came back, or both say the same."""
    if request.lines is None:
        if request.amount is None:
            raise InvalidRequestError(Fault("/amount", "say what came back: an amount, or lines of the order"))
        return
    of_lines = sum(line.amount for line in request.lines)
    if request.amount not in {None, of_lines}:
        raise InvalidRequestError(Fault("/amount", f"must be {of_lines}, the sum of the lines, or left out"))


def _part(sale: Sale, request: Refund) -> Returned:
    if request.lines is not None:
        return part_by_lines(sale, request.lines)
    return part_by_amount(sale, request.amount or 0)
