"""Store credit: what orders earn in money, kept in a wallet by the rules that points follow, and paid out.

A wallet is an account whose unit is minor units of the program's currency. Its rules are a program of its own, made
of the section `cashback`, so that rounding, lots, holds, refunds and expiry are those of points.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from shared.domain.account import Account, Entry
from shared.domain.calendar import local_day
from shared.domain.earning.orders import Order, earn_order, refund_order
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.fields import Currency, PositiveAmount, Record, Reference
from shared.domain.ledger import book_all, combined, draft, negative, take
from shared.domain.points.expiry import prolonged
from shared.domain.points.opening import open_side
from shared.domain.program.cashback import Cashback
from shared.domain.program.program import Earning, Program, Tiers
from shared.domain.spending.redemptions import require_points
from shared.domain.spending.transfers import Moved, erase, merge

_MEMBERS_ALONE: Mapping[str, Any] = {
    "qualifying": {},
    "activity": {},
    "progress": {},
    "badges": {},
    "uses": {},
    "budgets": {},
    "last_order_on": None,
    "tier": None,
    "refunded": None,
}
"""What an order or its refund changes of the member's own account, and of no wallet."""


class Payout(Record):
    """Credit to hand over outside the program, under the caller's own reference."""

    amount: PositiveAmount
    currency: Currency
    to: Literal["store_credit", "cash"] = "store_credit"
    reference: Reference


def credit_program(program: Program) -> Program:
    """The program as it is for wallets. Raises InvalidStateError if it gives no credit."""
    cashback = required_cashback(program)
    earning = Earning(
        points=cashback.amount,
        per_amount=cashback.per_amount,
        description=cashback.description,
        base_max=cashback.order_max,
        rounding=cashback.rounding,
        minimum_spend=cashback.minimum_spend,
        excluded_categories=cashback.excluded_categories,
        excluded_skus=cashback.excluded_skus,
        pending_days=cashback.pending_days,
    )
    lowest = program.tiers.levels[0].model_copy(update={"percent": 100})
    return Program.model_construct(
        version=program.version,
        name=program.name,
        currency=program.currency,
        country=program.country,
        time_zone=program.time_zone,
        earning=earning,
        expiry=cashback.expiry,
        refund_debt=program.refund_debt,
        tiers=Tiers.model_construct(levels=(lowest,)),
        redeeming=program.redeeming,
        cashback=cashback,
    )


def required_cashback(program: Program) -> Cashback:
    """The program's cashback. Raises InvalidStateError if it has none."""
    if program.cashback is None:
        raise InvalidStateError("the program gives no store credit")
    return program.cashback


def gives_credit(program: Program, order: Order) -> bool:
    """Whether an order may earn money at all: the program gives some, and it is the shop's own, not a partner's."""
    return program.cashback is not None and program.partner(order.partner_id) is None


def earn_credit(wallet: Account, program: Program, order: Order, *, now: datetime, actor: str) -> list[Entry]:
    """What an order earns in money; nothing, and no wallet, where that is nothing."""
    if not gives_credit(program, order):
        return []
    opening = open_side(wallet, program, now=now, actor=actor)
    wallet = book_all(wallet, opening)
    entry = earn_order(wallet, credit_program(program), order, now=now, actor=actor, fingerprint="")
    return [*opening, entry.model_copy(update=_MEMBERS_ALONE)] if entry.points else []


def take_back_credit(wallet: Account, program: Program, earned: Entry, refund: Entry, *, amount: int) -> Entry:
    """What a refund takes back of the money that its order earned, `amount` minor units of it being returned now.

    `refund` is the entry that takes back the points.
    """
    if refund.refunded is None:
        raise AssertionError(f"{refund.entry_id} is no refund of an order")
    entry = refund_order(
        wallet,
        program,
        earned,
        refund_id=refund.source["refund_id"],
        amount=amount,
        refunded_before=refund.refunded - amount,
        refunded_at=refund.occurred_at,
        now=refund.recorded_at,
        actor=refund.actor,
        fingerprint="",
    )
    return entry.model_copy(update=_MEMBERS_ALONE)


def pay_out(
    wallet: Account, program: Program, payout: Payout, *, payout_id: str, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Take credit out of the program: to the shop's own store credit, or as cash where the program allows it.

    Raises InvalidRequestError naming the rule that the payout breaks, InsufficientPointsError if there is too little.
    """
    terms = credit_program(program)
    _require_payable(required_cashback(program), program, payout)
    require_points(wallet, payout.amount)
    moved = prolonged(wallet, terms, local_day(now, program.time_zone))
    lots = take(combined(wallet.lots, moved), payout.amount)
    return draft(
        wallet,
        "payout",
        occurred_at=now,
        recorded_at=now,
        points=-payout.amount,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        lots=combined(moved, negative(lots)),
        source={"payout_id": payout_id, "reference": payout.reference, "to": payout.to},
    )


def merge_wallets(gone: Account, into: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Move a wallet into another, which is opened if need be; nothing if there is none to move."""
    if not gone.sequence:
        return []
    opening = open_side(into, program, now=now, actor=actor)
    moved: Moved = merge(gone, book_all(into, opening), program, now=now, actor=actor)
    return [*opening, *moved]


def erase_wallet(wallet: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Close a wallet for good; nothing if there is none."""
    return erase(wallet, program, now=now, actor=actor) if wallet.sequence else []


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
