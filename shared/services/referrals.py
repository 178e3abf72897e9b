"""A member's referrals: the code to pass on, who came by it, what it brought, and what is left of the limit."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from urllib.parse import quote

from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day, period_frees_on
from shared.domain.earning.referrals import USE, may_pay_off, referral_of
from shared.domain.facets import Use
from shared.domain.points.limits import used
from shared.domain.program.common import Limit
from shared.domain.program.program import Program
from shared.domain.program.referrals import CODE_PLACE
from shared.services import histories
from shared.services.histories import Page, Place
from shared.tables import accounts, members, programs, referrals


class ReferredFriend(NamedTuple):
    """Somebody who came by the code. `points` are the advocate's; from `available_on` they can be spent."""

    friend_id: str
    joined_at: datetime
    state: str
    points: int
    available_on: date | None


class LimitInUse(NamedTuple):
    """The limit of the member's rewards, what they have had of it in its current period, and the day it frees."""

    limit: Limit
    use: Use
    frees_on: date | None


class Referrals(NamedTuple):
    """The member's own code and link, the limit if the program has one, and a page of friends, the newest first."""

    referral_code: str | None
    share_url: str | None
    limit: LimitInUse | None
    friends: Page[ReferredFriend, str]


def read_referrals(member_id: str, limit: int, place: Place[str] | None, *, caller: Caller, now: datetime) -> Referrals:
    """A member's referrals, and at most `limit` friends; after them come those of members merged into this one.

    Raises MemberNotFoundError, InvalidRequestError.
    """
    member = members.load_member(caller.authorized_member_id(member_id)).member
    account, program = accounts.load_account(member.member_id).account, programs.load_program()
    today = local_day(now, program.time_zone)

    def read(advocate: str, before: str) -> tuple[Sequence[ReferredFriend], str | None]:
        friends, more = referrals.friends_of(advocate, limit, before or None)
        return [_friend(friend, program, today) for friend in friends], more

    return Referrals(
        member.referral_code,
        _share_url(program, member.referral_code),
        _limit(account, program, today),
        histories.read_page(account, place or Place(0, ""), read, start=""),
    )


def _friend(friend: referrals.Friend, program: Program, today: date) -> ReferredFriend:
    referred, reward = referral_of(friend.account, friend.member_id), friend.reward
    state: str = referred.state if referred else "refused"
    if state == "open" and not may_pay_off(friend.account, program, today):
        state = "expired"
    if reward is None or state == "reversed":
        return ReferredFriend(friend.member_id, friend.joined_at, state, 0, None)
    return ReferredFriend(friend.member_id, friend.joined_at, state, reward.points, reward.available_on)


def _share_url(program: Program, code: str | None) -> str | None:
    template = program.referrals.share_url if program.referrals else None
    return template.replace(CODE_PLACE, quote(code, safe="")) if template and code else None


def _limit(account: Account, program: Program, today: date) -> LimitInUse | None:
    limit = program.referrals.limit if program.referrals else None
    if limit is None:
        return None
    return LimitInUse(limit, used(account, USE, limit, today), period_frees_on(today, limit.per))
