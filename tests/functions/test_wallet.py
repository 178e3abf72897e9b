"""Store credit, called as API Gateway does."""

import pytest

from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire

CASHBACK = {"amount": 10, "per_amount": 100, "minimum_payout": 100, "order_share_percent": 50}


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member of a shop that gives ten cents for each dollar."""
    shop.change_program(cashback=CASHBACK)
    return shop.enroll("ada")


def credit(shop: Shop, member_id: str) -> int:
    return int(shop.get(f"/v1/members/{member_id}/credit").body["balance"]["amount"])


def payout(shop: Shop, member_id: str, amount: int, reference: str = "P-1", **more: object) -> Reply:
    body = {"amount": amount, "currency": "USD", "reference": reference, **more}
    return shop.post(f"/v1/members/{member_id}/credit/payouts", body)


def test_staff_earn_neither_points_nor_credit(shop: Shop, ada: str) -> None:
    shop.change_program(cashback=CASHBACK, standing_rules={"excluded": {"tags": ["staff"]}})
    shop.post(f"/v1/members/{ada}/tags", {"add": ["staff"]}, key="T-1")
    reply = shop.order(ada, "A-1", 10_000)
    assert (reply.body["entry"]["points"], reply.body["entry"]["breakdown"][0]["rule_id"]) == (0, "excluded")
    assert credit(shop, ada) == 0
    assert shop.get(f"/v1/members/{ada}/credit/entries").body["items"] == []


def test_an_order_earns_points_and_credit_in_two_requests(shop: Shop, ada: str, wire: Wire) -> None:
    shop.order(ada, "A-0")
    wire.requests.clear()
    reply = shop.order(ada, "A-1", 4255)
    assert wire.requests == ["TransactGetItems", "TransactWriteItems"]
    assert (reply.status, reply.body["entry"]["points"]) == (201, 42)
    assert credit(shop, ada) == 425 + 425
    again = shop.order(ada, "A-1", 4255)
    assert again.replayed
    assert credit(shop, ada) == 850
    entries = shop.get(f"/v1/members/{ada}/credit/entries").body["items"]
    assert [(entry["type"], entry["points"]) for entry in entries] == [("earn", 425), ("earn", 425), ("enroll", 0)]


def test_refunds_take_back_credit_rounded_once_and_owe_what_is_spent(shop: Shop, ada: str) -> None:
    shop.order(ada, "A-1", 1005)
    assert credit(shop, ada) == 100
    for number in range(3):
        assert shop.refund(ada, 335, refund_id=f"R-{number}").status == 201
    assert credit(shop, ada) == 0
    shop.order(ada, "A-2", 2000)
    assert payout(shop, ada, 200).status == 201
    shop.refund(ada, 2000, "A-2", "R-9")
    body = shop.get(f"/v1/members/{ada}/credit").body
    assert (body["balance"]["amount"], body["debt"]) == (0, {"amount": 200, "currency": "USD"})


def test_credit_goes_through_the_life_of_a_redemption(shop: Shop, ada: str, wire: Wire) -> None:
    shop.order(ada, "A-1", 10_000)
    path = f"/v1/members/{ada}/redemptions"
    spend = {"credit": 600, "order_total": 2000, "currency": "USD"}
    wire.requests.clear()
    held = shop.post(path, spend, key="basket")
    assert wire.requests == ["TransactGetItems", "TransactWriteItems"]
    assert (held.status, held.body["points"], held.body["value"]["amount"]) == (201, 0, 600)
    assert shop.post(path, spend, key="basket").replayed
    redemption_id = held.body["redemption_id"]
    assert shop.get(f"{path}/{redemption_id}").body["state"] == "reserved"
    assert credit(shop, ada) == 400
    assert shop.move(ada, redemption_id, "capture").body["state"] == "captured"
    assert shop.move(ada, redemption_id, "reverse").body["state"] == "reversed"
    assert credit(shop, ada) == 1000
    assert_refused(shop.post(path, {**spend, "credit": 1001}, key="b2"), 422, "invalid_request")
    assert_refused(
        shop.post(path, {**spend, "order_total": 90_000, "credit": 1001}, key="b3"), 409, "insufficient_points"
    )


def test_a_payout_keeps_to_the_programs_rules(shop: Shop, ada: str) -> None:
    shop.order(ada, "A-1", 10_000)
    assert payout(shop, ada, 50).pointers == ["/amount"]
    assert payout(shop, ada, 150, to="cash").pointers == ["/to"]
    assert payout(shop, ada, 150, currency="EUR").pointers == ["/currency"]
    assert_refused(payout(shop, ada, 5000), 409, "insufficient_points")
    first, again, changed = payout(shop, ada, 150), payout(shop, ada, 150), payout(shop, ada, 151)
    assert (first.status, again.status, again.replayed) == (201, 200, True)
    assert first.body["entry"] == again.body["entry"]
    assert_refused(changed, 422, "idempotency_mismatch")
    shop.change_program(cashback={"cash_payouts": True, **CASHBACK})
    assert payout(shop, ada, 150, "P-2", to="cash").status == 201
    assert credit(shop, ada) == 700


def test_without_the_section_there_is_no_credit(shop: Shop) -> None:
    ada = shop.enroll("ada")
    shop.order(ada)
    assert credit(shop, ada) == 0
    assert_refused(payout(shop, ada, 150), 409, "not_offered")
    spend = {"credit": 100, "order_total": 2000, "currency": "USD"}
    assert_refused(shop.post(f"/v1/members/{ada}/redemptions", spend, key="s"), 409, "not_offered")


def test_a_frozen_member_is_not_paid_out(shop: Shop, ada: str) -> None:
    shop.order(ada, "A-1", 10_000)
    freeze = shop.post(f"/v1/members/{ada}/freeze", {"reason": "fraud", "reference": "F-1"}, scope=OPERATOR)
    assert freeze.status in {200, 201}, freeze.body
    assert_refused(payout(shop, ada, 150), 409, "member_frozen")


def test_another_members_wallet_is_nobodys(shop: Shop, ada: str) -> None:
    bob = shop.enroll("bob")
    assert_refused(shop.get(f"/v1/members/{ada}/credit", scope=MEMBER, member_id=bob), 404, "member_not_found")
    assert_refused(shop.get("/v1/members/me~credit/credit"), 404, "member_not_found")


def test_erasing_says_what_lapses(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, "A-1", 10_000)
    shop.spend(ada, 50, 1000)
    first = shop.erase(ada)
    assert (first.body["lapsed_points"], first.body["lapsed_credit"]) == (200, {"amount": 1000, "currency": "USD"})
    assert shop.erase(ada).body == first.body
    nothing = shop.erase(grace).body
    assert (nothing["lapsed_points"], nothing["lapsed_credit"]) == (100, None)


def test_merging_moves_credit_and_erasing_forfeits_it(shop: Shop, ada: str) -> None:
    bob = shop.enroll("bob")
    shop.order(bob, "B-1", 10_000)
    assert shop.merge(ada, bob).status == 200
    assert credit(shop, ada) == 1000
    assert shop.refund(ada, 10_000, "B-1").status == 201
    assert credit(shop, ada) == 0
    shop.order(ada, "A-2", 10_000)
    export = shop.get(f"/v1/members/{ada}/export", scope=OPERATOR).body
    assert export["credit"]["balance"]["amount"] == 1000
    assert len(export["credit_entries"]) == 7
    assert shop.erase(ada).status == 200
    assert credit(shop, ada) == 0
