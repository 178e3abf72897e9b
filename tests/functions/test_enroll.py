"""Joining, being found, changing, becoming one with another, being forgotten."""

import hashlib
import itertools
import re
from typing import Any

import pytest

from shared import settings
from shared.domain.members import members
from shared.services import enrolment
from shared.tables import client, operation
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Shop, assert_refused
from tests.shared.wire import Wire

ADA: dict[str, Any] = {
    "external_id": "shop-42",
    "email": "Ada@Example.com",
    "phone": "+44 20 7946 0958",
    "card_number": "C-1",
    "name": "Ada Lovelace",
    "birthday": "12-10",
    "locale": "en-GB",
    "consent": {"terms_version": "2026-01", "marketing": {"email": True, "sms": False}},
    "referral_code": "GRACE-7Q2K",
    "channel": "web",
}
IDENTIFIERS = ("external_id", "email", "phone", "card_number")


def enroll_ada(shop: Shop, key: str = "ada", **changes: Any) -> str:
    reply = shop.post("/v1/members", {**ADA, **changes}, key=key)
    assert reply.status == 201, reply.body
    return str(reply.body["member_id"])


def found(shop: Shop, **identifier: str) -> str | None:
    reply = shop.post("/v1/members/lookup", identifier)
    if reply.status == 404:
        assert_refused(reply, 404, "member_not_found")
        return None
    assert reply.status == 200, reply.body
    return str(reply.body["member_id"])


def people_mention(shop: Shop, *words: str) -> bool:
    stored = "\n".join(part for table in shop.tables() for part in table).lower()
    return any(word.lower() in stored for word in words)


# Joining -------------------------------------------------------------------------------------------------------------


def test_a_newcomer_is_enrolled_with_everything_they_told_of_themselves(shop: Shop) -> None:
    reply = shop.post("/v1/members", ADA, key="ada")

    assert reply.status == 201
    assert not reply.replayed
    body = reply.body
    assert body.pop("referral_code").startswith("ADA-")
    assert body == {
        "member_id": body["member_id"],
        "status": "active",
        "external_id": "shop-42",
        "email": "ada@example.com",
        "phone": "+442079460958",
        "card_number": "C-1",
        "name": "Ada Lovelace",
        "birthday": "12-10",
        "locale": "en-GB",
        "consent": {"terms_version": "2026-01", "marketing": {"email": True, "sms": False}},
        "message_preferences": {"channel": None},
        "channel": "web",
        "enrolled_at": "2026-11-20T18:03:00Z",
        "merged_into": None,
    }


def test_a_newcomer_has_the_welcome_points_at_once(shop: Shop) -> None:
    ada = enroll_ada(shop)

    account = shop.account(ada)
    assert (account["balance"], account["lifetime_earned"], account["tier"]["tier_id"]) == (100, 100, "bronze")
    [entry] = shop.entries(ada)
    assert (entry["type"], entry["points"], entry["sequence"]) == ("enroll", 100, 1)
    assert entry["breakdown"] == [{"rule_id": "welcome", "points": 100, "description": "Welcome points"}]


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_one_identifier_is_enough_to_join(shop: Shop, kind: str) -> None:
    reply = shop.post("/v1/members", {kind: ADA[kind]}, key="ada")

    assert reply.status == 201
    assert reply.body["consent"] == {"terms_version": None, "marketing": {"email": False, "sms": False}}
    assert reply.body["referral_code"].startswith("FRIEND-")


def test_nobody_joins_without_an_identifier(shop: Shop) -> None:
    with shop.writing_nothing():
        reply = shop.post("/v1/members", {"name": "Ada", "email": None}, key="ada")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [""]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "ada"}, "/email"),
        ({"email": "ada@localhost@example.com"}, "/email"),
        ({"phone": "call me"}, "/phone"),
        ({"phone": "+1 2"}, "/phone"),
        ({"card_number": ""}, "/card_number"),
        ({"external_id": "x" * 129}, "/external_id"),
        ({"external_id": "a", "birthday": "02-30"}, "/birthday"),
        ({"external_id": "a", "locale": "English"}, "/locale"),
        ({"external_id": "a", "consent": {"marketing": {"post": True}}}, "/consent/marketing/post"),
        ({"external_id": "a", "message_preferences": {"channel": "pigeon"}}, "/message_preferences/channel"),
        ({"external_id": "a", "points": 5}, "/points"),
    ],
)
def test_a_fault_in_a_request_to_join_is_named_with_its_place(shop: Shop, body: Any, pointer: str) -> None:
    with shop.writing_nothing():
        reply = shop.post("/v1/members", body, key="ada")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_several_faults_are_named_together(shop: Shop) -> None:
    reply = shop.post("/v1/members", {"email": "ada", "phone": "call me"}, key="ada")
    assert reply.pointers == ["/email", "/phone"]


@pytest.mark.parametrize("email", ["jürgen@example.com", "用户@例子.公司", "jürgen@müller.example"])
def test_nobody_joins_with_an_address_that_the_mail_service_takes_from_nobody(shop: Shop, email: str) -> None:
    reply = shop.post("/v1/members", {"email": email}, key="join")
    assert_refused(reply, 422, "invalid_request")
    assert [error["pointer"] for error in reply.body["errors"]] == ["/email"]


@pytest.mark.parametrize(
    "taken",
    [
        {"external_id": "shop-42"},
        {"email": "ada@example.com"},
        {"email": "ADA@EXAMPLE.COM"},
        {"phone": "+442079460958"},
        {"phone": "+44 (0)20 7946-0958"},
        {"card_number": "C-1"},
    ],
)
def test_nobody_joins_with_what_another_is_found_by(shop: Shop, taken: dict[str, str]) -> None:
    enroll_ada(shop)
    with shop.writing_nothing():
        reply = shop.post("/v1/members", taken, key="grace")
    assert_refused(reply, 409, "identifier_taken")
    assert next(iter(taken)) in reply.body["detail"]


def test_card_numbers_and_external_ids_are_told_apart_by_case(shop: Shop) -> None:
    ada = enroll_ada(shop)
    grace = shop.enroll("SHOP-42", card_number="c-1")
    assert grace != ada


def test_a_refused_newcomer_reserves_nothing(shop: Shop) -> None:
    enroll_ada(shop)
    refused = shop.post("/v1/members", {"email": "grace@example.com", "card_number": "C-1"}, key="grace")
    assert refused.status == 409
    assert shop.post("/v1/members", {"email": "grace@example.com"}, key="grace").status == 201


def test_a_phone_number_without_a_country_belongs_to_the_programs(shop: Shop) -> None:
    american = shop.enroll("a", phone="(212) 555-0123")
    assert found(shop, phone="+1 212 555 0123") == american
    shop.change_program(country="GB")
    british = shop.enroll("b", phone="020 7946 0958")
    assert found(shop, phone="+44 20 7946 0958") == british


@pytest.mark.parametrize("key", [None, "", "   ", "a\tb", "nul\x00"])
def test_nobody_is_enrolled_without_an_idempotency_key(shop: Shop, key: str | None) -> None:
    with shop.writing_nothing():
        reply = shop.call("POST", "/v1/members", ADA, headers={"Idempotency-Key": key})
    assert_refused(reply, 400, "idempotency_key_required")


def test_an_endless_idempotency_key_is_refused(shop: Shop) -> None:
    with shop.writing_nothing():
        reply = shop.post("/v1/members", ADA, key="k" * 256)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["header:idempotency-key"]


def test_joining_twice_with_one_key_is_joining_once(shop: Shop) -> None:
    first = shop.post("/v1/members", ADA, key="ada")
    with shop.writing_nothing():
        again = shop.post("/v1/members", ADA, key="ada")
    assert (again.status, again.replayed) == (200, True)
    assert again.body == first.body


def test_joining_is_replayed_years_later_and_after_everything_changed(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.patch(ada, {"email": "countess@example.com"})
    shop.change_program(country="GB", earning={"welcome_points": 5})
    shop.pass_time(days=1000)
    reply = shop.post("/v1/members", ADA, key="ada")
    assert (reply.status, reply.replayed, reply.body["member_id"]) == (200, True, ada)
    assert reply.body["email"] == "countess@example.com"


def test_joining_is_replayed_for_who_was_erased_since(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.erase(ada)
    with shop.writing_nothing():
        reply = shop.post("/v1/members", ADA, key="ada")
    assert (reply.status, reply.replayed, reply.body["status"]) == (200, True, "erased")
    assert reply.body["email"] is None


def test_a_key_that_enrolled_one_member_enrolls_no_other(shop: Shop) -> None:
    enroll_ada(shop)
    with shop.writing_nothing():
        reply = shop.post("/v1/members", {"external_id": "grace"}, key="ada")
    assert_refused(reply, 422, "idempotency_mismatch")


def test_each_till_has_its_own_keys(shop: Shop) -> None:
    one = shop.post("/v1/members", {"external_id": "one"}, key="1", caller="till-1")
    other = shop.post("/v1/members", {"external_id": "other"}, key="1", caller="till-2")
    assert (one.status, other.status) == (201, 201)
    assert one.body["member_id"] != other.body["member_id"]


def test_whoever_joins_while_the_database_is_throttled_may_try_again(shop: Shop, wire: Wire) -> None:
    wire.refuse("TransactWriteItems", "ThrottlingException")
    with shop.writing_nothing():
        reply = shop.post("/v1/members", ADA, key="ada")
    assert_refused(reply, 503, "try_again")
    assert shop.post("/v1/members", ADA, key="ada").status == 201


def test_whoever_joined_without_hearing_of_it_is_told_when_asking_again(shop: Shop, wire: Wire) -> None:
    wire.lose_answer("TransactWriteItems")
    assert_refused(shop.post("/v1/members", ADA, key="ada"), 503, "try_again")
    reply = shop.post("/v1/members", ADA, key="ada")
    assert (reply.status, reply.replayed) == (200, True)
    assert len(shop.entries(reply.body["member_id"])) == 1


def test_two_tills_that_enroll_one_person_at_once_make_one_member(shop: Shop, wire: Wire) -> None:
    wire.before("TransactWriteItems", lambda: enroll_ada(shop, key="other-till"))
    reply = shop.post("/v1/members", ADA, key="ada")
    assert_refused(reply, 409, "identifier_taken")


def test_a_referral_code_that_is_taken_is_drawn_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["ADA-1", "ADA-1", "ADA-2"])
    monkeypatch.setattr(enrolment, "new_referral_code", lambda *_: next(codes))
    first, second = shop.enroll("one"), shop.enroll("two")
    drawn = [shop.get(f"/v1/members/{one}").body["referral_code"] for one in (first, second)]
    assert drawn == ["ADA-1", "ADA-2"]


# Being found ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identifier",
    [
        {"external_id": "shop-42"},
        {"email": "aDa@exaMple.com"},
        {"phone": "+44 20 79460958"},
        {"card_number": "C-1"},
    ],
)
def test_a_member_is_found_by_each_identifier(shop: Shop, identifier: dict[str, str]) -> None:
    ada = enroll_ada(shop)
    assert found(shop, **identifier) == ada


@pytest.mark.parametrize(
    "identifier",
    [{"external_id": "SHOP-42"}, {"email": "ad@example.com"}, {"phone": "+442079460959"}, {"card_number": "c-1"}],
)
def test_nobody_is_found_by_what_is_nobodys(shop: Shop, identifier: dict[str, str]) -> None:
    enroll_ada(shop)
    reply = shop.post("/v1/members/lookup", identifier)
    assert_refused(reply, 404, "member_not_found")
    assert next(iter(identifier.values())) not in reply.body["detail"]


@pytest.mark.parametrize(
    "body", [{}, {"email": None}, {"email": "ada@example.com", "card_number": "C-1"}, {"member_id": "x"}]
)
def test_a_lookup_names_exactly_one_identifier(shop: Shop, body: Any) -> None:
    assert_refused(shop.post("/v1/members/lookup", body), 422, "invalid_request")


def test_a_lookup_by_what_is_no_address_says_so(shop: Shop) -> None:
    reply = shop.post("/v1/members/lookup", {"email": "ada"})
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/email"]


# Changing ------------------------------------------------------------------------------------------------------------


def test_a_change_leaves_what_it_does_not_name(shop: Shop) -> None:
    ada = enroll_ada(shop)
    before = shop.get(f"/v1/members/{ada}").body
    reply = shop.patch(ada, {"name": "Countess", "birthday": None})
    assert reply.status == 200
    assert reply.body == {**before, "name": "Countess", "birthday": None}
    assert shop.get(f"/v1/members/{ada}").body == reply.body


def test_a_change_of_consent_leaves_the_consent_it_does_not_name(shop: Shop) -> None:
    ada = enroll_ada(shop)
    consent = shop.patch(ada, {"consent": {"marketing": {"sms": True}}}).body["consent"]
    assert consent == {"terms_version": "2026-01", "marketing": {"email": True, "sms": True}}


def test_consent_is_withdrawn_as_a_whole_with_null(shop: Shop) -> None:
    ada = enroll_ada(shop)
    consent = shop.patch(ada, {"consent": None}).body["consent"]
    assert consent == {"terms_version": None, "marketing": {"email": False, "sms": False}}


def test_a_member_chooses_how_messages_come(shop: Shop) -> None:
    ada = enroll_ada(shop)
    reply = shop.patch("me", {"message_preferences": {"channel": "sms"}}, scope=MEMBER, member_id=ada)
    assert reply.body["message_preferences"] == {"channel": "sms"}


def test_a_new_address_finds_the_member_and_the_old_one_is_free(shop: Shop) -> None:
    ada = enroll_ada(shop)
    assert shop.patch(ada, {"email": "Countess@Example.com"}).body["email"] == "countess@example.com"
    assert found(shop, email="countess@example.com") == ada
    assert found(shop, email="ada@example.com") is None
    assert shop.enroll("grace", email="ada@example.com") != ada


def test_a_member_cannot_take_anothers_address(shop: Shop) -> None:
    enroll_ada(shop)
    grace = shop.enroll("grace", email="grace@example.com")
    with shop.writing_nothing():
        reply = shop.patch(grace, {"name": "Grace", "email": "ADA@example.com"})
    assert_refused(reply, 409, "identifier_taken")
    assert found(shop, email="grace@example.com") == grace


def test_a_member_keeps_at_least_one_identifier(shop: Shop) -> None:
    grace = shop.enroll("grace")
    with shop.writing_nothing():
        reply = shop.patch(grace, {"external_id": None})
    assert_refused(reply, 422, "invalid_request")
    assert shop.patch(grace, {"external_id": None, "card_number": "C-9"}).status == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "grace"}, "/email"),
        ({"status": "erased"}, "/status"),
        ({"member_id": "x"}, "/member_id"),
        ({"referral_code": "X"}, "/referral_code"),
        ({"consent": {"marketing": {"sms": "yes"}}}, "/consent/marketing/sms"),
    ],
)
def test_a_change_of_what_cannot_be_so_is_refused(shop: Shop, change: Any, pointer: str) -> None:
    grace = shop.enroll("grace")
    with shop.writing_nothing():
        reply = shop.patch(grace, change)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_a_change_that_changes_nothing_writes_nothing(shop: Shop) -> None:
    ada = enroll_ada(shop)
    with shop.writing_nothing():
        assert shop.patch(ada, {"email": "ADA@example.com", "name": "Ada Lovelace"}).status == 200


def test_of_two_changes_at_once_the_later_is_asked_to_try_again(shop: Shop, wire: Wire) -> None:
    ada = enroll_ada(shop)
    wire.before("TransactWriteItems", lambda: shop.patch(ada, {"name": "Countess"}))
    assert_refused(shop.patch(ada, {"locale": "fr"}), 503, "try_again")
    assert shop.get(f"/v1/members/{ada}").body["locale"] == "en-GB"
    reply = shop.patch(ada, {"locale": "fr"})
    assert (reply.body["name"], reply.body["locale"]) == ("Countess", "fr")


# Being forgotten -----------------------------------------------------------------------------------------------------


def test_an_erased_member_leaves_no_personal_data(shop: Shop) -> None:
    ada = enroll_ada(shop)
    assert people_mention(shop, "Lovelace")
    reply = shop.erase(ada)
    assert (reply.status, reply.body["status"]) == (200, "erased")
    assert not people_mention(
        shop, "lovelace", "ada@example.com", "2079460958", "C-1", "shop-42", "12-10", "GRACE-7Q2K"
    )
    told = shop.get(f"/v1/members/{ada}").body
    assert {name for name, value in told.items() if value} == {
        "member_id",
        "status",
        "enrolled_at",
        "consent",
        "message_preferences",
    }


def test_an_erased_members_ledger_stays_and_adds_up(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.order(ada, total=4250)
    shop.erase(ada)
    assert shop.balance(ada) == 0
    assert [(entry["type"], entry["points"]) for entry in shop.entries(ada)] == [
        ("erase", -142),
        ("earn", 42),
        ("enroll", 100),
    ]


def test_an_erased_members_identifiers_are_free_again(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.erase(ada)
    for kind in IDENTIFIERS:
        assert found(shop, **{kind: ADA[kind]}) is None
    assert enroll_ada(shop, key="another") != ada


def test_erasing_cancels_what_is_reserved_and_forgives_what_is_owed(shop: Shop) -> None:
    shop.change_program(redeeming={"rewards": [limited_mug(stock=1)]})
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.redeem(ada, "mug")
    assert_refused(shop.redeem(grace, "mug"), 409, "reward_unavailable")
    shop.order(grace, "A-2", 1000)
    shop.adjust(grace, -110)
    shop.refund(grace, 1000, "A-2")
    assert shop.account(grace)["debt"] == 10
    assert shop.erase(ada).status == 200
    asked = shop.erase(grace)
    assert asked.status == 202, "an operator decides on whoever owes something"
    shop.post(f"/v1/reviews/{asked.body['review_id']}/approve", scope=OPERATOR)
    for member in (ada, grace):
        account = shop.account(member)
        assert (account["balance"], account["held"], account["debt"]) == (0, 0, 0)
    assert [entry["type"] for entry in shop.entries(ada)] == ["erase", "cancel", "reserve", "enroll"]
    assert shop.redeem(shop.enroll("linus"), "mug").status == 201


def test_members_may_erase_themselves_and_hear_it_again(shop: Shop) -> None:
    ada = enroll_ada(shop)
    first = shop.call("DELETE", "/v1/members/me", scope=MEMBER, member_id=ada)
    assert (first.status, first.replayed) == (200, False)
    shop.pass_time(days=400)
    with shop.writing_nothing():
        again = shop.call("DELETE", "/v1/members/me", scope=MEMBER, member_id=ada)
    assert (again.status, again.replayed, again.body) == (200, True, first.body)


def test_nothing_more_happens_to_an_erased_member(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.erase(ada)
    with shop.writing_nothing():
        for reply in (
            shop.patch(ada, {"name": "Ada"}),
            shop.order(ada),
            shop.action(ada),
            shop.adjust(ada, 5),
            shop.redeem(ada),
            shop.transfer(ada, grace, 1),
            shop.transfer(grace, ada, 1, key="gift-2"),
            shop.merge(grace, ada),
            shop.merge(ada, grace),
        ):
            assert_refused(reply, 409, "member_not_active")


def test_erasing_that_was_lost_on_the_way_is_done_once(shop: Shop, wire: Wire) -> None:
    ada = enroll_ada(shop)
    wire.lose("TransactWriteItems")
    with shop.writing_nothing():
        assert_refused(shop.erase(ada), 503, "try_again")
    wire.lose_answer("TransactWriteItems")
    reply = shop.erase(ada)
    assert (reply.status, reply.body["status"]) == (200, "erased")
    assert [entry["type"] for entry in shop.entries(ada)] == ["erase", "enroll"]


def test_points_that_expired_before_a_member_is_erased_are_not_forfeited(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.pass_time(days=500)
    shop.erase(ada)
    assert [(entry["type"], entry["points"]) for entry in shop.entries(ada)] == [
        ("erase", 0),
        ("expiry", -100),
        ("enroll", 100),
    ]


# Everything held -----------------------------------------------------------------------------------------------------


def test_a_member_is_given_everything_that_is_held_of_them(shop: Shop) -> None:
    ada = enroll_ada(shop)
    grace = shop.enroll("grace", email="grace@example.com")
    shop.order(grace, "A-2", 500)
    shop.order(ada, "A-1", 1000)
    shop.merge(ada, grace)
    reply = shop.get("/v1/members/me/export", scope=MEMBER, member_id=ada)
    assert reply.status == 200
    body = reply.body
    assert body["member"] == shop.get(f"/v1/members/{ada}").body
    assert body["account"] == shop.account(ada)
    assert body["entries"] == [{**one, "actor": one["actor"].partition(":")[0]} for one in shop.entries(ada)]
    assert {(known["kind"], known["value"]) for known in body["also_known_as"]} >= {
        ("email", "grace@example.com"),
        ("external_id", "grace"),
    }
    assert body["referred_by_code"] == "GRACE-7Q2K"


# Becoming one --------------------------------------------------------------------------------------------------------


def limited_mug(**changes: Any) -> dict[str, Any]:
    return {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 50, **changes}


def test_a_merged_members_points_keep_their_dates(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.pass_time(days=60)
    grace = shop.enroll("grace")
    shop.order(grace, total=1000)
    reply = shop.merge(grace, ada)
    assert (reply.status, reply.replayed) == (200, False)
    assert reply.body["account"]["expiring"] == [
        {"on": "2027-11-30", "points": 100},
        {"on": "2028-01-31", "points": 110},
    ]
    assert shop.account(grace) == reply.body["account"]
    assert shop.account(grace)["lifetime_earned"] == 210
    assert shop.account(ada) == shop.account(grace)
    assert shop.get(f"/v1/members/{ada}").body["status"] == "merged"


def test_a_merged_members_pending_points_keep_their_day(shop: Shop) -> None:
    shop.change_program(earning={"pending_days": 14})
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.order(ada, total=1000)
    shop.merge(grace, ada)
    assert (shop.account(grace)["balance"], shop.account(grace)["pending"]) == (200, 10)
    shop.pass_time(days=14)
    assert (shop.account(grace)["balance"], shop.account(grace)["pending"]) == (210, 0)


def test_a_merged_member_is_found_as_the_other(shop: Shop) -> None:
    ada = enroll_ada(shop)
    grace = shop.enroll("grace", email="grace@example.com")
    shop.merge(grace, ada)
    for kind in IDENTIFIERS:
        assert found(shop, **{kind: ADA[kind]}) == grace
    assert found(shop, email="grace@example.com") == grace
    assert_refused(shop.post("/v1/members", {"email": ADA["email"]}, key="third"), 409, "identifier_taken")
    gone = shop.get(f"/v1/members/{ada}").body
    assert (gone["status"], gone["merged_into"], gone["email"]) == ("merged", grace, None)


def test_the_other_takes_details_that_it_lacks_but_never_consent(shop: Shop) -> None:
    ada = enroll_ada(shop)
    grace = shop.enroll("grace", email="grace@example.com", name="Grace")
    shop.merge(grace, ada)
    one = shop.get(f"/v1/members/{grace}").body
    assert (one["name"], one["birthday"], one["phone"], one["email"]) == (
        "Grace",
        "12-10",
        "+442079460958",
        "grace@example.com",
    )
    assert one["consent"] == {"terms_version": None, "marketing": {"email": False, "sms": False}}


def test_identifiers_of_merged_members_are_freed_when_the_other_is_erased(shop: Shop) -> None:
    ada, grace, linus = enroll_ada(shop), shop.enroll("grace", email="grace@example.com"), shop.enroll("linus")
    shop.merge(grace, ada)
    shop.merge(linus, grace)
    shop.erase(linus)
    assert not people_mention(shop, "lovelace", "ada@example.com", "grace@example.com")
    assert enroll_ada(shop, key="new") not in {ada, grace, linus}
    assert shop.enroll("grace-2", email="grace@example.com")


def test_merging_brings_the_higher_tier(shop: Shop) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.order(ada, total=50000)
    assert shop.account(ada)["tier"]["tier_id"] == "silver"
    merged = shop.merge(grace, ada).body["account"]
    assert merged["tier"]["tier_id"] == "silver"


def test_an_order_of_a_merged_member_is_refunded_through_the_other(shop: Shop) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.order(ada, total=1000)
    shop.refund(ada, 300, refund_id="R-1")
    shop.merge(grace, ada)
    second = shop.refund(ada, 100, refund_id="R-2")
    assert (second.status, second.body["entry"]["points"], second.body["account"]["member_id"]) == (201, -1, grace)
    third = shop.refund(grace, 600, refund_id="R-4")
    assert (third.status, third.body["entry"]["points"]) == (201, -6)
    assert_refused(shop.refund(grace, 1, refund_id="R-3"), 409, "refund_exceeds_order")
    replay = shop.refund(grace, 300, refund_id="R-1")
    assert (replay.status, replay.replayed, replay.body["entry"]["points"]) == (200, True, -3)


def test_an_order_of_a_merged_member_is_not_credited_again_through_the_other(shop: Shop) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    first = shop.order(ada)
    shop.merge(grace, ada)
    with shop.writing_nothing():
        for member in (ada, grace):
            replay = shop.order(member)
            assert (replay.status, replay.replayed, replay.body["entry"]) == (200, True, first.body["entry"])


@pytest.mark.parametrize(("step", "balance"), [("capture", 100), ("cancel", 250)])
def test_what_a_merged_member_had_reserved_is_ended_through_the_other(shop: Shop, step: str, balance: int) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.adjust(ada, 50)
    reserved = shop.redeem(ada).body["redemption_id"]
    shop.merge(grace, ada)
    assert shop.account(grace)["held"] == 150
    own = {"scope": MEMBER, "member_id": ada}
    if step == "cancel":
        told = shop.post(f"/v1/members/me/redemptions/{reserved}/{step}", **own)
        assert_refused(told, 409, "member_merged")
        assert told.body["merged_into"] == grace
    ended = shop.move(ada, reserved, step)
    assert (ended.status, ended.body["member_id"]) == (200, grace)
    assert shop.move(grace, reserved, step).replayed
    assert shop.get(f"/v1/members/{ada}/redemptions/{reserved}").body == {**ended.body, "account": None}
    assert shop.balance(grace) == balance
    assert shop.get(f"/v1/members/{grace}/redemptions/{reserved}").status == 200


def test_what_a_merged_member_had_captured_is_reversed_through_the_other(shop: Shop) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.adjust(ada, 50)
    captured = shop.redeem(ada, capture=True).body["redemption_id"]
    shop.merge(grace, ada)
    assert shop.move(grace, captured, "reverse").body["state"] == "reversed"
    assert shop.balance(grace) == 250


def test_merging_is_replayed_however_late(shop: Shop) -> None:
    ada, grace, linus = enroll_ada(shop), shop.enroll("grace"), shop.enroll("linus")
    first = shop.merge(grace, ada)
    shop.merge(linus, grace)
    shop.pass_time(days=900)
    with shop.writing_nothing():
        again = shop.merge(grace, ada)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    assert again.body["account"] == shop.account(grace)


def test_a_member_is_not_merged_with_itself_or_with_nobody(shop: Shop) -> None:
    ada = enroll_ada(shop)
    with shop.writing_nothing():
        itself = shop.merge(ada, ada)
        assert_refused(itself, 422, "invalid_request")
        assert itself.pointers == ["/from_member_id"]
        assert_refused(shop.merge(ada, "nobody"), 404, "member_not_found")
        assert_refused(shop.merge("nobody", ada), 404, "member_not_found")


def test_who_was_merged_is_not_merged_elsewhere(shop: Shop) -> None:
    ada, grace, linus = enroll_ada(shop), shop.enroll("grace"), shop.enroll("linus")
    shop.merge(grace, ada)
    with shop.writing_nothing():
        assert_refused(shop.merge(linus, ada), 409, "member_merged")
        reply = shop.post(f"/v1/members/{ada}/merge", {"from_member_id": linus}, scope=OPERATOR)
        assert_refused(reply, 409, "member_merged")
        assert reply.body["merged_into"] == grace


def test_a_shops_calls_follow_merges_however_many(shop: Shop) -> None:
    members = [shop.enroll(f"m{number}") for number in range(5)]
    shop.order(members[0], "A-0", 1000)
    for gone, into in itertools.pairwise(members):
        shop.merge(into, gone)
    first, last = members[0], members[-1]
    reply = shop.order(first, "A-1", 1000)
    assert (reply.status, reply.body["account"]["member_id"]) == (201, last)
    assert shop.order(last, "A-1", 1000).replayed
    again = shop.order(first, "A-0", 1000)
    assert (again.replayed, again.body["account"]) == (True, shop.account(last))
    assert shop.account(first) == shop.account(last)
    assert shop.entries(first) == shop.entries(last)
    assert shop.action(first).body["account"]["member_id"] == last
    assert shop.redeem(first).body["member_id"] == last


def test_people_are_told_who_a_merged_member_has_become(shop: Shop) -> None:
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    shop.merge(grace, ada)
    own = {"scope": MEMBER, "member_id": ada}
    with shop.writing_nothing():
        for reply in (
            shop.get("/v1/members/me/account", **own),
            shop.get("/v1/members/me/entries", **own),
            shop.get(f"/v1/members/{ada}/credit", scope=OPERATOR),
            shop.adjust(ada, 5),
            shop.post("/v1/members/me/redemptions", {"reward_id": "free-coffee"}, key="k", **own),
            shop.patch(ada, {"name": "Ada"}, scope=OPERATOR),
        ):
            assert_refused(reply, 409, "member_merged")
            assert reply.body["merged_into"] == grace


def test_points_that_are_past_their_date_are_not_merged(shop: Shop) -> None:
    ada = enroll_ada(shop)
    shop.pass_time(days=500)
    grace = shop.enroll("grace")
    merged = shop.merge(grace, ada)
    assert merged.body["account"]["balance"] == 100
    assert [entry["type"] for entry in shop.entries(grace)] == ["merge_in", "enroll", "merge_out", "expiry", "enroll"]


def test_a_merge_that_meets_a_change_of_either_profile_is_to_be_tried_again(
    shop: Shop, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "ATTEMPTS_MAX", 2)
    ada, grace = enroll_ada(shop), shop.enroll("grace")
    wire.before("TransactWriteItems", lambda: shop.patch(ada, {"name": "Countess"}))
    assert_refused(shop.merge(grace, ada), 503, "try_again")
    assert shop.balance(grace) == 100
    assert shop.merge(grace, ada).status == 200


def test_a_member_is_found_by_so_many_identifiers_and_no_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "IDENTITIES_MAX", 5)
    survivor = shop.enroll("one")
    assert shop.merge(survivor, shop.enroll("two")).status == 200
    third = shop.enroll("three")
    with shop.writing_nothing():
        assert_refused(shop.merge(survivor, third), 409, "invalid_state")


def test_a_member_with_all_that_one_can_have_is_erased(shop: Shop) -> None:
    rewards = [limited_mug(reward_id=f"mug-{number}", stock=5, points=1) for number in range(20)]
    shop.change_program(redeeming={"rewards": rewards, "hold_minutes": 60 * 24}, expiry={"kind": "term", "days": 100})
    ada = shop.enroll("ada")
    for number in range(7):
        details = {"email": f"m{number}@example.com", "phone": f"+1 212 555 01{number:02}", "card_number": f"C{number}"}
        assert shop.merge(ada, shop.enroll(f"m{number}", **details)).status == 200
    for number in range(15):
        shop.adjust(ada, 1, f"day-{number}")
        shop.pass_time(days=1)
    for number in range(20):
        assert shop.redeem(ada, f"mug-{number}", key=f"r{number}").status == 201
    shop.pass_time(days=500)
    assert shop.erase(ada).status == 200
    assert shop.enroll("new", email="m1@example.com")


def test_stored_people_are_found_under_keyed_hashes_alone(shop: Shop) -> None:
    enroll_ada(shop)
    items = client.client().scan(TableName=settings.people_table())["Items"]
    identities = [item for item in items if item["pk"]["S"].startswith("IDENTITY#")]
    assert len(identities) == 5
    plain = {hashlib.sha256(text.encode()).hexdigest() for text in ("ada@example.com", "+442079460958", "C-1")}
    for item in identities:
        assert set(item) == {"pk", "sk", "member_id", "kind"}
        label, kind, digest = item["pk"]["S"].split("#")
        assert re.fullmatch("[0-9a-f]{64}", digest), f"{label} {kind} is not hashed"
        assert digest not in plain


def test_the_scopes_of_a_till_do_not_erase(shop: Shop) -> None:
    ada = enroll_ada(shop)
    with shop.writing_nothing():
        assert_refused(shop.call("DELETE", f"/v1/members/{ada}", scope=STOREFRONT), 403, "forbidden")
