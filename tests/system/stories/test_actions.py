"""Ada reviews, checks in, brings back jars and is asked for a consultation; her birthday and her anniversary come."""

from pathlib import Path
from typing import Any

from tests.system.conftest import Server, serving
from tests.system.stories.program import use_program

ACTIONS = [
    {"action_id": "review", "description": "Review", "points": 25, "approval": True, "cool_off_days": 7},
    {"action_id": "check_in", "description": "Check-in", "points": 5, "limit": {"times": 1, "per": "day"}},
    {"action_id": "recycling", "description": "Jars", "points": 3, "limit": {"points": 6, "per": "month"}},
    {"action_id": "consultation", "description": "Consultation", "points": 100, "approval": True},
    {"action_id": "profile", "description": "Profile", "points": 20, "limit": {"times": 1, "per": "lifetime"}},
    {"action_id": "social_share", "description": "Share", "points": 5, "limit": {"times": 3, "per": "week"}},
    {"action_id": "survey", "description": "Survey", "points": 15, "cool_off_days": 90},
]


def test_what_members_do_and_days_that_come_round(tmp_path: Path) -> None:
    with serving(tmp_path, "--empty", "--now", "2026-11-20T18:00:00Z") as server:
        use_program(
            server,
            earning={"actions": ACTIONS},
            celebrations={
                "birthday": {"points": 50},
                "anniversary": {"points": 30, "starts_on": "2026-01-01"},
            },
        )
        ada = server.post("/v1/members", {"external_id": "ada", "birthday": "12-24"}, key="ada").json()["member_id"]
        assert [act(server, ada, action, "1")["points"] for action in ("check_in", "recycling", "social_share")] == [
            5,
            3,
            5,
        ]
        assert act(server, ada, "check_in", "2")["breakdown"][0]["description"] == (
            "Check-in (limit of 1 times per day reached, frees on 2026-11-21)"
        )
        assert act(server, ada, "survey", "1")["points"] == 15
        again = act(server, ada, "survey", "2")["breakdown"][0]["description"]
        assert again == "Survey (once in 90 days, frees on 2027-02-18)"

        act(server, ada, "review", "1")
        act(server, ada, "consultation", "1")
        assert (server.account(ada)["balance"], server.account(ada)["pending"]) == (28, 125)
        waiting = operator(server, "GET", "/v1/reviews?kind=action")["items"]
        ids = {one["details"]["action"]: one["review_id"] for one in waiting if one["member_id"] == ada}
        assert operator(server, "POST", f"/v1/reviews/{ids['review']}/approve")["entry"]["effects"]["available"] == 25
        operator(server, "POST", f"/v1/reviews/{ids['consultation']}/reject", {"reason": "did not come"})
        assert (server.account(ada)["balance"], server.account(ada)["pending"]) == (53, 0)

        server.http.post("/_local/clock", json={"now": "2026-12-24T18:00:00Z"})
        assert celebrated(server, ada) == 1
        assert celebrated(server, ada) == 0
        assert server.account(ada)["balance"] == 103
        server.call("PATCH", f"/v1/members/{ada}", {"birthday": "01-24"})
        server.http.post("/_local/clock", json={"now": "2027-01-24T18:00:00Z"})
        assert celebrated(server, ada) == 0, "changed: the next one that pays is a year after the last"

        server.http.post("/_local/clock", json={"now": "2027-11-20T18:00:00Z"})
        assert server.account(ada)["balance"] == 133, "the clock alone brings the anniversary"
        newest = server.call("GET", f"/v1/members/{ada}/entries").json()["items"]
        assert {"approve", "reject", "birthday"} < {entry["type"] for entry in newest}
        assert server.is_sound()


def act(server: Server, member: str, action: str, reference: str) -> dict[str, Any]:
    now = server.http.get("/_local/clock").json()["now"]
    body = {"type": "action", "action": action, "reference": f"{action}-{reference}", "occurred_at": now}
    answer = server.post(f"/v1/members/{member}/earn", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["entry"])


def operator(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = server.call(method, path, body, scope="operator")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def celebrated(server: Server, member: str) -> int:
    """How many of a member's birthdays a run of the schedule has booked, with the pages that it has queued."""
    before = birthdays(server, member)
    answer = server.http.post("/_local/run", json={"function": "birthdays"})
    assert answer.status_code == 200, answer.text
    return birthdays(server, member) - before


def birthdays(server: Server, member: str) -> int:
    entries = server.call("GET", f"/v1/members/{member}/entries").json()["items"]
    return sum(entry["type"] == "birthday" for entry in entries)
