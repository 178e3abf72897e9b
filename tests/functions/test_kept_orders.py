"""What is kept of orders decides, however they came back, were amended or changed hands."""

import pytest

from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused
from tests.functions.test_referrals import brought, stream


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(earning={"rules": [], "excluded_categories": ["gift-cards"], "welcome_points": 0})
    return shop.enroll("ada")


def claimed(shop: Shop, member: str, order_id: str = "A-1", claim_id: str = "C-1") -> Reply:
    body = {"claim_id": claim_id, "reason": "the wrong card"}
    reply = shop.post(f"/v1/members/{member}/orders/{order_id}/claim", body, scope=OPERATOR)
    assert reply.status == 201, reply.body
    return reply


def amended(shop: Shop, member: str, total: int, order_id: str = "A-1") -> Reply:
    body = {"amendment_id": f"to-{total}", "amended_at": shop.now.isoformat(), "total": total}
    return shop.post(f"/v1/members/{member}/orders/{order_id}/amend", body)


def kept_after_all(shop: Shop, member: str, order_id: str = "A-1") -> None:
    assert shop.post(f"/v1/members/{member}/refunds/R-1/reverse", {"order_id": order_id}).status == 201


def tier(shop: Shop, member: str) -> str:
    return str(shop.account(member)["tier"]["tier_id"])


def ten_a_month(shop: Shop) -> None:
    rule = {
        "rule_id": "ten",
        "description": "Ten points once a month",
        "effect": {"kind": "add", "points": 10},
        "limit": {"times": 1, "per": "month"},
    }
    shop.change_program(earning={"rules": [rule]})


def rewards(shop: Shop, member: str) -> int:
    """What a member has of referrals."""
    kinds = {"referral", "referral_reversal"}
    return sum(entry["points"] for entry in shop.entries(member) if entry["type"] in kinds)


def test_a_gift_card_that_comes_back_by_its_line_takes_nothing_of_what_the_tea_beside_it_earned(
    shop: Shop, ada: str
) -> None:
    tea = {"sku": "TEA", "quantity": 1, "amount": 5_000}
    card = {"sku": "CARD", "category": "gift-cards", "quantity": 1, "amount": 5_000}
    assert shop.order(ada, total=10_000, lines=[tea, card]).body["entry"]["points"] == 50
    body = {"order_id": "A-1", "refund_id": "R-1", "lines": [{"sku": "CARD", "quantity": 1, "amount": 5_000}]}
    assert shop.post(f"/v1/members/{ada}/refunds", body).body["entry"]["points"] == 0
    assert shop.balance(ada) == 50


def test_whoever_sends_a_returned_order_again_sees_that_nothing_of_it_is_kept(shop: Shop, ada: str) -> None:
    shop.order(ada, total=5_000)
    shop.refund(ada, 5_000)
    again = shop.order(ada, total=5_000)
    assert again.replayed
    assert again.body["entry"]["order"] == {"total": 5_000, "refunded": 5_000, "points_kept": 0}
    assert (again.body["account"]["balance"], shop.balance(ada)) == (0, 0)


def test_whoever_sends_an_order_with_another_total_is_not_told_to_use_a_new_key(shop: Shop, ada: str) -> None:
    shop.order(ada, total=5_000)
    refused = shop.order(ada, total=6_000)
    assert_refused(refused, 422, "idempotency_mismatch")
    assert "another key" not in refused.body["detail"]
    assert "new key" not in refused.body["detail"]
    assert shop.balance(ada) == 50


def test_a_product_is_redeemed_piece_by_piece(shop: Shop, ada: str) -> None:
    shop.adjust(ada, 1_000)
    product = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 100}
    shop.change_program(redeeming={"rewards": [product]})
    with shop.writing_nothing():
        refused = shop.redeem(ada, "mug", quantity=2)
        assert_refused(refused, 422, "invalid_request")
        assert refused.pointers == ["/quantity"]
    for key in ("first", "second"):
        assert shop.redeem(ada, "mug", key=key, capture=True).status == 201
    assert shop.balance(ada) == 800


def test_an_order_claimed_away_and_back_counts_once_toward_the_tier(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=30_000)
    claimed(shop, grace)
    claimed(shop, ada, claim_id="C-2")
    assert (shop.balance(ada), shop.account(ada)["tier"]["qualifying"], tier(shop, ada)) == (300, 300, "bronze")


def test_an_order_claimed_away_and_back_is_one_order_of_a_challenge(shop: Shop, ada: str) -> None:
    goal = {"kind": "count", "of": "orders", "target": 2}
    shop.change_program(challenges=[{"challenge_id": "two", "name": "Two orders", "goal": goal, "points": 30}])
    grace = shop.enroll("grace")
    shop.order(ada, total=1_000)
    claimed(shop, grace)
    claimed(shop, ada, claim_id="C-2")
    assert (shop.balance(ada), shop.account(ada)["badges"]) == (10, [])
    assert [one["done"] for one in shop.account(ada)["challenges"]] == [1]


def test_a_claim_leaves_what_limits_have_counted_in_the_present_month(shop: Shop, ada: str) -> None:
    ten_a_month(shop)
    grace = shop.enroll("grace")
    shop.order(ada, total=1_000)
    shop.pass_time(days=20)
    assert shop.order(grace, "A-2", 1_000).body["entry"]["points"] == 20
    claimed(shop, grace)
    assert shop.order(grace, "A-3", 1_000).body["entry"]["points"] == 10


def test_a_refund_that_is_taken_back_leaves_what_limits_have_counted_in_the_present_month(shop: Shop, ada: str) -> None:
    ten_a_month(shop)
    shop.order(ada, total=1_000)
    shop.refund(ada, 1_000)
    shop.pass_time(days=20)
    assert shop.order(ada, "A-2", 1_000).body["entry"]["points"] == 20
    kept_after_all(shop, ada)
    assert shop.order(ada, "A-3", 1_000).body["entry"]["points"] == 10


def test_a_claimed_order_counts_toward_limits_in_the_month_in_which_it_was_credited(shop: Shop, ada: str) -> None:
    ten_a_month(shop)
    grace = shop.enroll("grace")
    shop.order(ada, total=1_000)
    shop.pass_time(days=20)
    claimed(shop, grace)
    assert amended(shop, grace, 2_000).body["entry"]["points"] == 10
    assert shop.order(grace, "A-2", 1_000).body["entry"]["points"] == 20


def test_an_order_that_came_back_and_is_claimed_makes_no_referral_pay_off(shop: Shop, ada: str) -> None:
    shop.change_program(referrals={"advocate_points": 100, "friend_points": 50, "minimum_spend": 2_000})
    grace, bob = brought(shop, ada), shop.enroll("bob")
    shop.order(bob, total=5_000)
    shop.refund(bob, 4_000)
    claimed(shop, grace)
    assert stream() == []
    assert (rewards(shop, grace), rewards(shop, ada)) == (0, 0)


def test_an_order_that_an_amendment_makes_qualify_makes_a_referral_pay_off(shop: Shop, ada: str) -> None:
    shop.change_program(referrals={"advocate_points": 100, "friend_points": 50, "minimum_spend": 2_000})
    grace = brought(shop, ada)
    shop.order(grace, total=1_000)
    assert amended(shop, grace, 3_000).status == 201
    assert stream() == []
    assert (rewards(shop, grace), rewards(shop, ada)) == (50, 100)
