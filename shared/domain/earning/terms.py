"""What earning points and earning store credit have in common: the terms on which an order earns either."""

from typing import NamedTuple

from shared.domain.program.cashback import Cashback
from shared.domain.program.common import Rounding
from shared.domain.program.expiry import Expiry
from shared.domain.program.program import Program


class EarningTerms(NamedTuple):
    """`units` for each `per_amount` minor units of an order: points, or minor units of credit.

    An order brings at most `base_max` of them, before bonuses. They can be spent after `pending_days`, and end as
    `expiry` says. With `whole_steps` only full `per_amount` count.
    """

    units: int
    per_amount: int
    description: str
    base_max: int | None
    rounding: Rounding
    minimum_spend: int
    excluded_categories: tuple[str, ...]
    excluded_skus: tuple[str, ...]
    pending_days: int
    expiry: Expiry
    whole_steps: bool = False


def terms_of_points(program: Program) -> EarningTerms:
    """The terms on which orders earn points."""
    earning = program.earning
    return EarningTerms(
        units=earning.points,
        per_amount=earning.per_amount,
        description=earning.description,
        base_max=earning.base_max,
        rounding=earning.rounding,
        minimum_spend=earning.minimum_spend,
        excluded_categories=earning.excluded_categories,
        excluded_skus=earning.excluded_skus,
        pending_days=earning.pending_days,
        expiry=program.expiry,
        whole_steps=earning.whole_steps,
    )


def terms_of_credit(cashback: Cashback) -> EarningTerms:
    """The terms on which orders earn store credit."""
    return EarningTerms(
        units=cashback.amount,
        per_amount=cashback.per_amount,
        description=cashback.description,
        base_max=cashback.order_max,
        rounding=cashback.rounding,
        minimum_spend=cashback.minimum_spend,
        excluded_categories=cashback.excluded_categories,
        excluded_skus=cashback.excluded_skus,
        pending_days=cashback.pending_days,
        expiry=cashback.expiry,
    )
