"""Points that an operator adds or takes, to set an account right."""

from datetime import datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.given_again import given_again
from shared.domain.earning.refunds import taken_back
from shared.domain.entry import Entry
from shared.domain.explanations import explained
from shared.domain.ledger import draft, negative, take
from shared.domain.lots import NO_LOTS, Lots
from shared.domain.points.grants import granted_now
from shared.domain.points.operator_limits import agreed, counted_for, counted_for_undoing
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import require_points


def undo(
    account: Account,
    program: Program,
    adjustment: Entry,
    *,
    reason: str,
    note: str | None = None,
    now: datetime,
    actor: str,
    fingerprint: str,
    lapsed: Lots = NO_LOTS,
    requested_by: str | None = None,
) -> Entry:
    """Take an adjustment back, to and from the very lots that it touched.

    What was added and has expired unspent, `lapsed`, counts as taken back. What is spent by now becomes debt, or is
    forgiven, as the program says. With `requested_by`, that operator asked for it and `actor` approved it.

    Raises TooMuchForOneError if nobody approved it, and it is not what one operator has adjusted today and more than is
    left of the operator's day.
    """
    today = local_day(now, program.time_zone)
    if adjustment.points > 0:
        taken = taken_back(account, program, adjustment, adjustment.points, lapsed)
        fields = taken.fields
    else:
        fields = given_again(account, program, adjustment, -adjustment.points, today, adjustment)
    points, counted = fields["points"], adjustment.uses
    uses = counted_for_undoing(account, program, counted, actor, points, today, requested_by=requested_by)
    return draft(
        account,
        "adjust_undo",
        occurred_at=now,
        recorded_at=now,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **fields,
        uses=uses,
        source={
            "of": adjustment.member_id,
            "reference": adjustment.source["reference"],
            **explained(reason, note),
            **agreed(requested_by, actor),
        },
    )


def adjust(
    account: Account,
    program: Program,
    points: int,
    *,
    reason: str,
    note: str | None = None,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str,
    requested_by: str | None = None,
) -> Entry:
    """Add or take points by hand. With `requested_by`, that operator asked for it and `actor` approved it.

    Raises TooMuchForOneError if nobody approved it and it is more than is left of the operator's day, and
    InsufficientPointsError if it takes more points than the balance has.
    """
    today = local_day(now, program.time_zone)
    uses = counted_for(account, program, actor, points, today, requested_by=requested_by)
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
        uses=uses,
        source={
            "reference": reference,
            **explained(reason, note),
            **agreed(requested_by, actor),
        },
    )
