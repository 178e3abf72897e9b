"""One request to a webhook's endpoint: signed, only to the address that was checked, with one deadline for all."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http.client import HTTPException
from typing import NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared import runtime
from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import Webhook, body_of, signature
from shared.messaging import webhook_targets
from shared.messaging.webhook_targets import ForbiddenAddressError, Target
from shared.tables import webhooks

CONNECT_SECONDS = 5
EXCHANGE_SECONDS = 15
"""From looking its host up to its status. A receiver that sends a byte now and then holds nobody up for longer."""
USER_AGENT = "loyalty-functions/1"


class Answer(NamedTuple):
    """An endpoint's status, if it gave one, and what was wrong with the try, if anything was but the status."""

    status: int | None
    problem: str | None


def post(webhook: Webhook, event: Event, now: datetime) -> Answer:
    """Post an event to its endpoint."""
    ends = runtime.monotonic() + EXCHANGE_SECONDS
    try:
        status = _send(webhook_targets.resolve(webhook.url), webhook, event, now, ends)
    except ForbiddenAddressError as error:
        return Answer(None, str(error))
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        is_late = runtime.monotonic() >= ends
        return Answer(None, f"no answer within {EXCHANGE_SECONDS} seconds" if is_late else type(error).__name__)
    is_redirect = status // 100 == 3  # noqa: PLR2004 - RFC 9110
    return Answer(status, "redirects are not followed" if is_redirect else None)


def _send(target: Target, webhook: Webhook, event: Event, now: datetime, ends: float) -> int:
    """Post to the address that was looked up, as the host that was asked for; the answer's status.

    What else is in the answer is not read. `ends` is when it is given up, on the clock that runs forward only.
    """
    body, timestamp = body_of(event), int(now.timestamp())
    headers = {
        "Host": target.host if target.port in {80, 443} else f"{target.host}:{target.port}",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhooks.secrets(webhook, now), event.event_id, timestamp, body),
    }
    connection = _connection(target, max(0.001, min(CONNECT_SECONDS, ends - runtime.monotonic())))
    try:
        connection.connect()
        with _cut_at(connection.sock, ends - runtime.monotonic()):
            path = urllib3.util.parse_url(webhook.url).request_uri
            connection.request("POST", path, body=body.encode(), headers=headers, preload_content=False)
            return connection.getresponse().status
    finally:
        connection.close()


def _connection(target: Target, seconds: float) -> HTTPConnection:
    """A connection that takes so long to be made, TLS included, and no longer."""
    if not target.is_tls:
        return HTTPConnection(target.address, target.port, timeout=seconds)
    return HTTPSConnection(
        target.address,
        target.port,
        timeout=seconds,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host,
        assert_hostname=target.host,
    )


@contextmanager
def _cut_at(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection after so long, whatever is going on in it: a time-out alone begins anew with each byte."""
    connected.settimeout(max(0.001, seconds))
    timer = threading.Timer(seconds, _cut, [connected])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        # Beneath TLS, whose own state belongs to the thread that reads.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
