"""Bonuses on top of the base points: on which orders, how much, how often. Rules and campaigns are made of these."""

from datetime import time
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.fields import Amount, PositivePoints, Slug, Stored, Text
from shared.domain.program.common import Filter, Limit, TimeOfDay, Validity

SEGMENTS_NAMED_MAX = 20

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SegmentIds = Annotated[tuple[Slug, ...], Field(max_length=SEGMENTS_NAMED_MAX)]
"""Segments of the program; members of any of them are meant, and everybody if none is named."""


class Hours(Stored):
    """From a time of day until before another, in the program's zone; over midnight if it ends earlier."""

    starts_at: TimeOfDay
    ends_at: TimeOfDay

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.starts_at == self.ends_at:
            raise ValueError("hours that start when they end are none: leave them out for all day")
        return self

    def cover(self, clock: time) -> bool:
        """Whether a local time of day is one of them."""
        starts, ends = time.fromisoformat(self.starts_at), time.fromisoformat(self.ends_at)
        return starts <= clock < ends if starts < ends else clock >= starts or clock < ends


class When(Validity):
    """What an order must be for a rule to apply, and whose. What is left empty does not matter.

    Of `codes` the order has to name one.

    Categories and SKUs select lines; the rule then works on those lines alone.
    """

    categories: Filter = ()
    skus: Filter = ()
    channels: Filter = ()
    store_ids: Filter = ()
    partner_ids: Filter = ()
    tiers: Filter = ()
    segments: SegmentIds = ()
    weekdays: tuple[Weekday, ...] = ()
    hours: Hours | None = None
    payment_methods: Filter = ()
    codes: Filter = ()
    minimum_spend: Amount = 0


class Multiply(Stored):
    """So many percent of the base points instead of 100: 200 doubles them. Each multiplier works on the base alone."""

    kind: Literal["multiply"]
    percent: Annotated[int, Field(strict=True, gt=100, le=10_000)]


class Add(Stored):
    """So many points on top, once for the order or once for each item that the rule selects."""

    kind: Literal["add"]
    points: PositivePoints
    per: Literal["order", "item"] = "order"


Effect = Annotated[Multiply | Add, Field(discriminator="kind")]


class Rule(Stored):
    """A bonus on top of the base points."""

    rule_id: Slug
    description: Text
    when: When = When.model_construct()
    effect: Effect
    limit: Limit | None = None
