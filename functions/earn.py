"""Quote, earn, refund, transfer."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock, request_ids
from shared.api import auth, idempotency, outcomes, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas import BookedAnswer, QuoteAnswer, quote_answer
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, is_valid_id
from shared.domain.account import Account, Entry
from shared.domain.calendar import local_day
from shared.domain.earning.challenges import action_deed, with_challenges
from shared.domain.earning.orders import Occasion, Order, earn_action, order_earnings, refund_order
from shared.domain.earning.referrals import with_reversal
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    InvalidRequestError,
    MemberNotFoundError,
    OrderBelongsToAnotherMemberError,
    OrderNotFoundError,
)
from shared.domain.fields import Instant, PositiveAmount, PositivePoints, Record, Reference
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.lifecycle.whole_order import credited
from shared.domain.points.approvals import review_of_action, waits_for_approval
from shared.domain.points.reviews import Review
from shared.domain.program.partners import Partner
from shared.domain.spending.store_credit import gives_credit, take_back_credit
from shared.domain.spending.transfers import transfer
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.tables import accounts, audit, keys, operation, programs, reviews
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation

app = resolver.resolver()

_Placed = TypeVar("_Placed", bound=Order)


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


class Transfer(Record):
    """Points for another member."""

    to_member_id: Reference
    points: PositivePoints


@app.post(
    "/v1/earn/quote",
    security=routes.open_to(STOREFRONT, MEMBER, PARTNER),
    responses=routes.json_responses({200: QuoteAnswer}, 404),
    summary="What an order would earn; writes nothing",
    tags=["Earning"],
)
def quote(request: Annotated[Quote, Body()]) -> Answer:
    caller, now, program = auth.caller(app), clock.now(), programs.load_program()
    member_id = request.member_id or caller.member_id
    account = accounts.load_account(caller.authorized_member_id(member_id)).account if member_id else None
    if account is not None:
        account = up_to_date(account, program, now)
    placed_at = request.placed_at or now
    order = Order.model_validate({**request.model_dump(exclude={"type", "member_id"}), "placed_at": placed_at})
    order = _own_order(partner_access.calling(caller), order)
    earned = order_earnings(account, program, order, now)
    began_on = local_day(min(placed_at, now), program.time_zone)
    return json_answer(quote_answer(earned, program, account, began_on, local_day(now, program.time_zone)))


@app.post(
    "/v1/members/<member_id>/earn",
    security=routes.open_to(STOREFRONT, PARTNER),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Credit an order or an action; a partner credits its own orders",
    tags=["Earning"],
)
def earn(
    member_id: str, request: Annotated[Annotated[OrderEarn | ActionEarn, Field(discriminator="type")], Body()]
) -> Answer:
    caller, now = auth.caller(app), clock.now()
    partner = partner_access.calling(caller)
    if isinstance(request, OrderEarn):
        request = _own_order(partner, request)
    elif partner is not None:
        raise ForbiddenError("partners credit orders, no actions")
    mark = request_ids.fingerprint(request)

    def credit(situation: Situation) -> Decision:
        account, program, now = situation.account, situation.program, situation.now
        if isinstance(request, OrderEarn):
            entries = credited(
                account,
                program,
                request,
                now=now,
                actor=caller.actor,
                fingerprint=mark,
                caps=situation.caps,
                wallets=situation.accounts[1:],
            )
        else:
            entry = earn_action(account, program, request, now=now, actor=caller.actor, fingerprint=mark)
            entries = with_challenges(account, program, entry, action_deed(program, request, entry))
        return Decision(entries, _put_in_review(entries))

    key = keys.earn_key(request.model_dump(include={"order_id", "action", "reference"}))
    members = [caller.authorized_member_id(member_id)]
    if isinstance(request, OrderEarn) and gives_credit(programs.load_program(), request):
        members.append(wallet_of(members[0]))
    outcome = operation.run(
        members,
        credit,
        key=key,
        fingerprint=mark,
        now=now,
    )
    return outcomes.booked(partner_access.shown(partner, outcome), now)


@app.post(
    "/v1/members/<member_id>/refunds",
    security=routes.open_to(STOREFRONT, PARTNER),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Take back the points of a whole or partly returned order",
    tags=["Earning"],
)
def refund(member_id: str, request: Annotated[Refund, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    partner = partner_access.calling(caller)
    request = request.model_copy(update={"order_id": partner_access.own_id(partner, request.order_id)})
    mark = request_ids.fingerprint(request)
    member = caller.authorized_member_id(member_id)

    earn_key, credit_key = keys.earn_key({"order_id": request.order_id}), keys.credit_earn_key(request.order_id)

    def take_back(situation: Situation) -> Decision:
        earned = situation.entry(earn_key)
        if earned is None:
            raise OrderNotFoundError(f"no order {request.order_id!r} has earned points")
        order = _own(earned, situation.account)
        if not partner_access.may_see(partner, order.partner):
            raise OrderNotFoundError(f"no order {request.order_id!r} has earned points")
        entry = refund_order(
            situation.account,
            situation.program,
            order,
            refund_id=request.refund_id,
            amount=request.amount,
            refunded_before=situation.refunded(request.order_id),
            refunded_at=request.refunded_at,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        entries = [with_reversal(situation.account, entry, order)]
        of_credit = situation.entry(credit_key)
        if of_credit is not None:
            entries.append(
                take_back_credit(situation.accounts[1], situation.program, of_credit, entry, amount=request.amount)
            )
        return Decision(entries)

    outcome = operation.run(
        [member, wallet_of(member)],
        take_back,
        key=keys.refund_key(request.order_id, request.refund_id),
        fingerprint=mark,
        now=now,
        reads=[
            earn_key,
            keys.refunded_key(request.order_id),
            credit_key,
        ],
    )
    return outcomes.booked(partner_access.shown(partner, outcome), now)


@app.post(
    "/v1/members/<member_id>/transfers",
    security=routes.open_to(MEMBER, OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 400, 404, 409),
    summary="Give points to another member; each lot keeps its expiry date",
    tags=["Earning"],
)
def transfer_points(
    member_id: str, request: Annotated[Transfer, Body()], key: idempotency.IdempotencyKey = None
) -> Answer:
    caller, now = auth.caller(app), clock.now()
    giver = caller.authorized_member_id(member_id)
    if not is_valid_id(request.to_member_id):
        raise MemberNotFoundError(f"there is no member {request.to_member_id}")
    transfer_id = request_ids.derived_id("transfer", giver, idempotency.required_key(key))
    mark = request_ids.fingerprint(request)
    if giver == request.to_member_id:
        raise InvalidRequestError(Fault("/to_member_id", "must be another member"))

    def hand_over(situation: Situation) -> Decision:
        moved = transfer(
            situation.account,
            situation.accounts[1],
            situation.program,
            request.points,
            transfer_id=transfer_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        trail = audit.trail(caller, "points.transferred", now, giver, to_member_id=request.to_member_id)
        return Decision([moved.out, moved.into], trail)

    outcome = operation.run(
        [giver, request.to_member_id],
        hand_over,
        key=keys.transfer_key(transfer_id),
        fingerprint=mark,
        now=now,
    )
    return outcomes.booked(outcome, now)


def _own_order(partner: Partner | None, order: _Placed) -> _Placed:
    """The order as it is booked: a partner's bears its name, whoever it is said to be of."""
    if partner is None:
        return order
    partner_access.require_own_name(partner, order.partner_id)
    names = {"partner_id": partner.partner_id, "order_id": partner_access.own_id(partner, order.order_id)}
    return order.model_copy(update=names)


def _put_in_review(entries: Sequence[Entry]) -> Sequence[Write]:
    """What opens a review of each entry whose points wait for an operator's word."""
    waiting = [entry for entry in entries if waits_for_approval(entry)]
    return [write for entry in waiting for write in reviews.put(_review_of(entry))]


def _review_of(entry: Entry) -> Review:
    return review_of_action(entry, reviews.id_of("action", entry.source["action"], entry.source["reference"]))


def _own(earned: Entry, account: Account) -> Entry:
    if earned.member_id not in (account.member_id, *account.merged_from):
        raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
    return earned


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
