"""`loyalty dev` says in a line what each request has done, and what else has happened."""

import io
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.activity import Activity, Form
from infra.local.gateway import Gateway
from infra.local.mailbox import Mailbox
from infra.local.tokens import Issuer
from infra.openapi import Route
from shared.domain.telling.notifications import Message
from tests.infra.local.conftest import Serve

EARN = Route("POST", "/v1/members/{member_id}/earn", "earn", frozenset({"loyalty/storefront"}))
SAID_SECONDS_MAX = 5
BOOKED = {"entry": {"entry_id": "m-1-7", "points": 42, "balance_after": 124, "available_on": None}, "account": {}}
MESSAGE = Message(
    message_id="1",
    member_id="m-1",
    kind="welcome",
    category="service",
    channel="email",
    locale="en",
    to="ada@example.com",
    subject="Welcome",
    text="Hello",
)


class Till:
    """A gateway whose function answers as it is told, and what is said of its requests."""

    def __init__(self, serve: Serve, issuer: Issuer, form: Form, *, verbose: bool = False) -> None:
        self.out, self.form = io.StringIO(), form
        self.answer: Mapping[str, Any] = {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json"},
            "body": json.dumps(BOOKED),
        }
        activity = Activity(form, verbose=verbose, out=self.out)
        gateway = Gateway([EARN], {"earn": lambda _event, _context: self.answer}, issuer, None, activity)
        self.url = serve(gateway.application([]))
        self.headers = {"Authorization": f"Bearer {issuer.token(['loyalty/storefront'], None, 'till-7')}"}

    def earn(self, **more: Any) -> str:
        """Ask for an order to be credited; what is said of it."""
        self.request_id = httpx.post(f"{self.url}/v1/members/m-1/earn", **{"headers": self.headers, **more}).headers[
            "request-id"
        ]
        deadline = time.monotonic() + SAID_SECONDS_MAX
        while not self.out.getvalue() and self.form != "quiet" and time.monotonic() < deadline:
            time.sleep(0.01)  # it is said once the answer is out
        return self.out.getvalue().strip()


def test_a_line_says_who_what_how_long_and_the_points_before_and_after(serve: Serve, issuer: Issuer) -> None:
    till = Till(serve, issuer, "lines")
    line = till.earn()
    wanted = (
        r"\d\d:\d\d:\d\d POST  /v1/members/m-1/earn  201  \d+ ms  storefront till-7  \+42 points, 82 → 124  \[(\w{8})\]"
    )
    found = re.fullmatch(wanted, line)
    assert found, line
    assert till.request_id.startswith(found[1])


def test_points_that_wait_leave_the_balance_as_it_is(serve: Serve, issuer: Issuer) -> None:
    till = Till(serve, issuer, "lines")
    pending = {**BOOKED["entry"], "available_on": "2026-12-01"}
    till.answer = {**till.answer, "body": json.dumps({"entry": pending})}
    assert "+42 points, 124 → 124" in till.earn()


def test_a_refusal_is_said_with_its_code_and_why(serve: Serve, issuer: Issuer) -> None:
    till = Till(serve, issuer, "lines")
    line = till.earn(headers={})
    assert "401" in line
    assert "anybody  unauthenticated: send an access token" in line


def test_as_json_each_line_is_an_object(serve: Serve, issuer: Issuer) -> None:
    till = Till(serve, issuer, "json")
    told = json.loads(till.earn())
    assert (told["event"], told["status"], told["who"]) == ("request", 201, "storefront till-7")
    assert (told["points"], told["before"], told["after"], told["entry"]) == (42, 82, 124, "m-1-7")
    assert told["request_id"] == till.request_id


def test_more_is_said_if_it_is_asked_for_and_nothing_if_it_is_not(serve: Serve, issuer: Issuer) -> None:
    assert '"entry_id": "m-1-7"' in Till(serve, issuer, "lines", verbose=True).earn()
    assert Till(serve, issuer, "quiet").earn() == ""


def test_mails_about_the_past_are_counted_and_those_that_follow_are_told(tmp_path: Path) -> None:
    out = io.StringIO()
    activity = Activity("lines", out=out)
    mailbox = Mailbox(tmp_path, activity)
    activity.count_mails()
    mailbox.send(MESSAGE)
    mailbox.send(MESSAGE)
    activity.list_mails()
    activity.list_mails()
    mailbox.send(MESSAGE)
    past, mail = out.getvalue().splitlines()
    assert "2 about the example members' past" in past
    assert mail.endswith("welcome by email to ada@example.com")


@pytest.mark.parametrize(("wait", "said"), [(None, "taken"), (300, "not taken, again in 300 s")])
def test_what_became_of_a_webhook_is_told(wait: int | None, said: str) -> None:
    out = io.StringIO()
    body = json.dumps({"webhook_id": "w-1", "event": {"type": "points.earned"}})
    Activity("lines", out=out).tell_delivery({"body": body}, wait)
    assert out.getvalue().strip().endswith(f"points.earned to w-1: {said}")
