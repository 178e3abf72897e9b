"""Paid memberships: paying for one, first or again, and cancelling it."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.fields import Record, Reference
from shared.domain.points.paid_plans import Payment, cancel, pay
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation


class Cancellation(Record):
    """End the membership that is paid; the entry's source says what to pay back, in minor units."""

    reference: Reference


def pay_membership(member_id: str, payment: Payment, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Begin or renew a membership. Raises InvalidRequestError for another currency or plan, InvalidStateError."""
    fingerprint = request_ids.fingerprint(payment)

    def decide(situation: Situation) -> Decision:
        account, program, at = situation.account, situation.program, situation.now
        return Decision([pay(account, program, payment, now=at, actor=caller.actor, fingerprint=fingerprint)])

    key = keys.of("membership", reference=payment.reference)
    return operation.run([caller.authorized_member_id(member_id)], decide, key=key, fingerprint=fingerprint, now=now)


def cancel_membership(member_id: str, request: Cancellation, *, caller: Caller, now: datetime) -> operation.Outcome:
    """End the membership today. Raises InvalidStateError if none is paid."""
    reference, fingerprint = request.reference, request_ids.fingerprint(request)

    def decide(situation: Situation) -> Decision:
        account, program, at = situation.account, situation.program, situation.now
        return Decision([cancel(account, program, reference, now=at, actor=caller.actor, fingerprint=fingerprint)])

    key = keys.of("membership_cancel", reference=reference)
    return operation.run([caller.authorized_member_id(member_id)], decide, key=key, fingerprint=fingerprint, now=now)
