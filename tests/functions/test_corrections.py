"""Orders put right late: after their points have expired, moved or come back, after a merge, a claim, a new program."""

from typing import Any
from urllib.parse import quote

import pytest

from shared.domain.points.budgets import Budget
from shared.tables import budgets
from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused
from tests.functions.test_consent import agree, opened
from tests.functions.test_referrals import TERMS, brought, stream
from tests.functions.test_refunds_of_the_erased import last_entry

EXPIRY = {"kind": "term", "days": 30}


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(earning={"rules": [], "welcome_points": 0})
    return shop.enroll("ada")


def claimed(shop: Shop, member: str, claim_id: str = "C-1", order_id: str = "A-1") -> Reply:
    body = {"claim_id": claim_id, "reason": "the wrong card"}
    return shop.post(f"/v1/members/{member}/orders/{order_id}/claim", body, scope=OPERATOR)


def amended(shop: Shop, member: str, total: int, amendment_id: str = "E-1", order_id: str = "A-1") -> Reply:
    body = {"amendment_id": amendment_id, "amended_at": shop.now.isoformat(), "total": total}
    return shop.post(f"/v1/members/{member}/orders/{order_id}/amend", body)


def set_back(shop: Shop, member: str, refund_id: str = "R-1", **more: Any) -> Reply:
    return shop.post(f"/v1/members/{member}/refunds/{refund_id}/reverse", more or None)


def pool_of(shop: Shop, *members: str) -> str:
    opener, *others = members
    pool = str(shop.post("/v1/pools", {"member_id": opener}, key=f"pool-{opener}").body["pool_id"])
    for member in others:
        assert shop.join_pool(pool, member).status == 201
    return pool


def stands(shop: Shop, member: str) -> tuple[int, int]:
    account = shop.account(member)
    return account["balance"], account["debt"]


def test_points_that_expired_in_a_pool_are_not_taken_a_second_time(shop: Shop, ada: str) -> None:
    shop.change_program(expiry=EXPIRY, pools={}, refund_debt="allowed")
    grace = shop.enroll("grace")
    pool_of(shop, ada, grace)
    shop.order(ada, total=10_000)
    shop.pass_time(days=32)
    shop.order(grace, "A-2", 5_000)
    refund = shop.refund(ada, 10_000).body
    assert (refund["entry"]["points"], refund["account"]["debt"]) == (0, 0)
    assert shop.account(grace)["pool"]["balance"] == 50
    assert shop.refund(grace, 5_000, "A-2").body["entry"]["points"] == -50


def test_a_referrals_reward_that_expired_is_not_owed(shop: Shop) -> None:
    shop.change_program(
        referrals={**TERMS, "return_days": 0},
        earning={"welcome_points": 0, "rules": []},
        expiry=EXPIRY,
        refund_debt="allowed",
    )
    ada = shop.enroll("ada", email="ada@example.com")
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    assert (shop.balance(ada), shop.balance(grace)) == (100, 100)
    shop.pass_time(days=32)
    shop.adjust(ada, 30)
    shop.refund(grace, 5_000)
    assert stream() == []
    assert (stands(shop, ada), stands(shop, grace)) == ((30, 0), (0, 0))


def test_points_that_waited_for_consent_and_expired_are_not_owed(shop: Shop) -> None:
    shop.change_program(
        automatic_enrolment={"consent_days": 30}, earning={"welcome_points": 0}, expiry=EXPIRY, refund_debt="allowed"
    )
    ada = opened(shop)
    assert agree(shop, ada).status == 200
    assert shop.balance(ada) == 42
    shop.pass_time(days=32)
    shop.adjust(ada, 30)
    assert shop.refund(ada, 4_200).body["entry"]["points"] == 0
    assert stands(shop, ada) == (30, 0)


def test_what_a_reversed_refund_brings_back_has_an_end_with_whoever_claimed_what_waited(shop: Shop, ada: str) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30}, expiry=EXPIRY)
    first = opened(shop)
    shop.refund(first, 2_000)
    assert claimed(shop, ada).status == 201
    assert set_back(shop, ada).status == 201
    assert stands(shop, ada) == (42, 0)
    shop.pass_time(days=32)
    assert stands(shop, ada) == (0, 0)


def test_points_that_waited_for_consent_have_an_end_with_whoever_claims_them(shop: Shop, ada: str) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30}, expiry=EXPIRY)
    opened(shop)
    assert claimed(shop, ada).status == 201
    assert stands(shop, ada) == (42, 0)
    shop.pass_time(days=32)
    assert stands(shop, ada) == (0, 0)


def test_points_that_activity_prolonged_before_they_expired_are_not_owed_under_another_expiry_policy(
    shop: Shop, ada: str
) -> None:
    shop.change_program(expiry={"kind": "inactivity", "months": 1}, refund_debt="allowed")
    shop.order(ada, total=10_000)
    shop.pass_time(days=20)
    shop.order(ada, "A-2", 1_000)
    shop.change_program(expiry={"kind": "never"})
    shop.pass_time(days=40)
    assert stands(shop, ada) == (0, 0)
    shop.refund(ada, 10_000)
    assert stands(shop, ada) == (0, 0)


def test_points_that_expired_on_another_day_than_their_orders_are_not_owed(shop: Shop, ada: str) -> None:
    shop.change_program(expiry=EXPIRY, redeeming={"returned_points_grace_days": 10}, refund_debt="allowed")
    shop.order(ada, total=10_000)
    spent = shop.spend(ada, 100, 1_000).body["redemption_id"]
    shop.move(ada, spent, "capture")
    shop.pass_time(days=32)
    shop.move(ada, spent, "reverse")
    assert shop.balance(ada) == 100
    shop.pass_time(days=12)
    assert shop.balance(ada) == 0
    shop.adjust(ada, 30)
    assert shop.refund(ada, 10_000).body["entry"]["points"] == 0
    assert stands(shop, ada) == (30, 0)


def test_a_claim_brings_no_points_whose_day_has_passed(shop: Shop, ada: str) -> None:
    shop.change_program(expiry=EXPIRY, redeeming={"returned_points_grace_days": 10}, refund_debt="allowed")
    grace = shop.enroll("grace")
    shop.order(ada, total=10_000)
    shop.pass_time(days=32)
    assert claimed(shop, grace).status == 201
    assert (stands(shop, ada), stands(shop, grace)) == ((0, 0), (0, 0))
    assert shop.refund(grace, 10_000).body["entry"]["points"] == 0
    assert stands(shop, grace) == (0, 0)
    assert set_back(shop, grace).status == 201
    assert stands(shop, grace) == (0, 0)


def test_a_refund_is_taken_back_for_whom_the_member_has_become(shop: Shop, ada: str) -> None:
    shop.order(ada, total=10_000)
    shop.refund(ada, 10_000)
    keep = shop.enroll("keep")
    assert shop.merge(keep, ada).status < 300
    later = shop.order(keep, "A-2", 10_000)
    assert later.status == 201
    shop.refund(keep, 5_000, "A-2", "R-2")
    for refund_id in ("R-1", "R-2"):
        assert set_back(shop, ada, refund_id).status == 201
        assert set_back(shop, ada, refund_id).replayed
    assert shop.balance(keep) == 200
    assert_refused(set_back(shop, ada, "R-3"), 404, "refund_not_found")


@pytest.mark.parametrize("step", ["cancel", "reverse"])
def test_points_that_were_forgiven_do_not_come_back_with_what_held_them(shop: Shop, ada: str, step: str) -> None:
    shop.change_program(refund_debt="forgiven")
    shop.order(ada, total=10_000)
    spent = shop.spend(ada, 100, 1_000).body["redemption_id"]
    if step == "reverse":
        shop.move(ada, spent, "capture")
    assert shop.refund(ada, 10_000).body["entry"]["points"] == 0
    assert shop.move(ada, spent, step).status == 200
    assert stands(shop, ada) == (0, 0)


def test_what_is_left_of_held_points_keeps_its_day_beside_what_was_forgiven(shop: Shop, ada: str) -> None:
    shop.change_program(refund_debt="forgiven", expiry={"kind": "inactivity", "months": 1})
    shop.order(ada, "A-0", 1_000)
    ends_on = last_entry(ada).expires_on
    shop.pass_time(days=3)
    shop.order(ada, total=10_000)
    spent = shop.spend(ada, 60, 600).body["redemption_id"]
    shop.refund(ada, 10_000)
    assert shop.move(ada, spent, "cancel").status == 200
    assert ends_on is not None
    assert last_entry(ada).lots == {ends_on.isoformat(): 10}


def test_a_tier_goes_with_an_order_that_had_come_back_when_it_was_claimed(shop: Shop, ada: str) -> None:
    thresholds = {"bronze": 0, "silver": 5_000, "gold": 50_000}
    levels = [{"tier_id": name, "name": name, "threshold": amount} for name, amount in thresholds.items()]
    shop.change_program(tiers={"measure": "spend", "levels": levels})
    grace = shop.enroll("grace")
    shop.order(ada, total=6_000)
    shop.refund(ada, 6_000)
    assert claimed(shop, grace).status == 201
    assert set_back(shop, grace).status == 201
    assert shop.account(grace)["tier"]["tier_id"] == "silver"
    shop.refund(grace, 2_000, "A-1", "R-2")
    assert shop.account(grace)["tier"]["tier_id"] == "bronze"


def test_a_budget_gets_back_what_was_drawn(shop: Shop, ada: str) -> None:
    campaign = {
        "campaign_id": "ten",
        "description": "Ten more",
        "effect": {"kind": "add", "points": 10},
        "budget": {"points": 10},
    }
    shop.change_program(campaigns=[campaign])

    def left() -> Budget:
        return budgets.load("campaign:ten")

    shop.order(ada, total=1_000)
    shop.refund(ada, 1_000)
    assert left().left == 10
    shop.order(ada, "A-2", 1_000)
    assert left().left == 0
    assert set_back(shop, ada, order_id="A-1").status == 201
    assert left().left == 0
    shop.refund(ada, 1_000, "A-1", "R-2")
    assert left().left == 0
    shop.refund(ada, 1_000, "A-2", "R-3")
    assert left().left == 10


def test_what_was_spent_comes_back_to_who_spent_it_after_a_claim(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, "earlier", 40_000)
    shop.order(ada, total=1_000)
    spent = shop.spend(ada, 100, 1_000, order_id="A-1").body["redemption_id"]
    shop.move(ada, spent, "capture")
    assert claimed(shop, grace).status == 201
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 500, "return_spent": True}
    reply = shop.post(f"/v1/members/{grace}/refunds", body)
    assert (reply.status, reply.body["points"], reply.body["returned_points"]) == (201, 5, 50)
    assert (shop.balance(ada), shop.balance(grace)) == (350, 5)
    assert shop.post(f"/v1/members/{grace}/refunds", body).replayed


def test_what_was_done_before_a_claim_is_a_replay_for_whose_the_order_is(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=10_000)
    assert amended(shop, ada, 8_000).status == 201
    refund = {"order_id": "A-1", "refund_id": "R-1", "amount": 1_000}
    for body in (refund, {**refund, "refund_id": "R-2"}):
        assert shop.post(f"/v1/members/{ada}/refunds", body).status == 201
    assert set_back(shop, ada, "R-2").status == 201
    assert claimed(shop, grace).status == 201

    def again(member: str) -> list[Reply]:
        in_one_call = shop.post(f"/v1/members/{member}/refunds", refund)
        return [in_one_call, amended(shop, member, 8_000), set_back(shop, member, "R-2")]

    with shop.writing_nothing():
        for reply in again(grace):
            assert (reply.status, reply.replayed) == (200, True), reply.body
            assert reply.body["account"]["member_id"] == grace
        for reply in again(ada):
            assert_refused(reply, 409, "order_belongs_to_another_member")
        for reply in (
            shop.post(f"/v1/members/{grace}/refunds", {**refund, "amount": 2_000}),
            amended(shop, grace, 9_000),
        ):
            assert_refused(reply, 422, "idempotency_mismatch")


def test_a_reward_is_taken_back_though_the_program_has_no_referrals_any_more(shop: Shop) -> None:
    shop.change_program(referrals=TERMS, earning={"welcome_points": 0, "rules": []}, refund_debt="allowed")
    ada = shop.enroll("ada", email="ada@example.com")
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.change_program(referrals=None)
    shop.refund(grace, 5_000)
    assert stream() == []
    assert shop.account(ada)["pending"] == 0
    assert stands(shop, grace) == (0, 0)


def test_a_line_of_nothing_earns_nothing_and_comes_back(shop: Shop, ada: str) -> None:
    gift = {"sku": "GIFT", "quantity": 1, "amount": 0}
    tea = {"sku": "TEA", "quantity": 1, "amount": 1_000}
    with shop.writing_nothing():
        refused = shop.order(ada, total=1_000, lines=[{**gift, "quantity": 0}, tea])
        assert_refused(refused, 422, "invalid_request")
        assert refused.pointers == ["/lines/0/quantity"]
    assert shop.order(ada, total=1_000, lines=[gift, tea]).body["entry"]["points"] == 10
    for number, (line, points) in enumerate(((gift, 0), (tea, -10))):
        body = {"order_id": "A-1", "refund_id": f"R-{number}", "lines": [line]}
        reply = shop.post(f"/v1/members/{ada}/refunds", body)
        assert (reply.status, reply.body["entry"]["points"]) == (201, points)
    assert shop.balance(ada) == 0


def boxes_back(shop: Shop, member: str, quantity: int, amount: int, refund_id: str) -> Reply:
    line = {"sku": "BOX", "quantity": quantity, "amount": amount}
    return shop.post(f"/v1/members/{member}/refunds", {"order_id": "A-1", "refund_id": refund_id, "lines": [line]})


@pytest.mark.parametrize(
    "parts",
    [
        # (pieces, minor units, points): toys for 30.00 each earn, the one as a gift card for 50.00 does not.
        [(1, 5_000, 0), (2, 6_000, -60)],
        [(1, 3_000, -30), (1, 5_000, 0), (1, 3_000, -30)],
        [(1, 4_000, 0), (2, 6_000, -60), (0, 1_000, 0)],
        [(3, 11_000, -60)],
    ],
)
def test_a_returned_line_is_the_one_of_its_article_that_it_fits(
    shop: Shop, ada: str, parts: list[tuple[int, int, int]]
) -> None:
    shop.change_program(earning={"excluded_categories": ["gift-cards"]})
    card = {"sku": "BOX", "category": "gift-cards", "quantity": 1, "amount": 5_000}
    toys = {"sku": "BOX", "category": "toys", "quantity": 2, "amount": 6_000}
    shop.order(ada, total=11_000, lines=[card, toys])
    assert shop.balance(ada) == 60
    for number, (quantity, amount, points) in enumerate(parts):
        assert boxes_back(shop, ada, quantity, amount, f"R-{number}").body["entry"]["points"] == points
    lines = shop.get(f"/v1/members/{ada}/orders/A-1").body["lines"]
    assert [(one["returned_quantity"], one["returned_amount"]) for one in lines] == [(1, 5_000), (2, 6_000)]
    assert_refused(boxes_back(shop, ada, 1, 0, "R-x"), 409, "refund_exceeds_order")


def test_a_refund_of_an_articles_second_line_is_taken_back_there(shop: Shop, ada: str) -> None:
    shop.change_program(earning={"excluded_categories": ["gift-cards"]})
    card = {"sku": "BOX", "category": "gift-cards", "quantity": 1, "amount": 5_000}
    toy = {"sku": "BOX", "quantity": 1, "amount": 3_000}
    shop.order(ada, total=8_000, lines=[card, toy])
    assert boxes_back(shop, ada, 1, 3_000, "R-1").body["entry"]["points"] == -30
    assert set_back(shop, ada).body["entry"]["points"] == 30
    assert boxes_back(shop, ada, 1, 5_000, "R-2").body["entry"]["points"] == 0


@pytest.mark.parametrize("order_id", ["web/2026/1", "50%", "a%2Fb", "a b", "a?b#c", "ä+ö", "%41"])
def test_an_id_with_reserved_characters_works_in_a_path(shop: Shop, ada: str, order_id: str) -> None:
    """Encoded twice, API Gateway hands them on encoded once."""
    grace = shop.enroll("grace")
    shop.order(ada, order_id, 10_000)
    name = "".join(quote(letter, safe="") if letter in "/?#%" else letter for letter in order_id)
    assert shop.get(f"/v1/members/{ada}/orders/{name}").body["order_id"] == order_id
    assert amended(shop, ada, 8_000, order_id=name).status == 201
    shop.refund(ada, 1_000, order_id, order_id)
    assert set_back(shop, ada, name).status == 201
    assert claimed(shop, grace, order_id=name).status == 201
    assert shop.balance(grace) == 80


def left(shop: Shop, pool: str, member: str) -> None:
    gone = shop.call("DELETE", f"/v1/pools/{pool}/members/{member}", headers={"Idempotency-Key": f"left-{member}"})
    assert gone.status == 200


@pytest.mark.parametrize("then", ["stays", "leaves", "joins again", "joins another", "is merged"])
def test_points_that_expired_in_a_pool_are_not_owed_wherever_their_owner_is_by_then(
    shop: Shop, ada: str, then: str
) -> None:
    shop.change_program(expiry=EXPIRY, pools={})
    grace, keep = shop.enroll("grace"), shop.enroll("keep")
    pool = pool_of(shop, ada, grace)
    shop.order(grace, total=50_000)
    shop.pass_time(days=32)
    if then in {"leaves", "joins again", "joins another"}:
        left(shop, pool, grace)
    if then == "joins again":
        shop.join_pool(pool, grace, "again")
    if then == "joins another":
        pool_of(shop, grace, keep)
    if then == "is merged":
        assert shop.merge(keep, grace).status == 200
    assert shop.refund(grace, 50_000).status == 201
    assert stands(shop, keep if then == "is merged" else grace) == (0, 0)


def test_points_that_expired_in_a_pool_are_not_remembered_of_who_is_erased(shop: Shop, ada: str) -> None:
    shop.change_program(expiry=EXPIRY, pools={})
    grace = shop.enroll("grace", email="grace@example.org")
    pool_of(shop, ada, grace)
    shop.order(grace, total=50_000)
    shop.pass_time(days=32)
    assert shop.erase(grace).status == 200
    assert shop.refund(grace, 50_000).status == 201
    assert last_entry(grace).owed == 0


def test_what_was_spent_of_a_left_pool_is_owed(shop: Shop, ada: str) -> None:
    shop.change_program(expiry=EXPIRY, pools={})
    grace = shop.enroll("grace")
    pool = pool_of(shop, ada, grace)
    shop.order(grace, total=50_000)
    assert shop.spend(grace, 200, 100_000, capture=True).status == 201
    shop.pass_time(days=32)
    left(shop, pool, grace)
    assert shop.refund(grace, 50_000).status == 201
    assert stands(shop, grace) == (0, 200)


@pytest.mark.parametrize("is_first", [True, False])
def test_who_returns_what_they_spent_is_not_let_off_by_what_expired_of_another(
    shop: Shop, ada: str, *, is_first: bool
) -> None:
    shop.change_program(expiry=EXPIRY, pools={})
    grace = shop.enroll("grace")
    pool_of(shop, ada, grace)
    shop.order(ada, total=50_000)
    shop.order(grace, "G-1", 50_000)
    assert shop.spend(ada, 500, 100_000, capture=True).status == 201
    shop.pass_time(days=32)
    for member, order_id in [(ada, "A-1"), (grace, "G-1")][:: 1 if is_first else -1]:
        assert shop.refund(member, 50_000, order_id).status == 201
    assert (stands(shop, ada), stands(shop, grace)) == ((0, 500), (0, 0))


def test_a_badge_whose_points_expired_in_a_pool_that_was_left_leaves_no_debt(shop: Shop, ada: str) -> None:
    goal = {"kind": "count", "of": "orders", "target": 1}
    shop.change_program(
        expiry=EXPIRY, pools={}, challenges=[{"challenge_id": "big", "name": "Big", "goal": goal, "points": 200}]
    )
    grace = shop.enroll("grace")
    pool = pool_of(shop, ada, grace)
    shop.order(grace, total=50_000)
    adjusted = shop.adjust(grace, 300).body["entry"]["entry_id"]
    shop.pass_time(days=32)
    left(shop, pool, grace)
    shop.refund(grace, 50_000)
    assert stands(shop, grace) == (0, 0)
    undone = shop.post(f"/v1/members/{grace}/entries/{adjusted}/undo", {"reason": "goodwill"}, scope=OPERATOR)
    assert undone.status in {200, 201}
    assert stands(shop, grace) == (0, 0)


class TestWhatAReturnedOrderProlonged:
    """Where inactivity ends points: a pool that its buyer has joined since changes nothing."""

    @pytest.fixture
    def ends(self, shop: Shop, ada: str) -> str:
        """Ada has 1000 points that end on this day, and an order since that prolongs them; it brings 50 more."""
        shop.change_program(expiry={"kind": "inactivity", "months": 12}, pools={})
        shop.order(ada, "A-0", 100_000)
        [lot] = shop.account(ada)["expiring"]
        shop.pass_time(days=350)
        shop.order(ada, total=5_000)
        assert shop.account(ada)["expiring"][0]["on"] > lot["on"]
        return str(lot["on"])

    def test_has_its_days_again_in_a_pool_and_out_of_it(self, shop: Shop, ada: str, ends: str) -> None:
        grace = shop.enroll("grace")
        pool = pool_of(shop, ada, grace)
        shop.refund(ada, 5_000)
        assert shop.account(grace)["expiring"] == [{"on": ends, "points": 1_000}]
        left(shop, pool, ada)
        assert shop.account(ada)["expiring"] == [{"on": ends, "points": 1_000}]
        shop.pass_time(days=20)
        assert stands(shop, ada) == (0, 0)

    def test_leaves_the_days_of_others_alone(self, shop: Shop, ada: str, ends: str) -> None:
        grace = shop.enroll("grace")
        pool_of(shop, ada, grace)
        shop.order(grace, "G-1", 20_000)
        [before] = shop.account(ada)["expiring"]
        shop.refund(ada, 5_000)
        assert shop.account(ada)["expiring"] == [{"on": ends, "points": 1_000}, {"on": before["on"], "points": 200}]

    def test_is_prolonged_after_all_once_the_order_is_kept(self, shop: Shop, ada: str, ends: str) -> None:
        grace = shop.enroll("grace")
        pool_of(shop, ada, grace)
        [before] = shop.account(ada)["expiring"]
        shop.refund(ada, 5_000)
        assert set_back(shop, ada).status == 201
        assert before["on"] > ends
        assert shop.account(ada)["expiring"] == [before]
