"""Orders as callers send them, and what an order would earn."""

from datetime import date, datetime, timedelta
from typing import Literal

from shared.api.schemas.entries import BreakdownLine, breakdown_lines
from shared.domain import order_ids
from shared.domain.account import Account
from shared.domain.earning.actions import Occasion
from shared.domain.earning.earnings import Earned
from shared.domain.earning.kept_orders import kept, lines_left
from shared.domain.earning.orders import Order
from shared.domain.entry import OrderLine
from shared.domain.fields import Instant, Record
from shared.domain.points.expiry import ends_on
from shared.domain.program.program import Program
from shared.services.orders import OrderView


class OrderEarn(Order):
    """Credit an order; without `placed_at` it is placed now."""

    type: Literal["order"]
    placed_at: Instant | None = None  # type: ignore[assignment] # the rules get it with its moment


class ActionEarn(Occasion):
    """Credit an action."""

    type: Literal["action"]


class OrderLineAnswer(Record):
    """A line of an order, and what of it came back by lines. An amount that came back is not any line's."""

    sku: str
    category: str | None
    quantity: int
    amount: int
    returned_quantity: int
    returned_amount: int


class OrderRefund(Record):
    """A refund of an order: the minor units that came back, and the points that it took."""

    refund_id: str
    refunded_at: datetime
    amount: int
    points: int
    is_reversed: bool


class OrderRedemption(Record):
    """A redemption that names an order: its points, and what they are worth in minor units."""

    redemption_id: str
    points: int
    value: int | None


class OrderAnswer(Record):
    """An order as it stands: what was bought, what came back, and what it earned and still keeps of that."""

    order_id: str
    member_id: str
    entry_id: str
    placed_at: datetime
    currency: str
    total: int
    refunded: int
    points: int
    points_kept: int
    credit: int
    credit_kept: int
    lines: tuple[OrderLineAnswer, ...]
    refunds: tuple[OrderRefund, ...]
    redemptions: tuple[OrderRedemption, ...]


class PartnerQuoteAnswer(Record):
    """What an order would earn, and when those points would come and go.

    It is all that a partner sees: how the points come about would tell what the member is.
    """

    points: int
    available_on: date | None
    expires_on: date | None


class QuoteAnswer(PartnerQuoteAnswer):
    """What an order would earn, how that comes about, and when those points would come and go."""

    breakdown: tuple[BreakdownLine, ...]


def quote_answer(
    earned: Earned, program: Program, account: Account | None, placed_on: date, today: date
) -> QuoteAnswer:
    """What an order placed on a day would earn a member, or a newcomer (None)."""
    available_on = placed_on + timedelta(days=program.earning.pending_days)
    return QuoteAnswer(
        points=earned.points,
        available_on=available_on if available_on > today else None,
        expires_on=ends_on(account, program, program.expiry, available_on),
        breakdown=breakdown_lines(earned.breakdown),
    )


def order_answer(view: OrderView) -> OrderAnswer:
    """An order as callers see it."""
    sale, credit = view.order
    order, source = sale.order, sale.entry.source
    return OrderAnswer(
        order_id=order_ids.shown(source["order_id"]),
        member_id=view.member_id,
        entry_id=sale.entry.entry_id,
        placed_at=sale.entry.occurred_at,
        currency=order.currency,
        total=order.total,
        refunded=sale.returned.amount,
        points=sale.entry.points,
        points_kept=kept(sale).points,
        credit=credit.entry.points if credit else 0,
        credit_kept=kept(credit).points if credit else 0,
        lines=tuple(map(_line, order.lines, lines_left(order.lines, sale.returned.lines))),
        refunds=tuple(
            OrderRefund(
                refund_id=refund.source["refund_id"],
                refunded_at=refund.occurred_at,
                amount=refund.part_amount,
                points=refund.points,
                is_reversed=refund.source["refund_id"] in view.reversed_refunds,
            )
            for refund in view.refunds
        ),
        redemptions=tuple(
            OrderRedemption(redemption_id=redemption_id, points=hold.points, value=hold.value)
            for reserve in view.redemptions
            for redemption_id, hold in reserve.opened.items()
        ),
    )


def _line(line: OrderLine, left: tuple[int, int]) -> OrderLineAnswer:
    pieces, paid = left
    return OrderLineAnswer(
        sku=line.sku,
        category=line.category,
        quantity=line.quantity,
        amount=line.amount,
        returned_quantity=line.quantity - pieces,
        returned_amount=line.amount - paid,
    )
