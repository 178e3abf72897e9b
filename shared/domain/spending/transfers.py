"""Points that one member gives another."""

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError, NotOfferedError
from shared.domain.ledger import draft, give, negative, take
from shared.domain.points.expiry import moved_lots
from shared.domain.points.freezing import require_not_frozen
from shared.domain.points.operator_limits import counted_for
from shared.domain.program.program import Program
from shared.domain.program.sharing import Transfers
from shared.domain.spending.redemptions import require_points
from shared.domain.spending.sharing_limits import counted


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

    An operator's counts toward what one may move of either member. No second operator can approve it: what is too much
    for one is for the giver to transfer.

    Raises NotOfferedError if the program has no transfers, InsufficientPointsError if the giver has too few,
    MemberFrozenError if they may not give, InvalidRequestError if both are the same member or it is larger than a
    transfer may be, InvalidStateError if a period's limit is reached or the giver joined too lately,
    TooMuchForOneError.
    """
    if program.transfers is None:
        raise NotOfferedError("the program has no transfers")
    if giver.member_id == receiver.member_id:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))
    require_not_frozen(giver)
    require_consent(giver)
    today = local_day(now, program.time_zone)
    _require_membership(giver, program, program.transfers, today)
    uses = counted(giver, program, "transfer", program.transfers, points, today)
    moved, brought = (counted_for(one, program, actor, points, today) for one in (giver, receiver))
    require_points(giver, points)
    lots = take(giver.lots, points)
    incoming = moved_lots(receiver, lots, today)
    shared: dict[str, Any] = {
        "occurred_at": now,
        "recorded_at": now,
        "program_version": program.version,
        "actor": actor,
    }
    source = {"transfer_id": transfer_id, "from": giver.member_id, "to": receiver.member_id}
    return Moved(
        draft(
            giver,
            "transfer_out",
            **shared,
            points=-points,
            lots=negative(lots),
            uses={**uses, **moved},
            source=source,
            fingerprint=fingerprint,
        ),
        draft(
            receiver, "transfer_in", **shared, points=points, **give(receiver, incoming), uses=brought, source=source
        ),
    )


def _require_membership(giver: Account, program: Program, transfers: Transfers, today: date) -> None:
    if giver.enrolled_at is None:
        raise AssertionError(f"account {giver.member_id} was never enrolled")
    opens_on = local_day(giver.enrolled_at, program.time_zone) + timedelta(days=transfers.membership_days_min)
    if today < opens_on:
        days = transfers.membership_days_min
        raise InvalidStateError(f"a member transfers points after {days} days of membership: from {opens_on} on")
