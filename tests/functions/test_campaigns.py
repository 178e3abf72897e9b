"""Campaigns, their budgets, and the tags that their segments look at, through the functions."""

from typing import Any

import pytest

from infra.tools.campaign_effect import effect
from infra.tools.verify import check
from shared import settings
from shared.domain.facets import Traits
from shared.domain.points.budgets import SLICES
from shared.tables import accounts, budgets, client, keys, programs
from tests.functions.shop import MEMBER, OPERATOR, Shop, assert_refused
from tests.shared.wire import Wire

NAME = "campaign:double"
DOUBLE = {
    "campaign_id": "double",
    "description": "Double points",
    "effect": {"kind": "multiply", "percent": 200},
    "budget": {"points": 100},
}
SEGMENTS = {"named": [{"segment_id": "vips", "name": "VIPs", "all": [{"tags": ["vip"]}]}]}


def campaign(shop: Shop, **changes: Any) -> int:
    """Put the campaign in the program, with changes; the program's version."""
    return shop.change_program(campaigns=[{**DOUBLE, **changes}])


def left(name: str = NAME) -> int:
    return budgets.load(name).left


def points(shop: Shop, member: str, order_id: str, total: int = 1_000) -> int:
    reply = shop.order(member, order_id, total)
    assert reply.status == 201, reply.body
    return int(reply.body["entry"]["points"])


def tag(shop: Shop, member: str, body: Any, key: str | None = "tag-1", **options: Any) -> Any:
    return shop.post(f"/v1/members/{member}/tags", body, key=key, **options)


def is_sound() -> bool:
    return not check(client.client(), settings.loyalty_table()).violations


# Budgets -------------------------------------------------------------------------------------------------------------


def test_a_budget_is_spent_to_the_point_by_many_members(shop: Shop) -> None:
    campaign(shop, budget={"points": 37})
    members = [shop.enroll(f"m{number}") for number in range(6)]
    extra = [points(shop, member, f"o{number}") - 10 for number, member in enumerate(members)]
    assert extra == [10, 10, 10, 7, 0, 0]
    assert (left(), budgets.load(NAME).spent) == (0, 37)
    assert is_sound()


def test_an_order_in_a_campaign_takes_no_request_more(shop: Shop, wire: Wire) -> None:
    campaign(shop, budget={"points": 10_000})
    ada = shop.enroll()
    points(shop, ada, "first")
    wire.requests.clear()
    points(shop, ada, "second")
    assert wire.requests == ["GetItem", "TransactWriteItems"]


def test_a_used_up_budget_is_not_asked_again_for_a_while(shop: Shop, wire: Wire) -> None:
    campaign(shop, budget={"points": 1})
    ada = shop.enroll()
    assert [points(shop, ada, name) for name in "ab"] == [11, 10]
    assert points(shop, ada, "c") == 10
    wire.requests.clear()
    assert points(shop, ada, "d") == 10
    assert wire.requests == ["GetItem", "TransactWriteItems"]


def test_points_leased_and_never_used_come_back_to_whoever_needs_them(shop: Shop) -> None:
    campaign(shop, budget={"points": 40})
    ada = shop.enroll()
    points(shop, ada, "a")
    # Another environment leases the rest to another slice, and is never heard of again.
    kept = budgets.load(NAME)
    [own] = kept.slices
    other = (own + 1) % SLICES
    budgets_writes = [
        budgets._add(keys.budget_key(NAME), -kept.unleased),  # noqa: SLF001
        budgets._add(keys.budget_slice_key(NAME, other), kept.unleased),  # noqa: SLF001
    ]
    client.transact(budgets_writes)
    assert [points(shop, ada, name) for name in "bcd"] == [20, 20, 20]
    assert points(shop, ada, "e") == 10
    assert left() == 0
    assert is_sound()


def test_a_raised_budget_goes_on_and_a_lowered_one_keeps_what_is_spent(shop: Shop) -> None:
    campaign(shop, budget={"points": 15})
    ada = shop.enroll()
    assert [points(shop, ada, name) for name in "abc"] == [20, 15, 10]
    campaign(shop, budget={"points": 25})
    assert [points(shop, ada, name) for name in "def"] == [20, 10, 10]
    campaign(shop, budget={"points": 5})
    assert (budgets.load(NAME).total, left()) == (25, 0)
    campaign(shop, budget={"points": 60})
    campaign(shop, budget={"points": 30})
    assert (budgets.load(NAME).total, left()) == (30, 5)
    assert points(shop, ada, "g") == 15
    assert is_sound()


def test_a_budget_that_a_crash_left_out_is_set_by_the_first_order(shop: Shop) -> None:
    campaign(shop, budget={"points": 15})
    for item in [keys.budget_key(NAME), *(keys.budget_slice_key(NAME, number) for number in range(SLICES))]:
        client.client().delete_item(TableName=settings.loyalty_table(), Key=client.key_of(item))
    ada = shop.enroll()
    assert [points(shop, ada, name) for name in "abc"] == [20, 15, 10]


def test_an_older_program_changes_no_budget(shop: Shop) -> None:
    campaign(shop, budget={"points": 15})
    older = programs.load_program()
    campaign(shop, budget={"points": 25})
    budgets.apply(older)
    assert left() == 25


def test_a_deposit_raises_a_prepaid_budget(shop: Shop) -> None:
    assert shop.enroll()
    client.transact([budgets.deposit("partner:cafe", 500)])
    client.transact([budgets.deposit("partner:cafe", 250)])
    kept = budgets.load("partner:cafe")
    assert (kept.total, kept.left, kept.spent) == (750, 750, 0)


def test_an_order_whose_answer_is_lost_draws_once(shop: Shop, wire: Wire) -> None:
    campaign(shop)
    ada = shop.enroll()
    points(shop, ada, "a")
    wire.lose_answer("TransactWriteItems")
    assert shop.order(ada, "b", 1_000).replayed
    assert left() == 80
    assert is_sound()


def test_a_refund_gives_the_campaigns_points_back_to_the_budget(shop: Shop) -> None:
    campaign(shop)
    ada = shop.enroll()
    points(shop, ada, "a")
    refund = {"order_id": "a", "refund_id": "r", "amount": 1_000, "refunded_at": "2026-11-20T18:03:00Z"}
    assert shop.post(f"/v1/members/{ada}/refunds", refund).body["entry"]["points"] == -20
    assert left() == 100
    assert is_sound()


def test_an_overspent_budget_would_be_found(shop: Shop) -> None:
    campaign(shop)
    points(shop, shop.enroll(), "a")
    client.transact([budgets._add(keys.budget_key(NAME), 1)])  # noqa: SLF001
    [violation] = check(client.client(), settings.loyalty_table()).violations
    assert (violation.invariant, violation.detail) == (3, "BUDGET#campaign:double is 9, the entries make 10")


# Reading campaigns ---------------------------------------------------------------------------------------------------


def test_an_operator_sees_what_a_campaign_is_doing(shop: Shop) -> None:
    cost = {"points": 100, "amount": 70}
    campaign(shop, budget={"amount": 70, "point_cost": cost}, when={"starts_on": "2026-11-01"}, hold_out_percent=0)
    points(shop, shop.enroll(), "a", 1_500)
    reply = shop.get("/v1/campaigns/double", scope=OPERATOR)
    assert reply.body == {
        "campaign_id": "double",
        "description": "Double points",
        "state": "running",
        "starts_on": "2026-11-01",
        "ends_on": None,
        "segments": [],
        "hold_out_percent": 0,
        "budget": {"total": 100, "spent": 15, "left": 85, "amount_left": {"amount": 60, "currency": "USD"}},
    }
    assert shop.pages("/v1/campaigns", 1, scope=OPERATOR) == [reply.body]


def test_a_campaign_without_a_budget_has_none(shop: Shop) -> None:
    campaign(shop, budget=None)
    assert shop.get("/v1/campaigns/double", scope=OPERATOR).body["budget"] is None


def test_an_unknown_campaign_is_not_found_and_a_storefront_sees_none(shop: Shop) -> None:
    assert_refused(shop.get("/v1/campaigns/other", scope=OPERATOR), 404, "campaign_not_found")
    assert_refused(shop.get("/v1/campaigns"), 403, "forbidden")


def test_the_ledger_tells_treated_members_from_those_held_out(shop: Shop) -> None:
    campaign(shop, hold_out_percent=50, budget=None)
    members = [shop.enroll(f"m{number}") for number in range(12)]
    given = {member: points(shop, member, f"of-{member}", 2_000) - 20 for member in members}
    treated = [member for member in members if given[member]]
    assert 0 < len(treated) < 12
    refund = {"order_id": f"of-{treated[0]}", "refund_id": "r", "amount": 500, "refunded_at": "2026-11-20T18:03:00Z"}
    shop.post(f"/v1/members/{treated[0]}/refunds", refund)
    groups = effect(client.client(), settings.loyalty_table(), "double")
    assert set(groups) == {"treated", "held_out"}
    assert groups["treated"].members == set(treated)
    assert groups["treated"].amount == 2_000 * len(treated) - 500
    assert (groups["held_out"].average_order, groups["held_out"].campaign_points) == (2_000, 0)
    assert groups["treated"].campaign_points == 20 * len(treated)


# Tags, place, opt-ins ------------------------------------------------------------------------------------------------


def test_tags_bring_a_member_into_a_segment(shop: Shop) -> None:
    shop.change_program(segments=SEGMENTS)
    campaign(shop, when={"segments": ["vips"]})
    ada = shop.enroll()
    assert points(shop, ada, "a") == 10
    reply = tag(shop, ada, {"add": ["vip", "tea"]})
    assert (reply.status, reply.body) == (
        200,
        {"member_id": ada, "tags": ["tea", "vip"], "place": None, "opt_ins": [], "excluded": False},
    )
    assert points(shop, ada, "b") == 20
    assert [entry["type"] for entry in shop.entries(ada)] == ["earn", "traits", "earn", "enroll"]
    tag(shop, ada, {"remove": ["vip"]}, "tag-2")
    assert points(shop, ada, "c") == 10


def test_tags_sent_again_are_a_replay_and_tags_held_already_write_nothing(shop: Shop) -> None:
    ada = shop.enroll()
    first = tag(shop, ada, {"add": ["vip"]})
    with shop.writing_nothing():
        again = tag(shop, ada, {"add": ["vip"]})
        other = tag(shop, ada, {"add": ["vip"], "remove": ["nothing"]}, "tag-2")
        mismatch = tag(shop, ada, {"add": ["tea"]})
    assert (again.replayed, again.body) == (True, first.body)
    assert (other.status, other.replayed, other.body) == (200, False, first.body)
    assert_refused(mismatch, 422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"add": ["Ada Lovelace"]}, "/add/0"),
        ({"add": ["x" * 33]}, "/add/0"),
        ({"add": [f"t{number}" for number in range(21)]}, "/add"),
        ({"tags": []}, "/tags"),
    ],
)
def test_a_tag_that_cannot_be_is_refused(shop: Shop, body: Any, pointer: str) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = tag(shop, ada, body)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_a_member_has_at_most_twenty_tags(shop: Shop) -> None:
    ada = shop.enroll()
    tag(shop, ada, {"add": [f"t{number}" for number in range(20)]})
    assert_refused(tag(shop, ada, {"add": ["one-more"]}, "tag-2"), 422, "invalid_request")


def test_tags_need_a_key_and_a_shop(shop: Shop) -> None:
    ada = shop.enroll()
    assert_refused(tag(shop, ada, {"add": ["vip"]}, key=None), 400, "idempotency_key_required")
    assert_refused(tag(shop, ada, {"add": ["vip"]}, scope=MEMBER, member_id=ada), 403, "forbidden")


def test_what_a_member_says_on_joining_is_known_to_segments(shop: Shop) -> None:
    shop.change_program(segments=SEGMENTS)
    ada = shop.enroll(place="US-CA", consent={"terms_version": "1", "marketing": {"email": True}})
    assert shop.get(f"/v1/members/{ada}").body["place"] == "US-CA"
    traits = accounts.load_account(ada).account.traits
    assert (traits.place, traits.opt_ins) == ("US-CA", ("email",))


def test_a_changed_place_or_consent_is_noted_with_the_profile_and_nothing_else_is(shop: Shop) -> None:
    shop.change_program(segments=SEGMENTS)
    ada = shop.enroll()
    shop.patch(ada, {"name": "Ada"})
    assert [entry["type"] for entry in shop.entries(ada)] == ["enroll"]
    shop.patch(ada, {"place": "DE", "consent": {"marketing": {"sms": True}}})
    traits = accounts.load_account(ada).account.traits
    assert (traits.place, traits.opt_ins) == ("DE", ("sms",))
    shop.patch(ada, {"consent": {"marketing": {"sms": False}}})
    shop.patch(ada, {"place": None})
    assert accounts.load_account(ada).account.traits == Traits()
    assert [entry["type"] for entry in shop.entries(ada)] == ["traits"] * 3 + ["enroll"]


def test_without_segments_consent_is_the_profiles_alone(shop: Shop) -> None:
    ada = shop.enroll(consent={"marketing": {"email": True}})
    shop.patch(ada, {"consent": {"marketing": {"email": False}}})
    assert [entry["type"] for entry in shop.entries(ada)] == ["enroll"]


def test_a_place_with_a_taken_address_changes_neither(shop: Shop) -> None:
    ada = shop.enroll()
    shop.enroll("join-2", email="grace@example.org")
    with shop.writing_nothing():
        reply = shop.patch(ada, {"place": "US-CA", "email": "grace@example.org"})
    assert_refused(reply, 409, "identifier_taken")


def test_a_profile_changed_meanwhile_is_to_be_tried_again(shop: Shop, wire: Wire) -> None:
    ada = shop.enroll()
    wire.before("TransactWriteItems", lambda: shop.patch(ada, {"name": "Ada"}))
    assert_refused(shop.patch(ada, {"place": "US-CA"}), 503, "try_again")
    assert shop.patch(ada, {"place": "US-CA"}).body["name"] == "Ada"


def test_an_account_changed_meanwhile_does_not_stand_in_the_way(shop: Shop, wire: Wire) -> None:
    ada = shop.enroll()
    wire.before("TransactWriteItems", lambda: shop.order(ada, "a"))
    assert shop.patch(ada, {"place": "US-CA"}).status == 200
    assert accounts.load_account(ada).account.traits.place == "US-CA"


@pytest.mark.parametrize("place", ["California", "us", "US-", "US-CALI", 1])
def test_a_place_is_a_code(shop: Shop, place: Any) -> None:
    ada = shop.enroll()
    assert_refused(shop.patch(ada, {"place": place}), 422, "invalid_request")


def test_an_erased_members_traits_go_too(shop: Shop) -> None:
    ada = shop.enroll(place="US-CA")
    tag(shop, ada, {"add": ["vip"]})
    shop.erase(ada)
    assert accounts.load_account(ada).account.traits.tags == ()
