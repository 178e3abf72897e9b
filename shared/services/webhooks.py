"""Webhooks: registering, changing and deleting endpoints, rotating their secrets, and replaying a member's events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from shared import request_ids
from shared.caller import Caller, is_valid_id
from shared.domain.errors import IdempotencyMismatchError, InvalidStateError, WebhookNotFoundError
from shared.domain.fields import Record, Reference, Text
from shared.domain.telling.webhooks import Delivery, EventTypes, Url, Webhook
from shared.messaging import webhook_targets
from shared.services import parked_events
from shared.services.parked_events import REPLAYED_MAX
from shared.tables import accounts, audit, ledger
from shared.tables import webhooks as endpoints


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


class SignedWebhook(NamedTuple):
    """An endpoint and its newest secret; `replayed` if an earlier request has made it."""

    webhook: Webhook
    secret: str
    replayed: bool = False


class QueuedEvents(NamedTuple):
    """How many events were queued, and the sequence to go on from if there are more."""

    queued: int
    next_sequence: int | None


def register_webhook(registration: Registration, *, key: str, caller: Caller, now: datetime) -> SignedWebhook:
    """Register an endpoint; `key` tells the request from others of the caller.

    Raises InvalidRequestError for an address that is not public, InvalidStateError if there are too many endpoints,
    IdempotencyMismatchError.
    """
    webhook_id = request_ids.derived_id("webhook", caller.subject, key)
    webhook_targets.require_public(registration.url)
    webhook = Webhook.model_validate({"webhook_id": webhook_id, "created_at": now, **registration.model_dump()})
    if endpoints.add(webhook):
        audit.record(caller, "webhook.registered", now, webhook_id=webhook_id)
        return _signed(webhook, now)
    existing, _ = endpoints.load(webhook_id)
    if (existing.url, existing.event_types, existing.description) != (
        webhook.url,
        webhook.event_types,
        webhook.description,
    ):
        raise IdempotencyMismatchError("the key was used before for another webhook; use a new key for a new one")
    return _signed(existing, now, replayed=True)


def all_webhooks() -> Sequence[Webhook]:
    """Every endpoint, the oldest first."""
    return endpoints.load_all()


def read_webhook(webhook_id: str) -> Webhook:
    """An endpoint. Raises WebhookNotFoundError."""
    return _load(webhook_id)[0]


def change_webhook(webhook_id: str, change: WebhookChange, *, caller: Caller, now: datetime) -> Webhook:
    """Change an endpoint, disable it, or enable it again.

    Raises WebhookNotFoundError, InvalidRequestError for an address that is not public, TryAgainError if another
    request changed it at the same time.
    """
    webhook, revision = _load(webhook_id)
    if change.url is not None:
        webhook_targets.require_public(change.url)
    given = {name: value for name, value in change.model_dump(exclude_unset=True).items() if value is not None}
    if change.status is not None:
        because = "an operator disabled it" if change.status == "disabled" else None
        given |= {"disabled_because": because, "failing_since": None, "failures": 0, "tried_again_at": None}
    after = webhook.model_copy(update=given)
    endpoints.save(after, revision)
    audit.record(caller, "webhook.changed", now, webhook_id=webhook_id)
    return after


def delete_webhook(webhook_id: str, *, caller: Caller, now: datetime) -> Webhook:
    """Delete an endpoint; the one that was deleted. Raises WebhookNotFoundError."""
    webhook, _ = _load(webhook_id)
    endpoints.delete(webhook_id)
    audit.record(caller, "webhook.deleted", now, webhook_id=webhook_id)
    return webhook


def rotate_secret(webhook_id: str, *, key: str, caller: Caller, now: datetime) -> SignedWebhook:
    """Make a new secret; the old one signs as well for a day. `key` tells the request from the caller's others.

    Its replay, however late, makes none and answers with the newest. Raises WebhookNotFoundError, InvalidStateError if
    there were too many in a day, TryAgainError if another request changed the endpoint at the same time.
    """
    rotation = request_ids.derived_id("rotation", caller.subject, key)
    webhook, revision = _load(webhook_id)
    if webhook.was_rotated_by((rotation, request_ids.derived_id("rotation", key))):  # it was the caller's or anybody's
        return _signed(webhook, now, replayed=True)
    after = webhook.rotated(rotation, now)
    endpoints.save(after, revision)
    audit.record(caller, "webhook.rotated", now, webhook_id=webhook_id)
    return _signed(after, now)


def read_deliveries(webhook_id: str, limit: int, before: str | None) -> tuple[Sequence[Delivery], str | None]:
    """At most `limit` delivery attempts, newest first, and where the next page begins. Raises WebhookNotFoundError."""
    _load(webhook_id)
    return endpoints.deliveries(webhook_id, limit, before)


def replay_events(webhook_id: str, request: Replay, *, caller: Caller, now: datetime) -> QueuedEvents:
    """Queue a member's events again, at most REPLAYED_MAX entries' worth.

    Raises WebhookNotFoundError, InvalidStateError if the endpoint is disabled, MemberNotFoundError, TryAgainError.
    """
    webhook, _ = _load(webhook_id)
    if webhook.status != "enabled":
        raise InvalidStateError(f"the webhook is disabled: {webhook.disabled_because}")
    account = accounts.load_account(request.member_id).account
    first, last = request.from_sequence, min(account.sequence, request.from_sequence + REPLAYED_MAX - 1)
    queued = len(parked_events.queue_again(webhook, account.member_id, first, last))
    audit.record(caller, "webhook.replayed", now, account.member_id, webhook_id=webhook_id)
    return QueuedEvents(queued, last + 1 if last < account.sequence else None)


def _load(webhook_id: str) -> tuple[Webhook, int]:
    """An endpoint, and how often it was written. Raises WebhookNotFoundError."""
    if not is_valid_id(webhook_id):
        raise WebhookNotFoundError(f"there is no webhook {webhook_id}")
    return endpoints.load(webhook_id)


def _signed(webhook: Webhook, now: datetime, *, replayed: bool = False) -> SignedWebhook:
    return SignedWebhook(webhook, endpoints.secrets(webhook, now)[0], replayed)
