"""Challenges: what a member does to earn a badge, and what the badge pays."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.calendar import Period
from shared.domain.fields import Amount, Flag, Points, PositiveCount, Slug, Stored, Text
from shared.domain.program.common import Filter, Validity

DAYS_KEPT_MAX = 31
"""How many days a member's account keeps for one challenge."""
KINDS_KEPT_MAX = 20
CHALLENGES_MAX = 30

StreakPeriod = Literal["day", "week", "month"]


class Count(Stored):
    """So many orders, actions, minor units spent or points earned, in one period."""

    kind: Literal["count"]
    of: Literal["orders", "actions", "amount", "points"]
    target: PositiveCount
    per: Period = "lifetime"


class Visits(Stored):
    """Orders on so many different days, all within `within_days` days, both ends counted."""

    kind: Literal["visits"]
    target: Annotated[int, Field(strict=True, ge=1, le=DAYS_KEPT_MAX)]
    within_days: Annotated[int, Field(strict=True, ge=1, le=366)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.within_days < self.target:
            raise ValueError(f"{self.target} different days do not fit into {self.within_days}")
        return self


class Streak(Stored):
    """At least one order in each of so many days, weeks or months in a row."""

    kind: Literal["streak"]
    target: Annotated[int, Field(strict=True, ge=2, le=366)]
    per: StreakPeriod


class Variety(Stored):
    """So many different categories, stores or actions, in one period."""

    kind: Literal["variety"]
    of: Literal["categories", "stores", "actions"]
    target: Annotated[int, Field(strict=True, ge=2, le=KINDS_KEPT_MAX)]
    per: Period = "lifetime"


Goal = Annotated[Count | Visits | Streak | Variety, Field(discriminator="kind")]


class Challenge(Validity):
    """A goal, the orders or actions that count toward it, and the badge for reaching it."""

    challenge_id: Slug
    name: Text
    description: Text | None = None
    goal: Goal
    points: Points = 0
    repeatable: Flag = False
    minimum_spend: Amount = 0
    channels: Filter = ()
    store_ids: Filter = ()
    categories: Filter = ()
    actions: Filter = ()
