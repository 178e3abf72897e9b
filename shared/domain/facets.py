"""What an account knows of a member beside points: tier, traits, activity, challenges, plan, referral, limits."""

from datetime import date, datetime
from typing import Literal

from shared.domain.fields import Stored

NO_DAY = date.min
"""In an entry: the day that the account knew is none any more."""


class TierStatus(Stored):
    """The tier a member holds: since when, and the day on which it is reviewed (None: never).

    `grace` is set after a missed review, until the second look on the new `review_on`.
    """

    tier_id: str
    since: date
    review_on: date | None = None
    grace: bool = False


class TierByHand(Stored):
    """At least which tier an operator lets the member hold, and through which day."""

    tier_id: str
    until: date


NO_TIER_BY_HAND = TierByHand(tier_id="", until=NO_DAY)
"""In an entry: none is set any more."""


class Traits(Stored):
    """What segments look at beside points, tier and purchases: the shop's own tags, a place, opt-ins to marketing."""

    tags: tuple[str, ...] = ()
    place: str | None = None
    opt_ins: tuple[str, ...] = ()
    excluded: bool = False
    """Whether the address is one whose owners earn nothing."""


class Activity(Stored):
    """Orders placed in a month, and what they came to in minor units, refunds taken off."""

    orders: int = 0
    amount: int = 0


class Progress(Stored):
    """How far a challenge has come: in which period it counts, how much, which different things, how many in a row."""

    period: str = ""
    count: int = 0
    kinds: tuple[str, ...] = ()
    days: tuple[date, ...] = ()
    streak: int = 0


class Badge(Stored):
    """A badge: since when it is held, how often it was earned, and how often it was lost because an order came back.

    With `times` 0 it is no longer held.
    """

    on: date
    times: int = 1
    lost: int = 0


class Membership(Stored):
    """A paid membership: its plan, since when, through which day it is paid, and whether it still is.

    The term last paid began on `term_began_on` and cost `amount` minor units; while it lasts the member holds at least
    the tier `tier_id`.
    """

    plan_id: str
    since: date
    paid_through: date
    term_began_on: date
    paid_on: date
    amount: int
    tier_id: str | None = None
    state: Literal["paid", "ended"] = "paid"


class Referred(Stored):
    """Who brought a member, and whether that has paid off."""

    advocate: str
    state: Literal["open", "in_review", "refused", "rewarded", "reversed"] = "open"
    order_id: str | None = None
    """The order that made it pay off."""
    minimum_spend: int = 0
    """What must be kept of that order, in minor units, as the program said then."""
    times: int = 1
    """How often it has paid off, the next time included: again, once its order came back and another one was kept."""
    friend: str | None = None
    """The friend that the advocate brought, where that member has been merged into this one."""
    joined_at: datetime | None = None
    """When that friend had joined, where the referral had paid off by the merge."""


class Use(Stored):
    """What a limit has counted in its current period: how often, and how many points."""

    period: str
    times: int = 0
    points: int = 0
