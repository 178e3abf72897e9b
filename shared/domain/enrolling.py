"""A member's first entry."""

from datetime import datetime

from shared.domain.account import Account, Entry, Piece
from shared.domain.calendar import local_day
from shared.domain.crediting import granted_now
from shared.domain.ledger import draft
from shared.domain.program import Program
from shared.domain.tiers import entered


def enroll(member_id: str, program: Program, *, now: datetime, actor: str, fingerprint: str) -> Entry:
    """Open an account with the program's welcome points, in the lowest tier."""
    today = local_day(now, program.time_zone)
    points = program.earning.welcome_points
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
        **(granted_now(account, program, points, today) if points else {}),
        earned=points,
        tier=entered(program.tiers, program.tiers.levels[0], today),
        breakdown=breakdown,
    )
