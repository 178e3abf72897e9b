"""Give points to another member at once."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, idempotency, ledger_answers, resolver, routes
from shared.api.answers import Answer
from shared.api.schemas.entries import BookedAnswer
from shared.caller import MEMBER, OPERATOR
from shared.services import transfers
from shared.services.transfers import Transfer

app = resolver.resolver()


@app.post(
    "/v1/members/<member_id>/transfers",
    security=routes.open_to(MEMBER, OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 400, 404, 409),
    summary="Give points to another member; each lot keeps its expiry date",
    tags=["Transfers"],
)
def transfer_points(
    member_id: str, request: Annotated[Transfer, Body()], key: idempotency.IdempotencyKey = None
) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    return ledger_answers.booked(
        transfers.transfer_points(member_id, request, key=name, caller=caller, now=now), caller
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
