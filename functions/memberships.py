"""Paid memberships: pay for one, first or again, and cancel it."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock, request_ids
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer
from shared.api.schemas.entries import BookedAnswer
from shared.caller import OPERATOR, STOREFRONT
from shared.domain.fields import Record, Reference
from shared.domain.points.paid_plans import Payment, cancel, pay
from shared.tables import keys, operation
from shared.tables.operation import Decision, Situation

app = resolver.resolver()


class Cancellation(Record):
    """End the membership that runs; what is to be paid back stands in the entry's source, in minor units."""

    reference: Reference


@app.post(
    "/v1/members/<member_id>/membership",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Begin or renew a paid membership",
    tags=["Memberships"],
)
def pay_membership(member_id: str, payment: Annotated[Payment, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    mark = request_ids.fingerprint(payment)

    def begin(situation: Situation) -> Decision:
        return Decision(
            [
                pay(
                    situation.account,
                    situation.program,
                    payment,
                    now=situation.now,
                    actor=caller.actor,
                    fingerprint=mark,
                )
            ]
        )

    key = keys.of("membership", reference=payment.reference)
    outcome = operation.run([caller.authorized_member_id(member_id)], begin, key=key, fingerprint=mark, now=now)
    return ledger_answers.booked(outcome)


@app.post(
    "/v1/members/<member_id>/membership/cancel",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: BookedAnswer}, 404, 409),
    summary="End a paid membership today, and say what is to be paid back",
    tags=["Memberships"],
)
def cancel_membership(member_id: str, request: Annotated[Cancellation, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    mark = request_ids.fingerprint(request)

    def end(situation: Situation) -> Decision:
        return Decision(
            [
                cancel(
                    situation.account,
                    situation.program,
                    request.reference,
                    now=situation.now,
                    actor=caller.actor,
                    fingerprint=mark,
                )
            ]
        )

    key = keys.of("membership_cancel", reference=request.reference)
    outcome = operation.run([caller.authorized_member_id(member_id)], end, key=key, fingerprint=mark, now=now)
    return ledger_answers.booked(outcome, HTTPStatus.OK)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
