"""The entries of a ledger: what happened, why, and its effect on every bucket of an account."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple

from shared.domain.actors import CLOCK
from shared.domain.facets import Activity, Badge, Membership, Progress, Referred, TierByHand, TierStatus, Traits, Use
from shared.domain.fields import Stored
from shared.domain.lots import Hold, LotDay, Lots, PartnerShare, Prolonged
from shared.domain.vouchers import Vouchers


class Piece(Stored):
    """One line of how an earning came about, and what it takes to tell what a part of the order would have earned.

    `exact` is the unrounded number of points. It shrinks with what is kept of the order unless `flat`; never exceeds
    `cap`; and is lost when the order falls below `minimum_spend`. `lines` says which of the order's lines bring it, as
    a hexadecimal number: its lowest bit is what no line names, the next the first line. Without it, all of them do.
    """

    rule_id: str
    points: int
    description: str
    exact: str | None = None
    flat: bool = False
    cap: int | None = None
    minimum_spend: int = 0
    lines: str | None = None
    by_items: bool = False
    """Whether it counts pieces, not minor units."""
    steps: str | None = None
    """The exact number of steps of the base rule, where whole ones alone count: it then shrinks by whole steps."""


class OrderLine(NamedTuple):
    """One article of an order, as its entry keeps it: `quantity` pieces for `amount` minor units."""

    sku: str
    category: str | None
    quantity: int
    amount: int


class OrderEarned(Stored):
    """What a later refund must know of the order: amounts in minor units."""

    currency: str
    total: int
    rounding: Literal["down", "nearest", "up"]
    month: str
    measure: Literal["points", "spend"]
    cap: int | None = None
    """The most points that the whole order could earn, by the standing rules and what was left of the day."""
    tier: str | None = None
    """The tier that it was credited in; None: the lowest."""
    plan: str | None = None
    """The paid plan that it was credited under."""
    program: int | None = None
    """The version of the program that it was credited by, if that is not its entry's: it was claimed since."""
    booked_on: date | None = None
    """The local day on which it was credited first, if that is not its entry's: it was claimed since."""
    lines: tuple[OrderLine, ...] = ()
    counts_toward: tuple[str, ...] | None = None
    """What a partner's order counts toward beside points; None: everything, as the shop's own orders do."""


class GivenBack(Stored):
    """How much of a redemption has come back in parts: points, or minor units of credit, the latest part included.

    `of_points` and `of_value` are what all of it was.
    """

    points: int
    of_points: int
    of_value: int | None = None


class Undone(Stored):
    """What a refund has undone beside the points of its order.

    `credit` is the minor units of store credit that it took back, None if the order earned none. `spent_points` and
    `spent_credit` of what was spent on the order came back. `tier_before` is the tier that was lost.
    """

    credit: int | None = None
    spent_points: int = 0
    spent_credit: int | None = None
    tier_before: str | None = None
    badges: tuple[str, ...] = ()


class Entry(Stored):
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
    actor: str = CLOCK
    fingerprint: str = ""
    balance_after: int
    lots: Lots = {}
    pending: Lots = {}
    debt: int = 0
    opened: Mapping[str, Hold] = {}
    closed: Mapping[str, Hold] = {}
    reversed: Mapping[str, Hold] = {}
    """For a reversal: the captured hold whose points come back, or the part of it that does."""
    returned: GivenBack | None = None
    """For a reversal in parts, or of what parts have left."""
    earned: int = 0
    qualifying: Mapping[str, int] = {}
    qualifying_before: int = 0
    """For a merge: what has counted toward tiers in months that are no longer kept one by one."""
    uses: Mapping[str, Use] = {}
    tier: TierStatus | None = None
    tier_by_hand: TierByHand | None = None
    source: Mapping[str, str] = {}
    breakdown: tuple[Piece, ...] = ()
    available_on: date | None = None
    expires_on: date | None = None
    order: OrderEarned | None = None
    refunded: int | None = None
    """For a refund: minor units of the order returned so far, this refund included."""
    returned_lines: Mapping[str, tuple[int, int]] = {}
    """What of it came back by lines, so far: by SKU, pieces and minor units."""
    part_amount: int = 0
    """What of it comes back by this entry alone, in minor units; below 0 if a refund is taken back."""
    part_lines: Mapping[str, tuple[int, int]] = {}
    """What of it comes back by this entry's own lines: by SKU, pieces and minor units."""
    returns: int = 0
    """How often the returns of its order have changed, this entry included. The entry with the most says what is so."""
    lapsed: Lots = {}
    """Points that would have been taken back and had expired unspent, by the lot that they expired in."""
    expired: Lots = {}
    """Points that would have come back, or arrived, and whose last day had passed, by the lot that they expired in."""
    forgiven: int = 0
    """Points that would have been taken back and were spent, where the program forgives that."""
    unbooked: int = 0
    """For a refund of a member who is gone: points that it would have taken, had the account still been open."""
    owed: int = 0
    """For such a refund: points that had been spent, of which the person may be reminded."""
    forgiven_lots: Lots = {}
    """Signed change of the forgiven points that may still come back with what they were spent on, by their own lot
    and by when they were forgiven."""
    undone: Undone | None = None
    """For a refund."""
    prolonged: Mapping[LotDay, Prolonged] = {}
    """Signed change of what activity has done, by the last day that it gives."""
    stock: Mapping[str, int] = {}
    """Pieces of limited rewards taken from the shelf, or put back."""
    merged_from: tuple[str, ...] = ()
    partner: PartnerShare | None = None
    budgets: Mapping[str, int] = {}
    """Points that come out of campaigns' and partners' budgets, by the budget's name."""
    activity: Mapping[str, Activity] = {}
    """Signed changes by month."""
    also_referred: Mapping[str, Referred] = {}
    """For a merge: referrals that have paid off and rest on their orders still, by the friend."""
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
    stakes: Lots = {}
    """Signed change of what members may take along of a pool."""
    provisional_until: date | None = None
    vouchers: Vouchers = {}
    """Signed change of what is left of vouchers, by their ids."""
    voucher_used: int = 0
    """Signed change of how much of the entry's voucher has been used."""

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
    def expired_points(self) -> int:
        """Points that have expired with the entry, instead of coming back or arriving."""
        return sum(self.expired.values())

    @property
    def net_effect(self) -> int:
        """Signed change of all buckets together, debt counting against them."""
        return self.available_effect + self.pending_effect + self.held_effect - self.debt
