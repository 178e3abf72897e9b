"""Ada brings Grace, whose first purchase pays off for both, until it is returned."""

from typing import Any

from tests.system.conftest import Server
from tests.system.stories.program import eventually, use_program

REFERRALS = {
    "friend_points": 50,
    "advocate_points": 100,
    "minimum_spend": 2000,
    "return_days": 30,
    "limit": {"times": 2, "per": "month"},
    "share_url": "https://shop.example/join?code={code}",
}


def test_a_friend_is_brought_and_both_are_rewarded_until_the_order_comes_back(server: Server) -> None:
    use_program(server, referrals=REFERRALS)
    ada = server.enroll("ada-refers")
    own = referrals(server, ada)
    code = own["referral_code"]
    assert own["share_url"] == f"https://shop.example/join?code={code}"
    assert (own["items"], own["limit"]["times_left"]) == ([], 2)

    unknown = join(server, "grace-refers", "NOBODY-222222")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/referral_code")
    grace = join(server, "grace-refers", code.lower()).json()["member_id"]
    assert referrals(server, ada)["items"][0]["state"] == "open"

    too_little = server.order(grace, "grace-1", 1_900).json()
    assert too_little["account"]["balance"] == 19
    first = server.order(grace, "grace-2", 3_000).json()
    assert first["account"]["balance"] == 19 + 30 + 50
    assert eventually(lambda: bool(server.account(ada)["pending"]))

    [friend] = referrals(server, ada)["items"]
    assert (friend["friend_id"], friend["state"], friend["points"]) == (grace, "rewarded", 100)
    assert referrals(server, ada)["limit"]["times_left"] == 1
    account = server.account(ada)
    assert (account["balance"], account["pending"]) == (0, 100)

    server.order(grace, "grace-3", 5_000)
    server.http.get("/_local/mailbox")
    assert server.account(ada)["pending"] == 100

    now = server.http.get("/_local/clock").json()["now"]
    refund = {"order_id": "grace-2", "refund_id": "back", "amount": 1_500, "refunded_at": now}
    assert server.post(f"/v1/members/{grace}/refunds", refund).status_code == 201
    assert server.account(grace)["balance"] == 19 + 15 + 50 + 50
    [friend] = referrals(server, ada)["items"]
    assert (friend["state"], friend["points"]) == ("rewarded", 100), "another order takes the place of the returned one"

    refund = {"order_id": "grace-3", "refund_id": "back", "amount": 4_000, "refunded_at": now}
    assert server.post(f"/v1/members/{grace}/refunds", refund).status_code == 201
    assert eventually(lambda: server.account(ada)["pending"] == 0)
    assert eventually(lambda: server.account(grace)["balance"] == 19 + 15 + 10)
    back = referrals(server, ada)
    assert (back["items"][0]["state"], back["items"][0]["points"], back["limit"]["times_left"]) == ("reversed", 0, 2)
    assert server.http.get("/_local/dead-letters").json()["dead_letters"] == []
    assert server.is_sound()


def test_nobody_brings_themselves_and_a_known_card_is_looked_at_first(server: Server) -> None:
    use_program(server, referrals={**REFERRALS, "friend_gets_them": "on_joining"})
    body = {"email": "eve.mallory@gmail.com", "external_id": "eve", "fingerprints": ["card-4711"]}
    eve = server.post("/v1/members", body, key="join-eve").json()
    code = eve["referral_code"]

    again = {"email": "evemallory+shop@googlemail.com", "referral_code": code}
    refused = server.post("/v1/members", again, key="join-eve-again")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "your own code" in refused.json()["errors"][0]["detail"]

    friend = {"email": "mallory@example.org", "referral_code": code, "fingerprints": ["card-4711"]}
    mallory = server.post("/v1/members", friend, key="join-mallory").json()["member_id"]
    assert server.account(mallory)["balance"] == 0
    assert referrals(server, eve["member_id"])["items"][0]["state"] == "in_review"
    server.order(mallory, "mallory-1", 3_000)

    [review] = server.call("GET", "/v1/reviews?kind=referral", scope="operator").json()["items"]
    assert review["member_id"] == mallory
    path = f"/v1/reviews/{review['review_id']}/approve"
    approved = server.call("POST", path, {}, scope="operator")
    assert approved.status_code in {200, 201}, approved.text
    assert server.account(mallory)["balance"] == 30 + 50
    assert eventually(lambda: server.account(eve["member_id"])["pending"] == 100)
    assert server.is_sound()


def join(server: Server, name: str, code: str) -> Any:
    body = {"external_id": name, "email": f"{name}@example.org", "referral_code": code}
    return server.post("/v1/members", body, key=f"join-{name}-{code}")


def referrals(server: Server, member_id: str) -> Any:
    answer = server.call("GET", f"/v1/members/{member_id}/referrals")
    assert answer.status_code == 200, answer.text
    return answer.json()
