"""Endpoints of a shop's own systems: register, read, change, rotate the secret, delete, replay."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, idempotency, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import OPERATOR
from shared.domain.fields import Record
from shared.domain.telling.webhooks import Delivery, Webhook
from shared.services import webhooks
from shared.services.webhooks import Registration, Replay, SignedWebhook, WebhookChange

app = resolver.resolver()


class WebhookAnswer(Record):
    """An endpoint as its owner sees it."""

    webhook_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    status: str
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime


class SecretAnswer(WebhookAnswer):
    """An endpoint with the secret that signs its deliveries. Only registering and rotating show it."""

    secret: str


class WebhookPage(Record):
    """A page of endpoints."""

    items: tuple[WebhookAnswer, ...]
    next_cursor: str | None


class DeliveryPage(Record):
    """A page of delivery attempts, the newest first."""

    items: tuple[Delivery, ...]
    next_cursor: str | None


class ReplayAnswer(Record):
    """How many events were queued, and the sequence to go on from if there are more."""

    queued: int
    next_sequence: int | None


@app.post(
    "/v1/webhooks",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: SecretAnswer, 200: SecretAnswer}, 400, 409),
    summary="Register an endpoint; the answer holds its secret",
    tags=["Webhooks"],
)
def register(request: Annotated[Registration, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    signed = webhooks.register_webhook(request, key=name, caller=caller, now=now)
    return _with_secret(signed, HTTPStatus.OK if signed.replayed else HTTPStatus.CREATED)


@app.get(
    "/v1/webhooks",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookPage}),
    summary="Every endpoint",
    tags=["Webhooks"],
)
def read_all(limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None) -> Answer:
    page, following = paging.page_of(webhooks.all_webhooks(), limit, cursor)
    return json_answer(WebhookPage(items=tuple(_shown(webhook) for webhook in page), next_cursor=following))


@app.get(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="An endpoint",
    tags=["Webhooks"],
)
def read_one(webhook_id: str) -> Answer:
    return json_answer(_shown(webhooks.read_webhook(webhook_id)))


@app.patch(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="Change an endpoint, disable it, or enable it again",
    tags=["Webhooks"],
)
def change(webhook_id: str, request: Annotated[WebhookChange, Body()]) -> Answer:
    changed = webhooks.change_webhook(webhook_id, request, caller=auth.caller(app), now=clock.now())
    return json_answer(_shown(changed))


@app.delete(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="Delete an endpoint",
    tags=["Webhooks"],
)
def delete(webhook_id: str) -> Answer:
    return json_answer(_shown(webhooks.delete_webhook(webhook_id, caller=auth.caller(app), now=clock.now())))


@app.post(
    "/v1/webhooks/<webhook_id>/rotate",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: SecretAnswer}, 400, 404, 409),
    summary="A new secret; the old one signs as well for a day",
    tags=["Webhooks"],
)
def rotate(webhook_id: str, key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    return _with_secret(webhooks.rotate_secret(webhook_id, key=name, caller=caller, now=now))


@app.get(
    "/v1/webhooks/<webhook_id>/deliveries",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DeliveryPage}, 404),
    summary="Delivery attempts of the last thirty days, the newest first",
    tags=["Webhooks"],
)
def read_deliveries(
    webhook_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    before = paging.decode_cursor(cursor, str)[0] if cursor else None
    items, more = webhooks.read_deliveries(webhook_id, limit, before)
    return json_answer(DeliveryPage(items=tuple(items), next_cursor=paging.encode_cursor(more) if more else None))


@app.post(
    "/v1/webhooks/<webhook_id>/replay",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({202: ReplayAnswer}, 404, 409),
    summary="Send a member's events again, from a sequence on",
    tags=["Webhooks"],
)
def replay(webhook_id: str, request: Annotated[Replay, Body()]) -> Answer:
    queued = webhooks.replay_events(webhook_id, request, caller=auth.caller(app), now=clock.now())
    return json_answer(ReplayAnswer(**queued._asdict()), HTTPStatus.ACCEPTED)


def _shown(webhook: Webhook) -> WebhookAnswer:
    return WebhookAnswer.model_validate({name: getattr(webhook, name) for name in WebhookAnswer.model_fields})


def _with_secret(signed: SignedWebhook, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    body = SecretAnswer(**_shown(signed.webhook).model_dump(), secret=signed.secret)
    return json_answer(body, status, replayed=signed.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
