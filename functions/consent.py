"""Members known by an identifier alone: what they earn before they agree to the terms, and their consent.

Also a till's batch, whose items name members in either way.
"""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.earn_batches import EarnBatch, EarnBatchAnswer, earn_batch_answer
from shared.api.schemas.entries import BookedAnswer
from shared.api.schemas.members import MemberAnswer, member_answer
from shared.api.schemas.orders import OrderEarn
from shared.caller import MEMBER, STOREFRONT
from shared.domain.members.members import OneIdentifier
from shared.services import automatic_enrolment, consent, earn_batches
from shared.services.consent import Agreement

app = resolver.resolver()


class Arrival(OrderEarn):
    """An order of somebody known by an identifier."""

    identifier: OneIdentifier


@app.post(
    "/v1/earn",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Credit an order to whoever has an identifier; somebody unknown becomes a provisional member",
    tags=["Earning"],
)
def earn_by_identifier(request: Annotated[Arrival, Body()]) -> Answer:
    order = OrderEarn.model_validate(request.model_dump(exclude={"identifier"}))
    caller, now = auth.caller(app), clock.now()
    outcome = automatic_enrolment.earn_by_identifier(request.identifier, order, caller=caller, now=now)
    return ledger_answers.booked(outcome, caller)


@app.post(
    "/v1/earn/batch",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({200: EarnBatchAnswer}),
    summary="Credit what a till has kept while it was offline: each order and action for itself, and each once",
    tags=["Earning"],
)
def earn_batch(request: Annotated[EarnBatch, Body()]) -> Answer:
    caller = auth.caller(app)
    outcomes = earn_batches.earn_each(request.requests(), caller=caller, now=clock.now())
    return json_answer(earn_batch_answer(outcomes, caller))


@app.post(
    "/v1/members/<member_id>/consent",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Agree to the terms: points that waited become available",
    tags=["Members"],
)
def agree(member_id: str, request: Annotated[Agreement, Body()]) -> Answer:
    member = consent.agree(member_id, request, caller=auth.caller(app), now=clock.now())
    return json_answer(member_answer(member))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
