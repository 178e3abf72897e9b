"""Points that an operator adds or takes, to set an account right."""

from datetime import datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.ledger import draft, negative, take
from shared.domain.points.grants import granted_now
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import require_points


def adjust(
    account: Account,
    program: Program,
    points: int,
    *,
    reason: str,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str,
    requested_by: str | None = None,
) -> Entry:
    """Add or take points by hand. With `requested_by`, that operator asked for it and `actor` approved it.

    Raises InsufficientPointsError if it takes more points than the balance has.
    """
    today = local_day(now, program.time_zone)
    if points < 0:
        require_points(account, -points)
    return draft(
        account,
        "adjust",
        occurred_at=now,
        recorded_at=now,
        points=points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **(
            granted_now(account, program, points, today)
            if points > 0
            else {"lots": negative(take(account.lots, -points))}
        ),
        source={
            "reference": reference,
            "reason": reason,
            **({"requested_by": requested_by, "approved_by": actor} if requested_by else {}),
        },
    )
