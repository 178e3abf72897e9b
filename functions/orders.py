"""An order after it was credited: read it, refund it, take a refund back, amend it, claim it."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.entries import BookedAnswer, PartnerBookedAnswer, RefundAnswer, refund_answer
from shared.api.schemas.orders import OrderAnswer, order_answer
from shared.api.schemas.reviews import ReviewAnswer
from shared.caller import OPERATOR, PARTNER, STOREFRONT
from shared.services import order_corrections, orders, refunds
from shared.services.order_corrections import Amendment, Claim, RefundOfOrder
from shared.services.refunds import Refund

app = resolver.resolver()


@app.get(
    "/v1/members/<member_id>/orders/<order_id>",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: OrderAnswer}, 404, 409),
    summary="An order as it stands: its lines, what came back, the points kept, and what was spent on it",
    tags=["Orders"],
)
def read_order(member_id: str, order_id: str) -> Answer:
    return json_answer(order_answer(orders.read_order(member_id, order_id, caller=auth.caller(app))))


@app.post(
    "/v1/members/<member_id>/refunds",
    security=routes.open_to(STOREFRONT, PARTNER),
    responses=routes.json_responses(
        {201: RefundAnswer | PartnerBookedAnswer, 200: RefundAnswer | PartnerBookedAnswer}, 404, 409
    ),
    summary=(
        "Take back what lines of an order, or an amount of it, have earned, and give back what was spent on them;"
        " a partner gets the entry without the account"
    ),
    tags=["Orders"],
)
def refund(member_id: str, request: Annotated[Refund, Body()]) -> Answer:
    caller = auth.caller(app)
    outcome = refunds.refund(member_id, request, caller=caller, now=clock.now())
    if caller.partner_id is not None:
        return ledger_answers.booked_for(caller, outcome)
    account = account_answer(outcome.accounts[0], outcome.program, outcome.now, outcome.accounts[1:])
    status = HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED
    return json_answer(
        refund_answer(outcome.entry, account, outcome.program, caller), status, replayed=outcome.replayed
    )


@app.post(
    "/v1/members/<member_id>/refunds/<refund_id>/reverse",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Take a refund back: the goods were kept after all",
    tags=["Orders"],
)
def reverse_refund(member_id: str, refund_id: str, request: Annotated[RefundOfOrder | None, Body()] = None) -> Answer:
    caller, now = auth.caller(app), clock.now()
    outcome = order_corrections.reverse_refund(member_id, refund_id, request or RefundOfOrder(), caller=caller, now=now)
    return ledger_answers.booked(outcome, caller)


@app.post(
    "/v1/members/<member_id>/orders/<order_id>/amend",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Book an order as it now stands, up or down, as though it had been so from the start",
    tags=["Orders"],
)
def amend_order(member_id: str, order_id: str, request: Annotated[Amendment, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    outcome = order_corrections.amend(member_id, order_id, request, caller=caller, now=now)
    return ledger_answers.booked(outcome, caller)


@app.post(
    "/v1/members/<member_id>/orders/<order_id>/claim",
    security=routes.open_to(OPERATOR, STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer, 202: ReviewAnswer}, 404, 409),
    summary="Move an order that was credited to somebody else by mistake, and all that came of it, to this member; "
    "above the program's limit for one operator a second one approves",
    tags=["Orders"],
)
def claim_order(member_id: str, order_id: str, request: Annotated[Claim, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    done = order_corrections.claim(member_id, order_id, request, caller=caller, now=now)
    return ledger_answers.booked_or_asked(done, caller, now)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
