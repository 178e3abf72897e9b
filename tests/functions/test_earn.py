"""Orders and actions credited, orders refunded, points set right by hand and given to others."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.shop import MEMBER, Reply, Shop, assert_refused
from tests.shared.wire import Wire

# Orders --------------------------------------------------------------------------------------------------------------


def test_an_order_is_credited_and_explained(shop: Shop) -> None:
    ada = shop.enroll()
    reply = shop.order(ada, channel="web", store_id=None, touchpoint="newsletter")

    assert (reply.status, reply.replayed) == (201, False)
    assert reply.body["entry"] == {
        "entry_id": f"{ada}-2",
        "type": "earn",
        "points": 42,
        "available_on": None,
        "expires_on": "2027-11-30",
        "occurred_at": "2026-11-20T18:03:00Z",
        "recorded_at": "2026-11-20T18:03:00Z",
        "source": {"order_id": "A-1", "channel": "web", "touchpoint": "newsletter"},
        "sequence": 2,
        "balance_after": 142,
        "effects": {"available": 42, "pending": 0, "held": 0, "debt": 0},
        "lots": [{"on": "2027-11-30", "points": 42}],
        "breakdown": [{"rule_id": "base", "points": 42, "description": "1 point per dollar"}],
        "actor": "storefront:till-7",
        "program_version": 1,
        "order": {"total": 4250, "refunded": 0, "points_kept": 42},
        "expired": [],
    }
    assert reply.body["account"] == shop.account(ada)
    assert shop.entries(ada)[0] == reply.body["entry"]


def test_a_higher_tier_earns_more_and_says_so(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 50000)
    entry = shop.order(ada, "A-2", 4250).body["entry"]
    assert entry["points"] == 51
    assert [(line["rule_id"], line["points"]) for line in entry["breakdown"]] == [("base", 42), ("tier:silver", 9)]


def test_what_the_program_excludes_earns_nothing(shop: Shop) -> None:
    lines = [
        {"sku": "TEA", "category": "tea", "quantity": 2, "amount": 1000},
        {"sku": "CARD", "category": "gift-card", "amount": 2500},
    ]
    assert shop.order(shop.enroll(), total=4250, lines=lines).body["entry"]["points"] == 17


def test_an_order_placed_days_ago_has_had_its_days(shop: Shop) -> None:
    shop.change_program(earning={"pending_days": 14})
    ada = shop.enroll()
    placed_at = "2026-11-10T09:00:00-05:00"
    entry = shop.order(ada, placed_at=placed_at).body["entry"]
    assert (entry["available_on"], entry["occurred_at"]) == ("2026-11-24", "2026-11-10T14:00:00Z")
    assert (shop.account(ada)["balance"], shop.account(ada)["pending"]) == (100, 42)


def test_an_order_of_nothing_is_credited_with_nothing(shop: Shop) -> None:
    ada = shop.enroll()
    assert shop.order(ada, total=0).body["entry"]["points"] == 0


def test_an_order_is_credited_once_however_often_it_is_sent(shop: Shop) -> None:
    ada = shop.enroll()
    first = shop.order(ada)
    with shop.writing_nothing():
        again = shop.order(ada)
    assert (again.status, again.replayed) == (200, True)
    assert again.body == first.body


def test_an_order_is_replayed_a_year_after_its_points_were_spent_and_gone(shop: Shop) -> None:
    ada = shop.enroll()
    placed_at = shop.now.isoformat()
    first = shop.order(ada)
    shop.adjust(ada, -142)
    shop.change_program(earning={"points": 3})
    shop.pass_time(days=500)
    again = shop.order(ada, placed_at=placed_at)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    assert again.body["account"] == shop.account(ada)
    assert shop.balance(ada) == 0


def test_the_same_order_in_another_spelling_is_the_same_order(shop: Shop) -> None:
    ada = shop.enroll()
    text = {"type": "order", "order_id": "A-1", "placed_at": "2026-11-20T18:03:00Z", "currency": "USD", "total": 4250}
    other = {**dict(reversed(text.items())), "placed_at": "2026-11-20T18:03:00+00:00", "store_id": None, "lines": []}
    assert shop.post(f"/v1/members/{ada}/earn", text).status == 201
    assert shop.post(f"/v1/members/{ada}/earn", other).replayed


@pytest.mark.parametrize(
    "change", [{"total": 4251}, {"channel": "web"}, {"lines": [{"sku": "TEA", "amount": 1}]}, {"partner_id": "p"}]
)
def test_another_order_under_the_same_id_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    ada = shop.enroll()
    shop.order(ada)
    with shop.writing_nothing():
        assert_refused(shop.order(ada, **change), 422, "idempotency_mismatch")


def test_an_order_belongs_to_who_had_it_first(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada)
    with shop.writing_nothing():
        assert_refused(shop.order(grace), 409, "order_belongs_to_another_member")
        assert_refused(shop.refund(grace, 100), 409, "order_belongs_to_another_member")
    shop.refund(ada, 100)
    with shop.writing_nothing():
        assert_refused(shop.refund(grace, 100), 409, "order_belongs_to_another_member")


@pytest.mark.parametrize(
    "order_id", ["A-1#EARN", "A-1#REFUND#R-1", "#", "REFUNDED", "A 1", "{order_id}", "Ä-😀", "%23"]
)
def test_orders_of_odd_names_are_told_apart(shop: Shop, order_id: str) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, "A-1", 1000)
    shop.refund(ada, 100, "A-1", "R-1")
    assert shop.order(grace, order_id, 2000).status == 201
    assert shop.refund(grace, 500, order_id, "EARN").body["entry"]["points"] == -5
    assert shop.order(ada, "A-1", 1000).replayed
    assert shop.refund(ada, 200, "A-1", "R-2").body["entry"]["points"] == -2


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"currency": "EUR"}, "/currency"),
        ({"currency": "XXX"}, "/currency"),
        ({"currency": "usd"}, "/currency"),
        ({"total": -1}, "/total"),
        ({"total": 42.5}, "/total"),
        ({"total": 10**13}, "/total"),
        ({"placed_at": "2026-11-20T18:03:00"}, "/placed_at"),
        ({"placed_at": 1763661780}, "/placed_at"),
        ({"order_id": ""}, "/order_id"),
        ({"order_id": "x" * 129}, "/order_id"),
        ({"order_id": "A\n1"}, "/order_id"),
        ({"lines": [{"sku": "TEA", "amount": 4251}]}, "/lines"),
        ({"lines": [{"sku": "TEA", "amount": 1}, {"sku": "TEA", "amount": -1}]}, "/lines/1/amount"),
        ({"lines": [{"amount": 1}]}, "/lines/0/sku"),
        ({"lines": [{"sku": "TEA", "amount": 1, "quantity": 0}]}, "/lines/0/quantity"),
        ({"type": "present"}, "/type"),
        ({"tip": 5}, "/tip"),
    ],
)
def test_a_fault_in_an_order_is_named_with_its_place(shop: Shop, change: Any, pointer: str) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = shop.order(ada, **change)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_nobody_who_is_not_a_member_earns(shop: Shop) -> None:
    with shop.writing_nothing():
        assert_refused(shop.order("nobody"), 404, "member_not_found")


# Actions -------------------------------------------------------------------------------------------------------------


def test_an_action_is_credited_as_often_as_its_limit_allows(shop: Shop) -> None:
    ada = shop.enroll()
    points = [shop.action(ada, f"review-{number}").body["entry"]["points"] for number in range(5)]
    assert points == [25, 25, 25, 25, 0]
    shop.pass_time(days=15)
    assert shop.action(ada, "review-6").body["entry"]["points"] == 25


def test_an_action_past_its_limit_says_when_it_counts_again(shop: Shop) -> None:
    ada = shop.enroll()
    for number in range(4):
        shop.action(ada, f"review-{number}")
    entry = shop.action(ada, "review-5").body["entry"]
    assert entry["source"] == {"action": "review", "reference": "review-5"}
    assert "2026-12-01" in entry["breakdown"][0]["description"]


def test_an_action_is_credited_once(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    first = shop.action(ada)
    placed = first.body["entry"]["occurred_at"]
    shop.pass_time(days=900)
    body = {"type": "action", "action": "review", "reference": "review-1", "occurred_at": placed}
    again = shop.post(f"/v1/members/{ada}/earn", body)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    with shop.writing_nothing():
        assert_refused(shop.action(ada), 422, "idempotency_mismatch")
        assert_refused(shop.post(f"/v1/members/{grace}/earn", body), 422, "idempotency_mismatch")


def test_an_action_and_an_order_of_one_name_are_two_things(shop: Shop) -> None:
    ada = shop.enroll()
    assert shop.action(ada, "A-1").status == 201
    assert shop.order(ada, "A-1").status == 201
    assert shop.order(ada, "review#A-1").status == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"action": ""}, "/action"),
        ({"action": {}}, "/action"),
        ({"reference": None}, "/reference"),
        ({"reference": "x" * 129}, "/reference"),
        ({"occurred_at": "2026-11-20"}, "/occurred_at"),
        ({"note": "tab\x00"}, "/note"),
        ({"total": 5}, "/total"),
    ],
)
def test_a_fault_in_an_action_is_named_with_its_place(shop: Shop, change: Any, pointer: str) -> None:
    ada = shop.enroll()
    body = {"type": "action", "action": "review", "reference": "r", "occurred_at": shop.now.isoformat(), **change}
    with shop.writing_nothing():
        reply = shop.post(f"/v1/members/{ada}/earn", body)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_an_action_that_the_program_does_not_know_is_refused(shop: Shop) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = shop.action(ada, action="dance")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/action"]
    assert "review" in reply.body["detail"]


# Quotes --------------------------------------------------------------------------------------------------------------


def quote(shop: Shop, asker: str | None = None, **body: Any) -> Reply:
    """What an order would earn; asked by a member, or else by a storefront."""
    token = {"scope": MEMBER, "member_id": asker} if asker else {}
    return shop.post("/v1/earn/quote", {"currency": "USD", "total": 4250, **body}, **token)


def test_a_quote_says_what_the_order_then_earns_and_writes_nothing(shop: Shop) -> None:
    shop.change_program(earning={"pending_days": 3})
    ada = shop.enroll()
    shop.order(ada, "A-0", 50000)
    with shop.writing_nothing():
        reply = quote(shop, member_id=ada)
    assert reply.status == 200
    entry = shop.order(ada).body["entry"]
    assert reply.body == {name: entry[name] for name in ("points", "available_on", "expires_on", "breakdown")}
    assert (reply.body["points"], reply.body["available_on"]) == (51, "2026-11-23")


def test_a_quote_for_a_stranger_is_what_a_newcomer_would_earn(shop: Shop) -> None:
    assert quote(shop).body == {
        "points": 42,
        "available_on": None,
        "expires_on": "2027-11-30",
        "breakdown": [{"rule_id": "base", "points": 42, "description": "1 point per dollar"}],
    }


def test_members_ask_for_their_own_quotes(shop: Shop) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, "A-0", 50000)
    assert quote(shop, ada).body["points"] == 51
    assert quote(shop, ada, member_id="me").body["points"] == 51
    assert quote(shop, ada, member_id=ada).body["points"] == 51


def test_a_quote_may_be_the_very_order(shop: Shop) -> None:
    ada = shop.enroll("ada")
    order = {"type": "order", "order_id": "A-1", "placed_at": shop.now.isoformat(), "store_id": "S-1"}
    assert quote(shop, None, member_id=ada, **order).status == 200
    assert shop.order(ada, store_id="S-1").status == 201


def test_a_quote_in_another_currency_is_refused(shop: Shop) -> None:
    reply = quote(shop, currency="EUR")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/currency"]


# Refunds -------------------------------------------------------------------------------------------------------------


def test_an_order_is_refunded_in_parts_and_never_beyond_itself(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, total=4250)
    first = shop.refund(ada, 1000, refund_id="R-1")
    assert (first.status, first.body["entry"]["points"]) == (201, -10)
    assert first.body["entry"]["source"] == {"order_id": "A-1", "refund_id": "R-1"}
    with shop.writing_nothing():
        assert_refused(shop.refund(ada, 3251, refund_id="R-2"), 409, "refund_exceeds_order")
    assert shop.refund(ada, 3250, refund_id="R-2").body["entry"]["points"] == -32
    with shop.writing_nothing():
        assert_refused(shop.refund(ada, 1, refund_id="R-3"), 409, "refund_exceeds_order")
    assert shop.balance(ada) == 100


def test_points_kept_are_what_the_kept_part_would_have_earned(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, total=1000)
    taken = [shop.refund(ada, 34, refund_id=f"R-{number}").body["entry"]["points"] for number in range(3)]
    assert taken == [-1, 0, -1]  # of 1000, 966, 932 and 898 are kept: 10, 9, 9 and 8 points


def test_a_refund_is_replayed_even_when_nothing_is_left_to_refund(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, total=1000)
    refunded_at = shop.now.isoformat()
    first = shop.refund(ada, 1000)
    shop.pass_time(days=800)
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 1000, "refunded_at": refunded_at}
    again = shop.post(f"/v1/members/{ada}/refunds", body)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    assert again.body["account"] == shop.account(ada)
    with shop.writing_nothing():
        changed = shop.post(f"/v1/members/{ada}/refunds", {**body, "amount": 999})
        assert_refused(changed, 422, "idempotency_mismatch")


def test_what_a_refund_cannot_take_back_is_owed_and_settled_by_the_next_credit(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, total=4250)
    shop.adjust(ada, -140)
    refunded = shop.refund(ada, 4250).body["account"]
    assert (refunded["balance"], refunded["debt"]) == (0, 40)
    credited = shop.order(ada, "A-2", 5000).body["account"]
    assert (credited["balance"], credited["debt"]) == (10, 0)


def test_a_shop_that_forgives_lets_nobody_owe(shop: Shop) -> None:
    shop.change_program(refund_debt="forgiven")
    ada = shop.enroll()
    shop.order(ada, total=4250)
    shop.adjust(ada, -140)
    refunded = shop.refund(ada, 4250).body
    assert (refunded["account"]["balance"], refunded["account"]["debt"]) == (0, 0)
    assert refunded["entry"]["points"] == -2


def test_one_refund_id_serves_for_several_orders(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 1000)
    shop.order(ada, "A-2", 1000)
    assert shop.refund(ada, 100, "A-1", "R").status == 201
    assert shop.refund(ada, 100, "A-2", "R").status == 201


def test_an_order_that_never_earned_is_not_refunded(shop: Shop) -> None:
    ada = shop.enroll()
    shop.action(ada, "A-1")
    with shop.writing_nothing():
        assert_refused(shop.refund(ada, 100), 404, "order_not_found")
        assert_refused(shop.refund("nobody", 100), 404, "member_not_found")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": 0}, "/amount"),
        ({"amount": -5}, "/amount"),
        ({"amount": "5"}, "/amount"),
        ({"refunded_at": "yesterday"}, "/refunded_at"),
        ({"refund_id": None}, "/refund_id"),
        ({"currency": "USD"}, "/currency"),
    ],
)
def test_a_fault_in_a_refund_is_named_with_its_place(shop: Shop, change: Any, pointer: str) -> None:
    ada = shop.enroll()
    shop.order(ada)
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 5, "refunded_at": shop.now.isoformat(), **change}
    with shop.writing_nothing():
        reply = shop.post(f"/v1/members/{ada}/refunds", body)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


# Adjustments ---------------------------------------------------------------------------------------------------------


def test_an_operator_gives_points_and_stands_for_it(shop: Shop) -> None:
    ada = shop.enroll()
    reply = shop.adjust(ada, 50, caller="olga")
    assert (reply.status, reply.body["account"]["balance"]) == (201, 150)
    entry = reply.body["entry"]
    assert (entry["type"], entry["points"], entry["actor"]) == ("adjust", 50, "operator:olga")
    assert entry["source"] == {"reference": "case-1", "reason": "goodwill"}


def test_an_operator_takes_what_is_there_and_no_more(shop: Shop) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        assert_refused(shop.adjust(ada, -101), 409, "insufficient_points")
    assert shop.adjust(ada, -100).body["account"]["balance"] == 0


def test_an_adjustment_of_nothing_is_refused(shop: Shop) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = shop.adjust(ada, 0)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/points"]


def test_an_adjustment_is_made_once_for_each_member_and_reference(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    first = shop.adjust(ada, -60)
    shop.pass_time(days=500)
    with shop.writing_nothing():
        again = shop.adjust(ada, -60)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    with shop.writing_nothing():
        assert_refused(shop.adjust(ada, -61), 422, "idempotency_mismatch")
    assert not shop.adjust(grace, 60).replayed


@pytest.mark.parametrize("reference", ["{reason}", "EXPIRY#2027-11-30", "a#b", "Ünïcode"])
def test_adjustments_of_odd_references_are_told_apart(shop: Shop, reference: str) -> None:
    ada = shop.enroll()
    assert shop.adjust(ada, 1, "goodwill").status == 201
    assert shop.adjust(ada, 2, reference).status == 201
    assert shop.adjust(ada, 2, reference).replayed
    shop.pass_time(days=500)
    assert shop.balance(ada) == 0
    assert shop.adjust(ada, 3, "later").status == 201


# Transfers -----------------------------------------------------------------------------------------------------------


def test_points_given_away_keep_their_dates(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada = shop.enroll("ada")
    shop.pass_time(days=60)
    grace = shop.enroll("grace")
    shop.order(ada, total=5000)
    reply = shop.transfer(ada, grace, 120)
    assert (reply.status, reply.body["entry"]["type"], reply.body["entry"]["points"]) == (201, "transfer_out", -120)
    assert reply.body["account"] == shop.account(ada)
    assert shop.account(ada)["expiring"] == [{"on": "2028-01-31", "points": 30}]
    assert shop.account(grace)["expiring"] == [
        {"on": "2027-11-30", "points": 100},
        {"on": "2028-01-31", "points": 120},
    ]
    assert (shop.entries(grace)[0]["type"], shop.entries(grace)[0]["points"]) == ("transfer_in", 120)


def test_members_give_away_their_own_points(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    body = {"to_member_id": grace, "points": 30}
    reply = shop.post("/v1/members/me/transfers", body, key="gift", scope=MEMBER, member_id=ada)
    assert (reply.status, reply.body["entry"]["actor"]) == (201, "member:till-7")
    assert (shop.balance(ada), shop.balance(grace)) == (70, 130)
    assert shop.post(f"/v1/members/{ada}/transfers", body, key="gift", scope=MEMBER, member_id=ada).replayed


def test_a_gift_settles_what_its_receiver_owes(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(grace, total=4250)
    shop.adjust(grace, -140)
    shop.refund(grace, 4250)
    shop.transfer(ada, grace, 50)
    assert (shop.account(grace)["balance"], shop.account(grace)["debt"]) == (10, 0)


def test_nobody_gives_away_more_than_they_have(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    with shop.writing_nothing():
        assert_refused(shop.transfer(ada, grace, 101), 409, "insufficient_points")
    shop.pass_time(days=500)
    with shop.writing_nothing():
        assert_refused(shop.transfer(ada, grace, 1), 409, "insufficient_points")


def test_a_gift_is_given_once_and_remembered_when_the_points_are_gone(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace, linus = (shop.enroll(name) for name in ("ada", "grace", "linus"))
    first = shop.transfer(ada, grace, 100)
    shop.erase(grace)
    shop.pass_time(days=500)
    with shop.writing_nothing():
        again = shop.transfer(ada, grace, 100)
        assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
        assert_refused(shop.transfer(ada, grace, 99), 422, "idempotency_mismatch")
        assert_refused(shop.transfer(ada, linus, 100), 422, "idempotency_mismatch")


def test_each_giver_has_their_own_keys(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    assert shop.transfer(ada, grace, 10, key="k").status == 201
    assert shop.transfer(grace, ada, 10, key="k").status == 201


def test_points_are_given_to_another_active_member_alone(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace, linus, erased = (shop.enroll(name) for name in ("ada", "grace", "linus", "erased"))
    shop.merge(linus, grace)
    shop.erase(erased)
    with shop.writing_nothing():
        assert_refused(shop.transfer(ada, "nobody", 1), 404, "member_not_found")
        assert_refused(shop.transfer(ada, "me", 1), 404, "member_not_found")
        assert_refused(shop.transfer("nobody", ada, 1), 404, "member_not_found")
        assert_refused(shop.transfer(ada, grace, 1), 409, "member_merged")
        assert_refused(shop.transfer(ada, erased, 1), 409, "member_not_active")
        assert_refused(shop.transfer(erased, ada, 1), 409, "member_not_active")
        itself = shop.transfer(ada, ada, 1)
        assert_refused(itself, 422, "invalid_request")
        assert itself.pointers == ["/to_member_id"]
        assert_refused(shop.transfer(ada, linus, 1, key=None), 400, "idempotency_key_required")


@pytest.mark.parametrize("points", [0, -1, 10**9 + 1, "5", 5.0, True, None])
def test_points_given_away_are_a_whole_positive_number(shop: Shop, points: Any) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    with shop.writing_nothing():
        reply = shop.transfer(ada, grace, points)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/points"]


# When the database fails ---------------------------------------------------------------------------------------------

Operation = Callable[[Shop, str, str], Reply]
OPERATIONS: dict[str, Operation] = {
    "earn": lambda shop, ada, _: shop.order(ada, "A-9"),
    "action": lambda shop, ada, _: shop.action(ada),
    "refund": lambda shop, ada, _: shop.refund(ada, 100, "A-1"),
    "adjust": lambda shop, ada, _: shop.adjust(ada, -5),
    "transfer": lambda shop, ada, grace: shop.transfer(ada, grace, 5),
    "redeem": lambda shop, ada, _: shop.redeem(ada),
}


@pytest.fixture(params=OPERATIONS)
def operation(request: pytest.FixtureRequest) -> Operation:
    """Each operation that moves points."""
    return OPERATIONS[request.param]


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_an_operation_that_is_throttled_is_to_be_tried_again(
    shop: Shop, wire: Wire, operation: Operation, code: str
) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=10000)
    wire.refuse("TransactWriteItems", code)
    with shop.writing_nothing():
        reply = operation(shop, ada, grace)
    assert_refused(reply, 503, "try_again")
    assert int(reply.headers["Retry-After"]) > 0
    done = operation(shop, ada, grace)
    assert (done.status, done.replayed) == (201, False)


def test_an_operation_whose_answer_is_lost_is_done_once_and_told_the_next_time(
    shop: Shop, wire: Wire, operation: Operation
) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=10000)
    wire.lose_answer("TransactWriteItems")
    wire.before("TransactWriteItems", lambda: wire.lose("GetItem"))
    assert_refused(operation(shop, ada, grace), 503, "try_again")
    assert len(shop.entries(ada)) == 3
    with shop.writing_nothing():
        again = operation(shop, ada, grace)
    assert (again.status, again.replayed) == (200, True)
    assert again.body["account"] == shop.account(ada)


def test_an_operation_whose_answer_is_lost_is_told_at_once_if_it_can_be(
    shop: Shop, wire: Wire, operation: Operation
) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=10000)
    wire.lose_answer("TransactWriteItems")
    reply = operation(shop, ada, grace)
    assert (reply.status, reply.replayed) == (200, True)
    assert reply.body["account"] == shop.account(ada)
    assert len(shop.entries(ada)) == 3


def test_an_operation_that_never_arrived_has_not_happened(shop: Shop, wire: Wire, operation: Operation) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=10000)
    wire.lose("TransactWriteItems")
    with shop.writing_nothing():
        assert_refused(operation(shop, ada, grace), 503, "try_again")
    done = operation(shop, ada, grace)
    assert (done.status, done.replayed) == (201, False)


def test_operators_are_told_apart_by_their_own_names(shop: Shop) -> None:
    ada = shop.enroll()
    actors = [shop.adjust(ada, 5, f"case-{name}", caller=name).body["entry"]["actor"] for name in ("olga", "omar")]
    assert actors == ["operator:olga", "operator:omar"]


# Whole steps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "whole", "part"), [(249, 0, 4), (250, 5, 5), (300, 5, 6), (499, 5, 9), (500, 10, 10), (751, 15, 15)]
)
def test_points_for_each_full_step_only(shop: Shop, total: int, whole: int, part: int) -> None:
    ada = shop.enroll()
    shop.change_program(earning={"points": 5, "per_amount": 250, "whole_steps": True})
    assert shop.order(ada, "A-1", total).body["entry"]["points"] == whole
    shop.change_program(earning={"whole_steps": False})
    assert shop.order(ada, "A-2", total).body["entry"]["points"] == part


def test_what_multiplies_points_multiplies_those_of_full_steps(shop: Shop) -> None:
    ada = shop.enroll()
    double = {"rule_id": "double", "description": "Double", "effect": {"kind": "multiply", "percent": 200}}
    shop.change_program(earning={"points": 5, "per_amount": 250, "whole_steps": True, "rules": [double]})
    assert [piece["points"] for piece in shop.order(ada, "A-1", 740).body["entry"]["breakdown"]] == [10, 10]


def test_a_refund_leaves_what_the_full_steps_of_the_rest_would_have_earned(shop: Shop) -> None:
    ada = shop.enroll()
    shop.change_program(earning={"points": 5, "per_amount": 250, "whole_steps": True})
    shop.order(ada, "A-1", 760)
    taken = [
        shop.refund(ada, amount, "A-1", f"R-{amount}").body["entry"]["points"] for amount in (10, 1, 249, 200, 300)
    ]
    assert taken == [0, -5, 0, -5, -5]


def test_a_part_of_a_piece_is_refused_with_what_to_send_instead(shop: Shop) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = shop.order(ada, lines=[{"sku": "CHEESE", "quantity": 0.75, "amount": 1200}])
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == ["/lines/0/quantity"]
        assert "sold by weight" in reply.body["detail"]
    assert shop.order(ada, lines=[{"sku": "CHEESE", "quantity": 1, "amount": 1200}]).status == 201
