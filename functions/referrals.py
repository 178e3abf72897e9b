"""A member's referrals: the code to pass on, who came by it, what it brought, and what is left of the limit."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from shared import clock
from shared.api import auth, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.domain.account import Account
from shared.domain.calendar import local_day, period_frees_on
from shared.domain.earning.referrals import USE, may_pay_off
from shared.domain.fields import Record
from shared.domain.points.limits import used
from shared.domain.program.program import Program
from shared.domain.program.referrals import CODE_PLACE
from shared.tables import accounts, members, programs, referrals

app = resolver.resolver()


class FriendAnswer(Record):
    """Somebody who came by the code. `points` are the advocate's; from `available_on` they can be spent."""

    friend_id: str
    joined_at: datetime
    state: str
    points: int
    available_on: date | None


class LimitAnswer(Record):
    """How many friends, and how many points, are rewarded per period; what is left, and when the limit frees."""

    per: str
    times: int | None
    times_left: int | None
    points: int | None
    points_left: int | None
    frees_on: date | None


class ReferralsAnswer(Record):
    """The member's own code and link, and a page of those who came by it, the newest first."""

    referral_code: str | None
    share_url: str | None
    limit: LimitAnswer | None
    items: tuple[FriendAnswer, ...]
    next_cursor: str | None


@app.get(
    "/v1/members/<member_id>/referrals",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: ReferralsAnswer}, 404),
    summary="Own code and link, friends who came by it, what is left of the limit",
    tags=["Referrals"],
)
def read_referrals(
    member_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    member = members.load_member(auth.caller(app).authorized_member_id(member_id)).member
    account, program, now = accounts.load_account(member.member_id).account, programs.load_program(), clock.now()
    advocates = (account.member_id, *account.merged_from)
    place, before = paging.decode_cursor(cursor, int, str) if cursor else (0, "")
    if not 0 <= place < len(advocates) or len(before) > paging.CURSOR_LENGTH_MAX:
        raise paging.foreign_cursor()
    friends, more = referrals.friends_of(advocates[place], limit, before or None)
    following = paging.encode_cursor(place, more) if more else None
    if following is None and place + 1 < len(advocates):
        following = paging.encode_cursor(place + 1, "")
    today = local_day(now, program.time_zone)
    return json_answer(
        ReferralsAnswer(
            referral_code=member.referral_code,
            share_url=_share_url(program, member.referral_code),
            limit=_limit(account, program, today),
            items=tuple(_friend(friend, program, today) for friend in friends),
            next_cursor=following,
        )
    )


def _friend(friend: referrals.Friend, program: Program, today: date) -> FriendAnswer:
    referred, reward = friend.account.referred, friend.reward
    state: str = referred.state if referred else "refused"
    if state == "open" and not may_pay_off(friend.account, program, today):
        state = "expired"
    is_kept = reward is not None and state != "reversed"
    return FriendAnswer(
        friend_id=friend.member_id,
        joined_at=friend.joined_at,
        state=state,
        points=reward.points if reward and is_kept else 0,
        available_on=reward.available_on if reward and is_kept else None,
    )


def _share_url(program: Program, code: str | None) -> str | None:
    template = program.referrals.share_url if program.referrals else None
    return template.replace(CODE_PLACE, quote(code, safe="")) if template and code else None


def _limit(account: Account, program: Program, today: date) -> LimitAnswer | None:
    limit = program.referrals.limit if program.referrals else None
    if limit is None:
        return None
    use = used(account, USE, limit, today)
    return LimitAnswer(
        per=limit.per,
        times=limit.times,
        times_left=None if limit.times is None else max(0, limit.times - use.times),
        points=limit.points,
        points_left=None if limit.points is None else max(0, limit.points - use.points),
        frees_on=period_frees_on(today, limit.per),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
