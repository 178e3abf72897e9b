"""Telling a shop's own systems: endpoints, signatures as Standard Webhooks says, and when to try again.

https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp`, and `webhook-signature` over both and the body.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from shared.domain.errors import InvalidStateError
from shared.domain.fields import Stored, Text
from shared.domain.telling.events import ALL_TYPES, Event

WEBHOOKS_MAX = 20
OLD_SECRET_LIVES = timedelta(hours=24)
DEAD_AFTER = timedelta(days=5)
"""For how long an endpoint may fail before it is taken for dead."""
RETRY_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 36000, 36000, 36000, 36000)
"""Waits before each further try: seconds at first, ten hours in the end, two and a half days in all."""
ATTEMPTS_MAX = len(RETRY_SECONDS) + 1
JITTER_PERCENT = 20
WAIT_SECONDS_MAX = 42_000
"""SQS ends a wait twelve hours after a message was received, and refuses any that would end later."""
OPEN_AFTER = 5
"""So many failures in a row, and an endpoint is spared: what comes for it is noted, and replayed once it works."""
SPARED_FOR = timedelta(minutes=5)
"""Between one try and the next meanwhile."""
ROTATIONS_A_DAY_MAX = 10
"""Each of a day's secrets signs."""
_PORT_DEFAULT = {"https": 443, "http": 80}
_INTERNET_6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out; site-local addresses (fec0::/10), for one, are not in it."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where networks of IPv6 alone find an address of IPv4, whose own range then counts."""
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            # https://www.iana.org/assignments/iana-ipv4-special-registry
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            # https://www.iana.org/assignments/iana-ipv6-special-registry, of what is in 2000::/3: Teredo, 6to4, ...
            "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip
"""Named here, as Python's own lists differ by its version."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORT_DEFAULT or not parts.hostname:
        raise ValueError("must be an HTTPS address, such as https://shop.example/loyalty")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must hold neither a password nor a fragment: secrets have no place in an address")
    _ = parts.port  # raises ValueError for what is no port
    return url


def _known_type(event_type: str) -> str:
    if event_type not in ALL_TYPES:
        raise ValueError(f"must be one of {', '.join(ALL_TYPES)}")
    return event_type


Url = Annotated[
    str, StringConstraints(strict=True, max_length=2048, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_address)
]
EventType = Annotated[str, AfterValidator(_known_type)]
EventTypes = Annotated[tuple[EventType, ...], Field(max_length=len(ALL_TYPES))]


class Rotation(Stored):
    """Who made a secret, by the request's own id, and when: the one before it signs for another day."""

    key: str
    generation: int
    at: datetime


class Webhook(Stored):
    """An endpoint as kept. It gets the events of `event_types`, or all if that is empty. No secret is stored."""

    webhook_id: str
    url: str
    event_types: tuple[str, ...] = ()
    description: Text | None = None
    status: Literal["enabled", "disabled"] = "enabled"
    disabled_because: str | None = None
    generation: int = 1
    """Which secret signs: each rotation makes the next one."""
    rotated_at: datetime | None = None
    rotation_key: str | None = None
    rotations: tuple[Rotation, ...] = ()
    """All of them: a late retry of any is a replay. An endpoint that was stored without them has its last one above."""
    failing_since: datetime | None = None
    failures: int = 0
    """In a row, up to now."""
    tried_again_at: datetime | None = None
    """When an endpoint that is spared may be tried again."""
    created_at: datetime

    def wants(self, event_type: str) -> bool:
        """Whether an event of a type goes there."""
        return self.status == "enabled" and (not self.event_types or event_type in self.event_types)

    def generations(self, now: datetime) -> tuple[int, ...]:
        """The secrets that sign at an instant, the newest first: each for a day beside those that came after it."""
        recent = (one.generation - 1 for one in self._all_rotations if now < one.at + OLD_SECRET_LIVES)
        return (self.generation, *sorted(recent, reverse=True))

    def rotated(self, key: str, now: datetime) -> "Webhook":
        """The endpoint with another secret. Raises InvalidStateError if it got too many in a day."""
        if len(self.generations(now)) > ROTATIONS_A_DAY_MAX:
            raise InvalidStateError(f"the secret was rotated {ROTATIONS_A_DAY_MAX} times within a day; wait")
        made = Rotation(key=key, generation=self.generation + 1, at=now)
        update = {"generation": made.generation, "rotated_at": now, "rotation_key": key}
        return self.model_copy(update={**update, "rotations": (*self._all_rotations, made)})

    def was_rotated_by(self, keys: Collection[str]) -> bool:
        """Whether one of these requests has made a secret."""
        return not {one.key for one in self._all_rotations}.isdisjoint(keys)

    @property
    def _all_rotations(self) -> tuple[Rotation, ...]:
        if self.rotations or self.rotated_at is None:
            return self.rotations
        return (Rotation(key=self.rotation_key or "", generation=self.generation, at=self.rotated_at),)

    @property
    def is_spared(self) -> bool:
        """Whether it fails again and again, so that it is tried only now and then."""
        return self.failures >= OPEN_AFTER

    def waits_at(self, now: datetime) -> bool:
        """Whether it is not to be tried at an instant."""
        return self.is_spared and self.tried_again_at is not None and now < self.tried_again_at

    def tried_next(self, now: datetime) -> "Webhook":
        """The endpoint while somebody tries whether it works again: nobody else does."""
        return self.model_copy(update={"tried_again_at": now + SPARED_FOR})


class Delivery(Stored):
    """One try to tell an endpoint of an event. `status` is the answer's, or None if there was none."""

    event_id: str
    event_type: str
    attempt: int
    at: datetime
    status: int | None
    error: str | None = None
    duration_ms: int
    next_in_seconds: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110


def body_of(event: Event) -> str:
    """What is posted: the type, when it happened, and the event."""
    happened = event.recorded_at.isoformat().replace("+00:00", "Z")
    return json.dumps(
        {"type": event.type, "timestamp": happened, "data": event.model_dump(mode="json")}, separators=(",", ":")
    )


def secret_of(master_key: bytes, webhook_id: str, generation: int) -> str:
    """An endpoint's secret, as its owner configures it. Derived from a key that is never in a table."""
    derived = hmac.new(master_key, f"webhook:{webhook_id}:{generation}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"


def signature(secrets: Sequence[str], message_id: str, timestamp: int, body: str) -> str:
    """The header `webhook-signature`: one signature for each secret, HMAC-SHA256 over id, timestamp and body."""
    content = f"{message_id}.{timestamp}.{body}".encode()
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    signed = (base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys)
    return " ".join(f"v1,{one}" for one in signed)


def wait_seconds(attempt: int, jitter_percent: int) -> int | None:
    """How long to wait after a failed try, numbered from 1; None after the last.

    `jitter_percent` lies between -JITTER_PERCENT and JITTER_PERCENT, so that endpoints are not all tried at once.
    """
    if attempt > len(RETRY_SECONDS):
        return None
    return min(max(1, RETRY_SECONDS[attempt - 1] * (100 + jitter_percent) // 100), WAIT_SECONDS_MAX)


def after_delivery(webhook: Webhook, delivery: Delivery) -> Webhook:
    """The endpoint after a try: failing since the first of a row of failures, disabled when that row is too long.

    410 Gone says that nothing more is wanted.
    """
    if delivery.succeeded:
        return webhook.model_copy(update={"failing_since": None, "failures": 0, "tried_again_at": None})
    since = webhook.failing_since or delivery.at
    webhook = webhook.model_copy(update={"failures": webhook.failures + 1}).tried_next(delivery.at)
    because = None
    if delivery.status == 410:  # noqa: PLR2004
        because = "the endpoint answered 410 Gone"
    elif delivery.at - since >= DEAD_AFTER:
        because = f"the endpoint has failed since {since:%Y-%m-%d %H:%M} UTC"
    if because is None:
        return webhook.model_copy(update={"failing_since": since})
    return webhook.model_copy(update={"failing_since": since, "status": "disabled", "disabled_because": because})


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it is wrapped in an IPv6 one."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _INTERNET_6 or ip.scope_id is not None:
            return False
    return not any(ip in network for network in _NOT_PUBLIC)


def host_and_port(url: str) -> tuple[str, int]:
    """Where an address leads."""
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or _PORT_DEFAULT[parts.scheme]
