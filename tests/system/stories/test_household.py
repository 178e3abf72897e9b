"""A household shares its points, and somebody gives some away."""

from tests.system.conftest import Server
from tests.system.stories.program import use_program


def test_a_family_collects_into_one_pool(server: Server) -> None:
    use_program(server, pools={"members_max": 3})
    mum, dad, kid = (server.enroll(f"household-{name}") for name in ("mum", "dad", "kid"))
    server.order(mum, "HH-1", 10_000)

    opened = server.post("/v1/pools", {"member_id": mum}, key="hh-open")
    assert (opened.status_code, opened.json()["balance"]) == (201, 100)
    pool = f"/v1/pools/{opened.json()['pool_id']}"
    for name in (dad, kid):
        invited = server.post(f"{pool}/invitations", key=f"hh-invite-{name}").json()
        joining = {"member_id": name, "invitation": invited["code"]}
        assert server.post(f"{pool}/members", joining, key=f"hh-join-{name}").status_code == 201
    late = server.enroll("household-late")
    again = server.post(f"{pool}/members", {"member_id": late, "invitation": invited["code"]}, key="hh-late")
    assert (again.status_code, again.json()["code"]) == (409, "code_expired")

    earned = server.order(dad, "HH-2", 5_000).json()
    assert earned["account"]["balance"] == 150
    bought = server.post(
        f"/v1/members/{kid}/redemptions", {"reward_id": "coffee", "capture": True}, key="hh-coffee"
    ).json()
    assert (bought["state"], bought["account"]["pool"]["balance"]) == ("captured", 50)
    members = {one["member_id"]: one for one in server.call("GET", pool).json()["members"]}
    assert (members[mum]["contributed"], members[dad]["contributed"], members[kid]["spent"]) == (100, 50, 100)

    now = server.http.get("/_local/clock").json()["now"]
    refund = {"order_id": "HH-1", "refund_id": "HH-R", "amount": 3_000, "refunded_at": now}
    assert server.post(f"/v1/members/{mum}/refunds", refund).json()["account"]["balance"] == 20

    server.order(dad, "HH-3", 4_000)
    # The kid has spent what they never put in, and mum's 70 are gone; dad takes along what is there of his 90.
    for name, own, left in ((kid, 0, 60), (dad, 60, 0), (mum, 0, 0)):
        gone = server.call("DELETE", f"{pool}/members/{name}", key=f"hh-leave-{name}")
        assert gone.json()["balance"] == left
        assert server.account(name)["balance"] == own
    assert server.is_sound()


def test_points_are_given_accepted_and_declined(server: Server) -> None:
    use_program(server, gifts={"accept_days": 14, "points_max": 100})
    giver, friend = server.enroll("gift-giver"), server.enroll("gift-friend")
    server.order(giver, "GI-1", 20_000)
    path = f"/v1/members/{giver}/gifts"

    offered = server.post(path, {"to_member_id": friend, "points": 80, "message": "For the tea"}, key="gi-1").json()
    assert (offered["state"], server.account(giver)["held"]) == ("offered", 80)
    gift = f"/v1/members/{friend}/gifts/{offered['gift_id']}"
    assert server.call("GET", gift).json()["message"] == "For the tea"
    assert server.post(f"{gift}/accept").json()["state"] == "accepted"
    assert server.account(friend)["expiring"] == [{"on": server.account(giver)["expiring"][0]["on"], "points": 80}]

    second = server.post(path, {"to_member_id": friend, "points": 30}, key="gi-2").json()
    declined = server.post(f"/v1/members/{friend}/gifts/{second['gift_id']}/return").json()
    assert (declined["state"], server.account(giver)["balance"]) == ("returned", 120)
    too_much = server.post(path, {"to_member_id": friend, "points": 101}, key="gi-3").json()
    assert too_much["code"] == "invalid_request"
    assert server.is_sound()
