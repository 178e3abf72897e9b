"""Points shared by a household's pool, and given as gifts."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock, request_ids
from shared.api import auth, idempotency, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas import ExpiringPoints, points_by_day
from shared.caller import MEMBER, OPERATOR, STOREFRONT, is_valid_id
from shared.domain.account import Account, Entry, EntryType
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    GiftNotFoundError,
    IdempotencyMismatchError,
    InvalidRequestError,
    InvalidStateError,
    LoyaltyError,
    MemberNotActiveError,
    MemberNotFoundError,
    PoolNotFoundError,
)
from shared.domain.fields import PositivePoints, Record, Reference, Text
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.spending.gifts import GiftState, accept, gift_state, give_back, offer
from shared.domain.spending.pools import CONTRIBUTED, SPENT, join, leave
from shared.domain.subaccounts import owner_of, pool_account_of
from shared.tables import accounts as accounts_table
from shared.tables import gift_messages, keys, ledger, operation, programs
from shared.tables import members as people
from shared.tables.operation import Decision, Situation

app = resolver.resolver()

_POOL_ID_LENGTH = 32
"""128 bits, as hexadecimal digits."""


class Joining(Record):
    """Who joins; a member's token joins as `me`."""

    member_id: Reference = "me"


class PoolMember(Record):
    """A member of a pool, and what they have put in and spent."""

    member_id: str
    contributed: int
    spent: int


class PoolAnswer(Record):
    """A pool to the second of `as_of`. `expiring` adds up to `balance`; `former` are those who have left."""

    pool_id: str
    balance: int
    expiring: tuple[ExpiringPoints, ...]
    members: tuple[PoolMember, ...]
    former: tuple[PoolMember, ...]
    as_of: datetime


class Gift(Record):
    """Points for another member, who may accept or return them, and words that go with them."""

    to_member_id: Reference
    points: PositivePoints
    message: Text | None = None


class GiftAnswer(Record):
    """A gift: its state, and until when it can be accepted."""

    gift_id: str
    state: GiftState
    points: int
    from_member_id: str
    to_member_id: str
    message: str | None
    offered_at: datetime
    accept_until: datetime


@app.post(
    "/v1/pools",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({201: PoolAnswer, 200: PoolAnswer}, 400, 404, 409),
    summary="Open a pool; who opens it joins it with all their points",
    tags=["Pools"],
)
def open_pool(request: Annotated[Joining, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller = auth.caller(app)
    member_id, pools = caller.authorized_member_id(request.member_id), programs.load_program().pools
    if pools and pools.created_by == "storefront" and STOREFRONT not in caller.scopes:
        raise ForbiddenError("the program lets the storefront alone open pools")
    # Whoever knows it may join: nobody may work it out from the member's id and a key like theirs.
    request_id = request_ids.derived_id(member_id, idempotency.required_key(key))
    pool_id = people.keyed_hash(f"pool:{request_id}")[:_POOL_ID_LENGTH]
    return _join(pool_id, member_id, pool_id, is_new=True)


@app.post(
    "/v1/pools/<pool_id>/members",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({201: PoolAnswer, 200: PoolAnswer}, 400, 404, 409),
    summary="Join a pool with all one's points; its id is the invitation",
    tags=["Pools"],
)
def join_pool(pool_id: str, request: Annotated[Joining, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    _require_possible(pool_id)
    member_id = auth.caller(app).authorized_member_id(request.member_id)
    change_id = request_ids.derived_id("join", pool_id, member_id, idempotency.required_key(key))
    return _join(pool_id, member_id, change_id, is_new=False)


@app.delete(
    "/v1/pools/<pool_id>/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PoolAnswer}, 400, 404, 409),
    summary="Leave a pool; what was put in stays, but the last takes everything along",
    tags=["Pools"],
)
def leave_pool(pool_id: str, member_id: str, key: idempotency.IdempotencyKey = None) -> Answer:
    _require_possible(pool_id)
    caller, now = auth.caller(app), clock.now()
    member_id = caller.authorized_member_id(member_id)
    change_id = request_ids.derived_id("leave", pool_id, member_id, idempotency.required_key(key))

    def part(situation: Situation) -> Decision:
        member, pool = situation.accounts[:2]
        if member.pool_id != pool_id:
            raise InvalidStateError("the member does not share this pool")
        return Decision(
            leave(member, pool, situation.program, change_id=change_id, now=situation.now, actor=caller.actor)
        )

    accounts = [member_id, pool_account_of(pool_id)]
    key_ = keys.pool_key(change_id, "LEAVE", member_id)
    outcome = operation.run(accounts, part, key=key_, fingerprint="", now=now, shares=False)
    return _pool_shown(outcome, now, HTTPStatus.OK)


@app.get(
    "/v1/pools/<pool_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PoolAnswer}, 404),
    summary="A pool's points, and who has put in and spent how many",
    tags=["Pools"],
)
def read_pool(pool_id: str) -> Answer:
    _require_possible(pool_id)
    caller = auth.caller(app)
    pool = accounts_table.load_account(pool_account_of(pool_id)).account
    is_own_only = not caller.scopes & {STOREFRONT, OPERATOR}
    if not pool.sequence or (is_own_only and caller.member_id not in pool.pool_members):
        raise PoolNotFoundError(f"there is no pool {pool_id}")
    return json_answer(_pool_answer(pool, clock.now()))


@app.post(
    "/v1/members/<member_id>/gifts",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({201: GiftAnswer, 200: GiftAnswer}, 400, 404, 409),
    summary="Give points to another member, who may accept or return them",
    tags=["Gifts"],
)
def offer_gift(member_id: str, request: Annotated[Gift, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now = auth.caller(app), clock.now()
    member_id, to = caller.authorized_member_id(member_id), request.to_member_id
    if to == member_id:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))
    if not is_valid_id(to):
        raise MemberNotFoundError(f"there is no member {to}")
    gift_id = request_ids.derived_id("gift", member_id, idempotency.required_key(key))
    # Words are personal: a digest that anybody can compute would tell them to who tries.
    mark = people.keyed_hash(f"gift:{request_ids.fingerprint(request)}")[:32]

    def give(situation: Situation) -> Decision:
        _require_open(to, situation.other_account(to))
        entry = offer(
            situation.account,
            situation.program,
            request.points,
            to=to,
            gift_id=gift_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        words = gift_messages.words_writes(gift_id, member_id, to, request.message) if request.message else ()
        return Decision([entry], words)

    outcome = operation.run(
        [member_id],
        give,
        key=keys.gift_key(gift_id, "OFFER"),
        fingerprint=mark,
        now=now,
        reads=[keys.account_key(to)],
    )
    state = gift_state(_by_type(gift_id), outcome.accounts[0], now) if outcome.replayed else "offered"
    status = HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED
    return json_answer(_gift_answer(outcome.entry, state, request.message), status, replayed=outcome.replayed)


@app.get(
    "/v1/members/<member_id>/gifts/<gift_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404),
    summary="A gift, for who gave it and who was given it",
    tags=["Gifts"],
)
def read_gift(member_id: str, gift_id: str) -> Answer:
    account = accounts_table.load_account(auth.caller(app).authorized_member_id(member_id)).account
    steps = _by_type(gift_id)
    offered = _known(steps.get("gift_offer"), gift_id, account)
    return _gift_shown(offered, steps)


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/accept",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Accept a gift; each lot keeps its expiry date",
    tags=["Gifts"],
)
def accept_gift(member_id: str, gift_id: str) -> Answer:
    caller = auth.caller(app)
    member_id = caller.authorized_member_id(member_id)
    offered = _offer_of(gift_id)
    if member_id == offered.member_id:
        raise _no_gift(gift_id)

    def hand_over(situation: Situation) -> Decision:
        if offered.source["to"] not in (situation.account.member_id, *situation.account.merged_from):
            raise _no_gift(gift_id)
        moved = accept(
            situation.account, situation.accounts[1], situation.program, gift_id, now=situation.now, actor=caller.actor
        )
        return Decision([moved.out, moved.into])

    return _end(offered, gift_id, "IN", hand_over, member_id)


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/return",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Decline a gift: the points go back to the giver's lots",
    tags=["Gifts"],
)
def return_gift(member_id: str, gift_id: str) -> Answer:
    return _give_back(member_id, gift_id, "to")


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/withdraw",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Take an offered gift back",
    tags=["Gifts"],
)
def withdraw_gift(member_id: str, gift_id: str) -> Answer:
    return _give_back(member_id, gift_id, "from")


def _join(pool_id: str, member_id: str, change_id: str, *, is_new: bool) -> Answer:
    actor, now = auth.caller(app).actor, clock.now()

    def enter(situation: Situation) -> Decision:
        member, pool = situation.accounts[:2]
        return Decision(
            join(
                member,
                pool,
                situation.program,
                change_id=change_id,
                is_new=is_new,
                now=situation.now,
                actor=actor,
                fingerprint="",
            )
        )

    outcome = operation.run(
        [member_id, pool_account_of(pool_id)],
        enter,
        key=keys.pool_key(change_id, "JOIN", member_id),
        fingerprint="",
        now=now,
        shares=False,
    )
    return _pool_shown(outcome, now, HTTPStatus.CREATED)


def _pool_shown(outcome: operation.Outcome, now: datetime, status: HTTPStatus) -> Answer:
    body = _pool_answer(outcome.accounts[1], now)
    return json_answer(body, HTTPStatus.OK if outcome.replayed else status, replayed=outcome.replayed)


def _pool_answer(pool: Account, now: datetime) -> PoolAnswer:
    pool = up_to_date(pool, programs.load_program(), now)
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
    contributed, spent = (pool.uses.get(f"{name}:{member_id}") for name in (CONTRIBUTED, SPENT))
    return PoolMember(
        member_id=member_id,
        contributed=contributed.points if contributed else 0,
        spent=spent.points if spent else 0,
    )


def _require_possible(pool_id: str) -> None:
    if not is_valid_id(pool_id):
        raise PoolNotFoundError(f"there is no pool {pool_id}")


def _require_open(member_id: str, account: Account | None) -> None:
    if account is None:
        raise MemberNotFoundError(f"there is no member {member_id}")
    if not account.is_open:
        raise MemberNotActiveError(f"the member {member_id} was {account.status}")


def _give_back(member_id: str, gift_id: str, side: str) -> Answer:
    caller = auth.caller(app)
    account = accounts_table.load_account(caller.authorized_member_id(member_id)).account
    offered = _offer_of(gift_id)
    if offered.source[side] not in (account.member_id, *account.merged_from):
        raise _no_gift(gift_id)

    def undo(situation: Situation) -> Decision:
        return Decision(
            [
                give_back(
                    situation.account,
                    situation.program,
                    gift_id,
                    to=offered.source["to"],
                    now=situation.now,
                    actor=caller.actor,
                )
            ]
        )

    return _end(offered, gift_id, "RETURN", undo)


def _end(offered: Entry, gift_id: str, step: str, decide: operation.Decide, *receiver: str) -> Answer:
    now, key = clock.now(), keys.gift_key(gift_id, step)
    try:
        outcome = operation.run([*receiver, offered.member_id], decide, key=key, fingerprint="", now=now)
    except (MemberNotActiveError, IdempotencyMismatchError) as error:  # perhaps merged since
        giver = _taken_in_by(offered.member_id, error)
        if giver in receiver:
            raise InvalidStateError("giver and receiver have become one member; withdraw the gift") from None
        outcome = operation.run([*receiver, giver], decide, key=key, fingerprint="", now=now)
    words = gift_messages.load_words(gift_id, offered.source["to"])
    state: GiftState = "accepted" if step == "IN" else "returned"
    return json_answer(_gift_answer(offered, state, words), replayed=outcome.replayed)


def _taken_in_by(member_id: str, error: LoyaltyError) -> str:
    """Who has a gift's points after its giver was merged. Raises MemberNotActiveError if nobody has, or `error`."""
    survivor = accounts_table.load_survivor(member_id)
    if survivor.member_id == member_id and isinstance(error, IdempotencyMismatchError):
        raise error
    if survivor.member_id == member_id or not survivor.is_open:
        raise MemberNotActiveError("one of the two is no longer a member") from error
    return survivor.member_id


def _gift_shown(offered: Entry, steps: Mapping[EntryType, Entry]) -> Answer:
    now = clock.now()
    giver = accounts_table.load_survivor(offered.member_id)
    words = gift_messages.load_words(offered.source["gift_id"], offered.source["to"])
    return json_answer(_gift_answer(offered, gift_state(steps, giver, now), words))


def _gift_answer(offered: Entry, state: GiftState, message: str | None) -> GiftAnswer:
    [hold] = offered.opened.values()
    return GiftAnswer(
        gift_id=offered.source["gift_id"],
        state=state,
        points=hold.points,
        from_member_id=offered.source["from"],
        to_member_id=offered.source["to"],
        message=message,
        offered_at=offered.occurred_at,
        accept_until=hold.expires_at,
    )


def _by_type(gift_id: str) -> Mapping[EntryType, Entry]:
    if not is_valid_id(gift_id):
        raise _no_gift(gift_id)
    return {entry.type: entry for entry in ledger.load_gift(gift_id)}


def _offer_of(gift_id: str) -> Entry:
    if not is_valid_id(gift_id):
        raise _no_gift(gift_id)
    offered = ledger.load_entry(keys.gift_key(gift_id, "OFFER"))
    if offered is None:
        raise _no_gift(gift_id)
    return offered


def _known(offered: Entry | None, gift_id: str, account: Account) -> Entry:
    ours = (account.member_id, *account.merged_from)
    if offered is None or not {offered.source["from"], offered.source["to"]} & set(ours):
        raise _no_gift(gift_id)
    return offered


def _no_gift(gift_id: str) -> GiftNotFoundError:
    """One answer for a gift that is not there and for one of others."""
    return GiftNotFoundError(f"the member has no gift {gift_id}")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
