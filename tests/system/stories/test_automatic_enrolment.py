"""Somebody buys with a card that nobody knows, and agrees to the terms later; somebody else never does."""

from pathlib import Path
from typing import Any

from tests.system.conftest import Server, serving
from tests.system.stories.program import eventually, use_program


def test_points_wait_for_consent_and_become_the_members(server: Server) -> None:
    use_program(server, automatic_enrolment={"consent_days": 30}, standing_rules={"minimum_age": 16})
    card = {"card_number": "C-wait"}
    placed_at = server.http.get("/_local/clock").json()["now"]
    first = buy(server, card, "wait-1", 4_200, placed_at)
    assert first.status_code == 201, first.text
    member = first.json()["account"]["member_id"]
    account = server.account(member)
    assert (account["status"], account["balance"], account["pending"]) == ("provisional", 0, 42)

    again = buy(server, card, "wait-1", 4_200, placed_at)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert buy(server, card, "wait-2", 1_000).json()["account"]["pending"] == 52
    now = server.http.get("/_local/clock").json()["now"]
    refund = {"order_id": "wait-1", "refund_id": "back", "amount": 2_200, "refunded_at": now}
    assert server.post(f"/v1/members/{member}/refunds", refund).json()["account"]["pending"] == 30

    reward = server.post(f"/v1/members/{member}/redemptions", {"reward_id": "coffee"}, key="wait-spend")
    assert (reward.status_code, reward.json()["code"]) == (409, "consent_required")

    agreement = {"terms_version": "2026-01", "marketing": {"email": True}, "channel": "web"}
    young = server.post(f"/v1/members/{member}/consent", {**agreement, "birth_date": "2015-01-01"})
    assert (young.status_code, young.json()["code"]) == (409, "not_eligible")
    assert "2031-01-01" in young.json()["detail"]
    agreed = server.post(f"/v1/members/{member}/consent", {**agreement, "age_confirmed": True})
    assert agreed.status_code == 200, agreed.text
    assert (agreed.json()["status"], agreed.json()["consent"]["terms_version"]) == ("active", "2026-01")
    account = server.account(member)
    assert (account["status"], account["balance"], account["pending"]) == ("active", 30, 0)
    assert server.post(f"/v1/members/{member}/consent", {**agreement, "age_confirmed": True}).status_code == 200
    assert buy(server, card, "wait-3", 1_000).json()["account"]["balance"] == 40
    assert server.is_sound()


def test_who_joins_with_the_identifier_gets_what_waits(server: Server) -> None:
    use_program(server, automatic_enrolment={"consent_days": 30}, earning={"welcome_points": 5})
    email = {"email": "Joan@Example.org"}
    member = buy(server, email, "joan-1", 4_200).json()["account"]["member_id"]
    body = {"email": "joan@example.org", "name": "Joan", "consent": {"terms_version": "2026-01"}}
    joined = server.post("/v1/members", body, key="join-joan")
    assert (joined.status_code, joined.json()["member_id"]) == (201, member)
    assert server.account(member)["balance"] == 47
    replayed = server.post("/v1/members", body, key="join-joan")
    assert (replayed.status_code, replayed.json()["member_id"]) == (200, member)
    assert server.post("/v1/members", body, key="join-joan-2").json()["code"] == "identifier_taken"


def test_who_never_agrees_is_forgotten(tmp_path: Path) -> None:
    with serving(tmp_path, "--empty", "--now", "2026-11-20T18:00:00Z") as server:
        use_program(server, automatic_enrolment={"consent_days": 30})
        card = {"card_number": "C-lost"}
        gone = buy(server, card, "lost-1", 4_200).json()["account"]["member_id"]
        server.http.post("/_local/clock", json={"now": "2026-12-21T06:00:00Z"})
        assert server.account(gone)["status"] == "lapsed"
        server.http.post("/_local/run", json={"function": "expire"})
        assert eventually(lambda: server.post("/v1/members/lookup", card).status_code == 404)
        new = buy(server, card, "lost-2", 1_000)
        assert new.status_code == 201, new.text
        assert new.json()["account"]["member_id"] != gone
        assert server.http.get("/_local/dead-letters").json()["dead_letters"] == []
        # Without the job, the next order finds out that the time is over.
        server.http.post("/_local/clock", json={"now": "2027-02-01T06:00:00Z"})
        booked = buy(server, card, "lost-3", 1_000)
        assert booked.status_code == 201, booked.text
        third = booked.json()["account"]
        assert (third["pending"], third["member_id"] != new.json()["account"]["member_id"]) == (10, True)
        assert server.is_sound()


def buy(server: Server, identifier: Any, order_id: str, total: int, placed_at: str | None = None) -> Any:
    now = server.http.get("/_local/clock").json()["now"]
    order = {"type": "order", "order_id": order_id, "placed_at": placed_at or now, "currency": "USD", "total": total}
    return server.post("/v1/earn", {**order, "identifier": identifier})
