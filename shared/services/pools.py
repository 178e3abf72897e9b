"""Pools of points that a household shares: open, invite, join, leave, look."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared import request_ids
from shared.caller import OPERATOR, STOREFRONT, Caller, is_valid_id
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import (
    CodeExpiredError,
    Fault,
    ForbiddenError,
    InvalidRequestError,
    InvalidStateError,
    MemberMergedError,
    MemberNotActiveError,
    NotOfferedError,
    PoolNotFoundError,
    TryAgainError,
    UnknownMemberError,
)
from shared.domain.points.freezing import require_not_frozen
from shared.domain.spending import pool_invitations, pools
from shared.domain.spending.pool_invitations import Invitation
from shared.domain.spending.stakes import CONTRIBUTED, EXPIRED, SPENT
from shared.domain.subaccounts import pool_account_of
from shared.services import caller_keys, guess_limits
from shared.tables import accounts, keys, ledger, members, operation, programs
from shared.tables import pool_invitations as stored_invitations
from shared.tables.client import Write
from shared.tables.operation import NOTHING_MORE, Decide, Decision, Needs, Situation

_POOL_ID_LENGTH = 32
"""128 bits, as hexadecimal digits."""
_OPENED_AS = 2
"""The number of a pool's entry by which its first member has joined it. What opens its account comes before."""


class Invited(NamedTuple):
    """A code that lets one person join, until when, and whether it had been asked for."""

    code: str
    expires_at: datetime
    replayed: bool


def open_pool(member_id: str, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Open a pool; the member who opens it joins it with all their points. The outcome's second account is the pool.

    Raises ForbiddenError where the program lets the storefront alone open pools, and what `join` refuses.
    """
    member_id, terms = caller.authorized_member_id(member_id), programs.load_program().pools
    if terms and terms.created_by == "storefront" and STOREFRONT not in caller.scopes:
        raise ForbiddenError("in this program only the storefront opens pools")

    def attempt(derived_id: str) -> operation.Outcome:
        pool_id = members.keyed_hash(f"pool:{derived_id}")[:_POOL_ID_LENGTH]

        def decide(situation: Situation) -> Decision:
            return Decision(_joined(situation, pool_id, caller, is_new=True))

        return _changed(pool_id, member_id, "pool_join", pool_id, decide, caller, now)

    return caller_keys.under(caller, (member_id, key), attempt)


def invite(pool_id: str, *, key: str, caller: Caller, now: datetime) -> Invited:
    """Invite one person to a pool, for a week. A member of the pool may, and the storefront.

    The code follows from the key by a keyed hash, so that a repeated request gets the same without its being stored.
    Raises PoolNotFoundError, NotOfferedError if the program has no pools, MemberFrozenError, and TryAgainError.
    """
    _require_valid(pool_id)
    cause = request_ids.derived_id(pool_id, caller.actor, caller.member_id or "", key)
    code = pool_invitations.code_of(members.keyed_hash(f"invite:{cause}"))
    if (existing := stored_invitations.load(code)) is not None:
        return Invited(code, existing.expires_at, replayed=True)
    pool = read_pool(pool_id, caller=caller)
    if programs.load_program().pools is None:
        raise NotOfferedError("the program has no pools")
    by = "" if STOREFRONT in caller.scopes else caller.authorized_member_id("me")
    if by:
        require_not_frozen(accounts.load_account(by).account)
    invitation = Invitation(pool_id, by, pool.sequence, now + pool_invitations.VALID_FOR)
    if not stored_invitations.add(code, invitation):
        raise TryAgainError("the same invitation is being made by another request; send it again")
    return Invited(code, invitation.expires_at, replayed=False)


def join_pool(
    pool_id: str, member_id: str, code: str | None, *, key: str, caller: Caller, now: datetime
) -> operation.Outcome:
    """Join a pool with all one's points, by an invitation, which is used up; a replay needs none.

    The outcome's second account is the pool. Raises CodeExpiredError, TooManyRequestsError for a member who has tried
    too many codes, InvalidRequestError without a code, and what `pools.join` refuses.
    """
    _require_valid(pool_id)
    member_id = caller.authorized_member_id(member_id)
    left_key = stored_invitations.left_key(pool_id, member_id)
    invitation_key = stored_invitations.key_of(code or "")

    def asks(situation: Situation) -> Needs:
        invitation = stored_invitations.invitation_of(situation.items.get(invitation_key))
        if invitation is None or not invitation.invited_by:
            return NOTHING_MORE
        inviter = keys.account_key(invitation.invited_by)
        return NOTHING_MORE if inviter in situation.items else Needs(items=[inviter])

    def attempt(change_id: str) -> operation.Outcome:
        def decide(situation: Situation) -> Decision:
            if code is None:
                raise InvalidRequestError(Fault("/invitation", "is required: the code of an invitation to this pool"))
            invitation = stored_invitations.invitation_of(situation.items.get(invitation_key))
            inviter = situation.other_account(invitation.invited_by) if invitation else None
            left_at = stored_invitations.left_at(situation.items.get(left_key))
            pool_invitations.require_valid(invitation, situation.accounts[1], inviter, left_at, situation.now)
            entries = _joined(situation, change_id, caller, is_new=False)
            return Decision(entries, [stored_invitations.use(code, member_id)])

        reads = [invitation_key, left_key]
        return _changed(pool_id, member_id, "pool_join", change_id, decide, caller, now, reads=reads, asks=asks)

    guess_limits.require_may_guess(caller, now)
    try:
        return caller_keys.under(caller, ("join", pool_id, member_id, key), attempt)
    except CodeExpiredError:
        guess_limits.count(caller, now)
        raise


def leave_pool(pool_id: str, member_id: str, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Have a member leave a pool, with what they have put in and neither spent nor lost by expiry.

    The member may, whoever opened the pool, and the shop. Raises PoolNotFoundError, MemberNotFoundError for a member
    who is not the caller's to remove, and InvalidStateError.
    """
    _require_valid(pool_id)
    is_own = member_id in {"me", caller.member_id} or not is_valid_id(member_id)
    removes_another = not is_own and _has_opened(caller, pool_id)
    if not removes_another:
        member_id = caller.authorized_member_id(member_id)

    def attempt(change_id: str) -> operation.Outcome:
        def decide(situation: Situation) -> Decision:
            member, pool = situation.accounts[:2]
            if member.pool_id != pool_id:
                raise InvalidStateError("the member does not share this pool")
            by: dict[str, Any] = {"now": situation.now, "actor": caller.actor}
            entries = pools.leave(member, pool, situation.program, change_id=change_id, **by)
            return Decision(entries, [_left(pool_id, member_id, entries, situation.now)])

        return _changed(pool_id, member_id, "pool_leave", change_id, decide, caller, now)

    try:
        return caller_keys.under(caller, ("leave", pool_id, member_id, key), attempt)
    except (InvalidStateError, MemberMergedError, MemberNotActiveError) as error:
        if removes_another:  # of who does not share the pool, its members learn nothing
            raise UnknownMemberError(member_id) from error
        raise


def read_pool(pool_id: str, *, caller: Caller) -> Account:
    """A pool's account. Raises PoolNotFoundError if it is not the caller's to see."""
    _require_valid(pool_id)
    pool = accounts.load_account(pool_account_of(pool_id)).account
    if not pool.sequence or not _may_see(pool, caller):
        raise PoolNotFoundError(f"there is no pool {pool_id}")
    return pool


def as_seen_by(pool: Account, caller: Caller) -> Account:
    """A pool as the answer to a caller shows it: to a member who has left it, what they had put in and spent alone."""
    if _may_see(pool, caller):
        return pool
    own = {f"{name}:{caller.member_id}" for name in (CONTRIBUTED, SPENT, EXPIRED)}
    uses = {name: use for name, use in pool.uses.items() if name in own}
    return pool.model_copy(update={"lots": {}, "pool_members": (), "uses": uses})


def _may_see(pool: Account, caller: Caller) -> bool:
    return bool(caller.scopes & {STOREFRONT, OPERATOR}) or caller.member_id in pool.pool_members


def _joined(situation: Situation, change_id: str, caller: Caller, *, is_new: bool) -> Sequence[Entry]:
    member, pool = situation.accounts[:2]
    return pools.join(
        member,
        pool,
        situation.program,
        change_id=change_id,
        is_new=is_new,
        now=situation.now,
        actor=caller.actor,
        fingerprint="",
    )


def _left(pool_id: str, member_id: str, entries: Sequence[Entry], now: datetime) -> Write:
    last = max(entry.sequence for entry in entries if entry.member_id == pool_account_of(pool_id))
    return stored_invitations.note_left(pool_id, member_id, last, now)


def _has_opened(caller: Caller, pool_id: str) -> bool:
    """Whether the caller is a member of the pool, and the one who has opened it."""
    if caller.scopes & {STOREFRONT, OPERATOR} or caller.member_id is None:
        return False
    own, pool = accounts.load_accounts([caller.member_id, pool_account_of(pool_id)])
    if own.member_id not in pool.pool_members:
        return False
    first = ledger.load_history(pool.member_id, 1, before=_OPENED_AS + 1)
    return any(entry.source.get("by") in own.ids for entry in first)


def _changed(
    pool_id: str,
    member_id: str,
    type_: str,
    change_id: str,
    decide: Decide,
    caller: Caller,
    now: datetime,
    **more: Any,  # noqa: ANN401 - further reads of the operation
) -> operation.Outcome:
    """Change who shares a pool; the outcome's second account is the pool."""
    return operation.run(
        [member_id, pool_account_of(pool_id)],
        decide,
        key=keys.of(type_, change_id=change_id, member_id=member_id),
        fingerprint="",
        now=now,
        shares=False,
        actor=caller.actor,
        **more,
    )


def _require_valid(pool_id: str) -> None:
    if not is_valid_id(pool_id):
        raise PoolNotFoundError(f"there is no pool {pool_id}")
