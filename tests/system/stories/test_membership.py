"""A member pays to be treated well."""

from datetime import date
from pathlib import Path
from typing import Any

from tests.system.conftest import Server, serving
from tests.system.stories.program import use_program

PLUS = {
    "plan_id": "plus",
    "name": "Plus",
    "price": 3650,
    "months": 12,
    "tier_id": "silver",
    "percent": 200,
    "benefits": ["Free returns"],
    "refund": "prorated",
    "refund_days": 14,
}


def test_a_membership_is_bought_used_renewed_cancelled_and_runs_out(tmp_path: Path) -> None:
    with serving(tmp_path, "--empty", "--now", "2026-03-01T12:00:00Z") as server:
        use_program(server, memberships=[PLUS])
        member = server.enroll("plus-ada")
        assert points_for_100(server, member, "before") == 100

        first = payment("m-1", "2026-03-01T12:00:00Z")
        paid = server.post(path(member), first).json()
        assert paid["account"]["membership"]["paid_through"] == "2027-02-28"
        assert paid["account"]["tier"]["tier_id"] == "silver"
        assert points_for_100(server, member, "while-paid") == 100 + 20 + 100
        assert server.post(path(member), first).headers["Idempotency-Replayed"] == "true"
        too_early = server.post(path(member), payment("m-2", "2026-03-01T12:00:00Z"))
        assert (too_early.status_code, too_early.json()["code"]) == (409, "invalid_state")
        assert "2027-01-29" in too_early.json()["detail"]

        server.http.post("/_local/clock", json={"now": "2027-02-20T12:00:00Z"})
        renewed = pay(server, member, "m-2")["account"]["membership"]
        assert (renewed["since"], renewed["paid_through"]) == ("2026-03-01", "2028-02-29")

        server.http.post("/_local/clock", json={"now": "2027-09-01T12:00:00Z"})
        cancelled = server.post(f"{path(member)}/cancel", {"reference": "c-1"}).json()
        days_left = (date(2028, 2, 29) - date(2027, 9, 1)).days
        assert cancelled["entry"]["source"]["refund_amount"] == str(3650 * days_left // 366)
        assert cancelled["account"]["membership"] is None
        assert cancelled["account"]["tier"]["tier_id"] == "bronze"

        pay(server, member, "m-3")
        server.http.post("/_local/clock", json={"now": "2028-09-01T12:00:00Z"})
        assert server.account(member)["membership"] is None
        server.http.post("/_local/run", json={"function": "expire"})
        types = [entry["type"] for entry in server.call("GET", f"/v1/members/{member}/entries").json()["items"]]
        assert "membership_end" in types
        assert server.is_sound()


def path(member: str) -> str:
    return f"/v1/members/{member}/membership"


def payment(reference: str, paid_at: str) -> dict[str, Any]:
    return {"plan_id": "plus", "reference": reference, "amount": 3650, "currency": "USD", "paid_at": paid_at}


def pay(server: Server, member: str, reference: str) -> dict[str, Any]:
    now = server.http.get("/_local/clock").json()["now"]
    answer = server.post(path(member), payment(reference, now))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def points_for_100(server: Server, member: str, order_id: str) -> int:
    return int(server.order(member, f"plus-{order_id}", 10_000).json()["entry"]["points"])
