"""The shop's own codes for vouchers: added, taken one by one, never twice."""

from typing import Any

import pytest

from tests.functions.shop import OPERATOR, STOREFRONT, Reply, Shop, assert_refused
from tests.functions.test_referrals import stream
from tests.shared.wire import Wire

CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "C", "points": 10}
PLAIN = {**CAKE, "reward_id": "plain", "voucher": {}}
BADGE = {"challenge_id": "two", "name": "Two", "goal": {"kind": "count", "of": "orders", "target": 2}}


def add(shop: Shop, *codes: str, reward: str = "cake", scope: str = OPERATOR) -> Reply:
    return shop.post(f"/v1/rewards/{reward}/codes", {"codes": list(codes)}, scope=scope)


@pytest.fixture
def ada(shop: Shop) -> str:
    gift = {"gift_id": "two", "reward_id": "cake", "on": {"kind": "badge", "challenge_id": "two"}}
    rewards = [{**CAKE, "voucher": {"own_codes": True}}, PLAIN]
    shop.change_program(redeeming={"rewards": rewards}, challenges=[BADGE], given_vouchers=[gift])
    member = shop.enroll("ada")
    shop.adjust(member, 1_000)
    return member


def test_they_are_taken_in_the_order_in_which_they_were_added(shop: Shop, ada: str) -> None:
    assert add(shop, "SHOP-1", "SHOP-2").body == {"added": 2, "left": 2}
    at_once = shop.redeem(ada, "cake", key="k1", capture=True).body
    held = shop.redeem(ada, "cake", key="k2").body
    captured = shop.move(ada, held["redemption_id"], "capture").body
    assert [one["voucher_code"] for one in (at_once, captured)] == ["SHOP-1", "SHOP-2"]
    used = shop.post("/v1/vouchers/use", {"code": "shop-2", "reference": "T-1"})
    assert used.body["voucher"]["voucher_id"] == held["redemption_id"]
    again = shop.redeem(ada, "cake", key="k1", capture=True)
    assert (again.replayed, again.body["voucher_code"]) == (True, "SHOP-1")


def test_a_code_that_is_known_is_passed_over(shop: Shop, ada: str) -> None:
    add(shop, "SHOP-1")
    assert add(shop, "shop-1", "SHOP-2", "SHOP-2").body == {"added": 1, "left": 2}
    shop.redeem(ada, "cake", capture=True)
    assert add(shop, "SHOP-1").body == {"added": 0, "left": 1}


def test_a_hundred_are_added_at_once_and_no_more(shop: Shop, ada: str) -> None:
    assert add(shop, *(f"SHOP-{number}" for number in range(100))).body == {"added": 100, "left": 100}
    assert add(shop, *(f"MORE-{number}" for number in range(101))).status == 422
    assert ada


def test_one_that_nobody_has_yet_is_no_voucher(shop: Shop, ada: str) -> None:
    add(shop, "SHOP-1")
    assert ada
    assert_refused(shop.post("/v1/vouchers/lookup", {"code": "SHOP-1"}), 404, "voucher_not_found")


def test_without_a_code_nothing_is_captured(shop: Shop, ada: str) -> None:
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada, "cake", capture=True), 409, "reward_unavailable")
    held = shop.redeem(ada, "cake", key="k2").body["redemption_id"]
    assert_refused(shop.move(ada, held, "capture"), 409, "reward_unavailable")
    add(shop, "SHOP-1")
    assert shop.move(ada, held, "capture").body["voucher_code"] == "SHOP-1"


def test_of_two_at_once_each_gets_a_code_of_its_own(shop: Shop, ada: str, wire: Wire) -> None:
    add(shop, "SHOP-1", "SHOP-2")
    grace = shop.enroll("grace")
    shop.adjust(grace, 100, "g")
    wire.before("TransactWriteItems", lambda: shop.redeem(grace, "cake", key="g", capture=True))
    assert shop.redeem(ada, "cake", capture=True).body["voucher_code"] == "SHOP-2"
    codes = shop.get(f"/v1/members/{grace}/vouchers").body["items"]
    assert [one["code"] for one in codes] == ["SHOP-1"]


def test_a_gift_waits_for_a_code(shop: Shop, ada: str) -> None:
    for number in range(2):
        shop.order(ada, f"A-{number}", 1_000)
    assert len(stream()) == 1
    add(shop, "SHOP-1")
    assert stream() == []
    assert [one["code"] for one in shop.get(f"/v1/members/{ada}/vouchers").body["items"]] == ["SHOP-1"]


@pytest.mark.parametrize(
    ("reward", "status", "code"), [("none", 404, "reward_not_found"), ("plain", 422, "invalid_request")]
)
def test_codes_are_for_rewards_that_take_them(shop: Shop, ada: str, reward: Any, status: int, code: str) -> None:
    assert ada
    assert_refused(add(shop, "SHOP-1", reward=reward), status, code)


def test_operators_alone_add_codes(shop: Shop, ada: str) -> None:
    assert ada
    assert add(shop, "SHOP-1", scope=STOREFRONT).status == 403
