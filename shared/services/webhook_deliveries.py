"""Deliveries to webhooks: each try is kept, and says of the endpoint whether it still works."""

from datetime import datetime

from shared import runtime, telemetry
from shared.domain.errors import TryAgainError, WebhookNotFoundError
from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import (
    ATTEMPTS_MAX,
    JITTER_PERCENT,
    Delivery,
    Webhook,
    after_delivery,
    wait_seconds,
)
from shared.messaging import webhook_requests
from shared.services import parked_events
from shared.tables import webhooks


def deliver(webhook_id: str, event: Event, attempt: int, now: datetime) -> Delivery | None:
    """Try to deliver an event, and keep how that went; None if nobody wants it any more, or not now.

    An endpoint that keeps failing is spared: the event is parked, to be replayed when it works again. One delivery at
    a time finds out whether it does.
    """
    try:
        webhook, revision = webhooks.load(webhook_id)
    except WebhookNotFoundError:
        return None
    if webhook.status != "enabled":
        return None
    if webhook.is_spared:
        if webhook.waits_at(now) or not _claim(webhook, revision, now):
            parked_events.park(webhook_id, event, now)
            return None
        revision += 1
    delivery = _post(webhook, event, attempt, now)
    _note(webhook, revision, delivery)
    return delivery


def _claim(webhook: Webhook, revision: int, now: datetime) -> bool:
    """Whether the caller is the one to try an endpoint that is spared."""
    try:
        webhooks.save(webhook.tried_next(now), revision)
    except TryAgainError:
        return False
    return True


def _post(webhook: Webhook, event: Event, attempt: int, now: datetime) -> Delivery:
    started = runtime.monotonic()
    answer = webhook_requests.post(webhook, event, now)
    delivery = Delivery(
        event_id=event.event_id,
        event_type=event.type,
        attempt=attempt,
        at=now,
        status=answer.status,
        error=answer.problem,
        duration_ms=int((runtime.monotonic() - started) * 1000),
    )
    if delivery.succeeded:
        return delivery
    jitter = runtime.random().randint(-JITTER_PERCENT, JITTER_PERCENT)
    return delivery.model_copy(update={"next_in_seconds": wait_seconds(attempt, jitter)})


def _note(webhook: Webhook, revision: int, delivery: Delivery) -> None:
    """Keep a try, and what it says of the endpoint itself, which somebody else may do at the same time.

    The next try will, if this cannot: what went out is not sent again because nobody could write it down.
    """
    after = after_delivery(webhook, delivery)
    telemetry.count(WebhookDeliveries=1, WebhookFailures=int(not delivery.succeeded))
    if delivery.attempt >= ATTEMPTS_MAX and not delivery.succeeded:
        telemetry.count(WebhookGivenUp=1)
    try:
        webhooks.record(webhook.webhook_id, delivery)
        if after != webhook:
            webhooks.save(after, revision)
    except TryAgainError:
        telemetry.logger().warning("a delivery was not noted", extra={"webhook_id": webhook.webhook_id}, exc_info=True)
        return
    if after.status == "disabled":
        telemetry.count(WebhooksDisabled=1)
        extra = {"webhook_id": webhook.webhook_id, "because": after.disabled_because}
        telemetry.logger().warning("a webhook was disabled", extra=extra)
