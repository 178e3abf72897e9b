"""Olga and Otto run the program: two words for many points, a frozen member, a search, and the trace of it all."""

from typing import Any

from tests.system.conftest import Server
from tests.system.stories.program import use_program


def test_two_operators_and_a_member_under_suspicion(server: Server) -> None:
    use_program(server, operators={"adjustment_limit_points": 500})
    tokens = {name: server.command("token", "--scope", "loyalty/operator", "--as", name) for name in ("olga", "otto")}
    olga, otto = (Desk(server, token.stdout.strip()) for token in tokens.values())
    details = {"external_id": "operated", "name": "Ada Operated Lovelace"}
    ada = server.post("/v1/members", details, key="operated").json()["member_id"]

    found = server.post("/v1/members/search", {"name": "lovelace operated"}).json()["items"]
    assert [one["member_id"] for one in found] == [ada]

    gift = {"points": 800, "reason": "a week without deliveries", "reference": "case-1"}
    asked = olga.post(f"/v1/members/{ada}/adjustments", gift, 202)
    assert (asked["state"], server.account(ada)["balance"]) == ("open", 0)
    assert olga.post(f"/v1/reviews/{asked['review_id']}/approve", None, 403)["code"] == "forbidden"
    entry = otto.post(f"/v1/reviews/{asked['review_id']}/approve", None, 200)["entry"]
    assert (entry["source"]["requested_by"], entry["source"]["approved_by"]) == ("operator:olga", "operator:otto")
    assert otto.post(f"/v1/reviews/{asked['review_id']}/reject", {"reason": "no"}, 409)["code"] == "invalid_state"
    assert server.account(ada)["balance"] == 800

    redemptions = f"/v1/members/{ada}/redemptions"
    held = server.post(redemptions, {"reward_id": "coffee"}, key="operated-1").json()["redemption_id"]
    cause = {"reason": "three accounts, one address", "reference": "case-2"}
    olga.post(f"/v1/members/{ada}/freeze", cause, 201)
    refused = server.post(redemptions, {"reward_id": "coffee"}, key="operated-2").json()
    assert (refused["code"], "case-2" in refused["detail"]) == ("member_frozen", True)
    assert server.order(ada, "operated-A-1", 1000).status_code == 201
    assert server.post(f"{redemptions}/{held}/capture").status_code == 200
    otto.post(f"/v1/members/{ada}/unfreeze", {**cause, "reason": "a family"}, 201)
    assert server.post(redemptions, {"reward_id": "coffee"}, key="operated-2").status_code == 201

    traces = [one for one in olga.get("/v1/audit?limit=100")["items"] if one["member_id"] == ada]
    assert [(one["actor"], one["what"]) for one in reversed(traces)] == [
        ("operator:olga", "adjustment.requested"),
        ("operator:otto", "review.approved"),
        ("operator:olga", "member.frozen"),
        ("operator:otto", "member.unfrozen"),
    ]
    assert server.is_sound()


class Desk:
    """An operator's own calls."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: Any, status: int) -> dict[str, Any]:
        answer = self._server.http.post(path, json=body, headers=self._headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        return dict(self._server.http.get(path, headers=self._headers).json())
