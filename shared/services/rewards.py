"""The catalogue of rewards, and what it means for a member."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.program.program import Program, Reward
from shared.domain.spending.pools import pool_among, united
from shared.domain.spending.prices import why_unavailable
from shared.tables import accounts, programs, stock


class Offer(NamedTuple):
    """A reward, and how many pieces of it are gone; 0 where it is not limited."""

    reward: Reward
    taken: int


class Catalogue(NamedTuple):
    """Part of the catalogue, and where the next part begins; None: nowhere.

    `account` is the member's to the second, with the points of their pool; None: nobody's.
    """

    offers: Sequence[Offer]
    next_start: int | None
    program: Program
    account: Account | None
    today: date


def read_rewards(member_id: str | None, limit: int, start: int, *, caller: Caller, now: datetime) -> Catalogue:
    """At most `limit` rewards from the one numbered `start` on. Raises MemberNotFoundError."""
    program = programs.load_program()
    account = None if member_id is None else _with_pool(caller.authorized_member_id(member_id), program, now)
    end = start + limit
    rewards = [reward for reward in program.redeeming.rewards if reward.offered]
    page = rewards[start:end]
    taken = stock.stock_taken(reward.reward_id for reward in page if reward.stock is not None)
    offers = [Offer(reward, taken.get(reward.reward_id, 0)) for reward in page]
    next_start = end if end < len(rewards) else None
    return Catalogue(offers, next_start, program, account, local_day(now, program.time_zone))


def within_reach(account: Account, pools: Sequence[Account], *, now: datetime) -> list[Reward]:
    """The rewards that a member can have at once, the dearest first. The number of pieces left is not looked at."""
    program = programs.load_program()
    settled = [up_to_date(one, program, now) for one in (account, *pools)]
    own, today = united(settled[0], pool_among(settled[0], settled)), local_day(now, program.time_zone)
    found = (one for one in program.redeeming.rewards if one.points <= own.balance)
    open_to_member = (one for one in found if why_unavailable(own, program, one, today) is None)
    return sorted(open_to_member, key=lambda reward: -reward.points)


def _with_pool(member_id: str, program: Program, now: datetime) -> Account:
    settled = [up_to_date(one, program, now) for one in accounts.load_with_pool(member_id)]
    return united(settled[0], pool_among(settled[0], settled))
