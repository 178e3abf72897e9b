"""Campaigns: bonuses for a while, for some members, within a budget, with a share held out to measure them by."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.domain.fields import PositiveAmount, PositivePoints, Slug, Stored, Text
from shared.domain.program.common import Limit
from shared.domain.program.rules import Effect, When

CAMPAIGNS_MAX = 50
HOLD_OUT_PERCENT_MAX = 90


class PointCost(Stored):
    """What points cost: `amount` minor units for every `points` points."""

    points: PositivePoints
    amount: PositiveAmount

    def rounded_up(self, points: int) -> int:
        """What points cost in minor units, rounded up."""
        return -(-points * self.amount // self.points)

    def rounded_down(self, points: int) -> int:
        """What points cost in minor units, rounded down."""
        return points * self.amount // self.points


class CampaignBudget(Stored):
    """What a campaign may give away in all, in points, in money, or whichever is reached first.

    Points that a refund takes back return to it.
    """

    points: PositivePoints | None = None
    amount: PositiveAmount | None = None
    point_cost: PointCost | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.points is None and self.amount is None:
            raise ValueError("give points, amount, or both")
        if (self.amount is None) != (self.point_cost is None):
            raise ValueError("an amount needs a point_cost, and nothing else does")
        if self.total < 1:
            raise ValueError("the amount does not pay for one point")
        return self

    @property
    def total(self) -> int:
        """The budget in points, the last of which the money still pays for in full."""
        limits = [] if self.points is None else [self.points]
        if self.amount is not None and self.point_cost is not None:
            limits.append(self.amount * self.point_cost.points // self.point_cost.amount)
        return min(limits)


class Campaign(Stored):
    """A bonus on the orders that `when` describes, but for the members who are held out: they get nothing.

    `limit` is for each member.
    """

    campaign_id: Slug
    description: Text
    when: When = When.model_construct()
    effect: Effect
    limit: Limit | None = None
    hold_out_percent: Annotated[int, Field(strict=True, ge=0, le=HOLD_OUT_PERCENT_MAX)] = 0
    budget: CampaignBudget | None = None


Campaigns = Annotated[tuple[Campaign, ...], Field(max_length=CAMPAIGNS_MAX)]
