"""A cafe gives and takes the shop's points: it pays in advance, hears when that runs low, and settles by the month."""

import time
from datetime import datetime
from typing import Any

import httpx

from shared.domain.calendar import local_day
from tests.system.conftest import Server
from tests.system.stories.program import BASE, use_program

SECONDS_MAX = 10
CAFE = {
    "partner_id": "cafe",
    "name": "Corner Cafe",
    "may_redeem": True,
    "funding": "prepaid",
    "point_cost": {"points": 100, "amount": 80},
    "limits": {"points_per_order": 60},
    "alert_below": 50,
}
HOTEL = {"partner_id": "hotel", "name": "Hotel", "point_cost": {"points": 1, "amount": 1}}
CAKE = {"reward_id": "cake", "name": "Cake", "kind": "partner", "partner_id": "cafe", "points": 40}


def test_a_partner_gives_points_takes_points_and_settles(server: Server) -> None:
    use_program(server, partners=[CAFE, HOTEL], redeeming={"rewards": [CAKE]})
    for partner_id in ("cafe", "hotel"):
        command = server.command("token", "--scope", "loyalty/partner", "--partner-id", partner_id)
        server.tokens[partner_id] = command.stdout.strip()
    member = server.enroll("partners-ada")
    found = server.post("/v1/members/lookup", {"external_id": "partners-ada"}, scope="cafe")
    assert found.json() == {"member_id": member}, "a partner learns who it is, and nothing of them"
    assert server.post("/v1/members/lookup", {"email": "a@example.org"}, scope="cafe").status_code == 403

    broke = earn(server, member, "1", 5000)
    assert (broke.status_code, broke.json()["code"]) == (409, "partner_funding_exhausted")
    paid_in = {"amount": 80, "currency": "USD", "reference": "transfer-1"}
    assert operator(server, "POST", "/v1/partners/cafe/deposits", paid_in)["points"] == 100
    again = server.post("/v1/partners/cafe/deposits", paid_in, scope="operator")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["funds"]["left"] == 100

    first = earn(server, member, "1", 9000)
    assert first.status_code == 201, first.text
    assert (first.json()["entry"]["points"], first.json()["entry"]["source"]["order_id"]) == (60, "1")
    assert first.json()["entry"]["source"]["partner_id"] == "cafe"
    assert earn(server, member, "2", 4100).json()["detail"].endswith("pay for 40 more")
    assert [event["points_left"] for event in low_funds(server)] == [40], "told once, when it fell below the level"
    back = {"order_id": "1", "refund_id": "r", "amount": 4500, "refunded_at": now(server)}
    assert server.post(f"/v1/members/{member}/refunds", back, scope="hotel").json()["code"] == "order_not_found"
    returned = server.post(f"/v1/members/{member}/refunds", back, scope="cafe").json()["entry"]
    assert returned["points"] == -15
    assert operator(server, "GET", "/v1/partners/cafe")["funds"]["left"] == 55

    path = f"/v1/members/{member}/redemptions"
    alone = server.post(path, {"reward_id": "cake"}, key="cake", scope="cafe")
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/code"), "the member is not there"
    shown = server.post(f"/v1/members/{member}/codes").json()
    assert server.post("/v1/members/lookup", {"code": shown["text"]}, scope="cafe").json() == {"member_id": member}
    cake = server.post(path, {"reward_id": "cake", "code": shown["code"]}, key="cake", scope="cafe").json()
    step = f"{path}/{cake['redemption_id']}"
    assert server.post(f"{step}/capture", scope="hotel").json()["code"] == "redemption_not_found"
    assert server.post(f"{step}/capture", scope="cafe").json()["state"] == "captured"

    month = server.call("GET", f"/v1/partners/me/settlements/{this_month(server)}", scope="cafe").json()
    points = {one["movement"]: one["points"] for one in month["movements"]}
    assert points == {"issued": 60, "taken_back": 15, "redeemed": 40, "reversed": 0}
    assert month["prepaid"]["points"] == 45
    assert (month["net"]["amount"], month["owed_by"]) == (-32, "shop"), "40 points, at 80 cents for 100"
    entries = server.call("GET", "/v1/partners/me/entries", scope="cafe").json()["items"]
    assert [entry["type"] for entry in entries] == ["earn", "refund", "reserve", "capture"]
    assert server.call("GET", "/v1/partners/cafe", scope="hotel").json()["code"] == "partner_not_found"
    assert server.is_sound()


def earn(server: Server, member: str, order_id: str, total: int) -> httpx.Response:
    order = {"type": "order", "order_id": order_id, "placed_at": now(server), "currency": "USD", "total": total}
    return server.post(f"/v1/members/{member}/earn", order, scope="cafe")


def operator(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = server.call(method, path, body, scope="operator")
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json())


def low_funds(server: Server) -> list[dict[str, Any]]:
    """The stream brings them a moment later."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        events = server.http.get("/_local/mailbox").json()["events"]
        if found := [event for event in events if event["type"] == "partner.low_funds"]:
            return found
        time.sleep(0.05)
    return []


def now(server: Server) -> str:
    return str(server.http.get("/_local/clock").json()["now"])


def this_month(server: Server) -> str:
    """By the shop's own clock."""
    return local_day(datetime.fromisoformat(now(server)), BASE["time_zone"]).isoformat()[:7]
