"""Orders of somebody known by an identifier alone, and consent: what is refused, and what is done once."""

from typing import Any
from unittest.mock import Mock

import pytest

from shared import settings
from shared.domain.errors import TryAgainError
from shared.domain.lifecycle import corrections
from shared.tables import members
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused, stored
from tests.functions.test_referrals import stream
from tests.shared.wire import Wire

CARD = {"card_number": "C-1"}
TERMS = {"terms_version": "2026-01", "marketing": {"email": True}, "channel": "web"}


@pytest.fixture
def till(shop: Shop) -> Shop:
    shop.change_program(automatic_enrolment={"consent_days": 30}, earning={"welcome_points": 0})
    return shop


def buy(shop: Shop, identifier: Any = CARD, order_id: str = "A-1", total: int = 4_200, **more: Any) -> Reply:
    body = {"type": "order", "order_id": order_id, "currency": "USD"}
    return shop.post("/v1/earn", {**body, "total": total, "identifier": identifier, **more})


def opened(shop: Shop, identifier: Any = CARD, order_id: str = "A-1") -> str:
    reply = buy(shop, identifier, order_id)
    assert reply.status == 201, reply.body
    return str(reply.body["account"]["member_id"])


def agree(shop: Shop, member_id: str, **more: Any) -> Reply:
    return shop.post(f"/v1/members/{member_id}/consent", {**TERMS, **more})


def profile(member_id: str) -> str:
    [item] = [one for one in stored(settings.people_table()) if one["pk"]["S"] == f"MEMBER#{member_id}"]
    return str(item["body"]["S"])


def test_a_known_identifier_earns_as_usual_and_replays_under_either_path(till: Shop) -> None:
    ada = till.enroll("ada", card_number="C-1")
    first = buy(till)
    assert (first.status, first.body["account"]["member_id"]) == (201, ada)
    body = {"type": "order", "order_id": "A-1", "currency": "USD", "total": 4_200}
    again = till.post(f"/v1/members/{ada}/earn", body)
    assert (again.status, again.replayed) == (200, True)


def test_money_comes_by_either_path_but_not_before_consent(till: Shop) -> None:
    till.change_program(cashback={"amount": 1, "per_amount": 100})
    ada = till.enroll("ada", card_number="C-1")
    buy(till)
    unknown = opened(till, {"card_number": "C-2"}, "A-2")
    body = {"type": "order", "order_id": "A-3", "currency": "USD", "total": 4_200}
    assert till.post(f"/v1/members/{unknown}/earn", body).status == 201
    money = [till.get(f"/v1/members/{member}/credit").body["balance"]["amount"] for member in (ada, unknown)]
    assert money == [42, 0]


def test_an_amendment_brings_no_money_before_consent_either(till: Shop) -> None:
    till.change_program(cashback={"amount": 1, "per_amount": 100})
    unknown = opened(till)
    path = f"/v1/members/{unknown}/orders/A-1/amend"
    assert till.post(path, {"amendment_id": "E-1", "total": 9_900}).status == 201
    assert till.get(f"/v1/members/{unknown}/credit").body["balance"]["amount"] == 0
    agree(till, unknown)
    assert till.post(path, {"amendment_id": "E-2", "total": 5_000}).status == 201
    assert till.get(f"/v1/members/{unknown}/credit").body["balance"]["amount"] == 50


def test_an_order_with_money_is_claimed_for_nobody_before_consent(till: Shop) -> None:
    till.change_program(cashback={"amount": 1, "per_amount": 100})
    ada, unknown = till.enroll("ada"), opened(till, order_id="A-0")
    till.order(ada, total=10_000)
    path, claim = f"/v1/members/{unknown}/orders/A-1/claim", {"claim_id": "C-1", "reason": "the wrong card"}
    with till.writing_nothing():
        assert_refused(till.post(path, claim), 409, "consent_required")
    till.change_program(cashback=None)
    till.order(ada, "A-2", total=10_000)
    assert till.post(path.replace("A-1", "A-2"), claim).status == 201
    agree(till, unknown)
    assert till.post(path, claim).status == 201
    money = [till.get(f"/v1/members/{member}/credit").body["balance"]["amount"] for member in (ada, unknown)]
    assert money == [0, 100]


def test_what_somebody_bought_who_never_agreed_comes_back_with_its_money(
    till: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.change_program(cashback={"amount": 1, "per_amount": 100})
    ada, unknown = till.enroll("ada"), opened(till, order_id="A-0")
    till.order(ada, total=10_000)
    path = f"/v1/members/{unknown}/orders/A-1/claim"
    with monkeypatch.context() as before:  # an earlier release let it
        before.setattr(corrections, "require_consent", lambda _: None)
        assert till.post(path, {"claim_id": "C-1", "reason": "the wrong card"}).status == 201
    till.pass_time(days=31)
    reply = till.refund(unknown, 4_000)
    assert (reply.status, reply.body["points"], reply.body["credit"]["amount"]) == (201, 0, 40), reply.body
    assert till.refund(unknown, 6_000, refund_id="R-2").body["credit"]["amount"] == 60


def test_an_unknown_identifier_is_nobody_where_nobody_is_enrolled_automatically(shop: Shop) -> None:
    with shop.writing_nothing():
        assert_refused(buy(shop), 404, "member_not_found")


def test_the_program_says_by_which_identifiers_somebody_is_enrolled(till: Shop) -> None:
    till.change_program(automatic_enrolment={"consent_days": 30, "identifiers": ["email"]})
    with till.writing_nothing():
        assert_refused(buy(till), 404, "member_not_found")
    assert buy(till, {"email": "Ada@Example.com"}).status == 201


def test_an_order_opens_one_member_once(till: Shop, wire: Wire) -> None:
    wire.requests.clear()
    member = opened(till)
    assert [one for one in wire.requests if one != "GetItem"] == ["TransactWriteItems"]
    again = buy(till)
    assert (again.status, again.replayed, again.body["account"]["member_id"]) == (200, True, member)
    assert_refused(buy(till, total=4_300), 422, "idempotency_mismatch")
    assert opened(till, order_id="A-2") == member
    assert till.account(member)["pending"] == 84


def test_an_order_of_somebody_else_opens_nobody(till: Shop) -> None:
    ada = till.enroll("ada")
    till.order(ada, "A-1")
    with till.writing_nothing():
        assert_refused(buy(till), 409, "order_belongs_to_another_member")


@pytest.mark.parametrize("identifier", [{}, {"card_number": "C", "email": "a@example.com"}, {"card": "C"}])
def test_exactly_one_identifier_is_given(till: Shop, identifier: Any) -> None:
    with till.writing_nothing():
        assert_refused(buy(till, identifier), 422, "invalid_request")


def test_an_order_that_is_none_opens_nobody(till: Shop) -> None:
    with till.writing_nothing():
        assert_refused(buy(till, currency="EUR"), 422, "invalid_request")


def test_nothing_personal_stands_beside_the_points(till: Shop) -> None:
    opened(till, {"email": "ada@example.com"})
    loyalty, _ = till.tables()
    assert "ada@example" not in str(loyalty)


def test_consent_is_kept_with_its_version_time_and_place(till: Shop) -> None:
    member = opened(till)
    assert agree(till, member).body["status"] == "active"
    assert till.balance(member) == 42
    till.pass_time(hours=1)
    assert agree(till, member).status == 200
    assert till.patch(member, {"consent": {"marketing": {"email": False}}}).status == 200
    kept = profile(member)
    assert kept.count('"at"') == 2
    assert '"terms_version":"2026-01"' in kept
    assert '"channel":"web"' in kept


def test_consent_is_the_members_own_or_told_by_the_shop(till: Shop) -> None:
    member, other = opened(till), till.enroll("bob")
    path = f"/v1/members/{member}/consent"
    assert_refused(till.post(path, TERMS, scope=MEMBER, member_id=other), 404, "member_not_found")
    assert_refused(till.post(path, TERMS, scope=OPERATOR), 403, "forbidden")
    assert till.post("/v1/members/me/consent", TERMS, scope=MEMBER, member_id=member).status == 200


def test_whoever_is_too_young_cannot_agree_and_their_day_of_birth_is_not_kept(till: Shop) -> None:
    till.change_program(standing_rules={"minimum_age": 16})
    member = opened(till)
    with till.writing_nothing():
        assert_refused(agree(till, member), 409, "not_eligible")
        assert_refused(agree(till, member, birth_date="2015-05-05"), 409, "not_eligible")
    assert agree(till, member, birth_date="1990-05-05").status == 200
    assert "1990" not in str(till.tables())


def test_an_order_sent_again_by_an_identifier_that_waits_for_erasure_says_so(till: Shop) -> None:
    member = opened(till)
    assert buy(till, CARD, "A-2").status == 201
    freeze = {"reason": "a stolen card", "reference": "case-1"}
    assert till.post(f"/v1/members/{member}/freeze", freeze, scope=OPERATOR).status == 201
    assert till.erase(member).status == 202
    for again in (buy(till, CARD, "A-2"), buy(till, CARD, "A-3")):
        assert_refused(again, 409, "member_not_active")


def test_a_provisional_member_can_be_erased_and_not_changed(till: Shop) -> None:
    member = opened(till)
    assert_refused(till.patch(member, {"name": "Ada"}), 409, "consent_required")
    assert till.erase(member).status == 200
    assert till.post("/v1/members/lookup", CARD).status == 404
    assert opened(till, order_id="A-2") != member


def test_who_joins_takes_over_what_waits_but_brings_no_referral(till: Shop) -> None:
    till.change_program(referrals={"advocate_points": 100})
    code = till.get(f"/v1/members/{till.enroll('ada')}").body["referral_code"]
    member = opened(till)
    body = {**CARD, "name": "Grace", "consent": {"terms_version": "2026-01"}}
    refused = till.post("/v1/members", {**body, "referral_code": code}, key="g")
    assert_refused(refused, 422, "invalid_request")
    assert refused.pointers == ["/referral_code"]
    joined = till.post("/v1/members", body, key="g")
    assert (joined.status, joined.body["member_id"], joined.body["name"]) == (201, member, "Grace")
    assert till.balance(member) == 42
    again = till.post("/v1/members", body, key="g")
    assert (again.status, again.replayed) == (200, True)
    assert_refused(till.post("/v1/members", body, key="other"), 409, "identifier_taken")


def test_who_never_agrees_is_forgotten_by_the_stream_or_by_the_next_order(till: Shop) -> None:
    member = opened(till)
    till.pass_time(days=32)
    assert_refused(agree(till, member), 409, "member_not_active")
    second = opened(till, order_id="A-2")
    assert second != member
    assert '"lapsed"' in profile(member)
    assert [stream("unclaimed"), stream("unclaimed")] == [[], []]
    assert till.post("/v1/members/lookup", CARD).body["member_id"] == second
    replayed = buy(till)
    assert_refused(replayed, 409, "order_belongs_to_another_member")


def test_the_age_and_who_earns_nothing_are_looked_at_when_somebody_joins(shop: Shop) -> None:
    rules = {"minimum_age": 18, "excluded": {"email_domains": ["reseller.example"]}}
    shop.change_program(standing_rules=rules, earning={"welcome_points": 10})
    with shop.writing_nothing():
        assert_refused(shop.post("/v1/members", {"external_id": "a"}, key="a"), 409, "not_eligible")
        young = shop.post("/v1/members", {"external_id": "a", "birth_date": "2010-01-01"}, key="a")
        assert_refused(young, 409, "not_eligible")
        assert "from 2028-01-01" in young.body["detail"]
    seller = shop.enroll("s", email="s@reseller.example", birth_date="1980-02-03")
    assert shop.balance(seller) == 0
    assert shop.order(seller).body["entry"]["breakdown"][0]["rule_id"] == "excluded"
    assert "1980" not in str(shop.tables())


def test_an_answer_that_was_lost_is_told_the_next_time(till: Shop, wire: Wire) -> None:
    wire.lose_answer("TransactWriteItems", times=1)
    buy(till)
    again = buy(till)
    assert (again.status, again.replayed) == (200, True)


def test_of_two_tills_that_let_a_member_lapse_at_once_both_are_answered(
    till: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsed = opened(till)
    till.pass_time(days=32)
    second = opened(till, order_id="A-2")
    find, found = members.find, iter([lapsed])
    monkeypatch.setattr(members, "find", lambda identity: next(found, None) or find(identity))
    again = buy(till, order_id="A-2")
    assert (again.status, again.replayed, again.body["account"]["member_id"]) == (200, True, second)


@pytest.mark.parametrize("gone", ["lapsed", "erased"])
def test_an_order_whose_member_is_gone_before_it_was_credited_opens_another(
    till: Shop, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    effect = {"effect": {"kind": "add", "points": 10}, "budget": {"points": 100}}
    till.change_program(campaigns=[{"campaign_id": "spring", "description": "Spring", **effect}])
    with monkeypatch.context() as crash:
        crash.setattr("shared.services.earning.earn_order", Mock(side_effect=TryAgainError("crashed")))
        assert_refused(buy(till), 503, "try_again")
    first = till.post("/v1/members/lookup", CARD).body["member_id"]
    if gone == "erased":
        till.erase(first)
    else:
        till.pass_time(days=32)
    again = buy(till)
    assert (again.status, again.body["entry"]["points"]) == (201, 52)
    assert again.body["account"]["member_id"] != first
    assert (buy(till).status, buy(till).replayed) == (200, True)
