"""Several redemptions on one order: points as money and store credit together never pay more than there is to pay."""

from typing import Any

import pytest

from shared import settings
from shared.domain.spending.order_payments import Payments
from shared.tables import client, keys
from shared.tables.order_payments import payments_of
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire

HOLD_MINUTES = 30
CAFE = {
    "partner_id": "cafe",
    "name": "Cafe",
    "point_cost": {"points": 100, "amount": 100},
    "takes_points_as_money": True,
}


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with 2000 points, worth as many cents, and 1000 cents of credit."""
    shop.change_program(cashback={"amount": 10, "per_amount": 100}, operators={"adjustment_limit_points": 10_000})
    member = shop.enroll("ada")
    shop.order(member, "earlier", 10_000)
    shop.adjust(member, 1800)
    return member


def pay(shop: Shop, member: str, points: int, key: str, order_total: int = 600, order_id: str = "X") -> Reply:
    return shop.spend(member, points, order_total, key=key, order_id=order_id)


def pay_credit(shop: Shop, member: str, credit: int, key: str, order_total: int = 600, order_id: str = "X") -> Reply:
    body = {"credit": credit, "order_total": order_total, "currency": "USD", "order_id": order_id}
    return shop.post(f"/v1/members/{member}/redemptions", body, key=key)


def paid(order_id: str = "X") -> Payments:
    return payments_of(client.get(settings.loyalty_table(), keys.paid_key(order_id)))


def test_an_order_is_never_paid_beyond_its_total(shop: Shop, ada: str) -> None:
    assert pay(shop, ada, 500, "k1").status == 201
    with shop.writing_nothing():
        refused = pay(shop, ada, 500, "k2")
        assert_refused(refused, 409, "order_paid")
        assert "100 more can be paid by points" in refused.body["detail"]
        assert_refused(pay_credit(shop, ada, 101, "k3"), 409, "order_paid")
    assert pay_credit(shop, ada, 100, "k4").status == 201
    with shop.writing_nothing():
        assert_refused(pay(shop, ada, 1, "k5"), 409, "order_paid")
    assert paid() == Payments(500, 100, 600)


def test_without_an_order_nothing_is_added_up(shop: Shop, ada: str) -> None:
    for number in range(3):
        assert shop.spend(ada, 600, 600, key=f"k{number}").status == 201


def test_a_reward_pays_for_no_part_of_an_order(shop: Shop, ada: str) -> None:
    assert shop.redeem(ada, "five-off", order_id="X").status == 201
    assert pay(shop, ada, 600, "k1").status == 201


def test_parts_together_keep_to_the_programs_share(shop: Shop, ada: str) -> None:
    shop.change_program(
        redeeming={"points_as_money": {"points": 100, "amount": 100, "order_share_percent": 50}},
        cashback={"amount": 10, "per_amount": 100, "order_share_percent": 25},
    )
    assert pay(shop, ada, 200, "k1").status == 201
    with shop.writing_nothing():
        assert_refused(pay(shop, ada, 301, "k2"), 422, "invalid_request")
        assert_refused(pay(shop, ada, 101, "k3"), 409, "order_paid")
    assert pay(shop, ada, 100, "k4").status == 201
    assert pay_credit(shop, ada, 150, "k5").status == 201
    with shop.writing_nothing():
        assert_refused(pay_credit(shop, ada, 1, "k6"), 409, "order_paid")


def test_the_first_redemption_says_what_the_order_comes_to(shop: Shop, ada: str) -> None:
    first = pay(shop, ada, 100, "k1")
    with shop.writing_nothing():
        for other in (pay(shop, ada, 100, "k2", 700), pay_credit(shop, ada, 100, "k3", 500)):
            assert_refused(other, 422, "invalid_request")
            assert other.pointers == ["/order_total"]
    shop.move(ada, first.body["redemption_id"], "cancel")
    assert pay(shop, ada, 100, "k4", 700).status == 201
    assert_refused(pay(shop, ada, 100, "k5", 600), 422, "invalid_request")


def test_what_is_booked_for_an_order_is_what_it_comes_to(shop: Shop, ada: str) -> None:
    shop.order(ada, "X", 1000)
    reply = pay(shop, ada, 100, "k1", 600)
    assert_refused(reply, 422, "invalid_request")
    assert "must be 1000" in reply.body["detail"]
    shop.refund(ada, 400, "X")
    assert pay(shop, ada, 500, "k2", 600).status == 201
    shop.refund(ada, 200, "X", "R-2")
    assert_refused(pay(shop, ada, 1, "k3", 600), 422, "invalid_request")
    assert_refused(pay(shop, ada, 1, "k4", 400), 409, "order_paid")


def cancelled(shop: Shop, member: str, first: Reply) -> None:
    shop.move(member, first.body["redemption_id"], "cancel")


def lapsed(shop: Shop, _member: str, _first: Reply) -> None:
    shop.pass_time(minutes=HOLD_MINUTES)


def reversed_(shop: Shop, member: str, first: Reply) -> None:
    for step in ("capture", "reverse"):
        shop.move(member, first.body["redemption_id"], step)


@pytest.mark.parametrize("undone", [cancelled, lapsed, reversed_])
@pytest.mark.parametrize("first", [pay, pay_credit])
@pytest.mark.parametrize("second", [pay, pay_credit])
def test_what_was_not_paid_in_the_end_can_be_paid_again(
    shop: Shop, ada: str, first: Any, second: Any, undone: Any
) -> None:
    reply = first(shop, ada, 600, "k1")
    assert_refused(second(shop, ada, 1, "k2"), 409, "order_paid")
    undone(shop, ada, reply)
    assert second(shop, ada, 600, "k3").status == 201
    assert_refused(first(shop, ada, 1, "k4"), 409, "order_paid")


def test_what_is_captured_or_belongs_to_a_merged_member_still_counts(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    held, credit = pay(shop, ada, 300, "k1"), pay_credit(shop, ada, 100, "k2")
    shop.move(ada, held.body["redemption_id"], "capture")
    shop.merge(grace, ada)
    assert paid() == Payments(300, 100, 600)
    assert_refused(pay(shop, grace, 201, "k3"), 409, "order_paid")
    shop.move(grace, credit.body["redemption_id"], "cancel")
    assert pay(shop, grace, 300, "k4").status == 201
    shop.call("DELETE", f"/v1/members/{grace}", scope=OPERATOR)
    assert paid() == Payments(300, 0, 600)


def test_two_members_who_pay_one_order_at_once_do_not_pay_it_twice(shop: Shop, ada: str, wire: Wire) -> None:
    grace = shop.enroll("grace")
    shop.adjust(grace, 900, "case-2")
    wire.before("TransactWriteItems", lambda: pay(shop, grace, 500, "k1"))
    assert_refused(pay(shop, ada, 500, "k2"), 409, "order_paid")
    assert paid() == Payments(500, 0, 600)
    wire.before("TransactWriteItems", lambda: pay(shop, grace, 50, "k3"))
    assert pay(shop, ada, 50, "k4").status == 201
    assert_refused(pay(shop, ada, 1, "k5"), 409, "order_paid")


def test_a_payment_is_made_once_however_often_it_is_sent(shop: Shop, ada: str) -> None:
    first = pay(shop, ada, 600, "k1")
    with shop.writing_nothing():
        again = pay(shop, ada, 600, "k1")
    assert (again.status, again.replayed) == (200, True)
    assert again.body == first.body


def test_a_partners_order_is_another_than_the_shops(shop: Shop, ada: str) -> None:
    shop.change_program(partners=[CAFE])
    assert pay(shop, ada, 600, "k1").status == 201
    body = {"points": 500, "order_total": 500, "currency": "USD", "order_id": "X"}
    code = {"code": shop.code(ada)}
    made = shop.post(f"/v1/members/{ada}/redemptions", {**body, **code}, key="k1", partner_id="cafe")
    assert (made.status, made.body["order_id"]) == (201, "X")
    code = {"code": shop.code(ada)}
    again = shop.post(f"/v1/members/{ada}/redemptions", {**body, **code}, key="k2", partner_id="cafe")
    assert_refused(again, 409, "order_paid")
    captured = f"/v1/members/{ada}/redemptions/{made.body['redemption_id']}/capture"
    assert shop.post(captured, partner_id="cafe").body["order_id"] == "X"


def pay_as_member(
    shop: Shop, member: str, points: int, key: str, order_total: int, order_id: str = "X", **more: Any
) -> Reply:
    own: dict[str, Any] = {"scope": MEMBER, "member_id": member, "caller": f"sub-{member}"}
    body = {"points": points, "order_total": order_total, "currency": "USD", "order_id": order_id, **more}
    return shop.post("/v1/members/me/redemptions", body, key=key, **own)


def capture(shop: Shop, member: str, reserved: Reply) -> Reply:
    return shop.move(member, reserved.body["redemption_id"], "capture")


def test_a_member_names_no_order_that_is_booked_for_somebody_else(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(grace, "X", 1000)
    own: dict[str, Any] = {"scope": MEMBER, "member_id": ada}
    with shop.writing_nothing():
        assert_refused(pay_as_member(shop, ada, 500, "k1", 1000), 409, "order_belongs_to_another_member")
        of_reward = {"reward_id": "free-coffee", "order_id": "X"}
        reply = shop.post("/v1/members/me/redemptions", of_reward, key="k2", **own)
        assert_refused(reply, 409, "order_belongs_to_another_member")
        of_credit = {"credit": 5, "order_total": 1000, "currency": "USD", "order_id": "X"}
        reply = shop.post("/v1/members/me/redemptions", of_credit, key="k3", **own)
        assert_refused(reply, 409, "order_belongs_to_another_member")
    claim = {"claim_id": "C-1", "reason": "wrong card"}
    assert shop.post(f"/v1/members/{ada}/orders/X/claim", claim, scope=OPERATOR).status in {200, 201}
    assert pay_as_member(shop, ada, 500, "k1", 1000).status == 201
    assert paid() == Payments(500, 0, 1000)


def test_what_a_member_pays_of_a_booked_order_of_theirs_counts_at_once(shop: Shop, ada: str) -> None:
    shop.order(ada, "X", 1000)
    assert_refused(pay_as_member(shop, ada, 500, "k1", 2000), 422, "invalid_request")
    assert pay_as_member(shop, ada, 900, "k2", 1000, capture=True).status == 201
    assert_refused(pay_as_member(shop, ada, 101, "k3", 1000), 409, "order_paid")


def test_a_members_word_binds_nobody(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.adjust(grace, 900, "case-2")
    guessed = pay_as_member(shop, ada, 100, "k1", 100)
    assert (guessed.status, paid()) == (201, Payments())
    assert pay(shop, grace, 600, "k2").status == 201
    with shop.writing_nothing():
        assert_refused(pay_as_member(shop, ada, 1, "k3", 100), 422, "invalid_request")
        assert_refused(pay_as_member(shop, ada, 1, "k4", 600), 409, "order_paid")
        refused = capture(shop, ada, guessed)
        assert_refused(refused, 422, "invalid_request")
        assert "0 can be paid by points, not 100" in refused.body["detail"]
    shop.move(ada, guessed.body["redemption_id"], "cancel")
    assert paid() == Payments(600, 0, 600)


def test_a_member_reserves_before_the_order_is_booked_and_the_shops_capture_decides(shop: Shop, ada: str) -> None:
    first, second = (pay_as_member(shop, ada, 400, key, 600) for key in ("k1", "k2"))
    assert capture(shop, ada, first).status == 200
    assert paid() == Payments(400, 0, 600)
    with shop.writing_nothing():
        assert_refused(capture(shop, ada, second), 422, "invalid_request")
        assert_refused(pay(shop, ada, 201, "k3"), 409, "order_paid")
    shop.move(ada, first.body["redemption_id"], "reverse")
    assert paid() == Payments(0, 0, None)
    shop.order(ada, "X", 500)
    assert capture(shop, ada, second).status == 200
    assert paid() == Payments(400, 0, 500)


def test_a_member_does_not_capture_what_pays_for_an_order_that_nobody_has_booked(shop: Shop, ada: str) -> None:
    with shop.writing_nothing():
        reply = pay_as_member(shop, ada, 100, "k1", 600, capture=True)
        assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/capture"]


def test_a_capture_takes_no_more_than_the_share_of_what_the_order_has_become(shop: Shop, ada: str) -> None:
    shop.change_program(redeeming={"points_as_money": {"points": 100, "amount": 100, "order_share_percent": 50}})
    of_member = pay_as_member(shop, ada, 1000, "k1", 1_000_000, order_id="Z")
    of_shop = pay(shop, ada, 900, "k2", 1800, order_id="Y")
    for order_id in ("Y", "Z"):
        shop.order(ada, order_id, 1000)
    with shop.writing_nothing():
        for reserved in (of_member, of_shop):
            refused = capture(shop, ada, reserved)
            assert_refused(refused, 422, "invalid_request")
            assert "comes to 1000 minor units by now, of which 500 can be paid by points" in refused.body["detail"]
    assert shop.move(ada, of_member.body["redemption_id"], "cancel").status == 200
    fits = pay_as_member(shop, ada, 500, "k3", 1000, order_id="Z")
    assert capture(shop, ada, fits).status == 200


def test_what_is_captured_at_once_for_an_order_of_two_members_pays_it_once(shop: Shop, ada: str, wire: Wire) -> None:
    grace = shop.enroll("grace")
    shop.adjust(grace, 900, "case-2")
    first, second = pay_as_member(shop, ada, 500, "k1", 600), pay_as_member(shop, grace, 500, "k2", 600)
    wire.before("TransactWriteItems", lambda: capture(shop, grace, second))
    assert_refused(capture(shop, ada, first), 422, "invalid_request")
    assert paid() == Payments(500, 0, 600)
