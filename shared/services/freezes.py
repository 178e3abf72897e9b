"""Freezing members, so that they cannot spend, and unfreezing them."""

from datetime import datetime
from typing import Literal

from shared import request_ids
from shared.caller import Caller
from shared.domain import entry_types
from shared.domain.fields import Record, Reference, Text
from shared.domain.points.freezing import freeze, unfreeze
from shared.tables import audit, keys, operation
from shared.tables.operation import Decision, Situation


class Cause(Record):
    """Why a member is frozen or unfrozen, and the reference of the case. The member reads `reason`, not `note`."""

    reason: Text
    note: Text | None = None
    reference: Reference


def freeze_member(member_id: str, cause: Cause, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Freeze a member under a reference. Raises InvalidStateError if the member is frozen already."""
    return _book("freeze", member_id, cause, caller, now)


def unfreeze_member(member_id: str, cause: Cause, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Let a frozen member spend again. Raises InvalidStateError if the member is not frozen."""
    return _book("unfreeze", member_id, cause, caller, now)


def _book(
    type_: Literal["freeze", "unfreeze"], member_id: str, cause: Cause, caller: Caller, now: datetime
) -> operation.Outcome:
    rule = freeze if type_ == "freeze" else unfreeze
    member_id, fingerprint = caller.authorized_member_id(member_id), request_ids.fingerprint(cause)
    trail = audit.trail(caller, entry_types.of(type_).audited_as, now, member_id, reference=cause.reference)

    def decide(situation: Situation) -> Decision:
        entry = rule(
            situation.account,
            situation.program,
            reason=cause.reason,
            note=cause.note,
            reference=cause.reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision([entry], trail)

    key = keys.of(type_, member_id=member_id, reference=cause.reference)
    return operation.run([member_id], decide, key=key, fingerprint=fingerprint, now=now)
