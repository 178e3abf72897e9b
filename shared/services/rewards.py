"""The catalogue of rewards, and what it means for a member."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import up_to_date_with_pool
from shared.domain.program.program import Program, Reward
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
    found = () if member_id is None else accounts.load_with_pool(caller.authorized_member_id(member_id))
    account = up_to_date_with_pool(found, program, now) if found else None
    end = start + limit
    rewards = [reward for reward in program.redeeming.rewards if reward.offered]
    page = rewards[start:end]
    taken = stock.stock_taken(reward.reward_id for reward in page if reward.stock is not None)
    offers = [Offer(reward, taken.get(reward.reward_id, 0)) for reward in page]
    next_start = end if end < len(rewards) else None
    return Catalogue(offers, next_start, program, account, local_day(now, program.time_zone))


def to_be_had(account: Account, pools: Sequence[Account], *, now: datetime) -> list[Reward]:
    """The rewards that a member can have at once, of which there are pieces left, the dearest first."""
    found = within_reach(account, pools, now=now)
    limited = {reward.reward_id: reward.stock for reward in found if reward.stock is not None}
    taken = stock.stock_taken(limited) if limited else {}
    gone = {name for name, pieces in limited.items() if taken.get(name, 0) >= pieces}
    return [reward for reward in found if reward.reward_id not in gone]


def within_reach(account: Account, pools: Sequence[Account], *, now: datetime) -> list[Reward]:
    """The rewards that a member can have at once, the dearest first. The number of pieces left is not looked at."""
    program = programs.load_program()
    own, today = up_to_date_with_pool([account, *pools], program, now), local_day(now, program.time_zone)
    found = (one for one in program.redeeming.rewards if one.points <= own.balance)
    open_to_member = (one for one in found if why_unavailable(own, program, one, today) is None)
    return sorted(open_to_member, key=lambda reward: -reward.points)
