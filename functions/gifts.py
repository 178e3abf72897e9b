"""Points given as gifts."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, idempotency, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.domain.fields import Record
from shared.domain.spending.gifts import GiftState
from shared.services import gifts
from shared.services.gifts import Gift, OfferedGift

app = resolver.resolver()


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
    "/v1/members/<member_id>/gifts",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({201: GiftAnswer, 200: GiftAnswer}, 400, 404, 409),
    summary="Give points to another member, who may accept or return them",
    tags=["Gifts"],
)
def offer_gift(member_id: str, request: Annotated[Gift, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    gift = gifts.offer_gift(member_id, request, key=name, caller=caller, now=now)
    return _shown(gift, HTTPStatus.OK if gift.replayed else HTTPStatus.CREATED)


@app.get(
    "/v1/members/<member_id>/gifts/<gift_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404),
    summary="A gift, for who gave it and who was given it",
    tags=["Gifts"],
)
def read_gift(member_id: str, gift_id: str) -> Answer:
    return _shown(gifts.read_gift(member_id, gift_id, caller=auth.caller(app), now=clock.now()))


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/accept",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Accept a gift; each lot keeps its expiry date",
    tags=["Gifts"],
)
def accept_gift(member_id: str, gift_id: str) -> Answer:
    return _shown(gifts.accept_gift(member_id, gift_id, caller=auth.caller(app), now=clock.now()))


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/return",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Decline a gift: the points go back to the giver's lots",
    tags=["Gifts"],
)
def return_gift(member_id: str, gift_id: str) -> Answer:
    return _shown(gifts.return_gift(member_id, gift_id, caller=auth.caller(app), now=clock.now()))


@app.post(
    "/v1/members/<member_id>/gifts/<gift_id>/withdraw",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: GiftAnswer}, 404, 409),
    summary="Take an offered gift back",
    tags=["Gifts"],
)
def withdraw_gift(member_id: str, gift_id: str) -> Answer:
    return _shown(gifts.withdraw_gift(member_id, gift_id, caller=auth.caller(app), now=clock.now()))


def _shown(gift: OfferedGift, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    [hold] = gift.offer.opened.values()
    body = GiftAnswer(
        gift_id=gift.offer.source["gift_id"],
        state=gift.state,
        points=hold.points,
        from_member_id=gift.offer.source["from"],
        to_member_id=gift.offer.source["to"],
        message=gift.message,
        offered_at=gift.offer.occurred_at,
        accept_until=hold.expires_at,
    )
    return json_answer(body, status, replayed=gift.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
