"""Codes, friends, advocates: what is refused, what is looked at first, and what follows from a friend's order."""

from typing import Any

import pytest

from functions import consequences
from shared import settings
from tests.functions.shop import MEMBER, Shop, assert_refused, stored
from tests.shared.wire import Wire

TERMS: dict[str, Any] = {"advocate_points": 100, "friend_points": 50, "minimum_spend": 2000, "return_days": 30}


def stream(*kinds: str) -> list[str]:
    """Tell `follow` of every entry there is (of some kinds); the records that failed."""
    entries = [item for item in stored(settings.loyalty_table()) if "type" in item and "body" in item]
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
        for number, item in enumerate(sorted(entries, key=lambda item: int(item["sequence"]["N"])))
        if not kinds or item["type"]["S"] in kinds
    ]
    failures = consequences.handler({"Records": records}, None)["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def code_of(shop: Shop, member_id: str) -> str:
    return str(shop.get(f"/v1/members/{member_id}").body["referral_code"])


def listed(shop: Shop, member_id: str) -> Any:
    reply = shop.get(f"/v1/members/{member_id}/referrals")
    assert reply.status == 200, reply.body
    return reply.body


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(referrals=TERMS, earning={"welcome_points": 0})
    return shop.enroll("ada", email="ada@example.com")


def brought(shop: Shop, ada: str, name: str = "grace", **details: Any) -> str:
    return shop.enroll(name, referral_code=code_of(shop, ada), **details)


def test_the_first_purchase_that_qualifies_rewards_both_once(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 1_999)
    shop.order(grace, "A-2", 2_000)
    assert [stream(), stream()] == [[], []]
    shop.order(grace, "A-3", 2_000)
    assert stream() == []
    assert [entry["points"] for entry in shop.entries(grace) if entry["type"] == "referral"] == [50]
    [reward] = [entry for entry in shop.entries(ada) if entry["type"] == "referral"]
    assert (reward["points"], reward["effects"]["pending"]) == (100, 100)
    shop.pass_time(days=31)
    assert shop.balance(ada) == 100


def test_earning_takes_two_requests_though_a_friend_is_rewarded(shop: Shop, ada: str, wire: Wire) -> None:
    grace = brought(shop, ada)
    wire.requests.clear()
    assert shop.order(grace, "A-1", 5_000).body["account"]["balance"] == 100
    assert wire.requests == ["GetItem", "TransactWriteItems"]


def test_joining_with_a_code_takes_one_request_more_than_an_operation_has(shop: Shop, ada: str, wire: Wire) -> None:
    code = code_of(shop, ada)
    wire.requests.clear()
    shop.enroll("grace", referral_code=code, fingerprints=["card-1", "address-1"])
    assert wire.requests == ["GetItem", "TransactGetItems", "TransactWriteItems"]


def test_a_refund_below_the_minimum_takes_both_rewards_back_until_another_order_is_kept(shop: Shop, ada: str) -> None:
    shop.change_program(refund_debt="allowed")
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.refund(grace, 3_000, refund_id="R-1")
    assert stream() == []
    assert shop.account(ada)["pending"] == 100
    shop.refund(grace, 1, refund_id="R-2")
    assert [stream(), stream()] == [[], []]
    assert shop.account(ada)["pending"] == 0
    assert shop.balance(grace) == 19
    [friend] = listed(shop, ada)["items"]
    assert (friend["state"], friend["points"]) == ("reversed", 0)
    shop.order(grace, "A-2", 5_000)
    assert stream() == []
    assert shop.account(ada)["pending"] == 100
    assert shop.balance(grace) == 19 + 100


def test_an_advocate_who_has_spent_the_reward_owes_it(shop: Shop, ada: str) -> None:
    shop.change_program(transfers={})
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    stream()
    shop.pass_time(days=31)
    shop.transfer(ada, grace, 100)
    shop.refund(grace, 5_000)
    assert stream() == []
    assert shop.account(ada)["debt"] == 100


def test_an_advocate_is_rewarded_as_often_as_the_limit_allows(shop: Shop, ada: str) -> None:
    shop.change_program(referrals={**TERMS, "limit": {"times": 1, "per": "month"}})
    for number in range(2):
        friend = brought(shop, ada, f"friend-{number}")
        shop.order(friend, f"A-{number}", 5_000)
        assert stream() == []
    rewards = [entry for entry in shop.entries(ada) if entry["type"] == "referral"]
    assert [entry["points"] for entry in rewards] == [0, 100]
    assert "limit of 1 times per month reached, frees on 2026-12-01" in rewards[0]["breakdown"][0]["description"]
    limit = listed(shop, ada)["limit"]
    assert (limit["times_left"], limit["frees_on"]) == (0, "2026-12-01")


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"referral_code": "NOBODY-222222"}, "no member has this code"),
        ({"email": "ada+1@example.com"}, "your own code"),
        ({"email": "ADA@example.com"}, "your own code"),
    ],
)
def test_a_code_that_is_of_no_use_is_refused_before_anything_is_written(
    shop: Shop, ada: str, details: dict[str, str], why: str
) -> None:
    body = {"external_id": "grace", "referral_code": code_of(shop, ada), **details}
    with shop.writing_nothing():
        reply = shop.post("/v1/members", body, key="join-grace")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/referral_code"]
    assert why in reply.body["errors"][0]["detail"]


def test_a_code_is_taken_on_the_days_that_the_program_names(shop: Shop, ada: str) -> None:
    shop.change_program(referrals={**TERMS, "ends_on": "2026-11-19"})
    reply = shop.post("/v1/members", {"external_id": "grace", "referral_code": code_of(shop, ada)}, key="g")
    assert_refused(reply, 422, "invalid_request")
    assert "2026-11-19" in reply.body["errors"][0]["detail"]


def test_nobody_is_brought_by_somebody_whom_they_have_brought(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada, email="grace@example.com")
    body = {"email": "ada+again@example.com", "referral_code": code_of(shop, grace)}
    reply = shop.post("/v1/members", body, key="ada-again")
    assert_refused(reply, 422, "invalid_request")
    assert "joined through you" in reply.body["errors"][0]["detail"]


def test_a_known_card_and_too_many_in_a_week_are_looked_at_first(shop: Shop, ada: str) -> None:
    shop.change_program(referrals={**TERMS, "friends_per_week": 2})
    for number in range(2):
        brought(shop, ada, f"friend-{number}", fingerprints=[f"card-{number}"])
    third = brought(shop, ada, "friend-2")
    shop.order(third, "A-1", 5_000)
    assert stream() == []
    assert shop.balance(third) == 50
    assert listed(shop, ada)["items"][0]["state"] == "in_review"
    assert "card-0" not in str(shop.tables())


def test_a_purchase_long_after_joining_pays_nothing(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada)
    shop.pass_time(days=91)
    assert listed(shop, ada)["items"][0]["state"] == "expired"
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    assert shop.account(ada)["pending"] == 0


def test_an_erased_advocate_is_not_paid_and_a_merged_one_is_paid_where_they_went(shop: Shop, ada: str) -> None:
    grace, bob = brought(shop, ada), brought(shop, ada, "bob")
    other = shop.enroll("ada-2")
    shop.merge(other, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    assert shop.account(other)["pending"] == 100
    assert {friend["friend_id"] for friend in listed_all(shop, other)} == {grace, bob}
    shop.erase(other)
    shop.order(bob, "A-2", 5_000)
    assert stream() == []


def test_a_friend_who_turns_out_to_be_the_advocate_is_not_rewarded(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada)
    shop.merge(ada, grace)
    shop.order(ada, "A-1", 5_000)
    assert stream() == []
    assert shop.account(ada)["pending"] == 0


def test_a_friend_who_was_merged_many_times_is_shown_as_who_they_have_become(shop: Shop, ada: str) -> None:
    friend = brought(shop, ada)
    for number in range(5):
        last = shop.enroll(f"again-{number}")
        shop.merge(last, friend)
        friend = last
    shop.order(friend, "A-1", 2_000)
    assert [one["state"] for one in listed(shop, ada)["items"]] == ["rewarded"]


def test_a_reversal_of_a_merged_friend_takes_nothing_of_another_friends_reward(shop: Shop, ada: str) -> None:
    grace, hopper = brought(shop, ada), brought(shop, ada, "hopper")
    shop.order(grace, "A-1", 5_000)
    shop.order(hopper, "A-2", 5_000)
    stream()
    pending = shop.account(ada)["pending"]
    shop.refund(grace, 5_000)
    shop.merge(hopper, grace)
    assert stream() == []
    assert shop.account(ada)["pending"] * 2 == pending, "hopper's order was kept"


def owed_of(shop: Shop, *member_ids: str) -> list[int]:
    """What is left to each of the rewards, long after."""
    assert [stream(), stream()] == [[], []]
    shop.pass_time(days=40)
    accounts = [shop.account(member_id) for member_id in member_ids]
    return [account["balance"] + account["pending"] - account["debt"] for account in accounts]


def test_a_friend_who_has_become_the_advocate_keeps_both_rewards_as_long_as_the_order(shop: Shop, ada: str) -> None:
    friends = [brought(shop, ada, f"friend-{number}") for number in range(3)]
    for number, friend in enumerate(friends):
        shop.order(friend, f"A-{number}", 2_000)
    assert stream() == []
    for friend in friends:
        assert shop.merge(ada, friend).status == 200
    for number in (0, 1):
        shop.refund(ada, 2_000, f"A-{number}", f"R-{number}")
        assert [stream(), stream()] == [[], []]
    assert {one["state"] for one in listed(shop, ada)["items"]} == {"reversed", "rewarded"}
    shop.post(f"/v1/members/{ada}/refunds/R-1/reverse")
    assert owed_of(shop, ada) == [150 + 20 + 20], "nobody is paid for having brought themselves"
    shop.refund(ada, 2_000, "A-2", "R-2")
    assert owed_of(shop, ada) == [20]


def test_friends_who_are_one_keep_the_rewards_of_each_as_long_as_its_order(shop: Shop, ada: str) -> None:
    first, second = brought(shop, ada, "first"), brought(shop, ada, "second")
    shop.order(first, "A-1", 5_000)
    shop.order(second, "A-2", 5_000)
    assert stream() == []
    shop.merge(first, second)
    shop.order(first, "A-3", 5_000)
    shop.refund(first, 5_000, "A-2", "R-2")
    assert owed_of(shop, ada, first) == [100, 50 + 100]
    shop.post(f"/v1/members/{first}/refunds/R-2/reverse")
    assert owed_of(shop, ada, first) == [200, 100 + 150]
    shop.refund(first, 5_000, "A-2", "R-3")
    shop.refund(first, 5_000, "A-1", "R-1")
    assert owed_of(shop, ada, first) == [100, 50 + 50], "the first one's rests on A-3"
    shop.refund(first, 5_000, "A-3", "R-4")
    assert owed_of(shop, ada, first) == [0, 0]


def test_no_order_bears_two_referrals_of_friends_who_are_one(shop: Shop, ada: str) -> None:
    first, second = brought(shop, ada, "first"), brought(shop, ada, "second")
    shop.order(first, "A-1", 5_000)
    for number in (2, 3):
        shop.order(second, f"A-{number}", 5_000)
    assert stream() == []
    shop.merge(first, second)
    shop.refund(first, 5_000, "A-2", "R-2")
    assert owed_of(shop, ada, first) == [200, 100 + 100], "A-3 is the second one's too"
    shop.refund(first, 5_000, "A-1", "R-1")
    assert owed_of(shop, ada, first) == [100, 50 + 50]


def test_advocate_and_friend_who_both_become_somebody_else_keep_nothing_of_what_came_back(shop: Shop, ada: str) -> None:
    grace, other = brought(shop, ada), shop.enroll("other")
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.merge(other, ada)
    shop.merge(other, grace)
    shop.refund(other, 5_000)
    assert owed_of(shop, other) == [0]


@pytest.mark.parametrize(("days", "kept"), [(10, [100, 50 + 50]), (95, [0, 50])])
def test_the_next_order_takes_a_referral_over_after_the_friend_has_become_an_older_member(
    shop: Shop, days: int, kept: list[int]
) -> None:
    shop.change_program(referrals={**TERMS, "purchase_days": 90}, earning={"welcome_points": 0})
    old = shop.enroll("old")
    shop.pass_time(days=200)
    ada = shop.enroll("ada", email="ada@example.com")
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.pass_time(days=days)
    shop.order(grace, "A-2", 5_000)
    shop.merge(old, grace)
    shop.refund(old, 5_000)
    assert owed_of(shop, ada, old) == kept


def test_an_erased_member_owes_what_they_had_as_a_friend_of_themselves(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.merge(ada, grace)
    shop.pass_time(days=40)
    shop.adjust(ada, -200)
    shop.erase(ada)
    shop.refund(ada, 5_000)
    assert [stream(), stream()] == [[], []]
    again = shop.enroll("again", email="ada@example.com")
    assert shop.account(again)["debt"] == 50 + 50 + 100


@pytest.mark.parametrize("spent", [100, 30, 0])
@pytest.mark.parametrize("joins_first", [True, False])
def test_an_advocate_who_has_left_owes_what_they_had_spent_of_a_reward_that_goes(
    shop: Shop, ada: str, spent: int, joins_first: bool
) -> None:
    grace = brought(shop, ada)
    shop.order(grace, "A-1", 5_000)
    assert stream() == []
    shop.pass_time(days=40)
    if spent:
        shop.adjust(ada, -spent)
    shop.erase(ada)
    again = shop.enroll("again", email="ada@example.com") if joins_first else ""
    shop.refund(grace, 5_000)
    assert [stream(), stream()] == [[], []]
    again = again or shop.enroll("again", email="ada@example.com")
    assert shop.account(again)["debt"] == spent
    assert shop.account(grace)["balance"] == 0


def test_a_replay_is_a_replay_though_the_code_is_of_no_use_any_more(shop: Shop, ada: str) -> None:
    body = {"external_id": "grace", "referral_code": code_of(shop, ada)}
    first = shop.post("/v1/members", body, key="g")
    shop.erase(ada)
    again = shop.post("/v1/members", body, key="g")
    assert (again.status, again.replayed, again.body["member_id"]) == (200, True, first.body["member_id"])


def test_members_see_their_own_referrals_alone(shop: Shop, ada: str) -> None:
    grace = brought(shop, ada)
    own = shop.get("/v1/members/me/referrals", scope=MEMBER, member_id=ada)
    assert own.status == 200
    foreign = shop.get(f"/v1/members/{ada}/referrals", scope=MEMBER, member_id=grace)
    assert_refused(foreign, 404, "member_not_found")


def listed_all(shop: Shop, member_id: str) -> list[Any]:
    return shop.pages(f"/v1/members/{member_id}/referrals", 1)
