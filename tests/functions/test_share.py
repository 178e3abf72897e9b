"""Pools and gifts, called as API Gateway does."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.spending.redemptions import OPEN_HOLDS_MAX
from shared.services import guess_limits
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, assert_refused
from tests.shared.wire import Wire

POOLS = {"members_max": 2}
PARTNERS = [{"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 100, "amount": 100}}]
GIFTS = {"accept_days": 7, "points_max": 100, "limit": {"times": 2, "per": "month"}}


@pytest.fixture
def family(shop: Shop) -> tuple[str, str, str]:
    """Ada and Bob, who share a pool, and its id; each has brought the 100 welcome points."""
    shop.change_program(pools=POOLS, gifts=GIFTS)
    ada, bob = shop.enroll("ada"), shop.enroll("bob")
    opened = shop.post("/v1/pools", {"member_id": ada}, key="pool", **of(ada))
    assert opened.status == 201, opened.body
    pool_id = str(opened.body["pool_id"])
    assert shop.join_pool(pool_id, bob).status == 201
    return ada, bob, pool_id


def join(shop: Shop, pool_id: str, who: str, code: str | None, key: str | None = None) -> Reply:
    """Join a pool as a member does: with their own token and a code that they were given."""
    body = {} if code is None else {"invitation": code}
    return shop.post(f"/v1/pools/{pool_id}/members", body, key=f"{key or code}-{who}", **of(who))


def leave(shop: Shop, pool_id: str, who: str, key: str = "leave", **options: Any) -> Reply:
    path = f"/v1/pools/{pool_id}/members/{who}"
    return shop.call("DELETE", path, headers={"Idempotency-Key": f"{key}-{who}"}, **options)


def of(member_id: str) -> dict[str, Any]:
    """A member's own token."""
    return {"scope": MEMBER, "member_id": member_id}


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

    def test_who_leaves_takes_along_what_they_have_put_in_and_not_spent_and_the_last_the_rest(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        shop.spend(ada, 130, 1_000, capture=True)
        shop.order(bob, "B-1", 6_000)
        assert parts(shop, pool_id) == {ada: (100, 130), bob: (160, 0)}
        eve = shop.enroll("eve")
        shop.change_program(pools={"members_max": 3})
        shop.join_pool(pool_id, eve)
        left = leave(shop, pool_id, bob)
        assert (left.status, left.body["balance"]) == (200, 70)
        assert left.body["former"] == [{"member_id": bob, "contributed": 0, "spent": 0, "expired": 0}]
        assert leave(shop, pool_id, bob).replayed
        assert (shop.balance(bob), shop.balance(ada), shop.account(bob)["pool"]) == (160, 70, None)
        assert_refused(leave(shop, pool_id, bob, "again"), 409, "invalid_state")
        assert (leave(shop, pool_id, ada).body["balance"], shop.balance(ada)) == (70, 0)
        assert leave(shop, pool_id, eve).body["members"] == []
        assert shop.balance(eve) == 70

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
        code = shop.invite(pool_id)
        assert_refused(join(shop, pool_id, eve, code), 409, "invalid_state")
        leave(shop, pool_id, bob)
        body = {"member_id": eve, "invitation": code}
        stolen = shop.post(f"/v1/pools/{pool_id}/members", body, key="k", **of(ada))
        assert_refused(stolen, 404, "member_not_found")
        assert_refused(join(shop, pool_id, ada, code), 409, "invalid_state")
        assert join(shop, pool_id, eve, code).status == 201
        assert_refused(shop.get(f"/v1/pools/{pool_id}", scope=MEMBER, member_id=bob), 404, "pool_not_found")
        assert shop.get(f"/v1/pools/{pool_id}", scope=MEMBER, member_id=eve).status == 200

    def test_only_the_storefront_opens_pools_if_the_program_says_so(self, shop: Shop) -> None:
        ada = shop.enroll("ada")
        assert_refused(shop.post("/v1/pools", {"member_id": ada}, key="p"), 409, "not_offered")
        shop.change_program(pools={"created_by": "storefront"})
        assert_refused(shop.post("/v1/pools", {}, key="p", scope=MEMBER, member_id=ada), 403, "forbidden")

    def test_who_is_merged_or_erased_leaves_first(self, shop: Shop, family: tuple[str, str, str]) -> None:
        ada, bob, pool_id = family
        eve = shop.enroll("eve")
        assert shop.merge(ada, eve).status == 200
        assert shop.balance(bob) == 300
        eve = shop.enroll("eva")
        assert shop.merge(eve, bob).status == 200
        assert (shop.balance(eve), shop.balance(ada)) == (200, 200)
        shop.join_pool(pool_id, eve)
        assert shop.erase(ada).status == 200
        pool = shop.get(f"/v1/pools/{pool_id}").body
        assert ([one["member_id"] for one in pool["members"]], pool["balance"]) == ([eve], 200)


class TestInvitations:
    """A pool is opened by a code for one person, and by nothing else."""

    @pytest.fixture
    def pool(self, shop: Shop) -> tuple[str, str, str]:
        """Ada, who has opened a pool, Bob, who has not joined it, and its id."""
        shop.change_program(pools={"members_max": 3})
        ada, bob = shop.enroll("ada"), shop.enroll("bob")
        return ada, bob, str(shop.post("/v1/pools", {}, key="pool", **of(ada)).body["pool_id"])

    def test_a_member_invites_one_person_for_a_week(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        ada, bob, pool_id = pool
        path = f"/v1/pools/{pool_id}/invitations"
        assert_refused(shop.post(path, **of(ada)), 400, "idempotency_key_required")
        made = shop.post(path, key="k", **of(ada))
        assert (made.status, set(made.body)) == (201, {"code", "expires_at"})
        assert datetime.fromisoformat(made.body["expires_at"]) == shop.now + timedelta(days=7)
        shop.pass_time(hours=1)
        again = shop.post(path, key="k", **of(ada))
        assert (again.status, again.replayed, again.body) == (200, True, made.body)
        others = {shop.invite(pool_id, "k"), shop.invite(pool_id, "other", **of(ada))}
        assert len({made.body["code"], *others}) == 3

        assert join(shop, pool_id, bob, made.body["code"]).status == 201
        assert join(shop, pool_id, bob, made.body["code"]).replayed
        assert join(shop, pool_id, bob, None, made.body["code"]).replayed
        eve = shop.enroll("eve")
        assert_refused(join(shop, pool_id, eve, made.body["code"]), 409, "code_expired")
        assert shop.post(path, key="k", **of(ada)).body == made.body
        assert_refused(join(shop, pool_id, eve, made.body["code"], "again"), 409, "code_expired")
        assert set(parts(shop, pool_id)) == {ada, bob}

    def test_a_code_is_long_random_and_kept_as_a_keyed_hash_alone(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        ada, _, pool_id = pool
        codes = [shop.invite(pool_id, f"k-{number}", **of(ada)).replace("-", "") for number in range(40)]
        assert len(set(codes)) == 40
        signs = set("".join(codes))
        assert (len(signs), signs & set("ILOU")) == (32, set())
        assert {len(code) for code in codes} == {12}
        kept = [item for text in shop.tables()[0] if "INVITATION#" in (item := json.loads(text))["pk"]["S"]]
        assert len(kept) == 40
        assert not any(code in str(shop.tables()).replace("-", "") for code in codes)
        week_later = shop.now + timedelta(days=7)
        assert all(int(item["forget_at"]["N"]) > week_later.timestamp() for item in kept)

    def test_a_code_is_taken_as_people_type_it(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        _, bob, pool_id = pool
        code = shop.invite(pool_id).lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert join(shop, pool_id, bob, code).status == 201

    def test_no_id_opens_a_pool_and_neither_does_a_code_that_is_late_or_of_another_pool(
        self, shop: Shop, pool: tuple[str, str, str]
    ) -> None:
        _, bob, pool_id = pool
        dan = shop.enroll("dan")
        other = shop.post("/v1/pools", {}, key="pool", **of(dan)).body["pool_id"]
        late = shop.invite(pool_id, "late")
        shop.pass_time(days=7)
        missing = join(shop, pool_id, bob, None)
        assert_refused(missing, 422, "invalid_request")
        assert missing.pointers == ["/invitation"]
        for code in (late, shop.invite(other), pool_id, bob, "0000-0000-0000"):
            assert_refused(join(shop, pool_id, bob, code), 409, "code_expired")
        unknown = join(shop, "nowhere", bob, shop.invite(pool_id))
        assert_refused(unknown, 409, "code_expired")
        of_shop = shop.post(f"/v1/pools/{pool_id}/members", {"member_id": bob}, key="s")
        assert_refused(of_shop, 422, "invalid_request")
        assert join(shop, pool_id, bob, shop.invite(pool_id)).status == 201

    def test_a_code_is_valid_until_its_last_second(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        _, bob, pool_id = pool
        code = shop.invite(pool_id)
        shop.pass_time(days=7, seconds=-1)
        assert join(shop, pool_id, bob, code).status == 201

    def test_only_members_of_a_pool_and_the_shop_invite_to_it(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        ada, bob, pool_id = pool
        path = f"/v1/pools/{pool_id}/invitations"
        with shop.writing_nothing():
            assert_refused(shop.post(path, key="k", **of(bob)), 404, "pool_not_found")
            assert_refused(shop.post("/v1/pools/nowhere/invitations", key="k"), 404, "pool_not_found")
            assert_refused(shop.post(path, key="k", scope=OPERATOR), 403, "forbidden")
        invited = shop.invite(pool_id, **of(ada))
        cause = {"reason": "stolen phone", "reference": "case-1"}
        assert shop.post(f"/v1/members/{ada}/freeze", cause, scope=OPERATOR).status == 201
        assert_refused(shop.post(path, key="other", **of(ada)), 409, "member_frozen")
        assert_refused(join(shop, pool_id, bob, invited), 409, "code_expired")
        assert join(shop, pool_id, bob, shop.invite(pool_id)).status == 201

    def test_what_a_member_has_sent_is_void_once_they_share_the_pool_no_more(
        self, shop: Shop, pool: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = pool
        assert join(shop, pool_id, bob, shop.invite(pool_id, **of(ada))).status == 201
        sent = shop.invite(pool_id, **of(bob))
        assert leave(shop, pool_id, bob, **of(ada)).status == 200
        eve = shop.enroll("eve")
        for who in (eve, bob):
            assert_refused(join(shop, pool_id, who, sent), 409, "code_expired")
        assert_refused(shop.post(f"/v1/pools/{pool_id}/invitations", key="new", **of(bob)), 404, "pool_not_found")

    def test_wrong_codes_count_as_guesses(self, shop: Shop, pool: tuple[str, str, str]) -> None:
        _, bob, pool_id = pool
        good = shop.invite(pool_id)
        for number in range(guess_limits.MEMBER_GUESSES_MAX):
            assert_refused(join(shop, pool_id, bob, f"0000-{number:04}-0000"), 409, "code_expired")
        assert_refused(join(shop, pool_id, bob, good), 429, "too_many_requests")
        shop.pass_time(hours=1)
        assert join(shop, pool_id, bob, good).status == 201


def test_the_entry_that_a_partner_gets_says_nothing_of_a_pool(shop: Shop, family: tuple[str, str, str]) -> None:
    ada, _, pool_id = family
    shop.change_program(partners=PARTNERS)
    order = {"type": "order", "order_id": "P-1", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 5000}
    earned = shop.post(f"/v1/members/{ada}/earn", order, partner_id="cafe")
    assert earned.status == 201, earned.body
    assert "pool" not in str(earned.body["entry"])
    assert_refused(shop.get(f"/v1/pools/{pool_id}", partner_id="cafe"), 403, "forbidden")
    assert_refused(shop.post(f"/v1/pools/{pool_id}/invitations", key="k", partner_id="cafe"), 403, "forbidden")


class TestRemoval:
    def test_whoever_opened_a_pool_removes_others_and_nobody_else_does(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        eve = shop.enroll("eve")
        merged, erased = shop.enroll("merged"), shop.enroll("erased")
        shop.merge(eve, merged)
        shop.erase(erased)
        with shop.writing_nothing():
            for named in (ada, eve, "unknown"):
                assert_refused(leave(shop, pool_id, named, **of(bob)), 404, "member_not_found")
            for named in (eve, merged, erased, "unknown", "x" * 200):
                assert_refused(leave(shop, pool_id, named, **of(ada)), 404, "member_not_found")
            assert_refused(leave(shop, pool_id, bob, **of(eve)), 404, "member_not_found")
        removed = leave(shop, pool_id, bob, **of(ada))
        assert (removed.status, removed.body["balance"]) == (200, 100)
        assert leave(shop, pool_id, bob, **of(ada)).replayed
        assert_refused(leave(shop, pool_id, bob, "anew", **of(ada)), 404, "member_not_found")
        assert shop.balance(bob) == 100
        [left] = [one for one in shop.entries(bob) if one["type"] == "pool_leave"]
        assert (left["source"]["by"], left["source"]["pool_id"]) == (bob, pool_id)

    @pytest.mark.parametrize("scope", [STOREFRONT, OPERATOR])
    def test_the_shop_removes_anybody(self, shop: Shop, family: tuple[str, str, str], scope: str) -> None:
        ada, _, pool_id = family
        assert leave(shop, pool_id, ada, scope=scope).status == 200
        assert shop.account(ada)["pool"] is None

    def test_who_opened_a_pool_and_left_it_removes_nobody(self, shop: Shop, family: tuple[str, str, str]) -> None:
        ada, bob, pool_id = family
        assert leave(shop, pool_id, ada, **of(ada)).status == 200
        assert_refused(leave(shop, pool_id, bob, **of(ada)), 404, "member_not_found")
        code = shop.invite(pool_id, **of(bob))
        assert join(shop, pool_id, ada, code).status == 201
        assert leave(shop, pool_id, bob, **of(ada)).status == 200

    def test_who_goes_on_for_whoever_opened_a_pool_may_remove_too(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        eva = shop.enroll("eva")
        assert shop.merge(eva, ada).status == 200
        assert shop.join_pool(pool_id, eva).status == 201
        assert leave(shop, pool_id, bob, **of(eva)).status == 200

    def test_who_was_removed_comes_back_only_by_an_invitation_made_since(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        before = [shop.invite(pool_id, f"before-{number}", **of(ada)) for number in range(2)]
        assert leave(shop, pool_id, bob, **of(ada)).status == 200
        shop.pass_time(days=2)
        with pytest.raises(AssertionError):
            shop.invite(pool_id, **of(bob))
        assert_refused(join(shop, pool_id, bob, before[0]), 409, "code_expired")
        eve = shop.enroll("eve")
        assert join(shop, pool_id, eve, before[0]).status == 201
        assert leave(shop, pool_id, eve, **of(eve)).status == 200
        assert_refused(join(shop, pool_id, eve, before[1]), 409, "code_expired")
        assert join(shop, pool_id, bob, shop.invite(pool_id, "since", **of(ada))).status == 201
        assert parts(shop, pool_id) == {ada: (100, 0), bob: (100, 0)}

    def test_who_has_left_a_pool_sees_no_more_of_it_by_asking_again(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        opened = shop.post("/v1/pools", {"member_id": ada}, key="pool", **of(ada))
        assert (opened.replayed, opened.body["balance"], len(opened.body["members"])) == (True, 200, 2)
        own = [{"member_id": ada, "contributed": 0, "spent": 0, "expired": 0}]
        nothing = {"balance": 0, "expiring": [], "members": [], "former": own}
        for again in (leave(shop, pool_id, ada, **of(ada)), leave(shop, pool_id, ada, **of(ada))):
            assert nothing.items() <= again.body.items()
        shop.order(bob, "B-1")
        again = shop.post("/v1/pools", {"member_id": ada}, key="pool", **of(ada))
        assert again.replayed
        assert nothing.items() <= again.body.items()

    def test_who_takes_an_invitation_while_being_removed_stays_out(
        self, shop: Shop, family: tuple[str, str, str], wire: Wire
    ) -> None:
        ada, bob, pool_id = family
        assert leave(shop, pool_id, bob, **of(bob)).status == 200
        code, back = (shop.invite(pool_id, key, **of(ada)) for key in ("spare", "back"))

        def meanwhile() -> None:
            assert join(shop, pool_id, bob, back, "back").status == 201
            assert leave(shop, pool_id, bob, "removed", **of(ada)).status == 200

        wire.before("TransactWriteItems", meanwhile)
        assert_refused(join(shop, pool_id, bob, code, "spare"), 409, "code_expired")
        assert shop.account(bob)["pool"] is None


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

    @pytest.mark.parametrize(("owed", "given"), [(30, 70), (150, 0)])
    def test_a_gift_pays_first_what_its_giver_owes_by_now(
        self, shop: Shop, pair: tuple[str, str], owed: int, given: int
    ) -> None:
        ada, bob = pair
        shop.order(ada, total=owed * 100)
        shop.adjust(ada, -owed)
        gift_id = gift(shop, ada, bob, 100).body["gift_id"]
        shop.refund(ada, owed * 100)
        assert shop.account(ada)["debt"] == owed
        before = shop.balance(bob)
        assert shop.post(f"/v1/members/{bob}/gifts/{gift_id}/accept").status == 200
        assert (shop.account(ada)["debt"], shop.balance(bob) - before) == (max(0, owed - 100), given)
        assert shop.entries(ada)[0]["points"] == 100 - given

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


class TestReservedOfOthers:
    def test_whoever_leaves_lets_go_of_what_they_have_reserved_of_the_others_points(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        shop.adjust(ada, 900)
        held = shop.spend(bob, 500, 10_000).body["redemption_id"]
        assert leave(shop, pool_id, bob, **of(bob)).status == 200
        assert shop.account(bob)["balance"] == 100
        assert shop.account(ada)["pool"]["balance"] == 1000
        path = f"/v1/members/{bob}/redemptions/{held}"
        assert shop.get(path).body["state"] == "cancelled"
        assert_refused(shop.post(f"{path}/capture"), 409, "invalid_state")

    def test_whoever_has_reserved_no_more_than_their_own_keeps_it_reserved(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        held = shop.spend(bob, 60, 10_000).body["redemption_id"]
        assert leave(shop, pool_id, bob, **of(bob)).status == 200
        assert (shop.account(bob)["balance"], shop.account(ada)["pool"]["balance"]) == (40, 100)
        assert shop.post(f"/v1/members/{bob}/redemptions/{held}/cancel").status == 200
        assert shop.account(bob)["balance"] == 100

    def test_nobody_elses_points_go_with_who_is_erased(self, shop: Shop, family: tuple[str, str, str]) -> None:
        ada, bob, _ = family
        shop.adjust(ada, 900)
        assert shop.spend(bob, 500, 10_000).status == 201
        assert shop.call("DELETE", f"/v1/members/{bob}", scope=OPERATOR).status == 200
        assert shop.account(ada)["pool"]["balance"] == 1000

    def test_what_the_shop_reverses_after_that_goes_back_to_the_pool(
        self, shop: Shop, family: tuple[str, str, str], wire: Wire
    ) -> None:
        ada, bob, pool_id = family
        shop.adjust(ada, 900)
        others = shop.spend(bob, 500, 10_000, capture=True).body["redemption_id"]
        assert leave(shop, pool_id, bob, **of(bob)).status == 200
        shop.adjust(bob, 60)
        own = shop.spend(bob, 60, 10_000, capture=True, key="own").body["redemption_id"]
        assert shop.move(bob, others, "reverse").status == 200
        assert (shop.account(bob)["balance"], shop.account(ada)["pool"]["balance"]) == (100, 1000)
        wire.requests.clear()
        assert shop.move(bob, own, "reverse").status == 200
        assert wire.requests == ["TransactGetItems", "TransactWriteItems"]
        assert (shop.account(bob)["balance"], shop.account(ada)["pool"]["balance"]) == (160, 1000)
        assert shop.move(bob, others, "reverse").replayed

    def test_a_gift_that_was_offered_of_others_points_is_theirs_again(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        ada, bob, pool_id = family
        eve = shop.enroll("eve")
        shop.change_program(gifts={"points_max": 500})
        shop.adjust(ada, 900)
        gift_id = gift(shop, bob, eve, 500).body["gift_id"]
        assert leave(shop, pool_id, bob, **of(ada)).status == 200
        assert (shop.account(bob)["balance"], shop.account(ada)["pool"]["balance"]) == (100, 1000)
        assert shop.get(f"/v1/members/{bob}/gifts/{gift_id}").body["state"] == "lapsed"
        assert_refused(shop.post(f"/v1/members/{bob}/gifts/{gift_id}/withdraw"), 409, "invalid_state")
        assert_refused(shop.post(f"/v1/members/{eve}/gifts/{gift_id}/accept"), 409, "invalid_state")

    def test_no_way_out_of_a_pool_leads_round_the_limit_of_transfers(
        self, shop: Shop, family: tuple[str, str, str]
    ) -> None:
        """The others leave while all is reserved, who has reserved it lets go of it, and leaves as the last."""
        ada, bob, pool_id = family
        shop.change_program(transfers={"points_max": 100, "membership_days_min": 30})
        shop.adjust(ada, 900)
        held = shop.spend(bob, 1000, 100_000).body["redemption_id"]
        assert leave(shop, pool_id, ada, **of(ada)).status == 200
        assert shop.account(ada)["balance"] == 100
        assert shop.move(bob, held, "cancel").status == 200
        assert leave(shop, pool_id, bob, **of(bob)).body["former"] != []
        assert shop.account(bob)["balance"] == 100
        assert shop.get(f"/v1/pools/{pool_id}").body["balance"] == 900
        assert shop.join_pool(pool_id, ada).status == 201
        leave(shop, pool_id, ada, key="again", **of(ada))
        assert shop.account(ada)["balance"] == 1000
