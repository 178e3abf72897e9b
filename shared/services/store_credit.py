"""Store credit: what a member has of it, its history, and paying it out."""

from datetime import datetime
from typing import NamedTuple

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.spending.store_credit import Payout, pay_out
from shared.domain.subaccounts import wallet_of
from shared.services import histories
from shared.services.histories import Page, Place
from shared.tables import accounts, keys, operation, programs
from shared.tables.operation import Decision, Situation


class WalletView(NamedTuple):
    """The account of a member's store credit as it was last written, empty if it was never opened, and the program."""

    wallet: Account
    program: Program


def read_credit(member_id: str, *, caller: Caller) -> WalletView:
    """A member's store credit. Raises MemberNotFoundError, MemberMergedError."""
    return WalletView(_load_wallet(caller.authorized_member_id(member_id)), programs.load_program())


def read_credit_history(member_id: str, limit: int, place: Place[int] | None, *, caller: Caller) -> Page[Entry, int]:
    """A page of the entries of a member's store credit.

    Raises MemberNotFoundError, MemberMergedError, InvalidRequestError.
    """
    return histories.read_entries(_load_wallet(caller.authorized_member_id(member_id)), limit, place)


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

    both = [member_id, wallet_of(member_id)]
    return operation.run(both, decide, key=keys.of("payout", payout_id=payout_id), fingerprint=fingerprint, now=now)


def _load_wallet(member_id: str) -> Account:
    """The wallet, read together with its member's account: nobody else has one.

    Raises MemberNotFoundError, MemberMergedError.
    """
    member, wallet = accounts.load_accounts([member_id, wallet_of(member_id)])
    accounts.require_not_merged(member)
    return wallet
