"""What a shop does all day, through the deployed API."""

from uuid import uuid4

from infra import openapi
from tests.infra.cloud.stories import CAMPAIGN, OPERATOR, enrolled, keyed, ok, ordered
from tests.system.e2e.conftest import ORIGIN
from tests.system.e2e.world import Deployed

BONUS = CAMPAIGN["effect"]["points"]


def test_a_member_joins_earns_redeems_and_brings_something_back(world: Deployed) -> None:
    member_id = enrolled(world, email=f"{uuid4().hex}@example.com", name="Ada")
    order_id = ordered(world, member_id, total=10000)
    path = f"/v1/members/{member_id}"
    assert ok(world, "GET", f"{path}/account")["balance"] == 200 + BONUS
    coffee = ok(world, "POST", f"{path}/redemptions", {"reward_id": "free-coffee"}, headers=keyed())
    redemption = f"{path}/redemptions/{coffee['redemption_id']}"
    assert ok(world, "POST", f"{redemption}/capture")["state"] == "captured"
    refund = {"order_id": order_id, "refund_id": "r-1", "amount": 2000, "refunded_at": world.now().isoformat()}
    assert ok(world, "POST", f"{path}/refunds", refund)["entry"]["points"] == -20
    account = ok(world, "GET", f"{path}/account")
    assert account["balance"] == 200 + BONUS - 150 - 20
    entries = ok(world, "GET", f"{path}/entries")["items"]
    assert [entry["sequence"] for entry in entries] == [5, 4, 3, 2, 1]


def test_a_repeated_order_is_credited_once(world: Deployed) -> None:
    member_id = enrolled(world)
    body = {"type": "order", "order_id": uuid4().hex, "placed_at": world.now().isoformat(), "currency": "USD"}
    replies = [world.call("POST", f"/v1/members/{member_id}/earn", {**body, "total": 500}) for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 200]
    assert replies[1].headers["Idempotency-Replayed"] == "true"
    assert replies[0].body["entry"] == replies[1].body["entry"]


def test_a_member_is_found_by_what_only_the_secret_can_find(world: Deployed) -> None:
    email = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=email)
    assert ok(world, "POST", "/v1/members/lookup", {"email": email.upper()})["member_id"] == member_id


def test_everybody_may_read_the_document_and_the_program(world: Deployed) -> None:
    document = ok(world, "GET", openapi.DOCUMENT_PATH, scope=None)
    assert document == openapi.document()
    assert ok(world, "GET", "/v1/program", scope=None)["name"]


def test_what_no_route_takes_is_a_problem(world: Deployed) -> None:
    reply = world.call("GET", "/v2/members", scope=None)
    assert (reply.status, reply.body["code"]) == (404, "route_not_found")
    reply = world.call("DELETE", "/v1/program", scope=None)
    assert (reply.status, reply.body["code"]) == (405, "method_not_allowed")


def test_a_page_of_the_shop_may_call_from_a_browser(world: Deployed) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    allowed = world.preflight("/v1/rewards", asked)
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in world.preflight(
        "/v1/rewards", {**asked, "Origin": "https://evil.example"}
    )


def test_an_operator_adjusts_points_in_their_own_name(world: Deployed) -> None:
    member_id = enrolled(world)
    adjustment = {"points": 7, "reason": "late delivery", "reference": uuid4().hex}
    answer = ok(world, "POST", f"/v1/members/{member_id}/adjustments", adjustment, scope=OPERATOR)
    assert answer["entry"]["actor"] == "operator:e2e"
