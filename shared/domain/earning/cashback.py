"""Cashback: what orders earn in money, kept in the member's wallet.

It is earned on terms of its own, rounded, kept in lots and taken back as points are; tiers, rules and campaigns add
nothing to it. Who earns no points earns no money, and where points may not expire, neither does it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.domain.account import Account
from shared.domain.earning.earnings import Earned
from shared.domain.earning.enrolment import open_side
from shared.domain.earning.kept_orders import Sale, kept, returned_of
from shared.domain.earning.orders import Line, Order, base_of, check_order, lines_of, order_entry, purchase_of
from shared.domain.earning.refunds import taken_back
from shared.domain.earning.terms import terms_of_credit
from shared.domain.entry import Entry
from shared.domain.errors import NotOfferedError
from shared.domain.ledger import book_all, draft
from shared.domain.lots import NO_LOTS, Lots
from shared.domain.points.activity import without_activity
from shared.domain.program.cashback import Cashback
from shared.domain.program.program import Program


def required_cashback(program: Program) -> Cashback:
    """The program's cashback. Raises NotOfferedError if it has none."""
    if program.cashback is None:
        raise NotOfferedError("the program gives no store credit")
    return program.cashback


def gives_credit(program: Program, order: Order) -> bool:
    """Whether an order may earn money at all: the program gives some, and it is the shop's own, not a partner's."""
    return program.cashback is not None and program.partner(order.partner_id) is None


def credit_earnings(member: Account | None, program: Program, order: Order) -> Earned:
    """What an order earns a member (None: somebody who is not yet one) in minor units.

    Raises NotOfferedError if the program gives no store credit, InvalidRequestError as `check_order` does.
    """
    check_order(program, order)
    base = base_of(member, program, terms_of_credit(required_cashback(program)), order)
    return base if isinstance(base, Earned) else Earned((base.piece,))


def earn_credit(
    member: Account, wallet: Account, program: Program, order: Order, *, now: datetime, actor: str
) -> list[Entry]:
    """What an order earns in money; nothing, and no wallet, where that is nothing."""
    if not gives_credit(program, order):
        return []
    earned = credit_earnings(member, program, order)
    if not earned.points:
        return []
    opening = open_side(wallet, program, now=now, actor=actor)
    entry = order_entry(
        book_all(wallet, opening),
        program,
        terms_of_credit(required_cashback(program)),
        order,
        earned,
        member=member,
        measure="points",
        counts=0,
        now=now,
        actor=actor,
        fingerprint="",
    )
    return [*opening, entry]


def amended_credit(
    member: Account, program: Program, sale: Sale, credit: Sale | None, total: int, lines: Sequence[Line]
) -> dict[str, Any] | None:
    """What the entry of an order's money would say, had the order been of this total and these lines from the start.

    `sale` is the member's, `credit` the wallet's, if it earned money. None: it earns no money.
    """
    order = purchase_of(sale, total, lines)
    if not gives_credit(program, order):
        return None
    bought = (credit or sale).order
    details = {"total": total, "lines": lines_of(order)}
    return {
        "order": bought.model_copy(update=details),
        "breakdown": credit_earnings(member, program, order).breakdown,
    }


def take_back_credit(wallet: Account, program: Program, sale: Sale, refund: Entry, *, lapsed: Lots = NO_LOTS) -> Entry:
    """What a refund takes back of the money that its order earned; `sale` is the wallet's, before this refund.

    `refund` is the entry that takes back the points, and says what has come back of the order.
    """
    if refund.refunded is None:
        raise AssertionError(f"{refund.entry_id} is no refund of an order")
    left = kept(sale._replace(returned=returned_of(refund))).points
    takes = kept(sale).points - left
    taken = taken_back(wallet, program, sale.entry, takes, lapsed)
    entry = draft(
        wallet,
        "refund",
        occurred_at=refund.occurred_at,
        recorded_at=refund.recorded_at,
        program_version=program.version,
        actor=refund.actor,
        **taken.fields,
        earned=-taken.points,
        source={"order_id": sale.entry.source["order_id"], "refund_id": refund.source["refund_id"]},
    )
    return without_activity(wallet, program, entry, sale.entry) if takes and not left else entry
