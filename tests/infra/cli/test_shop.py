"""Commands that look at the local server, and call it."""

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.cli import main, shop
from infra.local.api_calls import Answer, LocalApi
from infra.local.tokens import Issuer
from infra.machine import server_registry
from infra.machine.server_registry import Server

URL = "http://127.0.0.1:8080"
ADA = {"member_id": "m-1", "name": "Ada", "external_id": "shop-42", "email": "ada@example.com", "status": "active"}
ACCOUNT = {"balance": 124, "pending": 0, "held": 0, "debt": 0, "tier": {"name": "Bronze"}, "as_of": "2026-11-30"}
ENTRY = {"occurred_at": "2026-11-20", "type": "earn", "points": 42, "balance_after": 124, "source": {"order_id": "A-1"}}
ANSWERS: dict[tuple[str, str], tuple[int, Any]] = {
    ("GET", "/_local"): (200, {"sample_member": "m-1"}),
    ("GET", "/_local/mailbox?member_id=m-1"): (
        200,
        {
            "messages": [
                {"channel": "email", "to": "ada@example.com", "kind": "welcome", "subject": "Hi", "text": "Ada"}
            ]
        },
    ),
    ("GET", "/v1/members/m-1"): (200, ADA),
    ("GET", "/v1/members/m-1/account"): (200, ACCOUNT),
    ("GET", "/v1/members/m-1/entries?limit=100"): (200, {"items": [ENTRY]}),
    ("POST", "/v1/members/search?limit=100"): (200, {"items": [ADA]}),
    ("POST", "/_local/clock"): (200, {"now": "2026-12-30T00:00:00Z", "reminder_runs": 2}),
    ("POST", "/v1/members/m-1/earn"): (201, {"entry": ENTRY}),
    ("POST", "/v1/members"): (409, {"code": "identifier_taken", "detail": "another member has this external_id"}),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any, dict[str, Any]]]:
    """What a server of this user was asked."""
    calls: list[tuple[str, str, Any, dict[str, Any]]] = []

    def call(_api: LocalApi, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        calls.append((method, path, body, more))
        if path == "/v1/members/lookup":
            found = body == {"email": "ada@example.com"}
            return Answer(200 if found else 404, {}, ADA if found else {"code": "member_not_found", "detail": "no"})
        status, answer = ANSWERS.get((method, path), (404, {"code": "member_not_found", "detail": "nobody"}))
        return Answer(status, {}, answer)

    monkeypatch.setattr(LocalApi, "call", call)
    monkeypatch.setattr(server_registry, "running", lambda: [Server(1, URL, "http://127.0.0.1:9", {})])
    monkeypatch.setattr(shop, "clock_of", lambda _server: datetime(2026, 11, 30, tzinfo=UTC))
    return calls


@pytest.mark.usefixtures("asked")
def test_variables_for_the_shell_name_the_server_a_member_and_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["env"]) == 0
    lines = [shlex.split(line)[1] for line in capsys.readouterr().out.splitlines()]
    given = dict(line.split("=", 1) for line in lines)
    assert (given["LOYALTY_URL"], given["api"], given["me"]) == (URL, URL, "m-1")
    claims = {name: Issuer.of_this_user().claims(given[name].partition(": ")[2]) for name in ("shop", "ops", "own")}
    scopes = ["loyalty/storefront", "loyalty/operator", "loyalty/member"]
    assert [claims[name]["scope"] for name in ("shop", "ops", "own")] == scopes
    assert claims["own"]["member_id"] == "m-1"


def test_a_call_brings_its_token_and_key_and_shows_the_answer(
    asked: list[tuple[str, str, Any, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["api", "post", "/v1/members/m-1/earn", "-d", '{"total": 1}']) == 0
    [(method, path, body, more)] = asked
    assert (method, path, body) == ("POST", "/v1/members/m-1/earn", {"total": 1})
    assert (more["scopes"], bool(more["key"])) == (["loyalty/storefront", "loyalty/operator"], True)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["entry"]["points"] == 42
    assert printed.err == f"{URL}: 201\n"


def test_a_refusal_is_shown_and_fails(
    asked: list[tuple[str, str, Any, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["api", "POST", "v1/members", "-d", "{}", "--member", "m-1", "--key", "k"]) == 1
    assert asked[0][3]["scopes"] == ["loyalty/member"]
    assert json.loads(capsys.readouterr().out)["code"] == "identifier_taken"
    assert main.main(["api", "POST", "/v1/members", "-d", "{"]) == 2


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("who", ["m-1", "ada@example.com"])
def test_a_member_is_shown_by_whatever_names_them(who: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["member", who]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("m-1", "Ada", "balance 124", "Bronze", "earn", "+42", "order_id A-1"))


@pytest.mark.usefixtures("asked")
def test_nobody_is_shown_for_a_name_that_is_nobodys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["member", "mallory"]) == 2
    assert "has nobody called mallory: `loyalty members` lists who there is" in capsys.readouterr().err


@pytest.mark.usefixtures("asked")
def test_members_of_a_name_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["members", "Ada"]) == 0
    assert "shop-42" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("step", "now"),
    [
        ("+30d", "2026-12-30T00:00:00+00:00"),
        ("+2w", "2026-12-14T00:00:00+00:00"),
        ("+90m", "2026-11-30T01:30:00+00:00"),
    ],
)
def test_the_clock_is_moved_by_steps(
    asked: list[tuple[str, str, Any, dict[str, Any]]], step: str, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["clock", step]) == 0
    assert asked == [("POST", "/_local/clock", {"now": now}, {"scopes": ()})]
    assert f"at {URL}" in capsys.readouterr().out


@pytest.mark.usefixtures("asked")
def test_a_step_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["clock", "+1y"]) == 2
    assert "such as +30d" in capsys.readouterr().err
    assert main.main(["clock"]) == 0


@pytest.mark.usefixtures("asked")
def test_what_was_sent_to_a_member_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["mailbox", "ada@example.com"]) == 0
    assert capsys.readouterr().out == "-- email to ada@example.com: welcome\nHi\nAda\n"


@pytest.mark.usefixtures("asked")
def test_a_token_is_for_a_scope_and_a_member_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["token", "--scope", "bogus"]) == 2
    assert "there is no scope loyalty/bogus" in capsys.readouterr().err
    assert main.main(["token", "--scope", "member", "--member", "nobody"]) == 2
    assert f"{URL} has no member nobody" in capsys.readouterr().err
    assert main.main(["token", "--scope", "member", "--member", "m-1"]) == 0


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("loyalty ")
