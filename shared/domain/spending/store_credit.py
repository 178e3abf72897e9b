"""Store credit: money in a wallet, spent on orders and paid out.

A wallet is an account whose unit is minor units of the program's currency. What fills it is cashback.
"""

from datetime import datetime
from typing import Literal

from shared.domain.account import Account
from shared.domain.actors import is_shop
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import required_cashback
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Currency, PositiveAmount, Record, Reference
from shared.domain.ledger import combined, draft, negative, take
from shared.domain.lots import NO_LOTS
from shared.domain.points.activity import activity, beside
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.cashback import Cashback
from shared.domain.program.program import Program
from shared.domain.spending.order_payments import NOTHING_PAID, Payments, require_room, require_total
from shared.domain.spending.prices import CreditRequest, Price, named_total
from shared.domain.spending.redemptions import lock, require_points


class Payout(Record):
    """Credit to hand over outside the program, under the caller's own reference."""

    amount: PositiveAmount
    currency: Currency
    to: Literal["store_credit", "cash"] = "store_credit"
    reference: Reference


def reserve_credit(
    member: Account,
    wallet: Account,
    program: Program,
    request: CreditRequest,
    *,
    redemption_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
    payments: Payments = NOTHING_PAID,
) -> Entry:
    """Lock the credit that pays for part of an order, of which `payments` are made already.

    Raises MemberFrozenError; NotOfferedError if the program gives no credit; InvalidStateError if too many are open;
    InvalidRequestError or OrderPaidError if the order takes less of it; InsufficientPointsError if there is too little.
    """
    require_not_frozen(member)
    cashback = required_cashback(program)
    _require_spendable(cashback, program, request, payments)
    return lock(
        wallet,
        program,
        Price(request.credit, request.credit, None, named_total(request)),
        redemption_id=redemption_id,
        order_id=request.order_id,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        payments=payments,
    )


def pay_out(
    member: Account,
    wallet: Account,
    program: Program,
    payout: Payout,
    *,
    payout_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Take credit out of the program: to the shop's own store credit, or as cash where the program allows it.

    Raises MemberFrozenError, InvalidRequestError naming the rule that the payout breaks, InsufficientPointsError if
    there is too little.
    """
    require_not_frozen(member)
    cashback = required_cashback(program)
    _require_payable(cashback, program, payout)
    require_points(wallet, payout.amount)
    today = local_day(now, program.time_zone)
    active = activity(wallet, cashback.expiry, today, keeps_holds=True) if is_shop(actor) else {"lots": NO_LOTS}
    lots = take(combined(wallet.lots, active["lots"]), payout.amount)
    return draft(
        wallet,
        "payout",
        occurred_at=now,
        recorded_at=now,
        points=-payout.amount,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **beside({"lots": negative(lots)}, active),
        source={"payout_id": payout_id, "reference": payout.reference, "to": payout.to},
    )


def _require_spendable(cashback: Cashback, program: Program, request: CreditRequest, payments: Payments) -> None:
    if request.currency != program.currency:
        raise InvalidRequestError(Fault("/currency", f"must be {program.currency}, the program's currency"))
    require_total(payments, request.order_total)
    payable = request.order_total * cashback.order_share_percent // 100
    if request.credit > payable:
        raise InvalidRequestError(Fault("/credit", f"this order takes at most {payable} minor units of credit"))
    share = cashback.order_share_percent
    require_room(payments, request.order_total, share, value=request.credit, by_credit=True)


def _require_payable(cashback: Cashback, program: Program, payout: Payout) -> None:
    faults = []
    if payout.currency != program.currency:
        faults.append(Fault("/currency", f"must be {program.currency}, the program's currency"))
    if payout.to == "cash" and not cashback.cash_payouts:
        faults.append(Fault("/to", "the program pays credit out as store_credit alone, never as cash"))
    if payout.amount < cashback.minimum_payout:
        faults.append(Fault("/amount", f"at least {cashback.minimum_payout} minor units are paid out"))
    if faults:
        raise InvalidRequestError(*faults)
