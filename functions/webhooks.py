"""Endpoints of a shop's own systems: register, read, change, rotate the secret, delete, replay."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock, request_ids
from shared.api import auth, idempotency, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import OPERATOR, is_valid_id
from shared.domain.errors import IdempotencyMismatchError, InvalidStateError, WebhookNotFoundError
from shared.domain.fields import Record, Reference, Text
from shared.domain.telling.events import event_of
from shared.domain.telling.webhooks import Delivery, EventTypes, Url, Webhook
from shared.messaging import webhook_queue, webhook_targets
from shared.tables import accounts, audit, ledger, webhooks

REPLAYED_MAX = 500

app = resolver.resolver()


class Registration(Record):
    """Where to post, and which types of events; all if none is named."""

    url: Url
    event_types: EventTypes = ()
    description: Text | None = None


class WebhookChange(Record):
    """What to change. Enabling an endpoint again forgives its failures."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Text | None = None
    status: Literal["enabled", "disabled"] | None = None


class Replay(Record):
    """From which of a member's events on to send them again."""

    member_id: Reference
    from_sequence: Annotated[int, Field(strict=True, ge=1, le=ledger.SEQUENCE_MAX)]


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
    """An endpoint with the secret that its deliveries are signed with, which is shown here alone."""

    secret: str


class WebhookPage(Record):
    """A page of endpoints."""

    items: tuple[WebhookAnswer, ...]
    next_cursor: str | None


class DeliveryPage(Record):
    """A page of tries to deliver, the newest first."""

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
    now = clock.now()
    webhook_id = request_ids.derived_id("webhook", auth.caller(app).subject, idempotency.required_key(key))
    webhook_targets.require_public(request.url)
    webhook = Webhook.model_validate({"webhook_id": webhook_id, "created_at": now, **request.model_dump()})
    if webhooks.add(webhook):
        _trace("webhook.registered", webhook_id)
        return json_answer(_with_secret(webhook, now), HTTPStatus.CREATED)
    existing, _ = webhooks.load(webhook_id)
    if (existing.url, existing.event_types, existing.description) != (
        webhook.url,
        webhook.event_types,
        webhook.description,
    ):
        raise IdempotencyMismatchError("the key was used before for another webhook; use a new key for a new one")
    return json_answer(_with_secret(existing, now), replayed=True)


@app.get(
    "/v1/webhooks",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookPage}),
    summary="Every endpoint",
    tags=["Webhooks"],
)
def read_all(limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None) -> Answer:
    page, following = paging.page_of(webhooks.load_all(), limit, cursor)
    return json_answer(WebhookPage(items=tuple(_shown(webhook) for webhook in page), next_cursor=following))


@app.get(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="An endpoint",
    tags=["Webhooks"],
)
def read_one(webhook_id: str) -> Answer:
    return json_answer(_shown(_load(webhook_id)[0]))


@app.patch(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="Change an endpoint, disable it, or enable it again",
    tags=["Webhooks"],
)
def change(webhook_id: str, request: Annotated[WebhookChange, Body()]) -> Answer:
    webhook, revision = _load(webhook_id)
    if request.url is not None:
        webhook_targets.require_public(request.url)
    given = {name: value for name, value in request.model_dump(exclude_unset=True).items() if value is not None}
    if request.status is not None:
        because = "an operator disabled it" if request.status == "disabled" else None
        given |= {"disabled_because": because, "failing_since": None}
    after = webhook.model_copy(update=given)
    webhooks.save(after, revision)
    _trace("webhook.changed", webhook_id)
    return json_answer(_shown(after))


@app.delete(
    "/v1/webhooks/<webhook_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: WebhookAnswer}, 404),
    summary="Delete an endpoint",
    tags=["Webhooks"],
)
def delete(webhook_id: str) -> Answer:
    webhook, _ = _load(webhook_id)
    webhooks.delete(webhook_id)
    _trace("webhook.deleted", webhook_id)
    return json_answer(_shown(webhook))


@app.post(
    "/v1/webhooks/<webhook_id>/rotate",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: SecretAnswer}, 400, 404),
    summary="A new secret; the old one signs as well for a day",
    tags=["Webhooks"],
)
def rotate(webhook_id: str, key: idempotency.IdempotencyKey = None) -> Answer:
    now, mark = clock.now(), request_ids.derived_id("rotation", idempotency.required_key(key))
    webhook, revision = _load(webhook_id)
    if webhook.rotation_key == mark:
        return json_answer(_with_secret(webhook, now), replayed=True)
    update = {"generation": webhook.generation + 1, "rotated_at": now, "rotation_key": mark}
    after = webhook.model_copy(update=update)
    webhooks.save(after, revision)
    _trace("webhook.rotated", webhook_id)
    return json_answer(_with_secret(after, now))


@app.get(
    "/v1/webhooks/<webhook_id>/deliveries",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DeliveryPage}, 404),
    summary="Tries to deliver of the last thirty days, the newest first",
    tags=["Webhooks"],
)
def read_deliveries(
    webhook_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    _load(webhook_id)
    before = paging.decode_cursor(cursor, str)[0] if cursor else None
    items, more = webhooks.deliveries(webhook_id, limit, before)
    return json_answer(DeliveryPage(items=tuple(items), next_cursor=paging.encode_cursor(more) if more else None))


@app.post(
    "/v1/webhooks/<webhook_id>/replay",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({202: ReplayAnswer}, 404, 409),
    summary="Send a member's events again, from a sequence on",
    tags=["Webhooks"],
)
def replay(webhook_id: str, request: Annotated[Replay, Body()]) -> Answer:
    webhook, _ = _load(webhook_id)
    if webhook.status != "enabled":
        raise InvalidStateError(f"the webhook is disabled: {webhook.disabled_because}")
    account = accounts.load_account(request.member_id).account
    first, last = request.from_sequence, min(account.sequence, request.from_sequence + REPLAYED_MAX - 1)
    entries = ledger.load_history(account.member_id, REPLAYED_MAX, before=last + 1)
    events = [event_of(entry) for entry in reversed(entries) if entry.sequence >= first]
    wanted = [event for event in events if webhook.wants(event.type)]
    webhook_queue.enqueue([(webhook, event) for event in wanted])
    _trace("webhook.replayed", webhook_id, account.member_id)
    more = last + 1 if last < account.sequence else None
    return json_answer(ReplayAnswer(queued=len(wanted), next_sequence=more), HTTPStatus.ACCEPTED)


def _load(webhook_id: str) -> tuple[Webhook, int]:
    """An endpoint that a path names, and how often it was written. Raises WebhookNotFoundError."""
    if not is_valid_id(webhook_id):
        raise WebhookNotFoundError(f"there is no webhook {webhook_id}")
    return webhooks.load(webhook_id)


def _trace(what: str, webhook_id: str, member_id: str | None = None) -> None:
    audit.record(auth.caller(app), what, clock.now(), member_id, webhook_id=webhook_id)


def _shown(webhook: Webhook) -> WebhookAnswer:
    return WebhookAnswer.model_validate({name: getattr(webhook, name) for name in WebhookAnswer.model_fields})


def _with_secret(webhook: Webhook, now: datetime) -> SecretAnswer:
    return SecretAnswer(**_shown(webhook).model_dump(), secret=webhooks.secrets(webhook, now)[0])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
