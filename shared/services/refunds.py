"""Taking back what an order earned, for the part of it that was returned."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.earning.cashback import take_back_credit
from shared.domain.earning.referrals import with_reversal
from shared.domain.earning.refunds import refund_order
from shared.domain.entry import Entry
from shared.domain.errors import OrderBelongsToAnotherMemberError, OrderNotFoundError
from shared.domain.fields import Instant, PositiveAmount, Record, Reference
from shared.domain.program.partners import Partner
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation


class Refund(Record):
    """Which part of an order came back: `amount` minor units of what counted toward points."""

    order_id: Reference
    refund_id: Reference
    amount: PositiveAmount
    refunded_at: Instant


def refund(member_id: str, request: Refund, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take back points and store credit of the returned part of an order.

    Raises OrderNotFoundError, OrderBelongsToAnotherMemberError, RefundExceedsOrderError.
    """
    partner = partner_access.calling(caller)
    request = request.model_copy(update={"order_id": partner_access.own_id(partner, request.order_id)})
    fingerprint = request_ids.fingerprint(request)
    member = caller.authorized_member_id(member_id)
    wallet = wallet_of(member)
    earn_key = keys.of("earn", order_id=request.order_id)
    credit_key = keys.of("earn", order_id=request.order_id, member_id=wallet)

    def decide(situation: Situation) -> Decision:
        account = situation.account
        earned = _own(situation.entry(earn_key), account, partner, request.order_id)
        entry = refund_order(
            account,
            situation.program,
            earned,
            refund_id=request.refund_id,
            amount=request.amount,
            refunded_before=situation.refunded(request.order_id),
            refunded_at=request.refunded_at,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        entries = [with_reversal(account, entry, earned)]
        credit = situation.entry(credit_key)
        if credit is not None:
            entries.append(
                take_back_credit(situation.accounts[1], situation.program, credit, entry, amount=request.amount)
            )
        return Decision(entries)

    outcome = operation.run(
        [member, wallet],
        decide,
        key=keys.of("refund", order_id=request.order_id, refund_id=request.refund_id),
        fingerprint=fingerprint,
        now=now,
        reads=[earn_key, keys.refunded_key(request.order_id), credit_key],
    )
    return partner_access.shown(partner, outcome)


def _own(earned: Entry | None, account: Account, partner: Partner | None, order_id: str) -> Entry:
    """The order's entry, if it is the member's and the caller may see it."""
    if earned is not None and earned.member_id not in account.ids:
        raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
    if earned is None or not partner_access.may_see(partner, earned.partner):
        raise OrderNotFoundError(f"no order {order_id!r} has earned points")
    return earned
