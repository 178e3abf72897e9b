"""Paid memberships: pay for one, first or again, and cancel it."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer
from shared.api.schemas.entries import BookedAnswer
from shared.caller import OPERATOR, STOREFRONT
from shared.domain.points.paid_plans import Payment
from shared.services import paid_plans
from shared.services.paid_plans import Cancellation

app = resolver.resolver()


@app.post(
    "/v1/members/<member_id>/membership",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Begin or renew a paid membership",
    tags=["Memberships"],
)
def pay_membership(member_id: str, payment: Annotated[Payment, Body()]) -> Answer:
    caller = auth.caller(app)
    outcome = paid_plans.pay_membership(member_id, payment, caller=caller, now=clock.now())
    return ledger_answers.booked(outcome, caller)


@app.post(
    "/v1/members/<member_id>/membership/cancel",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: BookedAnswer}, 404, 409),
    summary="End a paid membership today, and say what is to be paid back",
    tags=["Memberships"],
)
def cancel_membership(member_id: str, request: Annotated[Cancellation, Body()]) -> Answer:
    caller = auth.caller(app)
    outcome = paid_plans.cancel_membership(member_id, request, caller=caller, now=clock.now())
    return ledger_answers.booked(outcome, caller, HTTPStatus.OK)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
