"""Paid memberships: paying for one, first or again, and cancelling it."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.fields import Record, Reference
from shared.domain.lifecycle.plan_use import brings_points, points_brought
from shared.domain.points.paid_plans import Payment, cancel, current, current_plan, pay
from shared.tables import keys, operation
from shared.tables.operation import NOTHING_MORE, Decision, Needs, Situation


class Cancellation(Record):
    """End the membership that is paid.

    The entry's source says what to pay back, `refund_amount` in minor units; how many points the plan has brought,
    `points_brought`; and what was taken off for them if the plan says so, `deducted_amount`.
    """

    reference: Reference


def pay_membership(member_id: str, payment: Payment, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Begin or renew a membership.

    Raises InvalidRequestError for another plan, price or currency, InvalidStateError.
    """
    fingerprint = request_ids.fingerprint(payment)

    def decide(situation: Situation) -> Decision:
        account, program, at = situation.account, situation.program, situation.now
        return Decision([pay(account, program, payment, now=at, actor=caller.actor, fingerprint=fingerprint)])

    key = keys.of("membership", reference=payment.reference)
    return operation.run([caller.authorized_member_id(member_id)], decide, key=key, fingerprint=fingerprint, now=now)


def cancel_membership(member_id: str, request: Cancellation, *, caller: Caller, now: datetime) -> operation.Outcome:
    """End the membership today. Raises InvalidStateError if none is paid."""
    reference, fingerprint = request.reference, request_ids.fingerprint(request)

    def asks(situation: Situation) -> Needs:
        account = situation.account
        if not brings_points(current_plan(account, situation.program)):
            return NOTHING_MORE
        return Needs(histories=[name for name in account.ids if name not in situation.histories])

    def decide(situation: Situation) -> Decision:
        account, program, running = situation.account, situation.program, current(situation.account)
        brought = points_brought(account, program, running, situation.histories) if running else 0
        entry = cancel(
            account,
            program,
            reference,
            points_brought=brought,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision([entry])

    key, member = keys.of("membership_cancel", reference=reference), caller.authorized_member_id(member_id)
    return operation.run([member], decide, key=key, fingerprint=fingerprint, now=now, asks=asks)
