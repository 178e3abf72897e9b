"""Orders as callers send them, and what an order would earn."""

from datetime import date, timedelta
from typing import Literal

from shared.api.schemas.entries import BreakdownLine, breakdown_lines
from shared.domain.account import Account
from shared.domain.earning.earnings import Earned
from shared.domain.earning.orders import Order
from shared.domain.fields import Record
from shared.domain.points.expiry import ends_on
from shared.domain.program.program import Program


class OrderEarn(Order):
    """Credit an order."""

    type: Literal["order"]


class QuoteAnswer(Record):
    """What an order would earn, and when those points would come and go."""

    points: int
    available_on: date | None
    expires_on: date | None
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
