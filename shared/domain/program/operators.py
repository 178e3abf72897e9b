"""What one operator may do alone."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import PositivePoints, Stored


class Rate(Stored):
    """How often something may be done in an hour of universal time, or in a day, before an operator looks at it."""

    times: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    per: Literal["hour", "day"]


class Rates(Stored):
    """What is done more often is booked, and opens a review: `redemptions` of one member; `adjustments`, `refunds` and
    `new_members` by one operator or client, and in one store where the order names it.
    """

    redemptions: Rate | None = None
    adjustments: Rate | None = None
    refunds: Rate | None = None
    new_members: Rate | None = None

    def of(self, name: str) -> Rate | None:
        """The rate of a name."""
        rates = {
            "redemptions": self.redemptions,
            "adjustments": self.adjustments,
            "refunds": self.refunds,
            "new_members": self.new_members,
        }
        return rates[name]


class Operators(Stored):
    """What is more needs a second operator.

    `adjustment_limit_points` is how many points of one member one operator moves in a day, given and taken, by
    adjustments and undoing them, claims of orders, merges, transfers and gifts together. A transfer or a gift beyond
    that is refused; anything else waits for another operator. While this limits anything, so does a change of the
    program's time zone.
    """

    adjustment_limit_points: PositivePoints | None = None
    rates: Rates | None = None

    @property
    def limits_anything(self) -> bool:
        """Whether there is anything that one operator may not do, or not unseen."""
        return self.adjustment_limit_points is not None or (self.rates or Rates()) != Rates()


def loosens(before: Operators | None, after: Operators | None, *, other_days: bool = False) -> bool:
    """Whether operators may do more alone than before: whatever is not tighter or as it was in every point.

    `other_days`: the program's days become others, so that what has been counted in a day may be counted anew.
    """
    if before is None:
        return False
    if (
        (other_days and before.limits_anything)
        or after is None
        or _is_more(before.adjustment_limit_points, after.adjustment_limit_points)
    ):
        return True
    watched, left = before.rates or Rates(), after.rates or Rates()
    return any(_is_faster(watched.of(name), left.of(name)) for name in Rates.model_fields)


def _is_more(before: int | None, after: int | None) -> bool:
    """Whether a limit allows more; None: it allows everything."""
    return before is not None and (after is None or after > before)


def _is_faster(before: Rate | None, after: Rate | None) -> bool:
    """Whether more may be done unseen. So many in a day are no more than so many in an hour."""
    if before is None:
        return False
    return after is None or after.times > before.times or (before.per == "day" and after.per == "hour")
