"""Quote, earn."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.entries import BookedAnswer, PartnerBookedAnswer
from shared.api.schemas.orders import ActionEarn, OrderEarn, PartnerQuoteAnswer, QuoteAnswer, quote_answer
from shared.caller import MEMBER, PARTNER, STOREFRONT
from shared.domain.earning.orders import Order
from shared.domain.fields import Instant, Reference
from shared.services import earning

app = resolver.resolver()


class Quote(Order):
    """An order as a member might place it; without a member, a newcomer."""

    type: Literal["order"] = "order"
    order_id: Reference = "quote"
    placed_at: Instant | None = None  # type: ignore[assignment]
    member_id: Reference | None = None


@app.post(
    "/v1/earn/quote",
    security=routes.open_to(STOREFRONT, MEMBER, PARTNER),
    responses=routes.json_responses({200: QuoteAnswer | PartnerQuoteAnswer}, 404),
    summary="What an order would earn; writes nothing. A partner learns the points, not how they come about",
    tags=["Earning"],
)
def quote(request: Annotated[Quote, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    placed_at = request.placed_at or now
    order = Order.model_validate({**request.model_dump(exclude={"type", "member_id"}), "placed_at": placed_at})
    answer = quote_answer(*earning.quote(order, request.member_id or caller.member_id, caller=caller, now=now))
    if caller.partner_id is not None:
        return json_answer(PartnerQuoteAnswer(**answer.model_dump(exclude={"breakdown"})))
    return json_answer(answer)


@app.post(
    "/v1/members/<member_id>/earn",
    security=routes.open_to(STOREFRONT, PARTNER),
    responses=routes.json_responses(
        {201: BookedAnswer | PartnerBookedAnswer, 200: BookedAnswer | PartnerBookedAnswer}, 404, 409
    ),
    summary="Credit an order or an action; a partner credits its own orders, and gets the entry without the account",
    tags=["Earning"],
)
def earn(
    member_id: str, request: Annotated[Annotated[OrderEarn | ActionEarn, Field(discriminator="type")], Body()]
) -> Answer:
    caller, now = auth.caller(app), clock.now()
    if isinstance(request, OrderEarn):
        return ledger_answers.booked_for(caller, earning.earn_order(member_id, request, caller=caller, now=now))
    return ledger_answers.booked(earning.earn_for_action(member_id, request, caller=caller, now=now), caller)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
