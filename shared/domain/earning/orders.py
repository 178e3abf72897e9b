"""Orders, and what of one earns before anything is added: points and store credit begin here."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from math import floor
from numbers import Integral, Real
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, Field

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.earning.campaigns import noted
from shared.domain.earning.earnings import Earned, RunningSum, earn_entry
from shared.domain.earning.kept_orders import Sale, counts_for, lines_mask
from shared.domain.earning.moments import moment
from shared.domain.earning.terms import EarningTerms
from shared.domain.entry import Entry, OrderEarned, OrderLine, Piece
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Amount, Currency, Instant, PositiveCount, Record, Reference
from shared.domain.points.eligibility import is_excluded, nothing_for_excluded
from shared.domain.program.program import Program

LINES_MAX = 200
CODES_MAX = 10
_BETWEEN_CODES = "\n"
"""In an entry's source, where a code itself cannot have it."""


def _whole_pieces(quantity: object) -> object:
    if isinstance(quantity, Real) and not isinstance(quantity, Integral):
        reason = "counts whole pieces; send what is sold by weight or length as 1, with its price as the amount"
        raise ValueError(reason)  # noqa: TRY004 - pydantic reports ValueError with its place
    return quantity


class Line(Record):
    """One article of an order; `amount` is for all of its `quantity`, in minor units."""

    sku: Reference
    category: Reference | None = None
    quantity: Annotated[PositiveCount, BeforeValidator(_whole_pieces)] = 1
    amount: Amount


class Order(Record):
    """What was bought. `total` is what counts toward points; lines may not add up to more."""

    order_id: Reference
    placed_at: Instant
    currency: Currency
    total: Amount
    lines: Annotated[tuple[Line, ...], Field(max_length=LINES_MAX)] = ()
    channel: Reference | None = None
    store_id: Reference | None = None
    touchpoint: Reference | None = None
    partner_id: Reference | None = None
    payment_method: Reference | None = None
    codes: Annotated[tuple[Reference, ...], Field(max_length=CODES_MAX)] = ()
    """What the customer has entered for the offers of rules and campaigns."""


_Placed = TypeVar("_Placed", bound=Order)


class Base(NamedTuple):
    """What of an order earns: the lines that count, `eligible` minor units, and the exact units that these bring.

    `counted` numbers those lines from 0, and `mask` notes them for a piece that all of them bring. `piece` is the first
    line of the earning; what is added to it comes out of `sums`. `steps` is how many steps `eligible` made, if whole
    ones alone count.
    """

    counted: Sequence[int]
    mask: str | None
    eligible: int
    exact: Fraction
    sums: RunningSum
    piece: Piece
    steps: Fraction | None = None


def base_of(member: Account | None, program: Program, terms: EarningTerms, order: Order) -> Base | Earned:
    """What an order brings by its terms alone; an Earned if that is nothing, with the line that says why.

    Here alone it is asked whether the member (None: somebody who is not yet one) earns anything with orders.
    """
    if is_excluded(member, program):
        return Earned((nothing_for_excluded(),), is_excluded=True)
    if order.total < terms.minimum_spend:
        text = f"Orders below {terms.minimum_spend} earn nothing"
        return Earned((Piece(rule_id="base", points=0, description=text),))
    counted = [number for number, line in enumerate(order.lines) if not _is_excluded_from(terms, line)]
    mask = None if len(counted) == len(order.lines) else lines_mask(counted, with_rest=True)
    eligible = order.total - sum(line.amount for line in order.lines)
    eligible += sum(order.lines[number].amount for number in counted)
    steps = Fraction(eligible, terms.per_amount)
    exact = (Fraction(floor(steps)) if terms.whole_steps else steps) * terms.units
    of_steps = steps if terms.whole_steps else None
    sums = RunningSum(terms.rounding, terms.minimum_spend)
    piece = sums.piece("base", terms.description, exact, cap=terms.base_max, lines=mask, steps=of_steps)
    return Base(counted, mask, eligible, exact, sums, piece, of_steps)


def placed(order: _Placed, program: Program, now: datetime) -> _Placed:
    """An order that is not booked yet, with its moment: without one it is placed now. Raises as `moment` does."""
    return order.model_copy(update={"placed_at": moment(order.placed_at, "/placed_at", program, now)})


def check_order(program: Program, order: Order) -> None:
    """Raises InvalidRequestError for an order in another currency than the program's, or less than its lines."""
    faults = []
    if order.currency != program.currency:
        faults.append(Fault("/currency", f"must be {program.currency}, the program's currency"))
    of_lines = sum(line.amount for line in order.lines)
    if of_lines > order.total:
        faults.append(Fault("/lines", f"the lines add up to {of_lines}, more than the total {order.total}"))
    if faults:
        raise InvalidRequestError(*faults)


def lines_of(order: Order) -> tuple[OrderLine, ...]:
    """An order's lines as its entry keeps them."""
    return tuple(OrderLine(line.sku, line.category, line.quantity, line.amount) for line in order.lines)


def purchase_of(sale: Sale, total: int, lines: Sequence[Line]) -> Order:
    """The order of an entry, with another total and other lines."""
    source = sale.entry.source
    order = Order(
        order_id="amended",
        placed_at=sale.entry.occurred_at,
        currency=sale.order.currency,
        total=total,
        lines=tuple(lines),
        codes=tuple(source["codes"].split(_BETWEEN_CODES)) if "codes" in source else (),
        **{name: source.get(name) for name in ("channel", "store_id", "touchpoint", "partner_id", "payment_method")},
    )
    return order.model_copy(update={"order_id": source["order_id"]})  # a partner's has a mark that requests cannot have


def order_entry(
    account: Account,
    program: Program,
    terms: EarningTerms,
    order: Order,
    earned: Earned,
    *,
    member: Account,
    measure: Literal["points", "spend"],
    counts: int,
    held: tuple[str | None, str | None] = (None, None),
    counts_toward: tuple[str, ...] | None = None,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Credit an order to an account, be it `member`'s own or their wallet. `counts` goes toward tiers, in `measure`.

    `held` is the tier, if it is not the lowest, and the paid plan that it is credited in. `counts_toward` is what it
    counts toward beside points; None: everything.
    """
    where = {
        "channel": order.channel,
        "store_id": order.store_id,
        "touchpoint": order.touchpoint,
        "payment_method": order.payment_method,
        "codes": _BETWEEN_CODES.join(order.codes) or None,
    }
    entry = earn_entry(
        account,
        program,
        terms,
        earned,
        member=member,
        occurred_at=order.placed_at,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        source={"order_id": order.order_id, **where, "partner_id": order.partner_id, **noted(earned.groups)},
        counts=counts,
        is_activity=counts_for("activity", counts_toward),
    )
    details = OrderEarned(
        currency=order.currency,
        total=order.total,
        rounding=terms.rounding,
        month=month_of(local_day(min(order.placed_at, now), program.time_zone)),
        measure=measure,
        cap=earned.cap,
        tier=held[0],
        plan=held[1],
        lines=lines_of(order),
        counts_toward=counts_toward,
    )
    return entry.model_copy(update={"order": details})


def _is_excluded_from(terms: EarningTerms, line: Line) -> bool:
    return line.category in terms.excluded_categories or line.sku in terms.excluded_skus
