"""The first entry of an account that nobody joins: a wallet, or a pool."""

from datetime import datetime

from shared.domain.account import Account, Entry, Standing
from shared.domain.calendar import local_day
from shared.domain.ledger import draft
from shared.domain.program.program import Program


def open_side(account: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """What opens a side account, with nothing in it and no tier to review; nothing if it is open."""
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
            tier=Standing(tier_id=program.tiers.levels[0].tier_id, since=local_day(now, program.time_zone)),
        )
    ]
