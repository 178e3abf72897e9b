"""A member's account: what they own, as of the last entry."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from shared.domain.facets import Activity, Badge, Membership, Progress, Referred, TierByHand, TierStatus, Traits, Use
from shared.domain.fields import Stored
from shared.domain.lots import Hold, LotDay, Lots, Prolonged
from shared.domain.vouchers import Vouchers

Status = Literal["active", "provisional", "merged", "erased", "lapsed"]
"""`provisional`: accrues for somebody who has not agreed to the terms; `lapsed`: never did."""


class Totals(Stored):
    """Where all points ever granted have gone. The current buckets make up the rest."""

    granted: int = 0
    captured: int = 0
    expired: int = 0
    taken_back: int = 0
    transferred_out: int = 0
    forfeited: int = 0


class Account(Stored):
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
    tier: TierStatus | None = None
    tier_by_hand: TierByHand | None = None
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
    also_referred: Mapping[str, Referred] = {}
    """Referrals of merged members that have paid off beside it: by the friend whom an advocate brought."""
    pool_id: str | None = None
    """The pool that a member shares points in; empty after leaving."""
    pool_members: tuple[str, ...] = ()
    """Of a pool's own account: who shares it."""
    stakes: Lots = {}
    """Of a pool's own account: who may take along how much, by the last day and the member: 2026-12-20/ada."""
    provisional_until: date | None = None
    forgiven: Lots = {}
    """Points that were spent, or are held, when what had brought them was returned, and that were forgiven; by the lot
    that they were in and by when that was. They do not come back with what they were spent on. See `forgiveness`."""
    prolonged: Mapping[LotDay, Prolonged] = {}
    """Where inactivity ends points: by the last day that it gives, what activity has done."""
    vouchers: Vouchers = {}
    """Those of which something is left, by their ids."""

    def as_known(self) -> "Account":
        """The account without what a newer release keeps in it, in fields that this one does not know."""
        return Account.model_validate_json(self.model_dump_json(), extra="ignore")

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that entries of the account are under: its own, then those of the accounts merged into it."""
        return (self.member_id, *self.merged_from)

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

    def tier_status(self) -> TierStatus:
        """The tier held. Every account has one from its first entry on."""
        if self.tier is None:
            raise AssertionError(f"account {self.member_id} was never enrolled")
        return self.tier
