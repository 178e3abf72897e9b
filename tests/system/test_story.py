"""A member's year with a shop, over HTTP."""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.conftest import LOYALTY, Server, run_loyalty, serving


def test_what_is_printed_is_short_and_works_when_pasted(server: Server) -> None:
    lines = [line.strip() for line in server.printed.splitlines()]
    assert len(lines) <= 15
    setting = next(line for line in lines if line.startswith("eval"))
    calls = [line for line in lines if line.startswith(("curl", "loyalty member"))]
    assert len(calls) == 3
    script = "\n".join([f'loyalty() {{ {LOYALTY} "$@"; }}', setting, *calls])

    pasted = subprocess.run(
        ["/bin/bash", "-c", script],
        env={**os.environ, "XDG_STATE_HOME": str(server.home)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert '"code"' not in pasted.stdout
    assert '"entry_id"' in pasted.stdout
    assert "balance" in pasted.stdout


def test_from_joining_to_points_that_expire(tmp_path: Path) -> None:
    with serving(tmp_path, "--empty", "--now", "2026-11-20T18:00:00Z") as server:
        member = server.enroll("ada")
        earned = server.order(member, "A-1", 42_500)
        assert earned.json()["entry"]["points"] == 425
        quote = {"currency": "USD", "total": 1_000, "member_id": member}
        assert server.post("/v1/earn/quote", quote).json()["points"] == 10
        redemptions = f"/v1/members/{member}/redemptions"

        held = server.post(redemptions, {"points": 200, "order_total": 4_200, "currency": "USD"}, key="basket-1").json()
        assert (held["state"], held["value"]) == ("reserved", {"amount": 200, "currency": "USD"})
        assert server.account(member)["held"] == 200
        assert server.post(f"{redemptions}/{held['redemption_id']}/capture").json()["state"] == "captured"
        let_go = server.post(redemptions, {"reward_id": "free-coffee"}, key="basket-2").json()
        assert server.post(f"{redemptions}/{let_go['redemption_id']}/cancel").json()["state"] == "cancelled"
        assert server.post(f"{redemptions}/{let_go['redemption_id']}/capture").json()["code"] == "invalid_state"
        assert server.account(member)["balance"] == 325

        for number, amount in enumerate((12_300, 30_200), start=1):
            refund = {"order_id": "A-1", "refund_id": f"R-{number}", "amount": amount}
            assert server.post(f"/v1/members/{member}/refunds", refund).status_code == 201
        account = server.account(member)
        assert (account["balance"], account["debt"]) == (0, 100)
        server.order(member, "A-2", 25_000)
        assert server.account(member)["balance"] == 150

        server.http.post("/_local/clock", json={"now": "2027-11-30T12:00:00Z"})
        assert server.account(member)["balance"] == 150
        server.http.post("/_local/clock", json={"now": "2027-12-01T05:00:00Z"})
        assert server.account(member)["balance"] == 0
        newest = server.call("GET", f"/v1/members/{member}/entries").json()["items"][0]
        assert newest["type"] == "earn"

        assert server.http.post("/_local/run", json={"function": "expire"}).status_code == 200
        newest = server.call("GET", f"/v1/members/{member}/entries").json()["items"][0]
        assert (newest["type"], newest["points"], newest["expires_on"]) == ("expiry", -150, "2027-11-30")
        mail = server.http.get("/_local/mailbox", params={"member_id": member}).json()["messages"]
        reminders = [message["subject"] for message in mail if message["kind"] == "points_expiring"]
        assert reminders == [f"150 points expire {when}" for when in ("in 30 days", "in 7 days", "tomorrow")]
        assert server.command("verify").returncode == 0


@pytest.mark.process
def test_requests_are_recognised_after_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with serving(tmp_path, "--empty", "--data", data) as server:
        server.change_program(transfers={})
        ada, grace = server.enroll("ada"), server.enroll("grace")
        calls: list[tuple[str, dict[str, object], str | None]] = [
            (
                f"/v1/members/{ada}/earn",
                {"type": "order", "order_id": "A-1", "currency": "USD", "total": 40_000},
                None,
            ),
            (
                f"/v1/members/{ada}/refunds",
                {"order_id": "A-1", "refund_id": "R-1", "amount": 1_000},
                None,
            ),
            (f"/v1/members/{ada}/redemptions", {"reward_id": "free-coffee", "capture": True}, "coffee"),
            (f"/v1/members/{ada}/transfers", {"to_member_id": grace, "points": 150}, "gift"),
        ]
        scopes = ("storefront", "storefront", "storefront", "operator")
        first = [
            server.post(path, body, key, scope=scope) for (path, body, key), scope in zip(calls, scopes, strict=True)
        ]
        assert [answer.status_code for answer in first] == [201] * 4, [answer.text for answer in first]

    with serving(tmp_path, "--empty", "--data", data) as server:
        again = [
            server.post(path, body, key, scope=scope) for (path, body, key), scope in zip(calls, scopes, strict=True)
        ]
        changed = [
            server.post(path, {**body, field: value}, key, scope=scope).json()
            for (path, body, key), scope, (field, value) in zip(
                calls,
                scopes,
                [("total", 1), ("amount", 2), ("reward_id", "free-shipping"), ("points", 1)],
                strict=True,
            )
        ]
        assert server.is_sound()

    assert [answer.headers.get("Idempotency-Replayed") for answer in again] == ["true"] * 4
    assert [_as_booked(answer) for answer in again] == [_as_booked(answer) for answer in first]
    assert [answer["code"] for answer in changed] == ["idempotency_mismatch"] * 4


@pytest.mark.process
def test_a_token_made_before_the_server_started_is_taken(tmp_path: Path) -> None:
    token = run_loyalty(tmp_path, "token", "--scope", "loyalty/storefront").stdout.strip()
    with serving(tmp_path, "--empty", "--engine", "moto") as server:
        assert server.http.get("/_local/verify").json()["accounts"] == 0
        answer = server.http.get("/v1/rewards", headers={"Authorization": f"Bearer {token}"})
        after = server.command("token", "--scope", "loyalty/operator").stdout.strip()
        put = server.http.put("/v1/program", json={}, headers={"Authorization": f"Bearer {after}", "If-Match": '"1"'})
    assert answer.status_code == 200
    assert put.status_code == 422


def _as_booked(answer: httpx.Response) -> dict[str, object]:
    """An answer without what it says of now: the account, and how an order stands."""
    body: dict[str, Any] = {name: value for name, value in answer.json().items() if name != "account"}
    if "entry" in body:
        body["entry"] = {name: value for name, value in body["entry"].items() if name != "order"}
    return body
