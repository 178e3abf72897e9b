"""Bonuses on top of the base points: on which orders, how much, how often. Rules and campaigns are made of these."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import Amount, PositivePoints, Slug, Stored, Text
from shared.domain.program.common import Filter, Limit, Validity

SEGMENTS_NAMED_MAX = 20

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SegmentIds = Annotated[tuple[Slug, ...], Field(max_length=SEGMENTS_NAMED_MAX)]
"""Segments of the program; members of any of them are meant, and everybody if none is named."""


class When(Validity):
    """What an order must be for a rule to apply, and whose. What is left empty does not matter.

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
