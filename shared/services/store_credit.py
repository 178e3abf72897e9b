"""Paying store credit out."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.spending.store_credit import Payout, pay_out
from shared.domain.subaccounts import wallet_of
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation


def pay_out_credit(member_id: str, request: Payout, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take credit out of the program; the outcome's second account is the wallet.

    Raises MemberFrozenError, InvalidRequestError, InsufficientPointsError.
    """
    member_id = caller.authorized_member_id(member_id)
    payout_id = request_ids.derived_id("payout", member_id, request.reference)
    fingerprint = request_ids.fingerprint(request)

    def decide(situation: Situation) -> Decision:
        member, wallet = situation.accounts
        entry = pay_out(
            member,
            wallet,
            situation.program,
            request,
            payout_id=payout_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision([entry])

    accounts = [member_id, wallet_of(member_id)]
    return operation.run(accounts, decide, key=keys.of("payout", payout_id=payout_id), fingerprint=fingerprint, now=now)
