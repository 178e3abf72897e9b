"""The local server's own endpoints: for this machine alone, and with refusals in the contract's shape."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from infra.local import docs
from infra.local.control import Control
from infra.local.gateway import Gateway
from infra.local.journal import Journal
from infra.local.mailbox import Mailbox
from infra.local.movable_clock import MovableClock
from infra.local.run_queues import RunQueues
from infra.local.schedule import Schedule
from infra.local.tokens import Issuer
from infra.tools.verify import Report, Violation
from shared.domain.telling.notifications import Message
from tests.infra.local.conftest import Serve

START = datetime(2026, 12, 1, 12, tzinfo=UTC)

Post = Callable[..., httpx.Response]


def message(number: int, member_id: str) -> Message:
    return Message(
        message_id=f"welcome:{number}",
        member_id=member_id,
        kind="welcome",
        category="service",
        channel="email",
        locale="en",
        to="ada@example.com",
        subject="Welcome",
        text="You have joined.",
    )


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


@pytest.fixture
def local(tmp_path: Path, mailbox: Mailbox, serve: Serve, issuer: Issuer) -> str:
    clock = MovableClock(tmp_path / "clock.json", START)
    dead_letters = Journal(tmp_path / "dead-letters.jsonl")
    dead_letters.append({"function": "notify", "record": {}})
    queues = RunQueues({"expire": lambda _event, _context: {}}, dead_letters)
    functions: Any = {
        "expire": lambda event, _: queues.send("expiry", [event["time"]]),
        "notify": lambda _event, _: {"reminders": 3},
    }
    schedule = Schedule(clock, functions, queues, dead_letters, lambda: "America/New_York", lambda day: day)
    control = Control(
        {"pid": 42},
        clock=clock,
        schedule=schedule,
        stream=Mock(),
        mails=Mock(),
        mailbox=mailbox,
        dead_letters=dead_letters,
        check=lambda: Report(2, 5, [Violation(1, "m-1", "balance 3, lots 4")]),
        feedback=lambda _event, _context: {"suppressed": 0},
    )
    routes = [*control.routes(), *docs.routes({"openapi": "3.1.0"})]
    return serve(Gateway([], {}, issuer).application(routes))


@pytest.fixture
def move(local: str) -> Post:
    return lambda **request: httpx.post(f"{local}/_local/clock", **request)


def test_the_clock_is_moved_and_read(local: str, move: Post) -> None:
    assert httpx.get(f"{local}/_local/clock").json()["now"].startswith("2026-12-01T12:00:0")
    moved = move(json={"now": "2026-12-03T07:00:00-05:00"})
    assert moved.status_code == 200
    assert moved.json()["reminder_runs"] == 2
    assert httpx.get(f"{local}/_local/clock").json()["now"].startswith("2026-12-03T12:00:0")


def test_the_clock_never_runs_back(move: Post) -> None:
    refused = move(json={"now": "2026-11-30T12:00:00Z"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "invalid_state"
    assert "forward only" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"json": {"now": "2026-12-03T12:00:00"}}, 422, "invalid_request"),
        ({"json": {"now": 1_800_000_000}}, 422, "invalid_request"),
        ({"json": {"now": "9999-12-31T00:00:00Z"}}, 422, "invalid_request"),
        ({"json": {"now": "2026-12-03T12:00:00Z", "then": 1}}, 422, "invalid_request"),
        ({"json": {}}, 422, "invalid_request"),
        ({"json": []}, 422, "invalid_request"),
        ({"content": b"{"}, 400, "malformed_json"),
        ({"content": b""}, 400, "malformed_json"),
        ({"content": b"\xff"}, 400, "malformed_json"),
    ],
)
def test_a_move_that_says_nothing_is_refused(move: Post, request_: dict[str, Any], status: int, code: str) -> None:
    refused = move(**request_)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == code


def test_the_mailbox_shows_what_was_sent_newest_last(local: str, mailbox: Mailbox) -> None:
    for number, member_id in enumerate(("m-1", "m-2", "m-1")):
        mailbox.send(message(number, member_id))
    everything = httpx.get(f"{local}/_local/mailbox").json()
    assert [sent["message_id"] for sent in everything["messages"]] == ["welcome:0", "welcome:1", "welcome:2"]
    one = httpx.get(f"{local}/_local/mailbox?member_id=m-2").json()
    assert [sent["message_id"] for sent in one["messages"]] == ["welcome:1"]
    assert one["events"] == []


def test_a_job_is_run_on_demand(local: str) -> None:
    did = httpx.post(f"{local}/_local/run", json={"function": "expire"}).json()
    assert did["queue_messages"] == 1
    did = httpx.post(f"{local}/_local/run", json={"function": "notify"}).json()
    assert did["answer"] == {"reminders": 3}
    assert httpx.post(f"{local}/_local/run", json={"function": "earn"}).status_code == 422


def test_what_is_wrong_and_what_failed_can_be_read(local: str) -> None:
    report = httpx.get(f"{local}/_local/verify").json()
    violation = {"invariant": 1, "member_id": "m-1", "detail": "balance 3, lots 4"}
    assert report == {"accounts": 2, "entries": 5, "violations": [violation], "outstanding": 0, "credit": 0}
    assert len(httpx.get(f"{local}/_local/dead-letters").json()["dead_letters"]) == 1


def test_the_index_names_every_endpoint(local: str) -> None:
    index = httpx.get(f"{local}/_local").json()
    assert index["pid"] == 42
    assert set(index["endpoints"]) == {
        "GET /_local/clock",
        "POST /_local/clock",
        "GET /_local/mailbox",
        "POST /_local/mailbox/feedback",
        "GET /_local/dead-letters",
        "POST /_local/run",
        "GET /_local/verify",
    }


@pytest.mark.parametrize("host", ["shop.example", "shop.example:80", "127.0.0.1.shop.example", ""])
def test_a_page_that_comes_by_another_name_is_refused(local: str, host: str) -> None:
    refused = httpx.get(f"{local}/_local/mailbox", headers={"Host": host})
    assert refused.status_code == 403
    assert refused.json()["code"] == "forbidden"


@pytest.mark.parametrize("origin", ["https://shop.example", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_site_is_refused(move: Post, origin: str) -> None:
    assert move(json={"now": "2027-01-01T00:00:00Z"}, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machines_own_names_are_welcome(local: str, name: str) -> None:
    host = f"{name}:{httpx.URL(local).port}"
    own = {"Host": host, "Origin": f"http://{host}"}
    assert httpx.get(f"{local}/_local", headers=own).status_code == 200


def test_the_document_is_browsed_without_reaching_elsewhere(local: str) -> None:
    page = httpx.get(local, follow_redirects=True)
    assert page.url.path == "/docs"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text
    for asset in ("swagger-ui-bundle.min.js", "swagger-ui.min.css", "start.js"):
        assert f"/docs/{asset}" in page.text
        assert httpx.get(f"{local}/docs/{asset}").status_code == 200
    assert httpx.get(f"{local}/v1/openapi.json").json() == {"openapi": "3.1.0"}
