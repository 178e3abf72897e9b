"""Messages from a program's first words to the last one that a member wants."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.system.conftest import Server, run_loyalty, serving
from tests.system.stories.program import use_program

WORDS = {
    "kind": "points_earned",
    "channel": "email",
    "locale": "de",
    "subject": "{{ points }} Blätter mehr",
    "text": "Liebe Ada, {{ points }} Blätter.",
    "html": "<p>{{ member_name }}: {{ points }} Blätter</p>",
}
AGREED = {"terms_version": "2026-01", "marketing": {"email": True}}


def mail(server: Server, member_id: str, kind: str | None = None) -> list[dict[str, Any]]:
    """What a member was sent, the newest last."""
    sent = server.http.get("/_local/mailbox", params={"member_id": member_id}).json()["messages"]
    return [message for message in sent if kind in (None, message["kind"])]


def joined(server: Server, login: str, **details: Any) -> str:
    """A new member's id."""
    body = {"external_id": login, "email": f"{login}@example.org", **details}
    return str(server.post("/v1/members", body, key=f"join-{login}").json()["member_id"])


def moved_to(server: Server, now: str) -> None:
    """Move the server's clock."""
    answer = server.http.post("/_local/clock", json={"now": now})
    assert answer.status_code == 200, answer.text


def started(home: Path) -> AbstractContextManager[Server]:
    """A server of its own, whose clock can be moved: it is six in the evening in Vienna."""
    return serving(home, "--empty", "--now", "2026-11-20T17:00:00Z")


def test_a_shop_finds_its_own_words_and_faults_before_its_members_do(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        wrong = {**WORDS, "locale": "fr", "text": "{{ pionts }}", "subject": "{{ points"}
        program = server.http.get("/v1/program")
        refused = server.call(
            "PUT",
            "/v1/program",
            {**program.json(), "messages": {"templates": [WORDS, wrong]}},
            scope="operator",
            headers={"If-Match": program.headers["etag"]},
        )
        assert refused.status_code == 422
        pointers = {fault["pointer"] for fault in refused.json()["errors"]}
        assert pointers == {"/messages/templates/1/subject", "/messages/templates/1/text"}

        use_program(server, messages={"templates": [WORDS], "also_send": ["reward_reached", "programme_explained"]})
        request = {"kind": "points_earned", "locale": "de-AT"}
        looked = server.post("/v1/messages/preview", request, scope="operator").json()
        assert (looked["template"], looked["locale"], looked["subject"]) == ("program", "de", "120 Blätter mehr")

        ada = joined(server, "ada", name="<Ada>", locale="de-AT", consent=AGREED)
        server.order(ada, "W-1", 12_000)
        [told] = mail(server, ada, "points_earned")
        assert (told["subject"], told["html"]) == ("120 Blätter mehr", "<p>&lt;Ada&gt;: 120 Blätter</p>")
        assert "Coffee" in mail(server, ada, "reward_reached")[0]["subject"]
        assert len(mail(server, ada, "programme_explained")) == 1


def test_a_member_sleeps_reads_a_statement_and_has_the_last_word(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        quiet = {"starts_at": "21:00", "ends_at": "08:00"}
        use_program(server, messages={"also_send": ["statement"], "quiet_hours": quiet, "marketing_per_week": 4})
        ada = joined(server, "ada", locale="de-AT", time_zone="Europe/Vienna", consent=AGREED)
        server.order(ada, "M-1", 12_000)
        assert len(mail(server, ada, "points_earned")) == 1

        # At midnight nothing goes that can wait: it goes at eight.
        moved_to(server, "2026-11-20T23:00:00Z")
        server.order(ada, "M-2", 1_000)
        assert len(mail(server, ada, "points_earned")) == 1
        moved_to(server, "2026-11-21T07:30:00Z")
        assert len(mail(server, ada, "points_earned")) == 2

        # Four offers a week are enough.
        for number in range(3, 9):
            server.order(ada, f"M-{number}", 1_000)
        assert len([message for message in mail(server, ada) if message["category"] == "marketing"]) == 4

        moved_to(server, "2026-12-03T12:00:00Z")
        [statement] = mail(server, ada, "statement")
        assert statement["subject"] == "Ihre Punkte im Monat 2026-11"
        assert "190 Punkte gesammelt" in statement["text"]

        # To look at the link changes nothing; a click does, at once.
        link = mail(server, ada, "points_earned")[-1]["headers"]["List-Unsubscribe"].strip("<>")
        preferences = f"/v1/members/{ada}/preferences"
        assert '<form method="post">' in server.http.get(link).text
        assert server.call("GET", preferences).json()["categories"]["marketing"]["email"]
        assert server.http.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert not server.call("GET", preferences).json()["categories"]["marketing"]["email"]
        before = len(mail(server, ada))
        server.order(ada, "M-9", 1_000)
        assert len(mail(server, ada)) == before


def test_an_address_that_bounces_is_left_alone_until_there_is_another(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        use_program(server)
        ada = joined(server, "ada")
        server.order(ada, "B-1", 40_000)
        told = {"member_id": ada, "address": "ada@example.org", "event": "Bounce"}
        assert server.http.post("/_local/mailbox/feedback", json=told).json() == {"suppressed": 1}
        preferences, redemptions = f"/v1/members/{ada}/preferences", f"/v1/members/{ada}/redemptions"
        [closed] = server.call("GET", preferences).json()["suppressed"]
        assert closed == {"channel": "email", "reason": "bounce", "on": "2026-11-20"}
        server.post(redemptions, {"reward_id": "coffee", "capture": True}, key="c-1")
        assert mail(server, ada, "reward_redeemed") == []
        server.call("PATCH", f"/v1/members/{ada}", {"email": "ada@example.net"})
        assert server.call("GET", preferences).json()["suppressed"] == []
        server.post(redemptions, {"reward_id": "coffee", "capture": True}, key="c-2")
        assert [message["to"] for message in mail(server, ada, "reward_redeemed")] == ["ada@example.net"]
        assert server.is_sound()


def test_every_message_can_be_read_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    done = run_loyalty(tmp_path, "messages", "dry-run", "--to", str(file), "--locale", "de-AT")
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    assert {message["locale"] for message in messages} == {"de"}
