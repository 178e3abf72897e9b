"""A coffee that is fetched next week, a birthday cake, and a gift that goes with the order that brought it."""

from tests.system.conftest import Server
from tests.system.stories.program import eventually, use_program

COFFEE = {"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "COFFEE", "points": 100}
CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "CAKE", "points": 80, "offered": False}
BADGE = {"challenge_id": "two", "name": "Two orders", "goal": {"kind": "count", "of": "orders", "target": 2}}
GIFT = {"gift_id": "two-orders", "reward_id": "cake", "on": {"kind": "badge", "challenge_id": "two"}}


def test_a_coffee_is_fetched_next_week_and_a_cake_goes_with_its_order(server: Server) -> None:
    rewards = [{**COFFEE, "voucher": {"valid_days": 30}}, {**CAKE, "voucher": {"valid_days": 30}}]
    use_program(server, redeeming={"rewards": rewards}, challenges=[BADGE], given_vouchers=[GIFT])
    ada = server.enroll("voucher-ada")
    server.order(ada, "V-1", 30_000)
    bought = {"reward_id": "coffee", "quantity": 2, "capture": True}
    redemption = server.post(f"/v1/members/{ada}/redemptions", bought, key="v-coffee").json()
    code = redemption["voucher_code"]

    def listed() -> list[str]:
        items = server.call("GET", f"/v1/members/{ada}/vouchers").json()["items"]
        return sorted(one["name"] for one in items)

    assert listed() == ["Coffee"]
    found = server.post("/v1/vouchers/lookup", {"code": code.lower()}).json()["voucher"]
    assert (found["state"], found["quantity_left"]) == ("live", 2)
    used = server.post("/v1/vouchers/use", {"code": code, "reference": "till-1", "store_id": "Main Street"})
    assert (used.status_code, used.json()["use"]["store_id"]) == (200, "Main Street")
    again = server.post("/v1/vouchers/use", {"code": code, "reference": "till-2"})
    assert (again.status_code, again.json()["code"]) == (409, "voucher_used")
    path = f"/v1/members/{ada}/redemptions/{redemption['redemption_id']}/reverse"
    assert server.post(path).status_code == 409
    assert server.post("/v1/vouchers/undo", {"code": code, "reference": "till-1"}).status_code == 200
    assert server.post(path).json()["state"] == "reversed"

    server.order(ada, "V-2", 1_000)
    assert eventually(lambda: listed() == ["Cake"])
    now = server.http.get("/_local/clock").json()["now"]
    refund = {"order_id": "V-2", "refund_id": "V-R", "amount": 1_000, "refunded_at": now}
    assert server.post(f"/v1/members/{ada}/refunds", refund).status_code == 201
    assert eventually(lambda: listed() == [])
    assert server.is_sound()
