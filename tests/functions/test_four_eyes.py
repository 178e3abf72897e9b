"""Claims, merges and undoing: what moves more than one operator may in a day waits for another one."""

from collections.abc import Callable

import pytest

from tests.functions.shop import OPERATOR, PARTNER, STOREFRONT, Reply, Shop, assert_refused
from tests.shared.wire import Wire

LIMIT = 1000
WELCOME = 100


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(operators={"adjustment_limit_points": LIMIT}, gifts={})
    return shop.enroll("ada")


def decide(shop: Shop, asked: Reply, decision: str = "approve", caller: str = "otto") -> Reply:
    body = {"reason": "no"} if decision == "reject" else None
    return shop.post(f"/v1/reviews/{asked.body['review_id']}/{decision}", body, scope=OPERATOR, caller=caller)


def merge(shop: Shop, into: str, gone: str, caller: str = "olga", scope: str = OPERATOR) -> Reply:
    return shop.post(f"/v1/members/{into}/merge", {"from_member_id": gone}, scope=scope, caller=caller)


def claim(shop: Shop, member: str, claim_id: str = "C-1", order_id: str = "A-1", scope: str = OPERATOR) -> Reply:
    body = {"claim_id": claim_id, "reason": "the wrong card", "note": "by phone"}
    return shop.post(f"/v1/members/{member}/orders/{order_id}/claim", body, scope=scope, caller="olga")


def undo(shop: Shop, member: str, entry_id: str, caller: str = "olga", reason: str = "a slip") -> Reply:
    return shop.post(f"/v1/members/{member}/entries/{entry_id}/undo", {"reason": reason}, scope=OPERATOR, caller=caller)


def assert_waits(shop: Shop, ask: Callable[[], Reply], kind: str) -> Reply:
    """It waits, asked for as often as one likes, and who asked cannot approve it."""
    before = shop.tables()
    asked = ask()
    assert (asked.status, asked.replayed) == (202, False), asked.body
    assert (asked.body["kind"], asked.body["state"], asked.body["requested_by"]) == (kind, "open", "operator:olga")
    assert shop.tables() != before
    with shop.writing_nothing():
        again = ask()
        assert (again.status, again.replayed, again.body) == (202, True, asked.body)
        assert_refused(decide(shop, asked, caller="olga"), 403, "forbidden")
    [listed] = shop.get("/v1/reviews", query={"kind": kind}, scope=OPERATOR).body["items"]
    assert listed == asked.body
    return asked


def assert_approved(shop: Shop, asked: Reply, ask: Callable[[], Reply]) -> dict[str, str]:
    """Another operator's approval books it, once, and what was asked for is a replay. The source of its entry."""
    done = decide(shop, asked)
    assert (done.status, done.replayed, done.body["review"]["state"]) == (200, False, "approved"), done.body
    with shop.writing_nothing():
        again, replay = decide(shop, asked), ask()
    assert (again.replayed, again.body["entry"]) == (True, done.body["entry"])
    assert (replay.status, replay.replayed, replay.body["entry"]) == (200, True, done.body["entry"])
    assert shop.get("/v1/reviews", scope=OPERATOR).body["items"] == []
    source = dict(done.body["entry"]["source"])
    assert (source["requested_by"], source["approved_by"]) == ("operator:olga", "operator:otto")
    return source


class TestMerges:
    def test_accounts_of_ones_own_making_do_not_become_one(self, shop: Shop, ada: str) -> None:
        others = [shop.enroll(f"other-{number}") for number in range(3)]
        for number, member in enumerate((ada, *others)):
            assert shop.adjust(member, LIMIT, f"case-{number}").status == 201
        assert [merge(shop, ada, other).status for other in others] == [202, 202, 202]
        assert shop.balance(ada) == WELCOME + LIMIT

    def test_what_was_given_to_both_and_what_moves_adds_up(self, shop: Shop, ada: str) -> None:
        bob, eve = shop.enroll("bob"), shop.enroll("eve")
        for number, member in enumerate((ada, bob, eve)):
            assert shop.adjust(member, 200, f"case-{number}").status == 201
        assert merge(shop, ada, bob).status == 200  # 200, 200, and 300 that move
        assert merge(shop, ada, eve).status == 202
        assert shop.adjust(ada, 301, "more").status == 202
        assert shop.adjust(ada, 300, "the rest").status == 201

    def test_one_that_moves_too_much_waits(self, shop: Shop, ada: str) -> None:
        bob = shop.enroll("bob", email="bob@example.com")
        shop.order(bob, total=200_000)
        asked = assert_waits(shop, lambda: merge(shop, ada, bob), "merge")
        assert asked.body["details"] == {"from_member_id": bob, "points": str(2000 + WELCOME)}
        assert (shop.balance(ada), shop.balance(bob)) == (WELCOME, 2000 + WELCOME)
        assert_approved(shop, asked, lambda: merge(shop, ada, bob))
        assert shop.balance(ada) == 2000 + 2 * WELCOME
        assert shop.get(f"/v1/members/{ada}").body["email"] == "bob@example.com"
        assert shop.adjust(ada, LIMIT).status == 201

    def test_a_rejected_one_can_be_asked_for_on_another_day(self, shop: Shop, ada: str) -> None:
        bob = shop.enroll("bob")
        shop.order(bob, total=200_000)
        asked = merge(shop, ada, bob)
        assert decide(shop, asked, "reject").body["review"]["state"] == "rejected"
        assert decide(shop, asked, "reject").replayed
        again = merge(shop, ada, bob)
        assert (again.status, again.body["state"]) == (200, "rejected")
        with shop.writing_nothing():
            assert_refused(decide(shop, asked), 409, "invalid_state")
        shop.pass_time(days=1)
        assert (merge(shop, ada, bob).status, shop.balance(ada)) == (202, WELCOME)

    def test_one_that_is_rejected_while_it_is_approved_is_not_made(self, shop: Shop, ada: str, wire: Wire) -> None:
        bob = shop.enroll("bob")
        shop.order(bob, total=200_000)
        asked = merge(shop, ada, bob)
        wire.before("TransactWriteItems", lambda: decide(shop, asked, "reject", "oona"))
        assert_refused(decide(shop, asked), 409, "invalid_state")
        assert shop.balance(ada) == WELCOME

    def test_a_storefront_is_no_operator(self, shop: Shop, ada: str) -> None:
        bob, eve = shop.enroll("bob"), shop.enroll("eve")
        for member in (bob, eve):
            shop.order(member, f"of-{member}", total=200_000)
        asked = merge(shop, ada, bob)
        assert merge(shop, ada, bob, scope=STOREFRONT).status == 200
        assert merge(shop, ada, eve, scope=STOREFRONT).status == 200
        done = decide(shop, asked)  # what was asked for is done already
        assert (done.status, done.replayed, done.body["review"]["state"]) == (200, True, "approved")
        assert shop.balance(ada) == 4000 + 3 * WELCOME


class TestClaims:
    def test_one_that_moves_too_much_waits(self, shop: Shop, ada: str) -> None:
        bob = shop.enroll("bob")
        shop.order(bob, total=500_000)
        asked = assert_waits(shop, lambda: claim(shop, ada), "claim")
        details = {"order_id": "A-1", "claim_id": "C-1", "reason": "the wrong card", "note": "by phone"}
        assert (asked.body["member_id"], asked.body["details"]) == (ada, details)
        assert (shop.balance(ada), shop.balance(bob)) == (WELCOME, 5000 + WELCOME)
        source = assert_approved(shop, asked, lambda: claim(shop, ada))
        assert (source["from"], source["to"], source["reason"]) == (bob, ada, "the wrong card")
        assert (shop.balance(ada), shop.balance(bob)) == (5000 + WELCOME, WELCOME)
        assert shop.adjust(ada, LIMIT).status == shop.adjust(bob, LIMIT).status == 201

    @pytest.mark.parametrize("is_giver", [True, False])
    def test_what_moves_adds_up_with_what_was_adjusted_of_either(self, shop: Shop, ada: str, is_giver: bool) -> None:
        bob = shop.enroll("bob")
        shop.order(bob, total=60_000)
        assert shop.adjust(bob if is_giver else ada, 401).status == 201
        assert claim(shop, ada).status == 202
        shop.pass_time(days=1)
        assert claim(shop, ada, "C-2").status == 201
        for member in (ada, bob):
            assert shop.adjust(member, 401, "next").status == 202
            assert shop.adjust(member, 400, "last").status == 201

    def test_what_comes_back_of_the_order_gives_no_room(self, shop: Shop, ada: str) -> None:
        bob = shop.enroll("bob")
        shop.order(bob, total=60_000)
        assert claim(shop, ada).status == 201
        assert shop.refund(ada, 60_000).status == 201
        assert shop.adjust(ada, 401).status == 202

    def test_a_rejected_one_takes_another_claim(self, shop: Shop, ada: str) -> None:
        shop.order(shop.enroll("bob"), total=500_000)
        asked = claim(shop, ada)
        assert decide(shop, asked, "reject").status == 200
        assert claim(shop, ada).body["state"] == "rejected"
        assert claim(shop, ada, "C-2").status == 202

    def test_who_was_merged_meanwhile_gets_it_where_they_are(self, shop: Shop, ada: str) -> None:
        bob, eve = shop.enroll("bob"), shop.enroll("eve")
        shop.order(bob, total=500_000)
        asked = claim(shop, ada)
        shop.merge(eve, ada)
        assert decide(shop, asked).status == 200
        assert shop.balance(eve) == 5000 + 2 * WELCOME

    def test_a_storefront_claims_as_before(self, shop: Shop, ada: str) -> None:
        shop.order(shop.enroll("bob"), total=500_000)
        assert claim(shop, ada, scope=STOREFRONT).status == 201

    def test_what_is_refused_anyway_is_not_asked_for(self, shop: Shop, ada: str) -> None:
        shop.order(ada, total=500_000)
        with shop.writing_nothing():
            assert_refused(claim(shop, ada), 409, "invalid_state")
            assert_refused(claim(shop, ada, order_id="B-1"), 404, "order_not_found")


class TestUndoing:
    def test_what_two_agreed_on_takes_two(self, shop: Shop, ada: str) -> None:
        given = decide(shop, shop.adjust(ada, 5000)).body["entry"]["entry_id"]
        asked = assert_waits(shop, lambda: undo(shop, ada, given), "undo")
        assert asked.body["details"] == {"entry_id": given, "reference": "case-1", "reason": "a slip"}
        assert shop.balance(ada) == 5000 + WELCOME
        assert_approved(shop, asked, lambda: undo(shop, ada, given))
        assert shop.balance(ada) == WELCOME
        assert shop.adjust(ada, LIMIT, "2").status == 201

    def test_what_two_agreed_on_counts_as_moved_where_it_is_little(self, shop: Shop, ada: str) -> None:
        assert shop.adjust(ada, 700, "1").status == 201
        given = decide(shop, shop.adjust(ada, 600, "2")).body["entry"]["entry_id"]
        assert undo(shop, ada, given).status == 202
        assert undo(shop, ada, given, "oona", "her slip").status == 201
        assert shop.adjust(ada, 401, "3", "oona").status == 202
        assert shop.adjust(ada, 400, "4", "oona").status == 201

    def test_what_one_did_on_other_days_is_not_undone_in_one(self, shop: Shop, ada: str) -> None:
        shop.order(ada, total=500_000)
        taken = []
        for number in range(3):
            taken.append(shop.adjust(ada, -LIMIT, f"case-{number}").body["entry"]["entry_id"])
            shop.pass_time(days=1)
        assert [undo(shop, ada, entry_id).status for entry_id in taken] == [201, 202, 202]
        assert shop.balance(ada) == 5000 + WELCOME - 2 * LIMIT

    def test_a_rejected_one_takes_another_reason(self, shop: Shop, ada: str) -> None:
        given = decide(shop, shop.adjust(ada, 5000)).body["entry"]["entry_id"]
        assert decide(shop, undo(shop, ada, given), "reject").status == 200
        assert undo(shop, ada, given).body["state"] == "rejected"
        assert undo(shop, ada, given, reason="looked at again").status == 202


def test_gifts_that_one_operator_accepts_for_a_member_add_up(shop: Shop, ada: str) -> None:
    accepted = []
    for number in range(2):
        giver = shop.enroll(f"giver-{number}")
        shop.order(giver, f"of-{number}", total=200_000)
        body = {"to_member_id": ada, "points": 600}
        gift = shop.post(f"/v1/members/{giver}/gifts", body, key=f"g-{number}", scope=OPERATOR, caller="olga").body
        path = f"/v1/members/{ada}/gifts/{gift['gift_id']}/accept"
        accepted.append(shop.post(path, scope=OPERATOR, caller="olga"))
    assert accepted[0].status == 200
    assert_refused(accepted[1], 409, "invalid_state")
    assert shop.balance(ada) == WELCOME + 600


def test_the_order_of_a_partner_is_named_as_answers_show_it(shop: Shop, ada: str) -> None:
    shop.change_program(partners=[{"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 1, "amount": 1}}])
    order = {"type": "order", "order_id": "1", "currency": "USD", "total": 500_000}
    bob = shop.enroll("bob")
    assert shop.post(f"/v1/members/{bob}/earn", order, scope=PARTNER, partner_id="cafe").status == 201
    asked = claim(shop, ada, order_id="cafe%2F1")
    assert (asked.status, asked.body["details"]["order_id"]) == (202, "cafe/1")
    assert decide(shop, asked).status == 200
    assert shop.balance(ada) == 5000 + WELCOME
