"""Segments: named groups of members, by what their accounts say of them."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.fields import Days, PositiveAmount, PositivePoints, Slug, Stored, Text
from shared.domain.program.common import require_unique
from shared.domain.program.rules import SegmentIds

SEGMENTS_MAX = 100
CONDITIONS_MAX = 20
TAGS_NAMED_MAX = 50

Score = Annotated[int, Field(strict=True, ge=1, le=5)]
Scores = Annotated[tuple[Score, ...], Field(max_length=5)]
Tag = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9_.:-]{0,31}$")]
"""A word of the shop's own for a member, of at most 32 characters. Never personal data: it stays in the ledger."""
Place = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
"""A country, or a part of one: ISO 3166-1 and ISO 3166-2, such as DE or US-CA."""

_Days = tuple[Days, Days, Days, Days]
_Orders = tuple[PositivePoints, PositivePoints, PositivePoints, PositivePoints]
_Amounts = tuple[PositiveAmount, PositiveAmount, PositiveAmount, PositiveAmount]


class Scoring(Stored):
    """Where one score ends and the next begins, over this month and the twelve before it.

    `recency_days`: members who ordered within the first so many days score 5, within the last of them 2, the rest 1.
    `frequency_orders` and `money_amounts` (minor units): members who reach the first score 2, the last 5, the rest 1.
    """

    recency_days: _Days = (30, 60, 120, 240)
    frequency_orders: _Orders = (2, 4, 8, 12)
    money_amounts: _Amounts = (5_000, 15_000, 40_000, 100_000)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("recency_days", "frequency_orders", "money_amounts"):
            if not all(low < high for low, high in pairwise(getattr(self, name))):
                raise ValueError(f"the four thresholds of {name} must rise")
        return self


class Condition(Stored):
    """What must be so of a member: everything that is given; of a list, any one of it."""

    tiers: SegmentIds = ()
    recency: Scores = ()
    frequency: Scores = ()
    money: Scores = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS_NAMED_MAX)] = ()
    places: Annotated[tuple[Place, ...], Field(max_length=TAGS_NAMED_MAX)] = ()
    """A country includes all of its parts."""
    opt_ins: Annotated[tuple[Literal["email", "sms"], ...], Field(max_length=2)] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def needs_scores(self) -> bool:
        """Whether it looks at what a member bought."""
        return bool(self.recency or self.frequency or self.money)


Conditions = Annotated[tuple[Condition, ...], Field(max_length=CONDITIONS_MAX)]


class Segment(Stored):
    """Members who meet all of `all`, any of `any` (if it names some), and none of `none`."""

    segment_id: Slug
    name: Text
    all: Conditions = ()
    any: Conditions = ()
    none: Conditions = ()

    @model_validator(mode="after")
    def _has_conditions(self) -> Self:
        if not (self.all or self.any or self.none):
            raise ValueError("give conditions under all, any or none")
        return self


class Segments(Stored):
    """The named segments. Accounts remember what was bought, month by month, only while `scoring` is there."""

    scoring: Scoring | None = None
    named: Annotated[tuple[Segment, ...], Field(max_length=SEGMENTS_MAX)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require_unique("segment_id", (segment.segment_id for segment in self.named))
        for segment in self.named:
            conditions = (*segment.all, *segment.any, *segment.none)
            if self.scoring is None and any(condition.needs_scores for condition in conditions):
                raise ValueError(f"the segment {segment.segment_id!r} looks at scores: give `scoring` its thresholds")
        return self
