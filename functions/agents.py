"""What a cart would earn, for shopping agents."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import STOREFRONT
from shared.domain.fields import Record
from shared.domain.telling.agents_block import MembershipBlock
from shared.services import agents_block
from shared.services.agents_block import Cart

app = resolver.resolver()


class LoyaltyAnswer(Record):
    """The membership, under the claim that agents know the program by."""

    loyalty: dict[str, MembershipBlock]


@app.post(
    "/v1/ucp/loyalty",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({200: LoyaltyAnswer}, 404, 409),
    summary="The Universal Commerce Protocol's loyalty block for a cart; writes nothing",
    tags=["Agents"],
)
def show_loyalty(request: Annotated[Cart, Body()]) -> Answer:
    block = agents_block.show_loyalty(request, caller=auth.caller(app), now=clock.now())
    return json_answer(LoyaltyAnswer(loyalty={block.claim: block.membership}))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
