"""Points shared by a household's pool."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, idempotency, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import ExpiringPoints, points_by_day
from shared.caller import MEMBER, STOREFRONT, Caller
from shared.domain.account import Account
from shared.domain.fields import Record, Reference
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.program.program import Program
from shared.domain.spending.stakes import CONTRIBUTED, EXPIRED, SPENT
from shared.domain.subaccounts import owner_of
from shared.services import pools
from shared.tables import operation, programs

app = resolver.resolver()


class Joining(Record):
    """Who joins; a member's token joins as `me`."""

    member_id: Reference = "me"


class JoiningByInvitation(Joining):
    """Who joins, and the code of their invitation. Only a repeated request may leave it out."""

    invitation: Reference | None = None


class InvitationAnswer(Record):
    """The code that lets one person join, once, until `expires_at`."""

    code: str
    expires_at: datetime


class PoolMember(Record):
    """A member of a pool: what they have put in and spent, and what of it has expired in the pool."""

    member_id: str
    contributed: int
    spent: int
    expired: int


class PoolAnswer(Record):
    """A pool to the second of `as_of`. `expiring` adds up to `balance`; `former` are those who have left."""

    pool_id: str
    balance: int
    expiring: tuple[ExpiringPoints, ...]
    members: tuple[PoolMember, ...]
    former: tuple[PoolMember, ...]
    as_of: datetime


@app.post(
    "/v1/pools",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({201: PoolAnswer, 200: PoolAnswer}, 400, 404, 409),
    summary="Open a pool; who opens it joins it with all their points",
    tags=["Pools"],
)
def open_pool(request: Annotated[Joining, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    outcome = pools.open_pool(request.member_id, key=name, caller=caller, now=now)
    return _shown(outcome, caller, HTTPStatus.CREATED)


@app.post(
    "/v1/pools/<pool_id>/invitations",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({201: InvitationAnswer, 200: InvitationAnswer}, 400, 404, 409),
    summary="Invite one person to a pool for a week; what any member owes is paid from the points of all",
    tags=["Pools"],
)
def invite(pool_id: str, key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    made = pools.invite(pool_id, key=name, caller=caller, now=now)
    status = HTTPStatus.OK if made.replayed else HTTPStatus.CREATED
    body = InvitationAnswer(code=made.code, expires_at=made.expires_at)
    return json_answer(body, status, replayed=made.replayed)


@app.post(
    "/v1/pools/<pool_id>/members",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({201: PoolAnswer, 200: PoolAnswer}, 400, 404, 409),
    summary="Join a pool with all one's points, by an invitation",
    tags=["Pools"],
)
def join_pool(
    pool_id: str, request: Annotated[JoiningByInvitation, Body()], key: idempotency.IdempotencyKey = None
) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    outcome = pools.join_pool(pool_id, request.member_id, request.invitation, key=name, caller=caller, now=now)
    return _shown(outcome, caller, HTTPStatus.CREATED)


@app.delete(
    "/v1/pools/<pool_id>/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PoolAnswer}, 400, 404, 409),
    summary="Leave a pool with one's unspent, unexpired points; whoever opened it, and the shop, may remove others",
    tags=["Pools"],
)
def leave_pool(pool_id: str, member_id: str, key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    outcome = pools.leave_pool(pool_id, member_id, key=name, caller=caller, now=now)
    return _shown(outcome, caller, HTTPStatus.OK)


@app.get(
    "/v1/pools/<pool_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PoolAnswer}, 404),
    summary="A pool's points, and who has put in and spent how many",
    tags=["Pools"],
)
def read_pool(pool_id: str) -> Answer:
    pool = pools.read_pool(pool_id, caller=auth.caller(app))
    return json_answer(_pool_answer(pool, programs.load_program(), clock.now()))


def _shown(outcome: operation.Outcome, caller: Caller, status: HTTPStatus) -> Answer:
    pool = pools.as_seen_by(outcome.accounts[1], caller)
    body = _pool_answer(pool, outcome.program, outcome.now)
    return json_answer(body, HTTPStatus.OK if outcome.replayed else status, replayed=outcome.replayed)


def _pool_answer(pool: Account, program: Program, now: datetime) -> PoolAnswer:
    pool = up_to_date(pool, program, now)
    known = sorted({name.partition(":")[2] for name in pool.uses} - set(pool.pool_members))
    return PoolAnswer(
        pool_id=owner_of(pool.member_id),
        balance=pool.balance,
        expiring=points_by_day(pool.lots),
        members=tuple(_part_of(pool, member_id) for member_id in pool.pool_members),
        former=tuple(_part_of(pool, member_id) for member_id in known),
        as_of=now,
    )


def _part_of(pool: Account, member_id: str) -> PoolMember:
    uses = {name: pool.uses.get(f"{name}:{member_id}") for name in (CONTRIBUTED, SPENT, EXPIRED)}
    return PoolMember(member_id=member_id, **{name: use.points if use else 0 for name, use in uses.items()})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
