"""Orders after they were credited: returned by lines, set back, amended, claimed. What is returned was never bought."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.lots import NEVER
from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused

TV = {"sku": "TV", "quantity": 1, "amount": 100_000}
GIFT_CARD = {"sku": "CARD", "category": "gift-cards", "quantity": 1, "amount": 900_000}


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(earning={"rules": [], "excluded_categories": ["gift-cards"], "welcome_points": 0})
    return shop.enroll("ada")


def returned(shop: Shop, member: str, lines: list[dict[str, Any]], refund_id: str = "R-1", **more: Any) -> Reply:
    body = {"order_id": "A-1", "refund_id": refund_id, "lines": lines, "refunded_at": shop.now.isoformat(), **more}
    return shop.post(f"/v1/members/{member}/refunds", body)


def line(sku: str, quantity: int, amount: int) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "amount": amount}


def tier(shop: Shop, member: str) -> str:
    return str(shop.account(member)["tier"]["tier_id"])


def test_a_returned_line_takes_what_that_line_earned(shop: Shop, ada: str) -> None:
    assert shop.order(ada, total=1_000_000, lines=[GIFT_CARD, TV]).body["entry"]["points"] == 1000
    reply = returned(shop, ada, [line("TV", 1, 100_000)])
    assert (reply.status, reply.body["entry"]["points"]) == (201, -1000)
    reply = returned(shop, ada, [line("CARD", 1, 900_000)], "R-2")
    assert (reply.status, reply.body["entry"]["points"]) == (201, 0)
    assert shop.balance(ada) == 0


def test_lines_and_amounts_may_come_back_in_any_order(shop: Shop, ada: str) -> None:
    tea = {"sku": "TEA", "category": "tea", "quantity": 3, "amount": 3_000}
    cup = {"sku": "CUP", "quantity": 1, "amount": 3_000}
    shop.change_program(
        earning={
            "rules": [
                {
                    "rule_id": "tea",
                    "description": "Tea counts double",
                    "when": {"categories": ["tea"]},
                    "effect": {"kind": "multiply", "percent": 200},
                }
            ]
        }
    )
    steps = (
        lambda number: returned(shop, ada, [line("TEA", 1, 1_000)], f"R-{number}"),
        lambda number: shop.refund(ada, 1_000, refund_id=f"R-{number}"),
    )
    balances = []
    for order in ((0, 1), (1, 0)):
        shop.order(ada, total=6_000, lines=[tea, cup])
        assert shop.balance(ada) == 90
        for step in order:
            assert steps[step](step).status == 201
        balances.append(shop.balance(ada))
        # Of 40 for tea and 30 for the cup, four fifths are kept of each.
        ada = shop.enroll("grace") if len(balances) == 1 else ada
        if len(balances) == 1:
            assert_refused(shop.order(ada, total=6_000, lines=[tea, cup]), 409, "order_belongs_to_another_member")
            break
    assert balances == [56]


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        ([line("RADIO", 1, 100)], 422, "invalid_request"),
        ([line("TV", 2, 100_000)], 409, "refund_exceeds_order"),
        ([line("TV", 1, 100_001)], 409, "refund_exceeds_order"),
        ([line("TV", 1, 60_000), line("TV", 0, 60_000)], 409, "refund_exceeds_order"),
    ],
)
def test_no_line_comes_back_that_was_not_bought(
    shop: Shop, ada: str, lines: list[dict[str, Any]], status: int, code: str
) -> None:
    shop.order(ada, total=1_000_000, lines=[GIFT_CARD, TV])
    with shop.writing_nothing():
        assert_refused(returned(shop, ada, lines), status, code)


def test_a_refund_says_how_much_once(shop: Shop, ada: str) -> None:
    shop.order(ada, total=100_000, lines=[TV])
    body = {"order_id": "A-1", "refund_id": "R-1", "refunded_at": shop.now.isoformat()}
    with shop.writing_nothing():
        neither = shop.post(f"/v1/members/{ada}/refunds", body)
        assert_refused(neither, 422, "invalid_request")
        assert neither.pointers == ["/amount"]
        both = returned(shop, ada, [line("TV", 1, 100_000)], amount=5)
        assert "100000" in both.body["errors"][0]["detail"]
    assert returned(shop, ada, [line("TV", 1, 100_000)], amount=100_000).status == 201


def test_an_order_without_lines_is_refunded_by_amount_alone(shop: Shop, ada: str) -> None:
    shop.order(ada, total=100_000)
    refused = returned(shop, ada, [line("TV", 1, 100_000)])
    assert_refused(refused, 422, "invalid_request")
    assert "send amount" in refused.body["errors"][0]["detail"]


def test_a_tier_reached_with_what_came_back_goes_with_it(shop: Shop, ada: str) -> None:
    shop.order(ada, total=100_000)
    assert tier(shop, ada) == "gold"
    shop.refund(ada, 100_000)
    assert tier(shop, ada) == "bronze"
    assert shop.order(ada, "A-2", 10_000).body["entry"]["points"] == 100


def test_a_tier_that_others_orders_support_stays(shop: Shop, ada: str) -> None:
    shop.order(ada, total=60_000)
    shop.order(ada, "A-2", 60_000)
    shop.order(ada, "A-3", 30_000)
    shop.refund(ada, 30_000, "A-3")
    assert tier(shop, ada) == "gold"
    shop.refund(ada, 60_000)
    assert tier(shop, ada) == "silver"


def test_points_that_expired_are_not_taken_a_second_time(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "term", "days": 30})
    shop.order(ada, total=10_000)
    shop.pass_time(days=32)
    assert shop.balance(ada) == 0
    shop.adjust(ada, 100)
    refund = shop.refund(ada, 10_000).body
    assert (refund["entry"]["points"], refund["account"]["debt"], refund["account"]["balance"]) == (0, 0, 100)


def test_expired_points_count_once_for_all_orders_of_their_day(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "term", "days": 30})
    shop.order(ada, total=10_000)
    shop.order(ada, "A-2", 10_000)
    spent = shop.spend(ada, 50, 100_000).body["redemption_id"]
    shop.move(ada, spent, "capture")
    shop.pass_time(days=32)
    assert shop.refund(ada, 10_000).body["account"]["debt"] == 0
    assert shop.refund(ada, 10_000, "A-2").body["account"]["debt"] == 50


def test_a_badge_that_rests_on_nothing_is_lost_and_can_be_earned_again(shop: Shop, ada: str) -> None:
    goal = {"kind": "count", "of": "orders", "target": 2}
    shop.change_program(challenges=[{"challenge_id": "two", "name": "Two orders", "goal": goal, "points": 30}])
    shop.order(ada, total=1_000)
    shop.order(ada, "A-2", 1_000)
    assert (shop.balance(ada), len(shop.account(ada)["badges"])) == (50, 1)
    shop.refund(ada, 1_000, "A-2")
    assert (shop.balance(ada), shop.account(ada)["badges"]) == (10, [])
    [challenge] = shop.account(ada)["challenges"]
    assert (challenge["done"], challenge["target"]) == (1, 2)
    shop.order(ada, "A-3", 1_000)
    assert (shop.balance(ada), len(shop.account(ada)["badges"])) == (50, 1)


def test_a_badge_stays_while_another_order_holds_it(shop: Shop, ada: str) -> None:
    goal = {"kind": "visits", "target": 2, "within_days": 9}
    shop.change_program(challenges=[{"challenge_id": "two", "name": "Two days", "goal": goal, "points": 30}])
    for number in range(1, 4):
        shop.order(ada, f"A-{number}", 1_000)
        shop.pass_time(days=1)
    shop.refund(ada, 1_000, "A-1")
    assert (shop.balance(ada), len(shop.account(ada)["badges"])) == (50, 1)
    shop.refund(ada, 1_000, "A-2")
    assert (shop.balance(ada), shop.account(ada)["badges"]) == (10, [])


def test_a_returned_order_frees_what_it_used_of_a_limit(shop: Shop, ada: str) -> None:
    rule = {
        "rule_id": "first",
        "description": "Ten points once a month",
        "effect": {"kind": "add", "points": 10},
        "limit": {"times": 1, "per": "month"},
    }
    shop.change_program(earning={"rules": [rule]})
    assert shop.order(ada, total=1_000).body["entry"]["points"] == 20
    assert shop.order(ada, "A-2", 1_000).body["entry"]["points"] == 10
    shop.refund(ada, 1_000)
    assert shop.order(ada, "A-3", 1_000).body["entry"]["points"] == 20


def test_a_refund_can_be_taken_back(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    shop.order(ada, total=100_000)
    before = shop.account(ada)
    shop.refund(ada, 40_000)
    assert tier(shop, ada) == "silver"
    reply = shop.post(f"/v1/members/{ada}/refunds/R-1/reverse")
    assert (reply.status, reply.body["entry"]["points"]) == (201, 400)
    after = shop.account(ada)
    for name in ("balance", "debt", "lifetime_earned", "expiring"):
        assert after[name] == before[name]
    assert tier(shop, ada) == "gold"
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 5_000
    assert shop.post(f"/v1/members/{ada}/refunds/R-1/reverse").replayed
    assert shop.refund(ada, 100_000, refund_id="R-2").body["entry"]["points"] == -1000
    assert shop.balance(ada) == 0


def test_a_refund_that_is_of_no_order_or_of_several_is_not_taken_back(shop: Shop, ada: str) -> None:
    assert_refused(shop.post(f"/v1/members/{ada}/refunds/R-1/reverse"), 404, "refund_not_found")
    for order_id in ("A-1", "A-2"):
        shop.order(ada, order_id, 1_000)
        shop.refund(ada, 500, order_id)
    assert_refused(shop.post(f"/v1/members/{ada}/refunds/R-1/reverse"), 422, "invalid_request")
    assert shop.post(f"/v1/members/{ada}/refunds/R-1/reverse", {"order_id": "A-2"}).status == 201
    assert shop.balance(ada) == 15


def amended(shop: Shop, member: str, total: int, amendment_id: str = "E-1", **more: Any) -> Reply:
    body = {"amendment_id": amendment_id, "amended_at": shop.now.isoformat(), "total": total, **more}
    return shop.post(f"/v1/members/{member}/orders/A-1/amend", body)


def test_an_order_is_amended_up_and_down_as_though_it_had_been_so(shop: Shop, ada: str) -> None:
    shop.order(ada, total=10_000)
    assert amended(shop, ada, 60_000).body["entry"]["points"] == 500
    assert (shop.balance(ada), tier(shop, ada)) == (600, "silver")
    assert amended(shop, ada, 60_000).replayed
    assert amended(shop, ada, 2_000, "E-2").body["entry"]["points"] == -580
    assert (shop.balance(ada), tier(shop, ada)) == (20, "bronze")
    assert shop.refund(ada, 1_000).body["entry"]["points"] == -10
    assert_refused(amended(shop, ada, 3_000, "E-3"), 409, "invalid_state")


def test_an_amended_order_has_its_new_lines(shop: Shop, ada: str) -> None:
    shop.order(ada, total=100_000, lines=[TV])
    assert amended(shop, ada, 1_000_000, lines=[TV, GIFT_CARD]).body["entry"]["points"] == 0
    assert returned(shop, ada, [line("CARD", 1, 900_000)]).body["entry"]["points"] == 0
    assert returned(shop, ada, [line("TV", 1, 100_000)], "R-2").body["entry"]["points"] == -1000
    assert shop.balance(ada) == 0


def test_an_order_is_claimed_for_the_member_who_made_it(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    grace = shop.enroll("grace")
    shop.order(ada, total=60_000)
    claim = {"claim_id": "C-1", "reason": "the wrong card"}
    reply = shop.post(f"/v1/members/{grace}/orders/A-1/claim", claim)
    assert (reply.status, reply.body["entry"]["points"], reply.body["account"]["balance"]) == (201, 600, 600)
    assert (shop.balance(ada), tier(shop, ada), tier(shop, grace)) == (0, "bronze", "silver")
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 0
    assert shop.get(f"/v1/members/{grace}/credit").body["balance"]["amount"] == 3_000
    assert shop.post(f"/v1/members/{grace}/orders/A-1/claim", claim).replayed
    assert shop.order(grace, total=60_000).replayed
    assert_refused(shop.order(ada, total=60_000), 409, "order_belongs_to_another_member")
    assert_refused(shop.refund(ada, 1_000), 409, "order_belongs_to_another_member")
    assert shop.refund(grace, 60_000).body["account"]["balance"] == 0
    assert shop.get(f"/v1/members/{grace}/credit").body["balance"]["amount"] == 0


def test_an_order_of_a_campaign_whose_budget_is_used_up_is_claimed_all_the_same(shop: Shop, ada: str) -> None:
    campaign = {
        "campaign_id": "ten",
        "description": "Ten more",
        "effect": {"kind": "add", "points": 10},
        "budget": {"points": 10},
    }
    shop.change_program(campaigns=[campaign])
    assert shop.order(ada, total=1_000).body["entry"]["points"] == 20
    for number in range(6):
        member = shop.enroll(f"claimer-{number}")
        claim = {"claim_id": f"C-{number}", "reason": "the wrong card"}
        reply = shop.post(f"/v1/members/{member}/orders/A-1/claim", claim, scope=OPERATOR)
        assert (reply.status, reply.body["account"]["balance"]) == (201, 20)


def claimed(shop: Shop, member: str, claim_id: str = "C-1") -> Reply:
    body = {"claim_id": claim_id, "reason": "the wrong card"}
    return shop.post(f"/v1/members/{member}/orders/A-1/claim", body, scope=OPERATOR)


def test_a_claim_between_members_of_one_pool_makes_no_points(shop: Shop, ada: str) -> None:
    shop.change_program(pools={})
    grace = shop.enroll("grace")
    pool = shop.post("/v1/pools", {"member_id": ada}, key="pool").body["pool_id"]
    assert shop.join_pool(pool, grace).status == 201
    shop.order(ada, total=10_000)
    for number, member in enumerate((grace, ada, grace)):
        assert claimed(shop, member, f"C-{number}").status == 201
        assert (shop.account(grace)["pool"]["balance"], shop.account(grace)["debt"], shop.account(ada)["debt"]) == (
            100,
            0,
            0,
        )


def test_nothing_is_claimed_from_the_frozen_or_for_those_who_earn_nothing(shop: Shop, ada: str) -> None:
    shop.change_program(standing_rules={"excluded": {"tags": ["staff"]}})
    grace = shop.enroll("grace")
    shop.order(ada, total=10_000)
    shop.post(f"/v1/members/{grace}/tags", {"add": ["staff"]}, key="staff")
    with shop.writing_nothing():
        assert_refused(claimed(shop, grace), 409, "invalid_state")
    shop.post(f"/v1/members/{grace}/tags", {"remove": ["staff"]}, key="no-staff")
    shop.post(f"/v1/members/{ada}/freeze", {"reference": "case", "reason": "a doubt"}, scope=OPERATOR)
    with shop.writing_nothing():
        assert_refused(claimed(shop, grace), 409, "member_frozen")


def test_who_has_claimed_an_order_back_is_answered_as_before(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=10_000)
    assert claimed(shop, grace).status == 201
    assert claimed(shop, ada, "C-2").status == 201
    assert shop.order(ada, total=10_000).replayed
    assert_refused(shop.order(grace, total=10_000), 409, "order_belongs_to_another_member")
    late = {"claim_id": "C-3", "reason": "again"}
    assert_refused(shop.post(f"/v1/members/{grace}/orders/A-1/claim", late), 403, "forbidden")


def test_an_amendment_earns_by_the_program_that_the_order_was_credited_by(shop: Shop, ada: str) -> None:
    shop.order(ada, total=10_000)
    shop.change_program(earning={"points": 10}, cashback={"amount": 5, "per_amount": 100})
    assert amended(shop, ada, 10_100).body["entry"]["points"] == 1
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 0
    grace = shop.enroll("grace")
    assert claimed(shop, grace).status == 201
    assert amended(shop, grace, 10_200, "E-2").body["entry"]["points"] == 1


def test_credit_that_an_amendment_brings_after_a_claim_goes_when_the_order_does(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    grace = shop.enroll("grace")
    shop.order(ada, total=0)
    assert claimed(shop, grace).status == 201
    assert amended(shop, grace, 10_000).status == 201
    assert amended(shop, grace, 20_000, "E-2").status == 201
    assert shop.get(f"/v1/members/{grace}/credit").body["balance"]["amount"] == 1_000
    assert shop.account(grace)["tier"]["qualifying"] == 200
    assert shop.refund(grace, 20_000).status == 201
    assert shop.get(f"/v1/members/{grace}/credit").body["balance"]["amount"] == 0
    assert (shop.balance(grace), shop.account(grace)["tier"]["qualifying"]) == (0, 0)


def test_what_was_forgiven_does_not_come_back_with_an_amendment(shop: Shop, ada: str) -> None:
    shop.change_program(refund_debt="forgiven")
    shop.order(ada, total=10_000)
    shop.move(ada, shop.spend(ada, 100, 100_000).body["redemption_id"], "capture")
    for number, total in enumerate((0, 10_000, 0, 10_000)):
        assert amended(shop, ada, total, f"E-{number}").status == 201
        assert (shop.balance(ada), shop.account(ada)["debt"]) == (0, 0)


def test_refunds_reversed_in_another_order_give_back_no_more_than_they_took(shop: Shop, ada: str) -> None:
    shop.change_program(refund_debt="forgiven", earning={"base_max": 100})
    shop.order(ada, total=20_000)
    shop.move(ada, shop.spend(ada, 100, 100_000).body["redemption_id"], "capture")
    for refund_id in ("R-1", "R-2"):
        shop.refund(ada, 10_000, refund_id=refund_id)
    for refund_id in ("R-1", "R-2"):
        assert shop.post(f"/v1/members/{ada}/refunds/{refund_id}/reverse").status == 201
        assert shop.balance(ada) == 0


def test_ids_that_look_like_a_wallets_are_ids_like_others(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    shop.order(ada, total=10_000)
    assert amended(shop, ada, 20_000, "E#credit").status == 201
    assert amended(shop, ada, 30_000, "E").status == 201
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 1_500


def test_a_shops_repeated_call_for_a_merged_member_is_a_replay(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    assert shop.merge(grace, ada).status < 300
    calls: list[Callable[[], Reply]] = [
        lambda: shop.order(ada, total=10_000),
        lambda: shop.refund(ada, 1_000),
        lambda: shop.post(f"/v1/members/{ada}/refunds/R-1/reverse", {"order_id": "A-1"}),
        lambda: amended(shop, ada, 20_000),
    ]
    for call in calls:
        assert call().status == 201
        assert call().replayed


def test_a_refund_that_gave_back_what_was_spent_is_not_reversed(shop: Shop, ada: str) -> None:
    shop.adjust(ada, 1_000)
    shop.order(ada, total=1_000)
    spent = shop.spend(ada, 1_000, 1_000, order_id="A-1").body["redemption_id"]
    shop.move(ada, spent, "capture")
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 1_000, "return_spent": True}
    assert shop.post(f"/v1/members/{ada}/refunds", body).body["returned_points"] == 1_000
    with shop.writing_nothing():
        assert_refused(shop.post(f"/v1/members/{ada}/refunds/R-1/reverse"), 409, "invalid_state")


def test_a_storefront_claims_within_a_day_and_an_operator_at_any_time(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=1_000)
    shop.pass_time(hours=25)
    claim = {"claim_id": "C-1", "reason": "the wrong card"}
    path = f"/v1/members/{grace}/orders/A-1/claim"
    with shop.writing_nothing():
        assert_refused(shop.post(path, claim), 403, "forbidden")
        assert_refused(shop.post(f"/v1/members/{grace}/orders/B-1/claim", claim), 404, "order_not_found")
    assert shop.post(path, claim, scope=OPERATOR).status == 201
    assert_refused(shop.post(path, {**claim, "claim_id": "C-2"}, scope=OPERATOR), 409, "invalid_state")


def test_an_order_shows_all_that_hangs_on_it(shop: Shop, ada: str) -> None:
    tea = {"sku": "TEA", "category": "tea", "quantity": 2, "amount": 4_000}
    shop.order(ada, total=5_000, lines=[tea])
    returned(shop, ada, [line("TEA", 1, 2_000)])
    spent = shop.spend(ada, 20, 3_000, order_id="A-1").body["redemption_id"]
    order = shop.get(f"/v1/members/{ada}/orders/A-1").body
    assert (order["total"], order["refunded"], order["points"], order["points_kept"]) == (5_000, 2_000, 50, 30)
    [shown] = order["lines"]
    assert (shown["returned_quantity"], shown["returned_amount"]) == (1, 2_000)
    assert [(one["refund_id"], one["amount"], one["is_reversed"]) for one in order["refunds"]] == [
        ("R-1", 2_000, False)
    ]
    assert [one["redemption_id"] for one in order["redemptions"]] == [spent]
    assert_refused(shop.get(f"/v1/members/{ada}/orders/A-9"), 404, "order_not_found")
    assert_refused(shop.get(f"/v1/members/{shop.enroll('grace')}/orders/A-1"), 409, "order_belongs_to_another_member")


def test_an_adjustment_is_undone_to_the_very_lots(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "term", "months": 1})
    shop.adjust(ada, 100, "first")
    shop.pass_time(days=5)
    shop.adjust(ada, 100, "second")
    before = shop.account(ada)["expiring"]
    shop.pass_time(days=5)
    for points, reference in ((80, "third"), (-80, "fourth")):
        entry = shop.adjust(ada, points, reference).body["entry"]["entry_id"]
        path = f"/v1/members/{ada}/entries/{entry}/undo"
        reply = shop.post(path, {"reason": "a slip"}, scope=OPERATOR)
        assert (reply.status, reply.body["entry"]["points"]) == (201, -points)
        assert shop.account(ada)["expiring"] == before
        assert shop.post(path, {"reason": "a slip"}, scope=OPERATOR).replayed
        assert_refused(shop.post(path, {"reason": "another"}, scope=OPERATOR), 422, "idempotency_mismatch")


def test_an_adjustment_that_has_expired_is_undone_without_a_debt(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "term", "days": 30})
    entry = shop.adjust(ada, 100, "first").body["entry"]["entry_id"]
    shop.pass_time(days=32)
    shop.adjust(ada, 30, "second")
    reply = shop.post(f"/v1/members/{ada}/entries/{entry}/undo", {"reason": "a slip"}, scope=OPERATOR)
    assert (reply.status, reply.body["entry"]["points"]) == (201, 0)
    assert (shop.balance(ada), shop.account(ada)["debt"]) == (30, 0)


def test_only_an_adjustment_of_the_member_is_undone(shop: Shop, ada: str) -> None:
    earned = shop.order(ada).body["entry"]["entry_id"]
    body = {"reason": "a slip"}
    assert_refused(shop.post(f"/v1/members/{ada}/entries/{earned}/undo", body, scope=OPERATOR), 409, "invalid_state")
    for entry_id in (f"{ada}-99", f"{shop.enroll('grace')}-1", "nothing", f"{ada}-x"):
        path = f"/v1/members/{ada}/entries/{entry_id}/undo"
        assert_refused(shop.post(path, body, scope=OPERATOR), 404, "entry_not_found")


def test_nothing_rests_on_lots_without_an_end(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "never"})
    shop.order(ada, total=1_000)
    assert [one["on"] for one in shop.account(ada)["expiring"]] == [None]
    shop.refund(ada, 1_000)
    assert (shop.balance(ada), NEVER) == (0, "never")


def test_lines_that_come_back_leave_what_the_full_steps_of_the_rest_would_have_earned(shop: Shop, ada: str) -> None:
    bonus = {
        "rule_id": "tea",
        "description": "Tea",
        "when": {"categories": ["tea"]},
        "effect": {"kind": "multiply", "percent": 300},
    }
    shop.change_program(earning={"points": 5, "per_amount": 250, "whole_steps": True, "rules": [bonus]})
    tea = {"sku": "TEA", "category": "tea", "quantity": 3, "amount": 600}
    entry = shop.order(ada, total=760, lines=[tea]).body["entry"]
    assert [piece["points"] for piece in entry["breakdown"]] == [15, 20]
    # 560 are left, of which 400 are tea: two full steps, and one that is tripled; then 360 with 200 of tea.
    assert returned(shop, ada, [line("TEA", 1, 200)], "R-1").body["entry"]["points"] == 20 - 35
    assert returned(shop, ada, [line("TEA", 1, 200)], "R-2").body["entry"]["points"] == 5 - 20
