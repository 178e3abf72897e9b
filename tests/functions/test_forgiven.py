"""Points that a program forgives, because they were spent or held when what had brought them came back."""

from typing import Any

import pytest

from tests.functions.shop import Shop
from tests.functions.test_corrections import claimed, pool_of, stands

FORGIVING: dict[str, Any] = {"earning": {"rules": [], "welcome_points": 0}, "refund_debt": "forgiven"}


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(**FORGIVING)
    return shop.enroll("ada")


def forgiven(shop: Shop, member: str, order_id: str = "A-0") -> None:
    """Earn 500 points, spend them for good, and bring the order back."""
    shop.order(member, order_id, 50_000)
    assert shop.spend(member, 500, 100_000, key=order_id, capture=True).status == 201
    assert shop.refund(member, 50_000, order_id).body["entry"]["points"] == 0
    assert stands(shop, member) == (0, 0)


def held(shop: Shop, member: str, points: int = 400) -> str:
    reply = shop.spend(member, points, 100_000, key=f"held-{member}")
    assert reply.status == 201, reply.body
    return str(reply.body["redemption_id"])


@pytest.mark.parametrize("step", ["cancel", "lapse", "reverse"])
def test_what_is_held_after_points_were_forgiven_comes_back_whole(shop: Shop, ada: str, step: str) -> None:
    forgiven(shop, ada)
    shop.order(ada, total=50_000)
    redemption = held(shop, ada)
    if step == "lapse":
        shop.pass_time(hours=2)
    else:
        if step == "reverse":
            shop.move(ada, redemption, "capture")
        assert shop.move(ada, redemption, step).status == 200
    assert stands(shop, ada) == (500, 0)


def test_what_is_held_later_comes_back_whole_where_inactivity_ends_points(shop: Shop, ada: str) -> None:
    shop.change_program(expiry={"kind": "inactivity", "months": 12})
    forgiven(shop, ada)
    shop.pass_time(days=200)
    shop.order(ada, total=50_000)
    assert shop.move(ada, held(shop, ada), "cancel").status == 200
    assert stands(shop, ada) == (500, 0)


def test_of_two_holds_the_one_that_was_there_has_the_forgiven_points(shop: Shop, ada: str) -> None:
    shop.order(ada, "A-0", 50_000)
    first = str(shop.spend(ada, 500, 100_000, key="first").body["redemption_id"])
    shop.refund(ada, 50_000, "A-0")
    shop.order(ada, total=50_000)
    second = held(shop, ada)
    assert shop.move(ada, second, "cancel").status == 200
    assert stands(shop, ada) == (500, 0)
    assert shop.move(ada, first, "cancel").status == 200
    assert stands(shop, ada) == (500, 0)


def test_credit_that_is_held_after_other_credit_was_forgiven_comes_back_whole(shop: Shop, ada: str) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    path = f"/v1/members/{ada}/redemptions"
    shop.order(ada, "A-0", 50_000)
    spending = {"order_total": 100_000, "currency": "USD"}
    assert shop.post(path, {"credit": 2_500, **spending, "capture": True}, key="c-1").status == 201
    shop.refund(ada, 50_000, "A-0")
    shop.order(ada, total=50_000)
    redemption = shop.post(path, {"credit": 2_000, **spending}, key="c-2").body["redemption_id"]
    assert shop.move(ada, redemption, "cancel").status == 200
    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 2_500


def test_a_declined_gift_that_was_offered_later_comes_back_whole(shop: Shop, ada: str) -> None:
    shop.change_program(gifts={"accept_days": 7, "points_max": 1_000})
    grace = shop.enroll("grace")
    forgiven(shop, ada)
    shop.order(ada, total=50_000)
    offered = {"to_member_id": grace, "points": 500}
    gift = shop.post(f"/v1/members/{ada}/gifts", offered, key="gift").body["gift_id"]
    assert shop.post(f"/v1/members/{grace}/gifts/{gift}/return").status == 200
    assert stands(shop, ada) == (500, 0)


@pytest.mark.parametrize("is_held_before", [True, False])
def test_a_merge_leaves_the_others_points_to_them(shop: Shop, ada: str, *, is_held_before: bool) -> None:
    grace = shop.enroll("grace")
    forgiven(shop, ada)
    shop.order(grace, "G-1", 50_000)
    redemption = held(shop, grace) if is_held_before else ""
    assert shop.merge(grace, ada).status == 200
    assert shop.move(grace, redemption or held(shop, grace), "cancel").status == 200
    assert stands(shop, grace) == (500, 0)


@pytest.mark.parametrize("comes_back", ["before the merge", "after the merge"])
@pytest.mark.parametrize("step", ["cancel", "reverse"])
def test_what_a_merged_member_had_out_when_it_was_forgiven_does_not_come_back(
    shop: Shop, ada: str, comes_back: str, step: str
) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=50_000)
    redemption = held(shop, ada, 500)
    if step == "reverse":
        shop.move(ada, redemption, "capture")
    if comes_back == "before the merge":
        shop.refund(ada, 50_000)
    assert shop.merge(grace, ada).status == 200
    if comes_back == "after the merge":
        shop.refund(grace, 50_000)
    assert shop.move(grace, redemption, step).status == 200
    assert stands(shop, grace) == (0, 0)


def test_who_was_forgiven_takes_nothing_from_those_who_share_their_pool(shop: Shop, ada: str) -> None:
    shop.change_program(pools={})
    grace = shop.enroll("grace")
    pool_of(shop, ada, grace)
    forgiven(shop, ada)
    shop.order(grace, "G-1", 50_000)
    assert shop.move(ada, held(shop, ada), "cancel").status == 200
    assert stands(shop, grace) == (500, 0)


def test_a_gift_hands_over_only_what_was_not_forgiven_while_it_waited(shop: Shop, ada: str) -> None:
    shop.change_program(gifts={"accept_days": 7, "points_max": 1_000})
    grace = shop.enroll("grace")
    shop.order(ada, total=50_000)
    offered = {"to_member_id": grace, "points": 500}
    gift = shop.post(f"/v1/members/{ada}/gifts", offered, key="gift").body["gift_id"]
    shop.refund(ada, 20_000)
    assert shop.post(f"/v1/members/{grace}/gifts/{gift}/accept").status == 200
    assert (stands(shop, ada), stands(shop, grace)) == ((0, 0), (300, 0))


def test_a_gift_that_was_offered_after_points_were_forgiven_arrives_whole(shop: Shop, ada: str) -> None:
    shop.change_program(gifts={"accept_days": 7, "points_max": 1_000})
    grace = shop.enroll("grace")
    forgiven(shop, ada)
    shop.order(ada, total=50_000)
    offered = {"to_member_id": grace, "points": 500}
    gift = shop.post(f"/v1/members/{ada}/gifts", offered, key="gift").body["gift_id"]
    assert shop.post(f"/v1/members/{grace}/gifts/{gift}/accept").status == 200
    assert (stands(shop, ada), stands(shop, grace)) == ((0, 0), (500, 0))


def test_an_order_that_is_claimed_there_and_back_brings_nothing_that_was_forgiven(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=50_000)
    assert shop.spend(ada, 400, 100_000, capture=True).status == 201
    assert claimed(shop, grace).status == 201
    assert (stands(shop, ada), stands(shop, grace)) == ((0, 0), (500, 0))
    assert shop.spend(grace, 500, 100_000, key="grace", capture=True).status == 201
    assert claimed(shop, ada, "C-2").status == 201
    assert (stands(shop, ada), stands(shop, grace)) == ((100, 0), (0, 0))
    assert shop.refund(ada, 50_000).status == 201
    assert stands(shop, ada) == (0, 0)


def test_an_order_that_is_claimed_back_brings_what_has_been_kept_back_since(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=50_000)
    redemption = held(shop, ada)
    claimed(shop, grace)
    assert shop.move(ada, redemption, "cancel").status == 200
    assert stands(shop, ada) == (0, 0)
    assert claimed(shop, ada, "C-2").status == 201
    assert (stands(shop, ada), stands(shop, grace)) == ((500, 0), (0, 0))
