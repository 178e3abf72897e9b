"""First entries: a member's, and those of accounts that nobody joins."""

from datetime import datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry, Piece
from shared.domain.facets import Referred, TierStatus, Traits
from shared.domain.ledger import draft
from shared.domain.points.eligibility import points_for
from shared.domain.points.grants import granted_now
from shared.domain.points.tiers import entered
from shared.domain.program.program import Program


def enroll(
    member_id: str,
    program: Program,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    traits: Traits | None = None,
    referred: Referred | None = None,
    is_new: bool = True,
) -> Entry:
    """Open an account with the program's welcome points, in the lowest tier.

    There are none for those who earn nothing, nor for those who are not new: they have been members before.
    """
    today = local_day(now, program.time_zone)
    known = Account(member_id=member_id, traits=traits or Traits())
    points = points_for(known, program, program.earning.welcome_points) if is_new else 0
    account = Account(member_id=member_id)
    breakdown = (Piece(rule_id="welcome", points=points, description="Welcome points"),) if points else ()
    return draft(
        account,
        "enroll",
        occurred_at=now,
        recorded_at=now,
        points=points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **(granted_now(known, program, points, today) if points else {}),
        earned=points,
        tier=entered(program.tiers, program.tiers.levels[0], today),
        breakdown=breakdown,
        traits=traits,
        referred=referred,
    )


def open_side(account: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """What opens a wallet or a pool, with nothing in it and no tier to review; nothing if it is open."""
    if account.sequence:
        return []
    return [
        draft(
            account,
            "enroll",
            occurred_at=now,
            recorded_at=now,
            points=0,
            program_version=program.version,
            actor=actor,
            tier=TierStatus(tier_id=program.tiers.levels[0].tier_id, since=local_day(now, program.time_zone)),
        )
    ]
