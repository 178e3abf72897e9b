"""A shop's own system is told of events: signed, again after a failure, and again on request."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.infra.dev.conftest import Server

WAIT_SECONDS_MAX = 30


class Receiver:
    """A shop's endpoint on loopback. It answers with `status`, and keeps what it got."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.status = 200
        self.got: list[tuple[dict[str, str], str]] = []

    def about(self, member: str) -> list[tuple[dict[str, str], str]]:
        """Headers and bodies of what came about a member, in the order they came."""
        return [(headers, body) for headers, body in self.got if json.loads(body)["data"]["member_id"] == member]

    def types_about(self, member: str) -> list[str]:
        """The types of those events."""
        return [json.loads(body)["type"] for _, body in self.about(member)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    found = Receiver(http.server_port)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield found
    http.shutdown()
    thread.join()
    http.server_close()


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
    """Attempt and answer of each try to tell of a member, the newest first."""
    tries = server.call("GET", f"{path}/deliveries", scope="operator").json()["items"]
    return [(one["attempt"], one["status"]) for one in tries if one["event_id"].startswith(member)]


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
