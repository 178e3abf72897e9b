"""What members bring from another program: when they joined, points with their own dates, the tier they hold.

An import sends no messages, and brings no points of its own: no welcome points, no bonus for a higher tier.
"""

from collections.abc import Mapping
from datetime import date, datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day, start_of_day
from shared.domain.earning.anniversaries import celebrated_through
from shared.domain.earning.cashback import required_cashback
from shared.domain.earning.enrolment import open_side
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.facets import Badge, TierStatus, Traits
from shared.domain.fields import Record, Requested
from shared.domain.ledger import book_all, draft, give
from shared.domain.points.expiry import lot_day, maturing_day, moved_lots
from shared.domain.points.tiers import entered
from shared.domain.program.program import Program

BROUGHT_IN = "brought_in"
"""Of an entry's source: that it is not from here, and what it brings."""


class BroughtPoints(Record):
    """Points of another program under a reference of its own; `expires_on` None: never."""

    reference: str
    points: int
    earned_at: datetime
    expires_on: date | None
    available_on: date | None = None


class BroughtTier(Record):
    """A tier held in another program, and what has counted toward it: by month, and before those months.

    And what else is left of the time there: points earned beside those that are brought in, and badges.
    """

    tier_status: Requested[TierStatus]
    qualifying: Mapping[str, int] = {}
    qualifying_before: int = 0
    earned_before: int = 0
    badges: Mapping[str, Requested[Badge]] = {}


def join(
    member_id: str,
    program: Program,
    joined_at: datetime,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    traits: Traits | None = None,
) -> Entry:
    """Open the account of somebody who joined another program on `joined_at`.

    Their anniversaries up to today were that program's to celebrate.
    """
    return draft(
        Account(member_id=member_id),
        "enroll",
        occurred_at=joined_at,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        tier=entered(program.tiers, program.tiers.levels[0], local_day(joined_at, program.time_zone)),
        traits=traits,
        uses=celebrated_through(local_day(now, program.time_zone)),
        source={BROUGHT_IN: "member"},
    )


def bring_points(
    account: Account, program: Program, brought: BroughtPoints, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Book points with the dates that they have. Raises InvalidRequestError as `require_spendable` does.

    What the member owes is settled from them first.
    """
    require_consent(account)
    today = local_day(now, program.time_zone)
    require_spendable(brought, program, now)
    last_day = lot_day(brought.expires_on)
    if brought.available_on is not None and brought.available_on > today:
        starts = maturing_day(account, brought.available_on)
        effects = {"lots": {}, "pending": {f"{starts}/{last_day}": brought.points}, "available_on": starts}
    elif moved_lots(account, {last_day: brought.points}, today) != {last_day: brought.points}:
        raise InvalidRequestError(Fault("/expires_on", f"points of {last_day} have been expired here already"))
    else:
        effects = give(account, {last_day: brought.points})
    return draft(
        account,
        "brought_in",
        occurred_at=brought.earned_at,
        recorded_at=now,
        points=brought.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        expires_on=brought.expires_on,
        earned=brought.points,
        source={BROUGHT_IN: "points", "reference": brought.reference},
    )


def bring_credit(
    member: Account,
    wallet: Account,
    program: Program,
    brought: BroughtPoints,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    """Book store credit, its `points` being minor units, in the member's wallet, which is opened if need be.

    Raises as `bring_points` does, and NotOfferedError if the program gives no store credit.
    """
    required_cashback(program)
    require_consent(member)
    opening = open_side(wallet, program, now=now, actor=actor)
    wallet = book_all(wallet, opening)
    return [*opening, bring_points(wallet, program, brought, now=now, actor=actor, fingerprint=fingerprint)]


def require_spendable(brought: BroughtPoints, program: Program, now: datetime) -> None:
    """Raises InvalidRequestError for points that have expired, or were earned later than now."""
    today = local_day(now, program.time_zone)
    if brought.expires_on is not None and brought.expires_on < today:
        raise InvalidRequestError(Fault("/expires_on", f"{brought.expires_on} has passed: leave expired points out"))
    if brought.earned_at > now:
        raise InvalidRequestError(Fault("/earned_at", f"{brought.earned_at} has not come yet"))
    if brought.available_on and brought.expires_on and brought.expires_on < brought.available_on:
        raise InvalidRequestError(Fault("/available_on", "lies after the last day on which they can be spent"))


def bring_tier(
    account: Account, program: Program, brought: BroughtTier, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Note the tier that the member holds, and until when it is theirs; badges that they have got here stay.

    Raises InvalidRequestError as `require_tier` does, InvalidStateError if they have reached a higher one here.
    """
    require_consent(account)
    require_tier(brought, program, now)
    held = program.tiers.rank(account.tier_status().tier_id) or 0
    if held > (program.tiers.rank(brought.tier_status.tier_id) or 0):
        raise InvalidStateError(f"the member has reached {account.tier_status().tier_id} here, which is higher")
    return draft(
        account,
        "brought_in",
        occurred_at=min(now, start_of_day(brought.tier_status.since, program.time_zone)),
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        tier=brought.tier_status,
        qualifying=dict(brought.qualifying),
        qualifying_before=brought.qualifying_before,
        earned=brought.earned_before,
        badges={name: badge for name, badge in brought.badges.items() if name not in account.badges},
        source={BROUGHT_IN: "tier", "reference": "tier"},
    )


def require_tier(brought: BroughtTier, program: Program, now: datetime) -> None:
    """Raises InvalidRequestError for a tier that the program does not have, or dates that make no sense."""
    today, tier_status = local_day(now, program.time_zone), brought.tier_status
    rank = program.tiers.rank(tier_status.tier_id)
    if rank is None:
        known = ", ".join(tier.tier_id for tier in program.tiers.levels)
        raise InvalidRequestError(Fault("/tier_id", f"{tier_status.tier_id!r} is not one of: {known}"))
    if tier_status.since > today:
        raise InvalidRequestError(Fault("/since", f"{tier_status.since} has not come yet"))
    is_reviewed = program.tiers.period != "lifetime" and program.tiers.levels[rank].threshold > 0
    if is_reviewed and tier_status.review_on is None:
        raise InvalidRequestError(Fault("/review_on", "is missing: this tier is reviewed; say when next"))
    if not is_reviewed and tier_status.review_on is not None:
        raise InvalidRequestError(Fault("/review_on", "must be empty: this tier is never reviewed"))
    if tier_status.review_on is not None and tier_status.review_on <= today:
        raise InvalidRequestError(Fault("/review_on", f"{tier_status.review_on} has come: say when the next review is"))
    if any(month > today.isoformat()[:7] for month in brought.qualifying):
        raise InvalidRequestError(Fault("/qualifying", "names a month that has not come yet"))
    if any(badge.on > today for badge in brought.badges.values()):
        raise InvalidRequestError(Fault("/badges", "names a day that has not come yet"))
