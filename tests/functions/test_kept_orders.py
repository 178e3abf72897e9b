"""What is kept of orders decides, however they came back, were amended or changed hands."""

from typing import Any

import pytest

from shared.services import order_corrections
from shared.tables import budgets
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


TEN = {
    "campaign_id": "ten",
    "description": "Ten more",
    "effect": {"kind": "add", "points": 10},
    "budget": {"points": 25},
}


def left() -> int:
    return budgets.load("campaign:ten").left


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


def test_a_product_is_redeemed_by_the_piece(shop: Shop, ada: str) -> None:
    shop.adjust(ada, 1_000)
    product = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 100}
    shop.change_program(redeeming={"rewards": [product]})
    with shop.writing_nothing():
        refused = shop.redeem(ada, "mug", quantity=0)
        assert_refused(refused, 422, "invalid_request")
        assert refused.pointers == ["/quantity"]
    for key in ("first", "second"):
        assert shop.redeem(ada, "mug", key=key, capture=True).status == 201
    assert shop.redeem(ada, "mug", key="third", capture=True, quantity=2).body["points"] == 200
    assert shop.balance(ada) == 600


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


BIG = {
    "challenge_id": "big",
    "name": "Big",
    "goal": {"kind": "count", "of": "orders", "target": 1},
    "points": 200,
    "minimum_spend": 5_000,
}


def badges(shop: Shop, member: str) -> dict[str, int]:
    return {one["badge_id"]: one["times"] for one in shop.account(member)["badges"]}


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_each_badge_of_members_who_are_one_goes_with_its_order(
    shop: Shop, ada: str, repeatable: bool, backwards: bool
) -> None:
    shop.change_program(challenges=[{**BIG, "repeatable": repeatable}])
    others = [shop.enroll(f"other-{number}") for number in range(2)]
    orders = [f"A-{number}" for number in range(6)]
    for number, order_id in enumerate(orders):
        shop.order([ada, *others][number % 3], order_id, 5_000)
    for other in others:
        shop.merge(ada, other)
    left = 6 if repeatable else 3
    assert (shop.balance(ada), badges(shop, ada)) == (left * 200 + 6 * 50, {"big": left})
    for number, order_id in enumerate(reversed(orders) if backwards else orders, 1):
        shop.refund(ada, 5_000, order_id, f"R-{number}")
        held = 6 - number if repeatable else min(3, 6 - number)
        assert (shop.balance(ada), badges(shop, ada)) == (
            held * 200 + (6 - number) * 50,
            {"big": held} if held else {},
        )
    shop.order(ada, "A-9", 5_000)
    assert badges(shop, ada) == {"big": 1}


@pytest.mark.parametrize(
    "later",
    [[], [{**BIG, "repeatable": True, "ends_on": "2026-11-01"}], [{**BIG, "repeatable": True, "minimum_spend": 6000}]],
)
@pytest.mark.parametrize("goal", [BIG["goal"], {"kind": "count", "of": "amount", "target": 5_000}])
def test_badges_go_with_their_orders_though_the_shop_has_changed_the_challenge(
    shop: Shop, ada: str, goal: Any, later: list[Any]
) -> None:
    shop.change_program(challenges=[{**BIG, "goal": goal, "repeatable": True}])
    for number in range(4):
        shop.order(ada, f"A-{number}", 5_000)
    shop.change_program(challenges=[{**one, "goal": goal} for one in later])
    shop.order(ada, "A-9", 5_000)
    for number in reversed(range(4)):
        shop.refund(ada, 5_000, f"A-{number}", f"R-{number}")
        assert shop.balance(ada) == 50 + number * 250
    shop.refund(ada, 5_000, "A-9", "R-9")
    assert (shop.balance(ada), badges(shop, ada)) == (0, {})


def test_what_somebody_excluded_buys_or_does_is_nothing_to_challenges(shop: Shop, ada: str) -> None:
    big = {**BIG, "goal": {"kind": "count", "of": "orders", "target": 2}}
    wrote = {**BIG, "challenge_id": "wrote", "goal": {"kind": "count", "of": "actions", "target": 2}}
    review = {"action_id": "review", "description": "Review", "points": 5}
    rules = {"excluded": {"tags": ["staff"]}}
    shop.change_program(
        standing_rules=rules,
        challenges=[big, {**wrote, "minimum_spend": 0}],
        earning={"rules": [], "welcome_points": 0, "actions": [review]},
    )
    assert shop.post(f"/v1/members/{ada}/tags", {"excluded": True}, key="out").status < 300
    shop.action(ada, "r-1")
    shop.order(ada, "A-1", 5_000)
    shop.order(ada, "A-2", 5_000)
    assert shop.post(f"/v1/members/{ada}/tags", {"excluded": False}, key="in").status < 300
    shop.action(ada, "r-2")
    shop.order(ada, "A-3", 5_000)
    assert ([one["done"] for one in shop.account(ada)["challenges"]], badges(shop, ada)) == ([1, 1], {})
    shop.refund(ada, 5_000)
    assert [one["done"] for one in shop.account(ada)["challenges"]] == [1, 1]
    shop.order(ada, "A-4", 5_000)
    assert badges(shop, ada) == {"big": 1}
    shop.refund(ada, 5_000, "A-2", "R-2")
    assert badges(shop, ada) == {"big": 1}


@pytest.mark.parametrize("returned", [0, 20_000])
def test_an_order_on_the_card_of_somebody_excluded_earns_for_who_made_it(shop: Shop, ada: str, returned: int) -> None:
    shop.change_program(
        standing_rules={"excluded": {"tags": ["staff"]}}, campaigns=[TEN], challenges=[{**BIG, "points": 7}]
    )
    assert shop.post(f"/v1/members/{ada}/tags", {"excluded": True}, key="out").status < 300
    bob = shop.enroll("bob")
    shop.order(ada, "A-1", 50_000)
    if returned:
        shop.refund(ada, returned)
    assert (shop.balance(ada), left()) == (0, 25)
    assert claimed(shop, bob).body["entry"]["points"] == 510 - returned // 100
    assert (shop.balance(ada), left(), badges(shop, bob)) == (0, 15, {"big": 1})
    assert shop.account(bob)["tier"]["qualifying"] == 510 - returned // 100
    if not returned:
        amended(shop, bob, 60_000)
        assert shop.balance(bob) == 617
    order = shop.get(f"/v1/members/{bob}/orders/A-1", scope=OPERATOR).body
    shop.refund(bob, order["total"] - returned, refund_id="R-9")
    assert (shop.balance(bob), shop.account(bob)["debt"], left(), badges(shop, bob)) == (0, 0, 25, {})


def levels(silver: int, gold: int) -> dict[str, Any]:
    steps = {"bronze": 0, "silver": silver, "gold": gold}
    return {"levels": [{"tier_id": name, "name": name, "threshold": points} for name, points in steps.items()]}


@pytest.mark.parametrize("order_id", ["A-1", "A-2"])
def test_a_tier_goes_with_its_order_though_the_shop_has_lowered_thresholds(shop: Shop, ada: str, order_id: str) -> None:
    shop.change_program(tiers=levels(500, 1000))
    shop.order(ada, "A-1", 60_000)
    shop.change_program(tiers=levels(300, 600))
    shop.order(ada, "A-2", 1_000)
    assert tier(shop, ada) == "gold"
    amount = {"A-1": 60_000, "A-2": 1_000}[order_id]
    shop.refund(ada, amount, order_id)
    assert tier(shop, ada) == ("bronze" if order_id == "A-1" else "gold")
    kept_after_all(shop, ada, order_id)
    assert tier(shop, ada) == ("silver" if order_id == "A-1" else "gold"), "as the order was credited"
    for number, (name, total) in enumerate((("A-1", 60_000), ("A-2", 1_000))):
        shop.refund(ada, total, name, f"R-{number + 2}")
    assert (tier(shop, ada), shop.balance(ada)) == ("bronze", 0)


def test_a_tier_stays_where_the_thresholds_of_then_support_it_with_what_is_kept(shop: Shop, ada: str) -> None:
    shop.change_program(tiers=levels(300, 1000))
    shop.order(ada, "A-1", 60_000)
    shop.change_program(tiers=levels(500, 1000))
    shop.refund(ada, 20_000)
    assert tier(shop, ada) == "silver"
    shop.refund(ada, 20_000, refund_id="R-2")
    assert tier(shop, ada) == "bronze"


def test_progress_goes_with_its_orders_though_the_shop_has_raised_the_goal(shop: Shop, ada: str) -> None:
    shop.change_program(challenges=[{**BIG, "goal": {"kind": "count", "of": "orders", "target": 3}}])
    for number in range(2):
        shop.order(ada, f"A-{number}", 5_000)
    shop.change_program(challenges=[{**BIG, "goal": {"kind": "count", "of": "orders", "target": 6}}])
    for number in range(2, 4):
        shop.order(ada, f"A-{number}", 5_000)
    for number in range(2):
        shop.refund(ada, 5_000, f"A-{number}", f"R-{number}")
        [one] = shop.account(ada)["challenges"]
        assert (one["done"], one["target"]) == (3 - number, 6)
    assert (badges(shop, ada), shop.balance(ada)) == ({}, 100)


def test_an_order_that_is_claimed_draws_what_it_drew_of_a_campaigns_budget(shop: Shop, ada: str) -> None:
    shop.change_program(campaigns=[{**TEN, "budget": {"points": 12}}])
    grace = shop.enroll("grace")
    shop.order(ada, total=1_000)
    assert left() == 2
    claimed(shop, grace)
    assert (shop.balance(grace), left()) == (20, 2)


def test_a_refund_that_is_taken_back_leaves_no_budget_that_is_not_there(shop: Shop, ada: str) -> None:
    """Of 25 points two orders have 10 each, and a third what was left while one of them had come back."""
    shop.change_program(campaigns=[TEN])
    for order_id in ("A-1", "A-2"):
        shop.order(ada, order_id, 1_000)
    shop.refund(ada, 1_000, "A-1")
    assert left() == 15
    assert shop.order(ada, "A-3", 1_000).body["entry"]["points"] == 20
    kept_after_all(shop, ada)
    assert left() == 0
    shop.refund(ada, 1_000, "A-3", refund_id="R-2")
    assert left() == 5
    assert shop.order(ada, "A-4", 1_000).body["entry"]["points"] == 15


def in_three_slices(shop: Shop) -> tuple[str, str, str]:
    """Three members whose parts of a budget are leased apart."""
    members: dict[int, str] = {}
    for name in (f"member-{number}" for number in range(20)):
        member = shop.enroll(name)
        members.setdefault(budgets._slice_of(member), member)  # noqa: SLF001 - where a member draws from
    first, second, third, *_ = members.values()
    return first, second, third


def overdrawn(shop: Shop, grace: str, bob: str, ada: str) -> None:
    """Of 20 points each has 10: Ada's order came back, Bob's got its points, and Ada has kept hers after all."""
    shop.change_program(campaigns=[{**TEN, "budget": {"points": 20}}])
    shop.order(grace, "A-2", 1_000)
    shop.order(ada, "A-1", 1_000)
    shop.refund(ada, 1_000, "A-1")
    shop.order(bob, "A-3", 1_000)
    kept_after_all(shop, ada)


def test_what_comes_back_to_a_budget_is_spent_on_nothing_before_it_has_paid_for_all_that_is_kept(shop: Shop) -> None:
    shop.change_program(earning={"rules": [], "welcome_points": 0})
    grace, bob, ada = in_three_slices(shop)
    overdrawn(shop, grace, bob, ada)
    assert shop.balance(ada) == 20
    answer = shop.get("/v1/campaigns/ten", scope=OPERATOR).body
    assert (answer["state"], answer["budget"]) == (
        "used_up",
        {"total": 20, "spent": 30, "left": 0, "amount_left": None},
    )
    shop.refund(grace, 1_000, "A-2", refund_id="R-2")
    budgets.forget()
    assert left() == 0
    assert shop.order(grace, "A-4", 1_000).body["entry"]["points"] == 10
    shop.refund(bob, 400, "A-3", refund_id="R-3")
    shop.refund(bob, 600, "A-3", refund_id="R-4")
    budgets.forget()
    assert left() == 10
    assert shop.order(grace, "A-5", 1_000).body["entry"]["points"] == 20
    budgets.forget()
    assert shop.order(bob, "A-6", 1_000).body["entry"]["points"] == 10
    assert (left(), budgets.load("campaign:ten").spent) == (0, 20)


def test_a_budget_that_is_overdrawn_stays_so_with_a_new_program_until_it_is_raised(shop: Shop) -> None:
    shop.change_program(earning={"rules": [], "welcome_points": 0})
    grace, bob, ada = in_three_slices(shop)
    overdrawn(shop, grace, bob, ada)
    for points, total, there in ((20, 20, 0), (5, 20, 0), (25, 25, 0), (36, 36, 6)):
        shop.change_program(campaigns=[{**TEN, "budget": {"points": points}}])
        assert (budgets.load("campaign:ten").total, left()) == (total, there)
    assert shop.order(grace, "A-4", 1_000).body["entry"]["points"] == 16
    assert (left(), budgets.load("campaign:ten").spent) == (0, 36)


def test_whoever_keeps_an_order_after_all_while_others_hold_the_rest_of_its_budget_draws_that_first(shop: Shop) -> None:
    shop.change_program(earning={"rules": [], "welcome_points": 0}, campaigns=[{**TEN, "budget": {"points": 100}}])
    grace, bob, ada = in_three_slices(shop)
    shop.order(ada, "A-1", 1_000)
    shop.order(grace, "A-2", 1_000)
    shop.refund(ada, 1_000, "A-1")
    for number in range(3, 9):
        shop.order(bob, f"A-{number}", 1_000)
    kept_after_all(shop, ada)
    assert (left(), budgets.load("campaign:ten").spent) == (20, 80)
    assert not budgets._load("campaign:ten").is_marked  # noqa: SLF001 - it owes nothing


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


def test_a_claimed_order_counts_toward_the_cap_of_the_day_on_which_it_was_credited_first(shop: Shop, ada: str) -> None:
    shop.change_program(standing_rules={"caps": {"points_per_day": 30}})
    grace, bob = shop.enroll("grace"), shop.enroll("bob")
    shop.order(ada, total=500)
    shop.pass_time(days=3)
    claimed(shop, grace)
    shop.pass_time(days=3)
    claimed(shop, bob, claim_id="C-2")
    assert amended(shop, bob, 2_500).body["entry"]["points"] == 20
    assert shop.order(bob, "A-2", 4_000).body["entry"]["points"] == 30


def test_an_amendment_counts_what_other_orders_and_actions_had_of_the_day_on_which_the_order_was_credited(
    shop: Shop, ada: str
) -> None:
    """Of 30 points a day the others have 16 by then, and the account counts a later day."""
    review = {"action_id": "review", "description": "Review", "points": 4}
    shop.change_program(standing_rules={"caps": {"points_per_day": 30}}, earning={"actions": [review]})
    shop.order(ada, total=500)
    shop.order(ada, "A-2", 2_000)
    assert shop.action(ada).body["entry"]["points"] == 4
    shop.pass_time(days=3)
    shop.order(ada, "A-3", 800)
    shop.refund(ada, 800, order_id="A-2")
    assert amended(shop, ada, 2_500).body["entry"]["points"] == 14 - 5
    assert shop.order(ada, "A-4", 4_000).body["entry"]["points"] == 30 - 8


def test_an_amendment_counts_how_often_other_orders_had_a_rule_in_the_month_of_the_order(shop: Shop, ada: str) -> None:
    ten_a_month(shop)
    shop.order(ada, total=1_000)
    assert shop.order(ada, "A-2", 1_000).body["entry"]["points"] == 10
    shop.pass_time(days=20)
    shop.order(ada, "A-3", 1_000)
    assert amended(shop, ada, 2_000, "A-2").body["entry"]["points"] == 10
    assert amended(shop, ada, 3_000).body["entry"]["points"] == 20


def test_an_amendment_counts_what_a_member_had_who_was_merged_meanwhile(shop: Shop, ada: str) -> None:
    shop.change_program(standing_rules={"caps": {"points_per_day": 30}})
    grace = shop.enroll("grace")
    shop.order(grace, "A-2", 2_000)
    shop.order(ada, total=500)
    shop.pass_time(days=3)
    shop.order(ada, "A-3", 800)
    assert shop.merge(ada, grace).status < 300
    assert amended(shop, ada, 2_500).body["entry"]["points"] == 10 - 5


def test_a_claim_that_loses_a_race_is_decided_for_whose_the_order_is_by_then(
    shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, bob = shop.enroll("grace"), shop.enroll("bob")
    shop.order(ada, total=1_000)
    owner_of = order_corrections._owner  # noqa: SLF001 - where the race is lost

    def owner_before(order_id: str) -> str:
        """Between the look and the booking another claims the order."""
        found = owner_of(order_id)
        monkeypatch.setattr(order_corrections, "_owner", owner_of)
        claimed(shop, bob)
        return found

    monkeypatch.setattr(order_corrections, "_owner", owner_before)
    claimed(shop, grace, claim_id="C-2")
    assert (shop.balance(ada), shop.balance(bob), shop.balance(grace)) == (0, 0, 10)


def test_a_claim_that_keeps_losing_races_may_be_sent_again(
    shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, bob = shop.enroll("grace"), shop.enroll("bob")
    shop.order(ada, total=1_000)
    claimed(shop, bob)
    monkeypatch.setattr(order_corrections, "_owner", lambda _: ada)
    body = {"claim_id": "C-2", "reason": "the wrong card"}
    with shop.writing_nothing():
        assert_refused(shop.post(f"/v1/members/{grace}/orders/A-1/claim", body, scope=OPERATOR), 503, "try_again")


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
