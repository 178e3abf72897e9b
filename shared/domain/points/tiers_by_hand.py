"""A tier that an operator gives until a day: a match of another shop's status, or goodwill.

It counts beside the tier that the member has reached, which is reached, reviewed and lost as ever.
"""

from datetime import datetime, timedelta

from shared.domain.account import Account
from shared.domain.calendar import end_of_day, local_day
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.explanations import explained
from shared.domain.facets import NO_TIER_BY_HAND, TierByHand
from shared.domain.ledger import draft
from shared.domain.program.program import Program

DAYS_MAX = 731
"""Two years ahead at most: what is longer is another program."""


def set_tier(
    account: Account,
    program: Program,
    tier: TierByHand,
    *,
    reason: str,
    note: str | None = None,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Let the member hold at least a tier through its last day, instead of what was set before.

    Raises InvalidRequestError for a tier that the program does not have, or a day that has passed or is too far ahead.
    """
    today = local_day(now, program.time_zone)
    if program.tiers.rank(tier.tier_id) is None:
        known = ", ".join(one.tier_id for one in program.tiers.levels)
        raise InvalidRequestError(Fault("/tier_id", f"must be one of: {known}"))
    latest = today + timedelta(days=DAYS_MAX)
    if not today <= tier.until <= latest:
        raise InvalidRequestError(Fault("/until", f"must be a day from {today} to {latest}"))
    return draft(
        account,
        "tier_set",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        tier_by_hand=tier,
        source={"reference": reference, "to": tier.tier_id, "until": tier.until.isoformat(), **explained(reason, note)},
    )


def ends_at(tier: TierByHand, program: Program) -> datetime:
    """The instant at which a tier set by hand is over."""
    return end_of_day(tier.until, program.time_zone)


def end(account: Account, program: Program, tier: TierByHand, now: datetime) -> Entry:
    """A tier set by hand is over."""
    return draft(
        account,
        "tier_set_end",
        occurred_at=ends_at(tier, program),
        recorded_at=now,
        points=0,
        program_version=program.version,
        tier_by_hand=NO_TIER_BY_HAND,
        source={"on": tier.until.isoformat(), "from": tier.tier_id},
    )


def longer(gone: TierByHand | None, into: TierByHand | None) -> TierByHand | None:
    """What a merge takes over: a tier set by hand that lasts longer than the other's. None: no change."""
    if gone is None or (into is not None and into.until >= gone.until):
        return None
    return gone
