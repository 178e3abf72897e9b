"""Pools and gifts, called as API Gateway does."""

from typing import Any

import pytest

from shared.domain.spending.redemptions import OPEN_HOLDS_MAX
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire

POOLS = {"members_max": 2}
GIFTS = {"accept_days": 7, "points_max": 100, "limit": {"times": 2, "per": "month"}}


@pytest.fixture
def family(shop: Shop) -> tuple[str, str, str]:
    """Ada and Bob, who share a pool, and its id; each has brought the 100 welcome points."""
    shop.change_program(pools=POOLS, gifts=GIFTS)
    ada, bob = shop.enroll("ada"), shop.enroll("bob")
    opened = shop.post("/v1/pools", {"member_id": ada}, key="pool")
    assert opened.status == 201, opened.body
    pool_id = str(opened.body["pool_id"])
    assert join(shop, pool_id, bob).status == 201
    return ada, bob, pool_id


def join(shop: Shop, pool_id: str, who: str, **options: Any) -> Reply:
    return shop.post(f"/v1/pools/{pool_id}/members", {"member_id": who}, key=f"join-{who}", **options)


def leave(shop: Shop, pool_id: str, member_id: str, key: str = "leave") -> Reply:
    path = f"/v1/pools/{pool_id}/members/{member_id}"
    return shop.call("DELETE", path, headers={"Idempotency-Key": f"{key}-{member_id}"})


def gift(shop: Shop, member_id: str, to: str, points: int = 40, key: str = "gift", **more: Any) -> Reply:
    return shop.post(f"/v1/members/{member_id}/gifts", {"to_member_id": to, "points": points, **more}, key=key)


def parts(shop: Shop, pool_id: str) -> dict[str, tuple[int, int]]:
    members = shop.get(f"/v1/pools/{pool_id}").body["members"]
    return {one["member_id"]: (one["contributed"], one["spent"]) for one in members}


class TestPools:
    def test_what_is_earned_is_shared_and_each_spend_is_attributed(
        self, shop: Shop, family: tuple[str, str, str], wire: Wire
    ) -> None:
        ada, bob, pool_id = family
        shop.order(ada, "A-0")
        wire.requests.clear()
        reply = shop.order(ada, "A-1", 10_000)
        assert wire.requests == ["GetItem", "GetItem", "TransactWriteItems"]
        assert reply.body["account"]["pool"] == {"pool_id": pool_id, "balance": 342, "members": 2}
        wire.requests.clear()
        held = shop.redeem(bob)
        assert wire.requests == ["GetItem", "GetItem", "TransactWriteItems"]
        assert held.body["account"]["balance"] == 192
        assert parts(shop, pool_id) == {ada: (242, 0), bob: (100, 150)}
        account = shop.account(ada)
        assert (account["balance"], sum(lot["points"] for lot in account["expiring"])) == (192, 192)
        assert shop.order(ada, "A-1", 10_000).replayed
        shop.move(bob, held.body["redemption_id"], "cancel")
        assert parts(shop, pool_id) == {ada: (242, 0), bob: (100, 0)}
        assert shop.balance(bob) == 342

    def test_refunds_draw_from_the_pool(self, shop: Shop, family: tuple[str, str, str]) -> None:
        ada, bob, _ = family
        shop.order(ada, "A-1", 10_000)
        assert shop.refund(ada, 10_000).status == 201
        assert (shop.balance(bob), shop.account(ada)["debt"]) == (200, 0)

    def test_who_leaves_leaves_the_points_but_the_last_takes_them(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        assert leave(shop, pool_id, ada).status == 200
        assert leave(shop, pool_id, ada).replayed
        assert (shop.balance(ada), shop.balance(bob), shop.account(ada)["pool"]) == (0, 200, None)
        assert_refused(leave(shop, pool_id, ada, "again"), 409, "invalid_state")
        assert leave(shop, pool_id, bob).body["members"] == []
        assert shop.balance(bob) == 200

    def test_a_frozen_members_part_cannot_be_spent_by_the_others(
        self, shop: Shop, family: tuple[str, str, str], wire: Wire
    ) -> None:
        ada, bob, pool_id = family
        cause = {"reason": "stolen card", "reference": "case-7"}
        wire.requests.clear()
        frozen = shop.post(f"/v1/members/{ada}/freeze", cause, scope=OPERATOR)
        assert wire.requests == ["GetItem", "GetItem", "TransactWriteItems"]
        assert (frozen.body["account"]["balance"], frozen.body["account"]["pool"]["balance"]) == (100, 100)
        assert parts(shop, pool_id) == {ada: (0, 0), bob: (100, 0)}
        assert_refused(shop.redeem(bob), 409, "insufficient_points")
        assert_refused(shop.spend(ada, 50, 1_000), 409, "member_frozen")
        assert shop.post(f"/v1/members/{ada}/freeze", cause, scope=OPERATOR).replayed

        shop.post(f"/v1/members/{ada}/unfreeze", {**cause, "reference": "case-8"}, scope=OPERATOR)
        assert parts(shop, pool_id) == {ada: (100, 0), bob: (100, 0)}
        assert shop.redeem(bob, key="again").status == 201

    def test_a_pool_is_joined_only_by_who_agrees_while_there_is_room(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        eve = shop.enroll("eve")
        assert_refused(join(shop, pool_id, eve), 409, "invalid_state")
        leave(shop, pool_id, bob)
        assert_refused(join(shop, pool_id, eve, scope=MEMBER, member_id=ada), 404, "member_not_found")
        assert_refused(join(shop, "nowhere", eve), 404, "pool_not_found")
        assert_refused(join(shop, pool_id, ada), 409, "invalid_state")
        assert join(shop, pool_id, "me", scope=MEMBER, member_id=eve).status == 201
        assert_refused(shop.get(f"/v1/pools/{pool_id}", scope=MEMBER, member_id=bob), 404, "pool_not_found")
        assert shop.get(f"/v1/pools/{pool_id}", scope=MEMBER, member_id=eve).status == 200

    def test_only_the_storefront_opens_pools_if_the_program_says_so(self, shop: Shop) -> None:
        ada = shop.enroll("ada")
        assert_refused(shop.post("/v1/pools", {"member_id": ada}, key="p"), 409, "invalid_state")
        shop.change_program(pools={"created_by": "storefront"})
        assert_refused(shop.post("/v1/pools", {}, key="p", scope=MEMBER, member_id=ada), 403, "forbidden")

    def test_who_is_merged_or_erased_leaves_first(self, shop: Shop, family: tuple[str, str, str]) -> None:
        ada, bob, pool_id = family
        eve = shop.enroll("eve")
        assert shop.merge(ada, eve).status == 200
        assert shop.balance(bob) == 300
        assert shop.merge(eve := shop.enroll("eva"), bob).status == 200
        assert (shop.balance(eve), shop.balance(ada)) == (100, 300)
        assert shop.erase(ada).status == 200
        assert shop.get(f"/v1/pools/{pool_id}").body["members"] == []


class TestGifts:
    @pytest.fixture
    def pair(self, shop: Shop) -> tuple[str, str]:
        shop.change_program(gifts=GIFTS)
        return shop.enroll("ada"), shop.enroll("bob")

    def test_a_gift_is_accepted_once(self, shop: Shop, pair: tuple[str, str], wire: Wire) -> None:
        ada, bob = pair
        shop.balance(ada)
        wire.requests.clear()
        offered = gift(shop, ada, bob, message="Happy birthday")
        assert wire.requests == ["TransactGetItems", "TransactWriteItems"]
        assert (offered.status, offered.body["state"], offered.body["message"]) == (201, "offered", "Happy birthday")
        assert gift(shop, ada, bob, message="Happy birthday").replayed
        assert_refused(gift(shop, ada, bob, message="Happy"), 422, "idempotency_mismatch")
        assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (60, 40)
        path = f"/v1/members/{bob}/gifts/{offered.body['gift_id']}"
        assert shop.get(path, scope=MEMBER, member_id=bob).body["message"] == "Happy birthday"
        assert_refused(shop.post(f"/v1/members/{ada}/gifts/{offered.body['gift_id']}/accept"), 404, "gift_not_found")
        assert shop.post(f"{path}/accept").body["state"] == "accepted"
        assert shop.post(f"{path}/accept").replayed
        assert_refused(shop.post(f"{path}/return"), 409, "invalid_state")
        assert (shop.balance(ada), shop.balance(bob), shop.get(path).body["state"]) == (60, 140, "accepted")
        assert "birthday" not in str(shop.tables()[0])

    @pytest.mark.parametrize(("side", "step"), [(1, "return"), (0, "withdraw")])
    def test_a_gift_is_declined_or_withdrawn(self, shop: Shop, pair: tuple[str, str], side: int, step: str) -> None:
        gift_id = gift(shop, *pair).body["gift_id"]
        assert_refused(shop.post(f"/v1/members/{pair[1 - side]}/gifts/{gift_id}/{step}"), 404, "gift_not_found")
        assert shop.post(f"/v1/members/{pair[side]}/gifts/{gift_id}/{step}").body["state"] == "returned"
        assert shop.balance(pair[0]) == 100
        assert_refused(shop.post(f"/v1/members/{pair[1]}/gifts/{gift_id}/accept"), 409, "invalid_state")

    def test_an_unanswered_gift_lapses(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        gift_id = gift(shop, ada, bob).body["gift_id"]
        shop.pass_time(days=7)
        assert shop.get(f"/v1/members/{ada}/gifts/{gift_id}").body["state"] == "lapsed"
        assert_refused(shop.post(f"/v1/members/{bob}/gifts/{gift_id}/accept"), 409, "invalid_state")
        assert shop.balance(ada) == 100

    def test_what_a_gift_may_be_and_how_often(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        assert gift(shop, ada, bob, 101).pointers == ["/points"]
        assert gift(shop, ada, ada).pointers == ["/to_member_id"]
        assert_refused(gift(shop, ada, "nobody"), 404, "member_not_found")
        gift(shop, ada, bob, 10, "g1")
        gift(shop, ada, bob, 10, "g2")
        refused = gift(shop, ada, bob, 10, "g3")
        assert_refused(refused, 409, "invalid_state")
        assert "frees on 2026-12-01" in refused.body["detail"]
        shop.adjust(bob, -50)
        assert_refused(gift(shop, bob, ada, 60, "g4"), 409, "insufficient_points")

    def test_a_frozen_member_gives_nothing(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        gift_id = gift(shop, ada, bob).body["gift_id"]
        shop.post(f"/v1/members/{ada}/freeze", {"reason": "fraud", "reference": "F-1"}, scope=OPERATOR)
        assert_refused(gift(shop, ada, bob, key="g2"), 409, "member_frozen")
        assert_refused(shop.post(f"/v1/members/{bob}/gifts/{gift_id}/accept"), 409, "member_frozen")

    @pytest.mark.parametrize("side", [0, 1])
    def test_words_go_with_either_person(self, shop: Shop, pair: tuple[str, str], side: int) -> None:
        gift_id = gift(shop, *pair, message="Happy birthday").body["gift_id"]
        export = shop.get(f"/v1/members/{pair[side]}/export", scope=OPERATOR).body
        assert export["gift_messages"] == {gift_id: "Happy birthday"}
        shop.erase(pair[side])
        assert "birthday" not in str(shop.tables()).lower().replace("birthday#", "")
        assert shop.get(f"/v1/members/{pair[1 - side]}/gifts/{gift_id}").body["message"] is None

    def test_a_limit_for_ever_and_too_much_at_once_say_so(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        shop.change_program(gifts={"limit": {"times": 50, "per": "lifetime"}})
        for number in range(OPEN_HOLDS_MAX):
            assert gift(shop, ada, bob, 1, f"g{number}").status == 201
        assert "the first ends at 2026-11-27" in gift(shop, ada, bob, 1, "more").body["detail"]
        shop.change_program(gifts={"limit": {"times": 1, "per": "lifetime"}})
        assert "never frees" in gift(shop, ada, bob, 1, "more").body["detail"]

    def test_a_merged_givers_gift_is_still_accepted(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        gift_id = gift(shop, ada, bob).body["gift_id"]
        eve = shop.enroll("eve")
        shop.merge(eve, ada)
        assert shop.get(f"/v1/members/{eve}/gifts/{gift_id}").body["state"] == "offered"
        assert shop.post(f"/v1/members/{bob}/gifts/{gift_id}/accept").status == 200
        assert (shop.balance(eve), shop.balance(bob)) == (160, 140)

    def test_withdrawing_again_after_a_merge_is_answered_as_before(self, shop: Shop, pair: tuple[str, str]) -> None:
        ada, bob = pair
        gift_id = gift(shop, ada, bob).body["gift_id"]
        shop.merge(shop.enroll("eve"), ada)
        first = shop.post(f"/v1/members/{ada}/gifts/{gift_id}/withdraw")
        again = shop.post(f"/v1/members/{ada}/gifts/{gift_id}/withdraw")
        assert (first.status, again.status) == (200, 200)
        assert again.body == first.body
