"""A member asks what is held about them, and then to be forgotten."""

from tests.system.conftest import Server
from tests.system.stories.program import use_program


def test_a_member_sees_everything_and_is_forgotten(server: Server) -> None:
    use_program(server, privacy={"inactive_months": 36, "starts_on": "2027-01-01"})
    details = {
        "email": "privacy-ada@example.org",
        "name": "Ada Lovelace",
        "consent": {"terms_version": "v1", "marketing": {"email": True}},
    }
    ada = server.post("/v1/members", {"external_id": "privacy-ada", **details}, key="privacy-ada").json()["member_id"]
    server.order(ada, "privacy-1", 5000)
    assert server.call("GET", f"/v1/members/{ada}", scope="operator").status_code == 200
    server.call("PATCH", f"/v1/members/{ada}", {"consent": {"marketing": {"email": False}}})

    export = server.call("GET", f"/v1/members/{ada}/export", scope="operator")
    assert export.status_code == 200, export.text
    held = export.json()["held"]
    assert [change["consent"]["marketing"]["email"] for change in held["profiles"][0]["consent_history"]] == [
        True,
        False,
    ]
    assert [trace["what"] for trace in held["accesses"]][:1] == ["member.read"]
    assert len(held["entries"]) == len(export.json()["entries"]) >= 2

    assert server.call("DELETE", f"/v1/members/{ada}", scope="operator").status_code == 200
    left = server.call("GET", f"/v1/members/{ada}/export", scope="operator")
    assert "Lovelace" not in left.text
    assert "privacy-ada" not in left.text
    lookup = server.post("/v1/members/lookup", {"email": "privacy-ada@example.org"})
    assert lookup.status_code == 404
    assert server.account(ada)["balance"] == 0
    assert server.post("/v1/members", {"external_id": "privacy-ada", **details}, key="privacy-ada-2").status_code == 201
    assert server.is_sound()
