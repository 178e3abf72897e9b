"""Quote, earn, refund, adjust, transfer."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock, http, keys, store
from shared.answers import BookedAnswer, QuoteAnswer, booked_answer, quote_answer
from shared.domain.account import Account, Entry
from shared.domain.calendar import local_day
from shared.domain.earning import Occasion, Order, earn_action, earn_order, order_earnings, refund_order
from shared.domain.errors import Fault, InvalidRequestError, OrderBelongsToAnotherMemberError, OrderNotFoundError
from shared.domain.fields import Instant, PositiveAmount, PositivePoints, Record, Reference, SignedPoints, Text
from shared.domain.moving import adjust, transfer
from shared.domain.program import Program
from shared.domain.settling import settle
from shared.dynamo import Item

app = http.resolver()


class OrderEarn(Order):
    """Credit an order."""

    type: Literal["order"]


class ActionEarn(Occasion):
    """Credit an action."""

    type: Literal["action"]


class Quote(Order):
    """An order as it might be placed, and by whom; without a member, by a newcomer."""

    type: Literal["order"] = "order"
    order_id: Reference = "quote"
    placed_at: Instant | None = None  # type: ignore[assignment]
    member_id: Reference | None = None


class Refund(Record):
    """Which part of an order came back: `amount` minor units of what counted toward points."""

    order_id: Reference
    refund_id: Reference
    amount: PositiveAmount
    refunded_at: Instant


class Adjustment(Record):
    """Points given (positive) or taken (negative) by hand."""

    points: SignedPoints
    reason: Text
    reference: Reference


class Transfer(Record):
    """Points for another member."""

    to_member_id: Reference
    points: PositivePoints


@app.post(
    "/v1/earn/quote",
    security=http.allow(http.STOREFRONT, http.MEMBER),
    responses=http.answers({200: QuoteAnswer}, 404),
    summary="What an order would earn; writes nothing",
    tags=["Earning"],
)
def quote(request: Annotated[Quote, Body()]) -> http.Answer:
    caller, now, program = http.caller(app), clock.now(), store.load_program()
    member_id = request.member_id or caller.member_id
    account = store.load_account(caller.reach(member_id)).account if member_id else None
    if account is not None:
        account = settle(account, program, now).account
    placed_at = request.placed_at or now
    order = Order.model_validate({**request.model_dump(exclude={"type", "member_id"}), "placed_at": placed_at})
    earned = order_earnings(account, program, order, now)
    began_on = local_day(min(placed_at, now), program.time_zone)
    return http.answer(quote_answer(earned, program, began_on, local_day(now, program.time_zone)))


@app.post(
    "/v1/members/<member_id>/earn",
    security=http.allow(http.STOREFRONT),
    responses=http.answers({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Credit an order or an action",
    tags=["Earning"],
)
def earn(
    member_id: str, request: Annotated[Annotated[OrderEarn | ActionEarn, Field(discriminator="type")], Body()]
) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    mark = http.fingerprint(request)

    def credit(accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime) -> list[Entry]:
        if isinstance(request, OrderEarn):
            return [earn_order(accounts[0], program, request, now=now, actor=caller.actor, fingerprint=mark)]
        return [earn_action(accounts[0], program, request, now=now, actor=caller.actor, fingerprint=mark)]

    key = keys.earn_key(request.model_dump(include={"order_id", "action", "reference"}))
    outcome = store.operate([caller.reach(member_id)], credit, key=key, fingerprint=mark, now=now)
    return _booked(outcome, now, HTTPStatus.CREATED)


@app.post(
    "/v1/members/<member_id>/refunds",
    security=http.allow(http.STOREFRONT),
    responses=http.answers({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Take back the points of a whole or partly returned order",
    tags=["Earning"],
)
def refund(member_id: str, request: Annotated[Refund, Body()]) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    mark = http.fingerprint(request)

    def take_back(
        accounts: Sequence[Account], items: Sequence[Item | None], program: Program, now: datetime
    ) -> list[Entry]:
        earned, refunded = items
        if earned is None:
            raise OrderNotFoundError(f"no order {request.order_id!r} has earned points")
        return [
            refund_order(
                accounts[0],
                program,
                _own(store.entry_of(earned), accounts[0]),
                refund_id=request.refund_id,
                amount=request.amount,
                refunded_before=int(refunded["amount"]["N"]) if refunded else 0,
                refunded_at=request.refunded_at,
                now=now,
                actor=caller.actor,
                fingerprint=mark,
            )
        ]

    outcome = store.operate(
        [caller.reach(member_id)],
        take_back,
        key=keys.refund_key(request.order_id, request.refund_id),
        fingerprint=mark,
        now=now,
        reads=[keys.earn_key({"order_id": request.order_id}), keys.refunded_key(request.order_id)],
    )
    return _booked(outcome, now, HTTPStatus.CREATED)


@app.post(
    "/v1/members/<member_id>/adjustments",
    security=http.allow(http.OPERATOR),
    responses=http.answers({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Give or take points by hand, with a reason",
    tags=["Earning"],
)
def adjust_points(member_id: str, request: Annotated[Adjustment, Body()]) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    mark = http.fingerprint(request)
    if request.points == 0:
        raise InvalidRequestError(Fault("/points", "must not be 0"))

    def set_right(
        accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime
    ) -> list[Entry]:
        return [
            adjust(
                accounts[0],
                program,
                request.points,
                reason=request.reason,
                reference=request.reference,
                now=now,
                actor=caller.actor,
                fingerprint=mark,
            )
        ]

    member_id = caller.reach(member_id)
    key = keys.adjustment_key(member_id, request.reference)
    return _booked(store.operate([member_id], set_right, key=key, fingerprint=mark, now=now), now, HTTPStatus.CREATED)


@app.post(
    "/v1/members/<member_id>/transfers",
    security=http.allow(http.MEMBER, http.OPERATOR),
    responses=http.answers({201: BookedAnswer, 200: BookedAnswer}, 400, 404, 409),
    summary="Give points to another member; each lot keeps its expiry date",
    tags=["Earning"],
)
def transfer_points(
    member_id: str, request: Annotated[Transfer, Body()], key: http.IdempotencyKey = None
) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    giver = caller.reach(member_id)
    transfer_id = http.derived_id("transfer", giver, http.required_key(key))
    mark = http.fingerprint(request)
    if giver == request.to_member_id:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))

    def hand_over(
        accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime
    ) -> list[Entry]:
        moved = transfer(
            accounts[0],
            accounts[1],
            program,
            request.points,
            transfer_id=transfer_id,
            now=now,
            actor=caller.actor,
            fingerprint=mark,
        )
        return [moved.out, moved.into]

    outcome = store.operate(
        [giver, request.to_member_id], hand_over, key=keys.transfer_key(transfer_id), fingerprint=mark, now=now
    )
    return _booked(outcome, now, HTTPStatus.CREATED)


def _own(earned: Entry, account: Account) -> Entry:
    if earned.member_id not in (account.member_id, *account.merged_from):
        raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
    return earned


def _booked(outcome: store.Outcome, now: datetime, status: HTTPStatus) -> http.Answer:
    body = booked_answer(outcome.entry, outcome.accounts[0], store.load_program(), now)
    return http.answer(body, HTTPStatus.OK if outcome.replayed else status, replayed=outcome.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
