"""What a refund takes back of what an order has earned, points or store credit."""

from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from shared.domain.account import Account
from shared.domain.earning.earnings import rounded
from shared.domain.entry import Entry, OrderEarned
from shared.domain.errors import RefundExceedsOrderError
from shared.domain.ledger import combined, draft, negative, take
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.expiry import lot_day
from shared.domain.points.partner_funding import given_back
from shared.domain.points.segments import returned
from shared.domain.program.program import Program


class TakenBack(NamedTuple):
    """Points taken back, those that are owed from now on included, and the effects of it on an account."""

    points: int
    effects: dict[str, Any]


def refund_order(
    account: Account,
    program: Program,
    earn: Entry,
    *,
    refund_id: str,
    amount: int,
    refunded_before: int,
    refunded_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Take back what an order's returned part has earned: `amount` now, after `refunded_before`, both minor units.

    The member keeps what the order would have earned on what is kept of it, rounded once over all refunds. Points come
    from the order's own lot, then from those that expire soonest; what is not there becomes debt, or is forgiven.
    Raises RefundExceedsOrderError if more would be returned than was paid.
    """
    order = order_of(earn)
    left = order.total - refunded_before
    if amount > left:
        raise RefundExceedsOrderError(
            f"the order was {order.total} minor units, {refunded_before} are refunded, {left} can be; not {amount}"
        )
    takes = points_kept(earn, left) - points_kept(earn, left - amount)
    taken = taken_back(account, program, earn, takes)
    spent = amount if earn.qualifying else 0  # what somebody excluded spends counts for nothing
    counted = takes if order.measure == "points" else spent
    of_partner = {"partner_id": earn.partner.partner_id} if earn.partner else {}
    return draft(
        account,
        "refund",
        occurred_at=refunded_at,
        recorded_at=now,
        points=-taken.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **taken.effects,
        earned=-taken.points,
        qualifying={order.month: -counted} if counted else {},
        source={"order_id": earn.source["order_id"], "refund_id": refund_id, **of_partner},
        partner=earn.partner,
        budgets=given_back(earn, taken.points),
        refunded=refunded_before + amount,
        activity=returned(earn, amount, left - amount),
    )


def points_kept(earn: Entry, kept: int) -> int:
    """What an order would have earned on `kept` minor units of it, rounded once."""
    order = order_of(earn)
    points = rounded(sum((piece.on(kept, order.total) for piece in earn.breakdown), Fraction(0)), order.rounding)
    return points if order.cap is None else min(points, order.cap)


def order_of(earn: Entry) -> OrderEarned:
    """What an order's entry keeps of the order."""
    if earn.order is None:
        raise AssertionError(f"{earn.entry_id} is not an order's entry")
    return earn.order


def taken_back(account: Account, program: Program, granted: Entry, points: int) -> TakenBack:
    """Take back `points` of what an entry granted: its pending ones, then its lot, then what expires soonest.

    What is not there becomes debt, or is forgiven, as the program says. Once a provisional member has agreed to the
    terms, what waited is among their other points; what waits then is for something else.
    """
    waited = UNTIL_APPROVED in granted.pending
    own = "" if waited else lot_day(granted.expires_on)
    pending_key = UNTIL_APPROVED if waited and account.status == "provisional" else f"{granted.available_on}/{own}"
    pending = min(points, account.pending.get(pending_key, 0))
    available = min(points - pending, account.balance)
    from_own = min(available, account.lots.get(own, 0))
    rest = take(combined(account.lots, {own: -from_own}), available - from_own)
    short = points - pending - available
    debt = short if program.refund_debt == "allowed" else 0
    lots = negative(combined(rest, {own: from_own}))
    return TakenBack(
        points - short + debt, {"lots": lots, "pending": {pending_key: -pending} if pending else {}, "debt": debt}
    )
