"""Referral: what a member gets for bringing a friend, and the friend for coming."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.fields import Amount, Days, Points, PositivePoints
from shared.domain.program.common import Limit, Validity

CODE_PLACE = "{code}"


class Referrals(Validity):
    """A friend who joins with a member's code on one of the days of validity earns both of them points.

    The friend's come with joining or with the first purchase that qualifies: of `minimum_spend` or more, at most
    `purchase_days` after joining. The advocate's wait from that purchase on for `return_days`, in which it may be
    returned. `limit` is for each advocate.
    """

    friend_points: Points = 0
    friend_gets_them: Literal["on_joining", "on_first_purchase"] = "on_first_purchase"
    advocate_points: Points
    minimum_spend: Amount = 0
    purchase_days: Annotated[Days, Field(ge=1)] = 90
    return_days: Days = 30
    limit: Limit | None = None
    friends_per_week: PositivePoints = 5
    """How many may come in a week from one advocate, one card or one address before the next looks suspicious."""
    suspicious: Literal["review", "refuse"] = "review"
    share_url: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)] | None = None
    """Where a friend joins; `{code}` is replaced by the code."""

    @model_validator(mode="after")
    def _pays_somebody(self) -> Self:
        if not self.friend_points and not self.advocate_points:
            raise ValueError("give friend_points, advocate_points, or both")
        if self.share_url is not None and (
            not self.share_url.startswith("https://") or self.share_url.count(CODE_PLACE) != 1
        ):
            raise ValueError("share_url must be an https:// address with {code} in it once")
        return self
