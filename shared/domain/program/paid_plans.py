"""Paid memberships: what they cost, how long they last, what they bring, and what cancelling one gives back."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import Days, Flag, PositiveAmount, Slug, Stored, Text
from shared.domain.program.common import Months

PLANS_MAX = 10


class Plan(Stored):
    """A membership that is bought for some months: `price` in minor units of the program's currency.

    While it is paid the member holds at least the tier `tier_id`, and `percent` multiplies the base points, 100 being
    none. It can be renewed from `renew_within_days` before its end on.
    """

    plan_id: Slug
    name: Text
    price: PositiveAmount
    months: Months
    tier_id: Slug | None = None
    percent: Annotated[int, Field(strict=True, ge=100, le=10_000)] = 100
    benefits: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    renew_within_days: Annotated[Days, Field(ge=1, le=366)] = 30
    refund: Literal["none", "full", "prorated"] = "prorated"
    refund_days: Days = 14
    """Until so many days after it was paid, cancelling gives the whole price back, whatever `refund` says.

    That is so once in a year; from then on `full` is by the day as well.
    """
    deducts_used: Flag = False
    """Whether what the plan has brought meanwhile is taken off what is given back, as points are worth as money."""
