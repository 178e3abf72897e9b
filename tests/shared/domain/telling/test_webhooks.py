"""Signatures, waits and addresses of webhooks."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook as PublicWebhook

from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import (
    ATTEMPTS_MAX,
    DEAD_AFTER,
    JITTER_PERCENT,
    OLD_SECRET_LIVES,
    Delivery,
    Url,
    Webhook,
    after_delivery,
    body_of,
    host_and_port,
    is_public,
    secret_of,
    signature,
    wait_seconds,
)

NOW = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)
HOOK = Webhook(webhook_id="w", url="https://shop.example/hook", created_at=NOW)


def _try(status: int | None, at: datetime = NOW) -> Delivery:
    return Delivery(event_id="m-1", event_type="points.earned", attempt=1, at=at, status=status, duration_ms=1)


def test_what_is_posted_says_what_happened_and_when() -> None:
    event = Event(
        event_id="ada-2",
        type="points.earned",
        member_id="ada",
        sequence=2,
        occurred_at=NOW,
        recorded_at=NOW,
        points=10,
        balance_after=12,
        program_version=1,
    )
    posted = body_of(event)
    assert posted.startswith('{"type":"points.earned","timestamp":"2026-11-20T18:03:00Z","data":{"event_id":"ada-2",')
    assert Event.model_validate(json.loads(posted)["data"]) == event


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("https://shop.example/hook", ("shop.example", 443)),
        ("http://shop.example/hook", ("shop.example", 80)),
        ("https://shop.example:8443/hook", ("shop.example", 8443)),
    ],
)
def test_an_address_leads_to_its_port_or_the_usual_one(url: str, leads_to: tuple[str, int]) -> None:
    assert host_and_port(url) == leads_to


def test_the_public_library_takes_our_signature() -> None:
    secret = secret_of(b"k" * 32, "w", 1)
    now = datetime.now(UTC)
    body = '{"type":"points.earned"}'
    headers = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature([secret_of(b"k" * 32, "w", 2), secret], "m-1", int(now.timestamp()), body),
    }
    assert PublicWebhook(secret).verify(body, headers) == {"type": "points.earned"}


def test_each_endpoint_and_each_rotation_has_a_secret_of_its_own() -> None:
    made = {secret_of(key, hook, turn) for key in (b"a" * 32, b"b" * 32) for hook in ("v", "w") for turn in (1, 2)}
    assert len(made) == 8


def test_the_old_secret_signs_for_a_day_after_a_rotation() -> None:
    turned = HOOK.model_copy(update={"generation": 2, "rotated_at": NOW})
    assert turned.generations(NOW + OLD_SECRET_LIVES - timedelta(seconds=1)) == (2, 1)
    assert turned.generations(NOW + OLD_SECRET_LIVES) == (2,)


def test_waits_grow_over_days_and_end() -> None:
    waits = [wait_seconds(attempt, 0) for attempt in range(1, ATTEMPTS_MAX + 1)]
    whole = [wait for wait in waits if wait is not None]
    assert waits[-1] is None
    assert len(whole) == ATTEMPTS_MAX - 1
    assert whole == sorted(whole)
    assert timedelta(days=2) < timedelta(seconds=sum(whole)) < timedelta(days=4)
    # A queue lets a message wait for twelve hours at most.
    assert max(wait_seconds(attempt, JITTER_PERCENT) or 0 for attempt in range(1, ATTEMPTS_MAX)) <= 12 * 3600


def test_an_endpoint_that_fails_for_days_is_disabled_and_one_success_forgives_all() -> None:
    failing = after_delivery(HOOK, _try(500))
    assert (failing.status, failing.failing_since) == ("enabled", NOW)
    still = after_delivery(failing, _try(None, NOW + DEAD_AFTER - timedelta(seconds=1)))
    assert still.status == "enabled"
    assert after_delivery(still, _try(204, NOW + DEAD_AFTER)).failing_since is None
    dead = after_delivery(still, _try(None, NOW + DEAD_AFTER))
    assert dead.status == "disabled"
    assert "2026-11-20" in str(dead.disabled_because)


def test_an_endpoint_that_is_gone_is_disabled_at_once() -> None:
    assert after_delivery(HOOK, _try(410)).status == "disabled"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2002:0a00:0001::1",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::5db8:d822",
        "2002:5db8:d822::1",
        "2001::1",
        "2001:0:5db8:d822::1",
        "2001:db8::1",
        "3fff::1",
        "fec0::1",
        "feff::1",
        "5f00::1",
        "100::1",
        "::",
        "::93.184.216.34",
        "::ffff:0:93.184.216.34",
        "::ffff:127.0.0.1",
        "2606:2800:220:1:248:1893:25c8:1946%eth0",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
    ],
)
def test_addresses_inside_a_network_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["ftp://shop.example", "https://", "https://user:pass@shop.example/", "https://a/#b", "https://a:99999/", "shop"],
)
def test_what_is_no_address_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Url).validate_python(url)
