"""Points by the day they end, and those of them that a hold locks."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from shared.domain.facets import Use
from shared.domain.fields import Stored

NEVER = "never"
"""The lot of points that do not expire. Sorts after every date."""

UNTIL_APPROVED = f"{NEVER}/{NEVER}"
"""The pending lot of points that wait for somebody's approval, not for a day."""

GRACED = "+"
"""Ends the key of a lot that lives on by the program's grace days: it has had them, and gets no more."""

LotDay = str
"""A lot's key: the last day on which its points can be spent, as 2027-11-30, or `NEVER`. Sorts as time does.

Days of grace that have been given are among them; the key then ends in `GRACED`.
"""

Lots = Mapping[LotDay, int]
"""Points by the day they expire."""

NO_LOTS: Lots = MappingProxyType({})


class Prolonged(Stored):
    """What activity with one deadline has done, or a signed change of that: `by` how much of it there is that is kept,
    and from which lots points came to that day.
    """

    by: int = 0
    lots: Lots = {}


class PartnerShare(Stored):
    """Whose points they are beside the shop's: `points` of them cost that partner, or bring it, `amount` minor units.

    As the program said when they were earned or reserved, so that a later price changes nothing. `prepaid` ones come
    out of what it has paid in.
    """

    partner_id: str
    points: int
    amount: int
    prepaid: bool = False


class Drawn(Stored):
    """How many of a hold's points were drawn from a pool, from which and by whom: they go back there."""

    pool_id: str
    by: str
    points: int


class Hold(Stored):
    """Points locked for a redemption until it is captured, cancelled, or lapses at `expires_at`."""

    points: int
    lots: Lots
    expires_at: datetime
    reward_id: str | None = None
    value: int | None = None
    order_id: str | None = None
    order_total: int | None = None
    """What the order comes to that it pays for, in minor units; None: it pays for none."""
    unconfirmed: bool = False
    """Only a member says what that order comes to, which nobody has booked: it pays once the shop captures it."""
    stocked: bool = False
    limit_period: str | None = None
    partner: PartnerShare | None = None
    voucher_code: str | None = None
    """What is shown at the till. Only the hold of a captured redemption has one, in what captured it."""
    uses: Mapping[str, Use] = {}
    """What it uses up of the limits of the partner that asked for it: given back with its points."""
    budgets: Mapping[str, int] = {}
    """What it takes out of that partner's budgets of a day, by name: given back with its points."""
    opened_by: str | None = None
    """The entry that opened it, by its id; None: it was stored before that was kept."""
    quantity: int = 1
    """How many of its reward it takes."""
    drawn: Drawn | None = None
    """None: they are the member's own, or were reserved before it was kept where they come from."""
