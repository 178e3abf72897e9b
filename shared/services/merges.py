"""Merging two members into one: points, identifiers, history."""

from collections.abc import Sequence
from datetime import datetime

from shared.caller import Caller
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.lifecycle.closing import merge_whole
from shared.domain.members.members import require_staying, united
from shared.domain.subaccounts import wallet_of
from shared.tables import audit, keys, members, operation
from shared.tables.client import Write
from shared.tables.members import StoredMember
from shared.tables.operation import Decision, Situation


def merge_members(member_id: str, from_member_id: str, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take another member in, each lot with its expiry date. The outcome's first account is the one that stays.

    Raises MemberNotFoundError, MemberNotActiveError, MemberFrozenError, ConsentRequiredError, InvalidStateError, and
    InvalidRequestError if both are the same.
    """
    if member_id == from_member_id:
        raise InvalidRequestError(Fault("/from_member_id", "must be another member"))
    into = members.load_member(caller.authorized_member_id(member_id))
    gone = members.load_member(from_member_id)
    for one in (into, gone):
        require_staying(one.member)
    into_id, gone_id = into.member.member_id, gone.member.member_id
    trail = audit.trail(caller, "members.merged", now, into_id, from_member_id=gone_id)

    def decide(situation: Situation) -> Decision:
        stays, goes, wallet, gone_wallet, *beside = situation.accounts
        wallets = gone_wallet, wallet
        entries = merge_whole(goes, stays, wallets, beside, situation.program, now=situation.now, actor=caller.actor)
        return Decision(entries, [*_profile_writes(gone, into), *trail])

    return operation.run(
        [into_id, gone_id, wallet_of(into_id), wallet_of(gone_id)],
        decide,
        key=keys.of("merge_out", **{"from": gone_id, "into": into_id}),
        fingerprint="",
        now=now,
        shares=False,
    )


def _profile_writes(gone: StoredMember, into: StoredMember) -> Sequence[Write]:
    """What unites the profiles; nothing for those who are provisional or closed, whom the rules refuse."""
    if gone.member.status != "active" or into.member.status != "active":
        return ()
    return members.moves(gone, into, *united(gone.member, into.member))
