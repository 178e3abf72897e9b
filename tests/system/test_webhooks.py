"""A shop's own system is told of events: signed, again after a failure, and again on request."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.infra.receiver import Receiver, receiving
from tests.system.conftest import Server

WAIT_SECONDS_MAX = 30


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_events_come_signed_and_a_rotated_secret_signs_beside_the_old_one(server: Server, receiver: Receiver) -> None:
    made = server.post("/v1/webhooks", {"url": receiver.url}, key=receiver.url, scope="operator").json()
    member = server.enroll("told")
    server.order(member, "hook-1", 4_250)
    _until(lambda: receiver.types_about(member) == ["member.enrolled", "points.earned"])

    headers, body = receiver.about(member)[-1]
    assert Webhook(made["secret"]).verify(body, headers)["data"]["points"] == 42
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body.replace("42", "43"), headers)
    rotated = server.post(f"/v1/webhooks/{made['webhook_id']}/rotate", key="turn-1", scope="operator").json()
    assert rotated["secret"] != made["secret"]
    server.order(member, "hook-2", 1_000)
    _until(lambda: len(receiver.types_about(member)) == 3)
    headers, body = receiver.about(member)[-1]
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(body, headers)
    server.call("DELETE", f"/v1/webhooks/{made['webhook_id']}", scope="operator")


def test_a_failed_delivery_is_tried_again_and_events_are_sent_again_on_request(
    server: Server, receiver: Receiver
) -> None:
    receiver.status = 503
    made = server.post(
        "/v1/webhooks", {"url": receiver.url, "event_types": ["points.earned"]}, key=receiver.url, scope="operator"
    ).json()
    path = f"/v1/webhooks/{made['webhook_id']}"
    member = server.enroll("retried")
    server.order(member, "hook-3", 4_250)
    _until(lambda: len(receiver.about(member)) == 1)
    _until(lambda: bool(server.call("GET", path, scope="operator").json()["failing_since"]))

    receiver.status = 200
    _until(lambda: len(receiver.about(member)) == 2)
    _until(lambda: _tries(server, path, member) == [(2, 200), (1, 503)])
    first, second = receiver.about(member)
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    _until(lambda: server.call("GET", path, scope="operator").json()["failing_since"] is None)

    sent = server.post(f"{path}/replay", {"member_id": member, "from_sequence": 1}, scope="operator")
    assert (sent.status_code, sent.json()) == (202, {"queued": 1, "next_sequence": None})
    _until(lambda: len(receiver.about(member)) == 3)
    receiver.status = 410
    server.post(f"{path}/replay", {"member_id": member, "from_sequence": 2}, scope="operator")
    _until(lambda: server.call("GET", path, scope="operator").json()["status"] == "disabled")
    assert "410" in server.call("GET", path, scope="operator").json()["disabled_because"]
    server.call("DELETE", path, scope="operator")


def _tries(server: Server, path: str, member: str) -> list[tuple[int, int]]:
    """Attempt and answer of each try to tell of a member, the newest first.

    A server that has just started still tells of the members it began with, so there may be more than a page.
    """
    page: dict[str, Any] = {"items": [], "next_cursor": ""}
    tries: list[dict[str, Any]] = []
    while page["next_cursor"] is not None:
        after = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = server.call("GET", f"{path}/deliveries", scope="operator", params=after).json()
        tries += page["items"]
    return [(one["attempt"], one["status"]) for one in tries if one["event_id"].startswith(member)]


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
