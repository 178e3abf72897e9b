"""What was captured comes back: in parts, to the lots that it came from, and never more than was taken."""

from typing import Any

import pytest

from tests.functions.shop import OPERATOR, PARTNER, Reply, Shop, assert_refused
from tests.shared.wire import Wire

MUG = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 80, "stock": 1}


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with 100 points that end in 2027, and 100 that end in 2028."""
    member = shop.enroll("ada")
    shop.pass_time(days=60)
    shop.adjust(member, 100)
    return member


def captured(shop: Shop, member: str, points: int = 150, key: str = "spend-1") -> str:
    return str(shop.spend(member, points, 1000, key=key, capture=True, order_id="X").body["redemption_id"])


def reverse(shop: Shop, member: str, redemption_id: str, part: Any = None, **options: Any) -> Reply:
    return shop.post(f"/v1/members/{member}/redemptions/{redemption_id}/reverse", part, **options)


def part(points: int, reversal_id: str = "V-1") -> dict[str, Any]:
    return {"reversal_id": reversal_id, "points": points}


def read(shop: Shop, member: str, redemption_id: str) -> Any:
    return shop.get(f"/v1/members/{member}/redemptions/{redemption_id}").body


def test_a_part_comes_back_to_its_lots_what_ends_last_first(shop: Shop, ada: str) -> None:
    redemption_id = captured(shop, ada)
    assert shop.account(ada)["expiring"] == [{"on": "2028-01-31", "points": 50}]
    reply = reverse(shop, ada, redemption_id, part(40))
    assert (reply.status, reply.body["state"], reply.body["points"], reply.body["returned"]) == (
        200,
        "captured",
        150,
        40,
    )
    assert reply.body["value"] == {"amount": 150, "currency": "USD"}
    assert shop.account(ada)["expiring"] == [{"on": "2028-01-31", "points": 90}]
    reverse(shop, ada, redemption_id, part(30, "V-2"))
    assert shop.account(ada)["expiring"] == [{"on": "2027-11-30", "points": 20}, {"on": "2028-01-31", "points": 100}]
    entry = shop.entries(ada)[0]
    assert (entry["type"], entry["points"], entry["source"]["reversal_id"]) == ("reverse", 30, "V-2")


def test_parts_and_then_the_rest_are_the_whole(shop: Shop, ada: str) -> None:
    before, redemption_id = shop.account(ada)["expiring"], captured(shop, ada)
    reverse(shop, ada, redemption_id, part(40))
    reply = reverse(shop, ada, redemption_id)
    assert (reply.body["state"], reply.body["points"], reply.body["returned"]) == ("reversed", 150, 150)
    assert shop.account(ada)["expiring"] == before
    assert {**reply.body, "account": None} == read(shop, ada, redemption_id)
    with shop.writing_nothing():
        assert_refused(reverse(shop, ada, redemption_id, part(1, "V-2")), 409, "invalid_state")
        assert reverse(shop, ada, redemption_id).replayed
        again = reverse(shop, ada, redemption_id, part(40))
    assert (again.replayed, again.body["returned"], again.body["state"]) == (True, 40, "captured")


def test_the_last_part_reverses_the_redemption(shop: Shop, ada: str) -> None:
    redemption_id = captured(shop, ada)
    for number in range(3):
        assert read(shop, ada, redemption_id)["state"] == "captured"
        assert read(shop, ada, redemption_id)["voucher_code"]
        last = reverse(shop, ada, redemption_id, part(50, f"V-{number}"))
    assert (last.body["state"], last.body["returned"], last.body["voucher_code"]) == ("reversed", 150, None)
    assert read(shop, ada, redemption_id) == {**last.body, "account": None}
    assert shop.balance(ada) == 200
    with shop.writing_nothing():
        reply = reverse(shop, ada, redemption_id)
        assert_refused(reply, 409, "invalid_state")
        assert "reversed" in reply.body["detail"]


def test_no_more_comes_back_than_was_taken(shop: Shop, ada: str) -> None:
    redemption_id = captured(shop, ada)
    with shop.writing_nothing():
        assert_refused(reverse(shop, ada, redemption_id, part(151)), 409, "invalid_state")
    reverse(shop, ada, redemption_id, part(100))
    with shop.writing_nothing():
        reply = reverse(shop, ada, redemption_id, part(51, "V-2"))
        assert_refused(reply, 409, "invalid_state")
        assert "50 can come back, not 51" in reply.body["detail"]


def test_two_parts_at_once_do_not_give_back_more_than_was_taken(shop: Shop, ada: str, wire: Wire) -> None:
    redemption_id = captured(shop, ada)
    wire.before("TransactWriteItems", lambda: reverse(shop, ada, redemption_id, part(100, "V-2")))
    assert_refused(reverse(shop, ada, redemption_id, part(100)), 409, "invalid_state")
    wire.before("TransactWriteItems", lambda: reverse(shop, ada, redemption_id, part(20, "V-3")))
    reply = reverse(shop, ada, redemption_id)
    assert (reply.body["state"], reply.body["returned"]) == ("reversed", 150)
    assert shop.balance(ada) == 200


def test_a_part_comes_back_once_under_its_id(shop: Shop, ada: str) -> None:
    redemption_id = captured(shop, ada)
    first = reverse(shop, ada, redemption_id, part(40))
    with shop.writing_nothing():
        again = reverse(shop, ada, redemption_id, part(40))
        assert_refused(reverse(shop, ada, redemption_id, part(41)), 422, "idempotency_mismatch")
    assert (again.replayed, again.body) == (True, first.body)


@pytest.mark.parametrize("step", [None, "cancel"])
def test_of_what_was_not_captured_no_part_comes_back(shop: Shop, ada: str, step: str | None) -> None:
    redemption_id = str(shop.redeem(ada).body["redemption_id"])
    if step:
        shop.move(ada, redemption_id, step)
    with shop.writing_nothing():
        assert_refused(reverse(shop, ada, redemption_id, part(1)), 409, "invalid_state")


def test_of_anothers_redemption_no_part_comes_back(shop: Shop, ada: str) -> None:
    grace, redemption_id = shop.enroll("grace"), captured(shop, ada)
    reverse(shop, ada, redemption_id, part(40))
    with shop.writing_nothing():
        for one in (part(40), part(1, "V-2")):
            assert_refused(reverse(shop, grace, redemption_id, one), 404, "redemption_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"points": 5}, ""),
        ({"reversal_id": "V"}, ""),
        ({"reversal_id": "V", "points": 5, "credit": 5}, ""),
        ({"reversal_id": "V", "points": 0}, "/points"),
        ({"reversal_id": "V", "points": "5"}, "/points"),
        ({"reversal_id": "", "points": 5}, "/reversal_id"),
        ({"reversal_id": "V", "credit": 5}, "/credit"),
        ({"reversal_id": "V", "points": 5, "amount": 5}, "/amount"),
    ],
)
def test_a_fault_in_a_part_is_named_with_its_place(shop: Shop, ada: str, body: Any, pointer: str) -> None:
    redemption_id = captured(shop, ada)
    with shop.writing_nothing():
        reply = reverse(shop, ada, redemption_id, body)
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == [pointer]


def test_an_empty_body_is_all_that_is_left(shop: Shop, ada: str) -> None:
    redemption_id = captured(shop, ada)
    assert reverse(shop, ada, redemption_id, {}).body["state"] == "reversed"
    assert reverse(shop, ada, redemption_id).replayed


def test_credit_comes_back_in_parts(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 10, "per_amount": 100})
    shop.order(ada, "earlier", 10_000)
    body = {"credit": 600, "order_total": 600, "currency": "USD", "order_id": "Y", "capture": True}
    redemption_id = shop.post(f"/v1/members/{ada}/redemptions", body, key="k").body["redemption_id"]
    with shop.writing_nothing():
        assert_refused(reverse(shop, ada, redemption_id, part(100)), 422, "invalid_request")
    reply = reverse(shop, ada, redemption_id, {"reversal_id": "V-1", "credit": 250})
    assert (reply.status, reply.body["returned"], reply.body["value"]["amount"]) == (200, 250, 600)
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 650
    assert shop.post(f"/v1/members/{ada}/redemptions", {**body, "credit": 250}, key="k2").status == 201
    assert_refused(shop.post(f"/v1/members/{ada}/redemptions", {**body, "credit": 1}, key="k3"), 409, "order_paid")


def test_what_stays_is_worth_what_it_is_computed_to_be_once(shop: Shop, ada: str) -> None:
    """Three points are two cents: whichever parts come back, the order is paid by the value of what stays."""
    shop.change_program(redeeming={"points_as_money": {"points": 3, "amount": 2}})
    redemption_id = str(shop.spend(ada, 150, 100, capture=True, order_id="Z").body["redemption_id"])
    room = []
    for number in range(3):
        reverse(shop, ada, redemption_id, part(1, f"V-{number}"))
        refused = shop.spend(ada, 30, 100, key=f"k{number}", order_id="Z")
        room.append(int(refused.body["detail"].split(" more can")[0].rpartition(" ")[2]))
    assert room == [1, 2, 2]


def test_a_piece_goes_back_with_the_last_part(shop: Shop, ada: str) -> None:
    shop.change_program(redeeming={"rewards": [{**MUG, "limit": {"times": 1, "per": "month"}}]})
    redemption_id = str(shop.redeem(ada, "mug", capture=True).body["redemption_id"])
    reverse(shop, ada, redemption_id, part(79))
    assert_refused(shop.redeem(ada, "mug", key="k2"), 409, "reward_unavailable")
    reverse(shop, ada, redemption_id, part(1, "V-2"))
    assert shop.redeem(ada, "mug", key="k3").status == 201


def test_a_merged_members_redemption_comes_back_in_parts_to_who_took_them_in(shop: Shop, ada: str) -> None:
    grace, redemption_id = shop.enroll("grace"), captured(shop, ada)
    reverse(shop, ada, redemption_id, part(40))
    shop.merge(grace, ada)
    assert reverse(shop, grace, redemption_id, part(40)).replayed
    assert_refused(reverse(shop, grace, redemption_id, part(111, "V-2")), 409, "invalid_state")
    assert reverse(shop, grace, redemption_id, part(110, "V-2")).body["state"] == "reversed"
    assert shop.balance(grace) == 300


def test_a_partner_is_paid_back_for_the_part(shop: Shop, ada: str) -> None:
    cost = {"points": 100, "amount": 100}
    cafe = {"partner_id": "cafe", "name": "Cafe", "point_cost": cost, "takes_points_as_money": True}
    shop.change_program(partners=[cafe])
    body = {"points": 100, "order_total": 500, "currency": "USD", "capture": True, "code": shop.code(ada)}
    made = shop.post(f"/v1/members/{ada}/redemptions", body, key="k", partner_id="cafe").body["redemption_id"]
    assert reverse(shop, ada, made, part(30), scope=PARTNER, partner_id="cafe").status == 200
    month = shop.now.strftime("%Y-%m")
    settled = shop.get(f"/v1/partners/cafe/settlements/{month}", scope=OPERATOR).body
    points = {one["movement"]: one["points"] for one in settled["movements"]}
    assert (points["redeemed"], points["reversed"]) == (100, 30)
