"""A member's account, and the ledger entries that alone may change it."""

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Literal

from shared.domain.fields import Record

NEVER = "never"
"""The lot of points that do not expire. Sorts after every date."""

UNTIL_APPROVED = f"{NEVER}/{NEVER}"
"""The pending lot of points that wait for somebody's word, not for a day."""

LotDay = str
"""A lot's key: the last day on which its points can be spent, as 2027-11-30, or `NEVER`. Sorts as time does."""

Lots = Mapping[LotDay, int]
"""Points by the day they expire."""

Status = Literal["active", "provisional", "merged", "erased", "lapsed"]
"""`provisional`: accrues for somebody who has not agreed to the terms; `lapsed`: never did."""


class PartnerShare(Record):
    """Whose points they are beside the shop's: `points` of them cost that partner, or bring it, `amount` minor units.

    As the program said when they were earned or reserved, so that a later price changes nothing. `prepaid` ones come
    out of what it has paid in.
    """

    partner_id: str
    points: int
    amount: int
    prepaid: bool = False


class Hold(Record):
    """Points locked for a redemption until it is captured, cancelled, or lapses at `expires_at`."""

    points: int
    lots: Lots
    expires_at: datetime
    reward_id: str | None = None
    value: int | None = None
    order_id: str | None = None
    stocked: bool = False
    limit_period: str | None = None
    partner: PartnerShare | None = None


class Standing(Record):
    """The tier a member holds: since when, and the day on which it is reviewed (None: never).

    `grace` is set after a missed review, until the second look on the new `review_on`.
    """

    tier_id: str
    since: date
    review_on: date | None = None
    grace: bool = False


class Traits(Record):
    """What segments look at beside points, tier and purchases: the shop's own tags, a place, opt-ins to marketing."""

    tags: tuple[str, ...] = ()
    place: str | None = None
    opt_ins: tuple[str, ...] = ()
    excluded: bool = False
    """Whether the address is one whose owners earn nothing."""


class Activity(Record):
    """Orders placed in a month, and what they came to in minor units, refunds taken off."""

    orders: int = 0
    amount: int = 0


class Progress(Record):
    """How far a challenge has come: in which period it counts, how much, which different things, how many in a row."""

    period: str = ""
    count: int = 0
    kinds: tuple[str, ...] = ()
    days: tuple[date, ...] = ()
    streak: int = 0


class Badge(Record):
    """A badge held: since when, and how often it was earned."""

    on: date
    times: int = 1


class Membership(Record):
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


class Referred(Record):
    """Who brought a member, and whether that has paid off."""

    advocate: str
    state: Literal["open", "in_review", "refused", "rewarded", "reversed"] = "open"
    order_id: str | None = None
    """The order that made it pay off."""
    minimum_spend: int = 0
    """What must be kept of that order, in minor units, as the program said then."""
    friend: str | None = None
    """Whom the advocate brought, where that member has been merged into this one."""


class Use(Record):
    """What a limit has counted in its current period: how often, and how many points."""

    period: str
    times: int = 0
    points: int = 0


class Totals(Record):
    """Where all points ever granted have gone. The current buckets make up the rest."""

    granted: int = 0
    captured: int = 0
    expired: int = 0
    taken_back: int = 0
    transferred_out: int = 0
    forfeited: int = 0


class Account(Record):
    """What a member owns, as of the last entry. Only `ledger.book` makes a new state of it."""

    member_id: str
    status: Status = "active"
    sequence: int = 0
    lots: Lots = {}
    pending: Lots = {}
    """Points by the day they become available and the day they expire: 2026-12-01/2027-12-31."""
    holds: Mapping[str, Hold] = {}
    debt: int = 0
    earned: int = 0
    totals: Totals = Totals.model_construct()
    tier: Standing | None = None
    qualifying: Mapping[str, int] = {}
    """What counts toward tiers, by month; `qualifying_ever` is all of it."""
    qualifying_ever: int = 0
    uses: Mapping[str, Use] = {}
    matured_through: date | None = None
    expired_through: date | None = None
    merged_from: tuple[str, ...] = ()
    merged_into: str | None = None
    enrolled_at: datetime | None = None
    booked_at: datetime | None = None
    idle_since: datetime | None = None
    """When something was last booked that was not time's doing; None: with the last entry, at `booked_at`."""
    frozen: str = ""
    """Under which reference an operator froze it. A frozen account earns, but nothing is spent or given from it."""
    traits: Traits = Traits.model_construct()
    activity: Mapping[str, Activity] = {}
    """By month, thirteen of them: this one and a year."""
    last_order_on: date | None = None
    progress: Mapping[str, Progress] = {}
    badges: Mapping[str, Badge] = {}
    membership: Membership | None = None
    referred: Referred | None = None
    pool_id: str | None = None
    """The pool that a member shares points in; empty after leaving."""
    pool_members: tuple[str, ...] = ()
    """Of a pool's own account: who shares it."""
    provisional_until: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything can still be booked to it."""
        return self.status in {"active", "provisional"}

    @property
    def balance(self) -> int:
        """Points in available lots."""
        return sum(self.lots.values())

    @property
    def pending_points(self) -> int:
        """Points granted, not yet available."""
        return sum(self.pending.values())

    @property
    def held_points(self) -> int:
        """Points locked for open redemptions."""
        return sum(hold.points for hold in self.holds.values())

    def present(self, now: datetime) -> datetime:
        """The instant to look at the account: `now`, but never before its last entry, which another clock may date."""
        return max(now, self.booked_at or now)

    def standing(self) -> Standing:
        """The tier held. Every account has one from its first entry on."""
        if self.tier is None:
            raise AssertionError(f"account {self.member_id} was never enrolled")
        return self.tier


class Piece(Record):
    """One line of how an earning came about, and what it takes to tell what a part of the order would have earned.

    `exact` is the unrounded number of points. It shrinks with the order unless `flat`; never exceeds `cap`; and is
    lost when the order falls below `minimum_spend`.
    """

    rule_id: str
    points: int
    description: str
    exact: str | None = None
    flat: bool = False
    cap: int | None = None
    minimum_spend: int = 0

    def on(self, kept: int, total: int) -> Fraction:
        """Unrounded points for `kept` minor units of an order over `total`."""
        whole = Fraction(self.exact) if self.exact else Fraction(self.points)
        if kept < self.minimum_spend or kept == 0:
            return Fraction(0)
        part = whole if self.flat or kept == total else whole * kept / total
        return part if self.cap is None else min(part, Fraction(self.cap))


class OrderEarned(Record):
    """What a later refund must know of the order: amounts in minor units."""

    currency: str
    total: int
    rounding: Literal["down", "nearest", "up"]
    month: str
    measure: Literal["points", "spend"]
    cap: int | None = None
    """The most points that the whole order could earn, by the standing rules and what was left of the day."""


class Entry(Record):
    """One immutable line of a member's ledger: what happened, why, and its effect on every bucket.

    `lots`, `pending`, `debt`, `opened` and `closed` are the effects: signed changes, and the holds that
    begin and end. `tier` and what follows `budgets` replaces what the account says, where it is given. The rest
    explains. Nothing but entries changes an account.
    """

    member_id: str
    sequence: int
    type: str
    """The name of a row in `entry_types`. An older release may read one that it has no row for."""
    points: int
    occurred_at: datetime
    recorded_at: datetime
    program_version: int
    actor: str = "clock"
    fingerprint: str = ""
    balance_after: int
    lots: Lots = {}
    pending: Lots = {}
    debt: int = 0
    opened: Mapping[str, Hold] = {}
    closed: Mapping[str, Hold] = {}
    reversed: Mapping[str, Hold] = {}
    """For a reversal: the captured hold whose points come back."""
    earned: int = 0
    qualifying: Mapping[str, int] = {}
    qualifying_before: int = 0
    """For a merge: what has counted toward tiers in months that are no longer kept one by one."""
    uses: Mapping[str, Use] = {}
    tier: Standing | None = None
    source: Mapping[str, str] = {}
    breakdown: tuple[Piece, ...] = ()
    available_on: date | None = None
    expires_on: date | None = None
    order: OrderEarned | None = None
    refunded: int | None = None
    """For a refund: minor units of the order returned so far, this refund included."""
    stock: Mapping[str, int] = {}
    """Pieces of limited rewards taken from the shelf, or put back."""
    merged_from: tuple[str, ...] = ()
    partner: PartnerShare | None = None
    budgets: Mapping[str, int] = {}
    """Points that come out of campaigns' and partners' budgets, by the budget's name."""
    activity: Mapping[str, Activity] = {}
    """Signed changes by month."""
    frozen: str | None = None
    """Empty: no longer."""
    traits: Traits | None = None
    last_order_on: date | None = None
    progress: Mapping[str, Progress] = {}
    badges: Mapping[str, Badge] = {}
    membership: Membership | None = None
    referred: Referred | None = None
    pool_id: str | None = None
    pool_members: tuple[str, ...] | None = None
    provisional_until: date | None = None

    @property
    def entry_id(self) -> str:
        """Unique for ever, and the same however often the entry is delivered."""
        return f"{self.member_id}-{self.sequence}"

    @property
    def available_effect(self) -> int:
        """Signed change of the balance."""
        return sum(self.lots.values())

    @property
    def pending_effect(self) -> int:
        """Signed change of the pending points."""
        return sum(self.pending.values())

    @property
    def held_effect(self) -> int:
        """Signed change of the held points."""
        return sum(hold.points for hold in self.opened.values()) - sum(hold.points for hold in self.closed.values())

    @property
    def net_effect(self) -> int:
        """Signed change of all buckets together, debt counting against them."""
        return self.available_effect + self.pending_effect + self.held_effect - self.debt
