"""Who may join, who earns nothing, and how much anybody earns at most."""

from tests.system.conftest import Server
from tests.system.stories.program import use_program

RULES = {
    "minimum_age": 16,
    "excluded": {"tags": ["staff"], "email_domains": ["reseller.example"]},
    "caps": {"points_per_order": 100, "points_per_day": 150},
    "no_expiry_in": ["US-CA"],
}


def test_the_rules_hold_whatever_else_the_program_says(server: Server) -> None:
    use_program(server, standing_rules=RULES)
    unsaid = server.post("/v1/members", {"external_id": "kim"}, key="join-kim")
    assert (unsaid.status_code, unsaid.json()["code"]) == (409, "not_eligible")
    young = server.post("/v1/members", {"external_id": "kim", "birth_date": "2015-06-01"}, key="join-kim")
    assert "from 2031-06-01" in young.json()["detail"]
    details = {"external_id": "kim", "age_confirmed": True, "place": "US-CA"}
    kim = server.post("/v1/members", details, key="join-kim").json()["member_id"]

    capped = server.order(kim, "kim-1", 20_000).json()["entry"]
    assert capped["points"] == 100
    assert [line["rule_id"] for line in capped["breakdown"]] == ["base", "cap:order"]
    assert capped["expires_on"] is None
    day = server.order(kim, "kim-2", 8_000).json()["entry"]
    assert day["points"] == 50
    assert "limit of 150 points per day reached, frees on" in day["breakdown"][1]["description"]
    quote = {"currency": "USD", "total": 1_000, "member_id": kim}
    assert server.post("/v1/earn/quote", quote).json()["points"] == 0

    # Half of the capped order would still have earned the cap; a quarter of it 50 points.
    now = server.http.get("/_local/clock").json()["now"]
    for number, (amount, balance) in enumerate(((10_000, 150), (5_000, 100)), start=1):
        refund = {"order_id": "kim-1", "refund_id": f"r{number}", "amount": amount, "refunded_at": now}
        assert server.post(f"/v1/members/{kim}/refunds", refund).json()["account"]["balance"] == balance

    seller = {"email": "sam@shop.reseller.example", "age_confirmed": True}
    sam = server.post("/v1/members", seller, key="join-sam").json()["member_id"]
    [line] = server.order(sam, "sam-1", 20_000).json()["entry"]["breakdown"]
    assert (line["rule_id"], line["points"]) == ("excluded", 0)
    assert server.call("PATCH", f"/v1/members/{sam}", {"email": "sam@example.org"}).status_code == 200
    assert server.order(sam, "sam-2", 5_000).json()["entry"]["points"] == 0
    assert server.post(f"/v1/members/{sam}/tags", {"excluded": False}, key="lift-sam").json()["excluded"] is False
    assert server.order(sam, "sam-4", 5_000).json()["entry"]["points"] == 50
    tagged = server.post(f"/v1/members/{sam}/tags", {"add": ["staff"]}, key="tag-sam")
    assert tagged.status_code in {200, 201}, tagged.text
    assert server.order(sam, "sam-3", 5_000).json()["entry"]["points"] == 0
    assert server.is_sound()
