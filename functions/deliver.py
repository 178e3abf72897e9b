"""Queue in, HTTP out: posts events to webhooks, signed, and tries failed deliveries again."""

import ssl
from datetime import datetime
from typing import Any

import urllib3

from shared import batches, clock, runtime, telemetry
from shared.batches import Record
from shared.domain.errors import TryAgainError, WebhookNotFoundError
from shared.domain.telling.webhooks import (
    ATTEMPTS_MAX,
    JITTER_PERCENT,
    Delivery,
    Webhook,
    after_delivery,
    body_of,
    signature,
    wait_seconds,
)
from shared.messaging import webhook_queue, webhook_targets
from shared.messaging.webhook_queue import Task
from shared.messaging.webhook_targets import ForbiddenAddressError, Target
from shared.tables import webhooks

CONNECT_SECONDS = 5
READ_SECONDS = 15
ANSWER_BYTES_MAX = 1024
USER_AGENT = "loyalty-functions/1"


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the queue's messages; those that are to be tried again are reported as failed."""
    return batches.from_queue(event, _deliver)


def _deliver(record: Record) -> None:
    """Deliver an event, unless nobody wants it any more. Raises TryAgainError if the endpoint did not take it."""
    task = webhook_queue.task_of(record)
    try:
        webhook, revision = webhooks.load(task.webhook_id)
    except WebhookNotFoundError:
        return
    if webhook.status != "enabled":
        return
    attempt = int(record["attributes"]["ApproximateReceiveCount"])
    delivery = _post(webhook, task, attempt, clock.now())
    _note(webhook, revision, delivery)
    if delivery.next_in_seconds is not None:
        webhook_queue.queue().postpone(record, delivery.next_in_seconds)
    if not delivery.succeeded:
        raise TryAgainError(f"webhook {webhook.webhook_id} did not take an event")


def _post(webhook: Webhook, task: Task, attempt: int, now: datetime) -> Delivery:
    started = runtime.monotonic()
    status, problem = None, None
    try:
        status = _send(webhook_targets.resolve(webhook.url), webhook, task, now)
        if status // 100 == 3:  # noqa: PLR2004 - RFC 9110
            problem = "redirects are not followed"
    except ForbiddenAddressError as error:
        problem = str(error)
    except urllib3.exceptions.HTTPError as error:
        problem = type(error).__name__
    delivery = Delivery(
        event_id=task.event.event_id,
        event_type=task.event.type,
        attempt=attempt,
        at=now,
        status=status,
        error=problem,
        duration_ms=int((runtime.monotonic() - started) * 1000),
    )
    if delivery.succeeded:
        return delivery
    jitter = runtime.random().randint(-JITTER_PERCENT, JITTER_PERCENT)
    return delivery.model_copy(update={"next_in_seconds": wait_seconds(attempt, jitter)})


def _send(target: Target, webhook: Webhook, task: Task, now: datetime) -> int:
    """Post to the address that was looked up, as the host that was asked for; the answer's status."""
    body, timestamp = body_of(task.event), int(now.timestamp())
    headers = {
        "Host": target.host if target.port in {80, 443} else f"{target.host}:{target.port}",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": task.event.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhooks.secrets(webhook, now), task.event.event_id, timestamp, body),
    }
    with _pool(target) as pool:
        path = urllib3.util.parse_url(webhook.url).request_uri
        answer = pool.request("POST", path, body=body.encode(), headers=headers, redirect=False, preload_content=False)
        answer.read(ANSWER_BYTES_MAX)
        status = answer.status
        answer.close()
        return status


def _pool(target: Target) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not target.is_tls:
        return urllib3.HTTPConnectionPool(target.address, target.port, timeout=timeout, retries=False)
    return urllib3.HTTPSConnectionPool(
        target.address,
        target.port,
        timeout=timeout,
        retries=False,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host,
        assert_hostname=target.host,
    )


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
