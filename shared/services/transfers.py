"""Moving points to another member at once."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller, is_valid_id
from shared.domain.errors import Fault, InvalidRequestError, UnknownMemberError
from shared.domain.fields import PositivePoints, Record, Reference
from shared.domain.spending.transfers import transfer
from shared.services import caller_keys
from shared.tables import audit, keys, operation
from shared.tables.operation import Decision, Situation


class Transfer(Record):
    """Points for another member."""

    to_member_id: Reference
    points: PositivePoints


def transfer_points(member_id: str, request: Transfer, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Move points, each lot with its expiry date; `key` tells the request from the caller's others for the giver.

    Raises MemberNotFoundError, what `transfer` raises, and InvalidStateError if it is more than one operator may move.
    """
    giver, receiver = caller.authorized_member_id(member_id), request.to_member_id
    if not is_valid_id(receiver):
        raise UnknownMemberError(receiver)
    if giver == receiver:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))
    return caller_keys.under(
        caller, ("transfer", giver, key), lambda transfer_id: _transferred(giver, request, transfer_id, caller, now)
    )


def _transferred(giver: str, request: Transfer, transfer_id: str, caller: Caller, now: datetime) -> operation.Outcome:
    receiver = request.to_member_id
    fingerprint = request_ids.fingerprint(request)

    def decide(situation: Situation) -> Decision:
        moved = transfer(
            situation.accounts[0],
            situation.accounts[1],
            situation.program,
            request.points,
            transfer_id=transfer_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision(moved, audit.trail(caller, "points.transferred", now, giver, to_member_id=receiver))

    return operation.run(
        [giver, receiver],
        decide,
        key=keys.of("transfer_out", transfer_id=transfer_id),
        fingerprint=fingerprint,
        now=now,
        actor=caller.actor,
    )
