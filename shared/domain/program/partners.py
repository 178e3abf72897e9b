"""Partners of a coalition: who else gives and takes the shop's points, at what price, and how much of them."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from shared.domain.fields import Flag, Points, PositivePoints, Slug, Stored, Text
from shared.domain.program.campaigns import PointCost

PARTNERS_MAX = 100

Counted = Literal["tiers", "challenges", "referrals", "campaigns", "segments", "activity"]
"""What an order can count toward beside its own points."""


class PartnerLimits(Stored):
    """How many points a partner gives: for an order, to a member in a day or month, and in a month to all of them.

    An order earns no more than the first three allow. One that would exceed the last is refused, so that nobody is
    promised what the partner does not pay for. The last two limit what the partner's own requests redeem, of a member
    in a day and of all of them: a redemption that would exceed one is refused.
    """

    points_per_order: PositivePoints | None = None
    points_per_member_day: PositivePoints | None = None
    points_per_member_month: PositivePoints | None = None
    points_per_month: PositivePoints | None = None
    redeemed_points_per_member_day: PositivePoints | None = None
    redeemed_points_per_day: PositivePoints | None = None


class Partner(Stored):
    """Another shop whose orders earn points, or whose rewards are had for them.

    `point_cost` is what it pays for points that it gives, and gets for points that it takes. A `prepaid` partner gives
    no more than it has paid deposits for; below `alert_below` points left, others are told.
    """

    partner_id: Slug
    name: Text
    may_earn: Flag = True
    may_redeem: Flag = False
    """Whether it takes points for its own rewards."""
    takes_points_as_money: Flag = False
    counts_toward: Annotated[tuple[Counted, ...], Field(max_length=len(get_args(Counted)))] = ()
    """What its orders count toward beside points; nothing unless named, for the shop pays for what that brings."""
    funding: Literal["prepaid", "postpaid"] = "postpaid"
    point_cost: PointCost
    limits: PartnerLimits = PartnerLimits.model_construct()
    alert_below: Points = 0


Partners = Annotated[tuple[Partner, ...], Field(max_length=PARTNERS_MAX)]
