"""A member's referrals: the code to pass on, who came by it, what it brought, and what is left of the limit."""

from datetime import date, datetime
from typing import Any

from shared import clock
from shared.api import auth, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.domain.fields import Record
from shared.services import referrals
from shared.services.referrals import LimitInUse, Referrals

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
    place, caller, now = paging.decode_place(cursor, str), auth.caller(app), clock.now()
    return json_answer(_shown(referrals.read_referrals(member_id, limit, place, caller=caller, now=now)))


def _shown(found: Referrals) -> ReferralsAnswer:
    return ReferralsAnswer(
        referral_code=found.referral_code,
        share_url=found.share_url,
        limit=_limit(found.limit) if found.limit else None,
        items=tuple(FriendAnswer.model_validate(friend._asdict()) for friend in found.friends.items),
        next_cursor=paging.encode_place(found.friends.next_place),
    )


def _limit(in_use: LimitInUse) -> LimitAnswer:
    limit, use = in_use.limit, in_use.use
    return LimitAnswer(
        per=limit.per,
        times=limit.times,
        times_left=None if limit.times is None else max(0, limit.times - use.times),
        points=limit.points,
        points_left=None if limit.points is None else max(0, limit.points - use.points),
        frees_on=in_use.frees_on,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
