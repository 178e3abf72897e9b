"""Pools of points that a household shares: open, join, leave, look."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared import request_ids
from shared.caller import OPERATOR, STOREFRONT, Caller, is_valid_id
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import ForbiddenError, InvalidStateError, PoolNotFoundError
from shared.domain.spending import pools
from shared.domain.subaccounts import pool_account_of
from shared.tables import accounts, keys, members, operation, programs
from shared.tables.operation import Decision, Situation

_POOL_ID_LENGTH = 32
"""128 bits, as hexadecimal digits."""

Change = Callable[[Account, Account, Situation], Sequence[Entry]]
"""From a member, a pool and the situation to what a change of the pool's members books."""


def open_pool(member_id: str, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Open a pool; the member who opens it joins it with all their points. The outcome's second account is the pool.

    Raises ForbiddenError where the program lets the storefront alone open pools, and what `join` refuses.
    """
    member_id, terms = caller.authorized_member_id(member_id), programs.load_program().pools
    if terms and terms.created_by == "storefront" and STOREFRONT not in caller.scopes:
        raise ForbiddenError("in this program only the storefront opens pools")
    # Anybody who knows the id may join: it must not follow from the member's id and a key like theirs.
    pool_id = members.keyed_hash(f"pool:{request_ids.derived_id(member_id, key)}")[:_POOL_ID_LENGTH]
    return _join(pool_id, member_id, pool_id, caller, now, is_new=True)


def join_pool(pool_id: str, member_id: str, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Join a pool with all one's points. The outcome's second account is the pool.

    Raises PoolNotFoundError, InvalidStateError.
    """
    _require_valid(pool_id)
    member_id = caller.authorized_member_id(member_id)
    change_id = request_ids.derived_id("join", pool_id, member_id, key)
    return _join(pool_id, member_id, change_id, caller, now, is_new=False)


def leave_pool(pool_id: str, member_id: str, *, key: str, caller: Caller, now: datetime) -> operation.Outcome:
    """Leave a pool; what was put in stays, but the last member takes everything along.

    Raises PoolNotFoundError, InvalidStateError.
    """
    _require_valid(pool_id)
    member_id = caller.authorized_member_id(member_id)
    change_id = request_ids.derived_id("leave", pool_id, member_id, key)

    def leave(member: Account, pool: Account, situation: Situation) -> Sequence[Entry]:
        if member.pool_id != pool_id:
            raise InvalidStateError("the member does not share this pool")
        return pools.leave(member, pool, situation.program, change_id=change_id, now=situation.now, actor=caller.actor)

    return _change(pool_id, member_id, change_id, "pool_leave", leave, now)


def read_pool(pool_id: str, *, caller: Caller) -> Account:
    """A pool's account. Raises PoolNotFoundError if it is not the caller's to see."""
    _require_valid(pool_id)
    pool = accounts.load_account(pool_account_of(pool_id)).account
    is_own_only = not caller.scopes & {STOREFRONT, OPERATOR}
    if not pool.sequence or (is_own_only and caller.member_id not in pool.pool_members):
        raise PoolNotFoundError(f"there is no pool {pool_id}")
    return pool


def _join(
    pool_id: str, member_id: str, change_id: str, caller: Caller, now: datetime, *, is_new: bool
) -> operation.Outcome:
    def join(member: Account, pool: Account, situation: Situation) -> Sequence[Entry]:
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

    return _change(pool_id, member_id, change_id, "pool_join", join, now)


def _change(
    pool_id: str, member_id: str, change_id: str, type_: str, change: Change, now: datetime
) -> operation.Outcome:
    def decide(situation: Situation) -> Decision:
        member, pool = situation.accounts[:2]
        return Decision(change(member, pool, situation))

    members_ = [member_id, pool_account_of(pool_id)]
    key = keys.of(type_, change_id=change_id, member_id=member_id)
    return operation.run(members_, decide, key=key, fingerprint="", now=now, shares=False)


def _require_valid(pool_id: str) -> None:
    if not is_valid_id(pool_id):
        raise PoolNotFoundError(f"there is no pool {pool_id}")
