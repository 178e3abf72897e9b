"""Refunds that give back what was spent on the order, and what their answers say."""

from typing import Any

import pytest

from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused, check_every_account
from tests.functions.test_corrections import claimed, left, pool_of

CASHBACK = {"amount": 10, "per_amount": 100}


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with 400 points, worth as many cents, and 4000 cents of credit."""
    shop.change_program(cashback=CASHBACK, earning={"welcome_points": 0})
    member = shop.enroll("ada")
    shop.order(member, "earlier", 40_000)
    return member


def pay(shop: Shop, member: str, points: int, key: str = "pay", order_total: int = 1_000, **more: Any) -> str:
    body = {"capture": True, "order_id": "A-1", **more}
    return str(shop.spend(member, points, order_total, key=key, **body).body["redemption_id"])


def pay_credit(shop: Shop, member: str, credit: int) -> str:
    body = {"credit": credit, "order_total": 1_000, "currency": "USD", "order_id": "A-1", "capture": True}
    return str(shop.post(f"/v1/members/{member}/redemptions", body, key="pay-credit").body["redemption_id"])


def refund(shop: Shop, member: str, amount: int, refund_id: str = "R-1", **more: Any) -> Reply:
    body = {"order_id": "A-1", "refund_id": refund_id, "amount": amount, "return_spent": True, **more}
    return shop.post(f"/v1/members/{member}/refunds", body)


def state(shop: Shop, member: str, redemption_id: str) -> tuple[str, int]:
    answer = shop.get(f"/v1/members/{member}/redemptions/{redemption_id}").body
    return answer["state"], answer["returned"]


def credit(shop: Shop, member: str) -> int:
    return int(shop.get(f"/v1/members/{member}/credit").body["balance"]["amount"])


def told(reply: Reply) -> tuple[int, int | None, int, int | None]:
    taken, back = reply.body["credit"], reply.body["returned_credit"]
    return (
        reply.body["points"],
        taken and taken["amount"],
        reply.body["returned_points"],
        back and back["amount"],
    )


def test_a_part_of_an_order_gives_back_the_same_part_of_what_was_spent_on_it(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    points, money = pay(shop, ada, 101), pay_credit(shop, ada, 305)
    elsewhere = pay(shop, ada, 30, "k2", order_id="other")
    held = pay(shop, ada, 20, "k3", capture=False)
    balance, wallet = shop.balance(ada), credit(shop, ada)
    reply = refund(shop, ada, 500)
    assert (reply.status, told(reply)) == (201, (5, 50, 50, 152))
    assert (shop.balance(ada), credit(shop, ada)) == (balance - 5 + 50, wallet - 50 + 152)
    assert (state(shop, ada, points), state(shop, ada, money)) == (("captured", 50), ("captured", 152))
    assert (state(shop, ada, elsewhere), state(shop, ada, held)) == (("captured", 0), ("reserved", 0))
    again = refund(shop, ada, 500)
    assert (again.status, again.replayed, told(again)) == (200, True, (5, 50, 50, 152))
    assert shop.balance(ada) == balance - 5 + 50


def test_a_full_refund_in_parts_gives_all_back_and_no_more(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    before = shop.balance(ada), credit(shop, ada)
    points, money = pay(shop, ada, 101), pay_credit(shop, ada, 305)
    back = [told(refund(shop, ada, amount, f"R-{amount}"))[2:] for amount in (333, 334, 332, 1)]
    assert [sum(column) for column in zip(*back, strict=True)] == [101, 305]
    assert back[0] == (33, 101)
    assert (state(shop, ada, points), state(shop, ada, money)) == (("reversed", 101), ("reversed", 305))
    assert (shop.balance(ada), credit(shop, ada)) == (before[0] - 10, before[1] - 100)


@pytest.mark.parametrize("amount", [100, 90])
def test_a_reward_stays_with_who_has_its_code_whatever_order_it_names(shop: Shop, ada: str, amount: int) -> None:
    shop.order(ada, total=100)
    body = {"reward_id": "free-coffee", "order_id": "A-1", "capture": True}
    path, by_member = f"/v1/members/{ada}/redemptions", {"scope": MEMBER, "member_id": ada}
    had = shop.post(path, body, key="reward", **by_member).body
    paid = pay(shop, ada, 50, order_total=100)
    balance = shop.balance(ada)
    reply = refund(shop, ada, amount)
    assert (reply.status, told(reply)[2]) == (201, amount // 2)
    assert state(shop, ada, paid) == ("reversed" if amount == 100 else "captured", amount // 2)
    assert state(shop, ada, had["redemption_id"]) == ("captured", 0)
    assert shop.balance(ada) == balance + amount // 2 - reply.body["points"]
    assert shop.move(ada, had["redemption_id"], "reverse").status == 200
    assert shop.balance(ada) == balance + amount // 2 - reply.body["points"] + had["points"]


def test_what_was_given_back_before_is_not_given_back_again(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    spent = pay(shop, ada, 100)
    path = f"/v1/members/{ada}/redemptions/{spent}/reverse"
    assert shop.post(path, {"reversal_id": "V-1", "points": 60}).status == 200
    assert told(refund(shop, ada, 500))[2] == 0
    assert told(refund(shop, ada, 200, "R-2"))[2] == 10
    assert told(refund(shop, ada, 100, "R-3", return_spent=False))[2] == 0
    assert told(refund(shop, ada, 200, "R-4"))[2] == 30
    assert state(shop, ada, spent) == ("reversed", 100)


def test_points_that_come_back_are_there_before_points_are_taken(shop: Shop) -> None:
    shop.change_program(refund_debt="forgiven", earning={"welcome_points": 0})
    ada = shop.enroll("ada")
    shop.order(ada, total=10_000)
    pay(shop, ada, 100, order_total=10_000)
    reply = refund(shop, ada, 10_000)
    assert told(reply) == (100, None, 100, None)
    assert (shop.balance(ada), shop.account(ada)["debt"]) == (0, 0)


def test_a_merged_members_spending_comes_back_to_who_took_them_in(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    pay(shop, ada, 100)
    pay_credit(shop, ada, 300)
    grace = shop.enroll("grace")
    shop.merge(grace, ada)
    reply = refund(shop, ada, 500)
    assert (reply.status, told(reply)) == (201, (5, 50, 50, 150))
    assert reply.body["account"]["member_id"] == grace


def test_the_answer_names_the_tier_and_badges_that_went(shop: Shop) -> None:
    goal = {"kind": "count", "of": "orders", "target": 1}
    badge = {"challenge_id": "first", "name": "First order", "goal": goal}
    shop.change_program(challenges=[badge])
    ada = shop.enroll("ada")
    shop.order(ada, total=60_000)
    assert shop.account(ada)["tier"]["tier_id"] == "silver"
    first = refund(shop, ada, 1_000, "R-0").body
    assert (first["tier_lost"], first["badges_lost"], first["credit"]) == (None, [], None)
    reply = refund(shop, ada, 59_000)
    expected = ({"before": "silver", "after": "bronze"}, ["first"])
    assert (reply.body["tier_lost"], reply.body["badges_lost"]) == expected
    again = refund(shop, ada, 59_000)
    assert (again.replayed, again.body["tier_lost"], again.body["badges_lost"]) == (True, *expected)


def test_a_reversal_does_not_take_a_refunds_id(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    spent = pay(shop, ada, 100)
    body = {"reversal_id": "refund:R-1", "points": 1}
    path = f"/v1/members/{ada}/redemptions/{spent}/reverse"
    assert_refused(shop.post(path, body, scope=OPERATOR), 422, "invalid_request")


def test_what_more_redemptions_than_a_refund_reverses_have_paid_is_not_given_back_at_once(shop: Shop, ada: str) -> None:
    shop.order(ada, total=1_000)
    for number in range(21):
        pay(shop, ada, 2, f"k{number}")
    with shop.writing_nothing():
        assert_refused(refund(shop, ada, 1_000), 409, "invalid_state")
    assert refund(shop, ada, 1_000, return_spent=False).status == 201


def test_what_a_member_spent_out_of_a_pool_goes_back_into_it(shop: Shop, ada: str) -> None:
    shop.change_program(pools={"members_max": 3})
    opened = shop.post("/v1/pools", {"member_id": ada}, key="pool")
    assert opened.status == 201, opened.body
    shop.order(ada, total=1_000)
    balance = shop.account(ada)["pool"]["balance"]
    spent = pay(shop, ada, 100)
    assert told(refund(shop, ada, 1_000)) == (10, 100, 100, None)
    assert state(shop, ada, spent) == ("reversed", 100)
    assert shop.account(ada)["pool"]["balance"] == shop.balance(ada) == balance - 10


def paid_from_a_pool(shop: Shop) -> tuple[str, str, str, str]:
    """Who has paid 400 for an order, 300 of it of another's points; the other, their pool, and the redemption."""
    shop.change_program(pools={}, earning={"rules": [], "welcome_points": 0})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    pool = pool_of(shop, ada, grace)
    shop.order(grace, "G-1", 50_000)
    shop.order(ada, total=10_000)
    return ada, grace, pool, pay(shop, ada, 400, order_total=10_000)


def test_what_the_erased_had_spent_of_a_pools_points_goes_back_there(shop: Shop) -> None:
    ada, grace, pool, _ = paid_from_a_pool(shop)
    assert shop.erase(ada).status == 200
    assert shop.balance(grace) == 200
    reply = refund(shop, ada, 5_000)
    assert (reply.status, told(reply)[2]) == (201, 200)
    assert shop.balance(grace) == 400
    assert told(refund(shop, ada, 5_000, "R-2"))[2] == 100
    assert shop.balance(grace) == 500
    assert refund(shop, ada, 5_000, "R-2").replayed
    assert (shop.account(ada)["balance"], shop.account(ada)["debt"]) == (0, 0)
    [member] = shop.get(f"/v1/pools/{pool}").body["members"]
    assert member["member_id"] == grace
    check_every_account()


def test_nothing_goes_back_to_a_pool_that_the_refund_does_not_ask_for(shop: Shop) -> None:
    ada, grace, _, _ = paid_from_a_pool(shop)
    shop.erase(ada)
    assert told(refund(shop, ada, 10_000, return_spent=False))[2] == 0
    assert shop.balance(grace) == 200


def test_of_a_pool_that_nobody_shares_the_erased_get_nothing_back(shop: Shop) -> None:
    ada, grace, _, _ = paid_from_a_pool(shop)
    shop.erase(ada)
    assert shop.erase(grace).status == 200
    reply = refund(shop, ada, 10_000)
    assert (reply.status, told(reply)[2]) == (201, 0)
    assert shop.account(ada)["balance"] == 0


def test_what_an_erased_former_owner_had_spent_of_a_pools_points_goes_back_there(shop: Shop) -> None:
    ada, grace, _, _ = paid_from_a_pool(shop)
    carol = shop.enroll("carol")
    assert claimed(shop, carol).status == 201
    before = shop.balance(grace)
    shop.erase(ada)
    reply = refund(shop, carol, 10_000)
    assert (reply.status, told(reply)[2]) == (201, 400)
    assert shop.balance(grace) == before + 400
    check_every_account()


def test_points_of_a_pool_that_a_return_takes_at_once_are_owed_to_it(shop: Shop) -> None:
    """Half of the order comes back, after its buyer, who had paid with another's points, has left the pool."""
    ada, grace, pool, _ = paid_from_a_pool(shop)
    left(shop, pool, ada)
    shared = shop.balance(grace)
    answer = refund(shop, ada, 5_000).body
    account = shop.account(ada)
    assert answer["returned_points"] == 200
    assert shop.balance(grace) == shared + 200
    assert (account["balance"], account["debt"]) == (0, 50), "of 100 that the order had brought"
