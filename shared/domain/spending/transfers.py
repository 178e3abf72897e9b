"""Points that one member gives another."""

from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.ledger import combined, draft, give, negative, take
from shared.domain.points.expiry import live_day
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import require_points


class Moved(NamedTuple):
    """The two sides of a movement between accounts."""

    out: Entry
    into: Entry


def transfer(
    giver: Account,
    receiver: Account,
    program: Program,
    points: int,
    *,
    transfer_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Moved:
    """Move points; each lot keeps its expiry date, and the receiver's debt is settled from them first.

    Raises InsufficientPointsError if the giver has too few, MemberFrozenError if they may not give, InvalidRequestError
    if both are the same member.
    """
    if giver.member_id == receiver.member_id:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))
    require_not_frozen(giver)
    require_consent(giver)
    require_points(giver, points)
    lots = take(giver.lots, points)
    today = local_day(now, program.time_zone)
    incoming = combined(*({live_day(receiver, program, day, today): points} for day, points in lots.items()))
    shared: dict[str, Any] = {
        "occurred_at": now,
        "recorded_at": now,
        "program_version": program.version,
        "actor": actor,
    }
    source = {"transfer_id": transfer_id, "from": giver.member_id, "to": receiver.member_id}
    return Moved(
        draft(
            giver, "transfer_out", **shared, points=-points, lots=negative(lots), source=source, fingerprint=fingerprint
        ),
        draft(receiver, "transfer_in", **shared, points=points, **give(receiver, incoming), source=source),
    )
