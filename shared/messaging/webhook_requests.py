"""One request to a webhook's endpoint: signed, bounded, and only to the address that was checked."""

import ssl
from datetime import datetime
from typing import NamedTuple

import urllib3

from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import Webhook, body_of, signature
from shared.messaging import webhook_targets
from shared.messaging.webhook_targets import ForbiddenAddressError, Target
from shared.tables import webhooks

CONNECT_SECONDS = 5
READ_SECONDS = 15
ANSWER_BYTES_MAX = 1024
USER_AGENT = "loyalty-functions/1"


class Answer(NamedTuple):
    """An endpoint's status, if it gave one, and what was wrong with the try, if anything was but the status."""

    status: int | None
    problem: str | None


def post(webhook: Webhook, event: Event, now: datetime) -> Answer:
    """Post an event to its endpoint."""
    try:
        status = _send(webhook_targets.resolve(webhook.url), webhook, event, now)
    except ForbiddenAddressError as error:
        return Answer(None, str(error))
    except urllib3.exceptions.HTTPError as error:
        return Answer(None, type(error).__name__)
    is_redirect = status // 100 == 3  # noqa: PLR2004 - RFC 9110
    return Answer(status, "redirects are not followed" if is_redirect else None)


def _send(target: Target, webhook: Webhook, event: Event, now: datetime) -> int:
    """Post to the address that was looked up, as the host that was asked for; the answer's status."""
    body, timestamp = body_of(event), int(now.timestamp())
    headers = {
        "Host": target.host if target.port in {80, 443} else f"{target.host}:{target.port}",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhooks.secrets(webhook, now), event.event_id, timestamp, body),
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
