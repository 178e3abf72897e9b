"""What ends with an account waits for the person, under a confirmed address, for the program's days."""

from datetime import timedelta
from typing import Any

import pytest

from tests.functions.browser import Browser
from tests.functions.mailbox import Mailbox
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.functions.test_address_changes import change, link_to, mailbox, undo
from tests.functions.test_member_pages import sign_in
from tests.functions.test_referrals import TERMS, brought, code_of, stream

__all__ = ["mailbox"]

ADA = {"email": "ada@example.org", "phone": "+44 20 7946 0958"}
WELCOME = 100


def see(shop: Shop, member_id: str) -> Reply:
    return shop.get(f"/v1/members/{member_id}/remembered", scope=OPERATOR)


def lift(shop: Shop, member_id: str) -> Reply:
    return shop.post(f"/v1/members/{member_id}/remembered/lift", {"reason": "somebody else"}, scope=OPERATOR)


def join(shop: Shop, key: str, **details: Any) -> tuple[str, dict[str, Any]]:
    member_id = shop.enroll(key, **details)
    return member_id, shop.account(member_id)


def spent_and_erased(shop: Shop, name: str = "ada", **details: Any) -> str:
    """A member who has spent all that an order brought, and is erased; the goods are not back yet."""
    ada = shop.enroll(name, **(details or ADA))
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    assert shop.erase(ada).status == 200
    return ada


@pytest.mark.parametrize("address", [{"email": "ADA@example.org"}, {"phone": "+442079460958"}, ADA])
def test_a_refund_after_the_end_is_owed_by_whoever_joins_with_an_address(shop: Shop, address: dict[str, str]) -> None:
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    for _ in range(2):
        assert stream("refund") == []
    waits = see(shop, ada).body
    assert (waits["joined"], waits["debt"]) == (True, 2000)
    again, account = join(shop, "again", **address)
    assert (account["balance"], account["debt"]) == (0, 2000)
    assert [entry["type"] for entry in shop.entries(again)] == ["remembered", "enroll"]
    waits = see(shop, ada).body
    assert (waits["joined"], waits["debt"]) == (True, 0), "no other address of theirs is a new person's"
    assert see(shop, again).body["debt"] == 2000
    assert see(shop, again).body["forget_at"] is None
    shop.order(again, "A-2", 300_000)
    assert shop.account(again)["debt"] == 0
    assert shop.balance(again) == 1000


def test_nobody_is_welcomed_twice(shop: Shop) -> None:
    shop.erase(shop.enroll("ada", **ADA))
    again, account = join(shop, "again", **ADA)
    assert (account["balance"], account["debt"]) == (0, 0)
    assert shop.post("/v1/members", {"external_id": "again", **ADA}, key="again").replayed
    shop.erase(again)
    assert join(shop, "third", email=ADA["email"])[1]["balance"] == 0


@pytest.mark.parametrize(("days", "balance"), [(0, 0), (364, 0), (366, WELCOME)])
def test_an_address_that_was_theirs_lately_is_remembered_too(shop: Shop, days: int, balance: int) -> None:
    ada = shop.enroll("ada", email=ADA["email"])
    assert shop.patch(ada, {"email": "new@example.org"}).status == 200
    shop.pass_time(days=days)
    shop.erase(ada)
    assert join(shop, "again", email=ADA["email"])[1]["balance"] == balance


OTHER = {"email": "ada@example.net", "phone": "+442079460959"}


def refused_code(shop: Shop, advocate: str, **details: Any) -> list[str]:
    """What is wrong with joining by an advocate's code."""
    request = {"external_id": "again", **details, "referral_code": code_of(shop, advocate)}
    reply = shop.post("/v1/members", request, key="again")
    assert_refused(reply, 422, "invalid_request")
    return reply.pointers


@pytest.mark.parametrize(("days", "balance"), [(0, 0), (364, 0), (366, WELCOME)])
@pytest.mark.parametrize("kind", ["email", "phone"])
def test_nobody_joins_anew_with_an_address_that_they_have_left(shop: Shop, kind: str, days: int, balance: int) -> None:
    ada = shop.enroll("ada", **ADA)
    assert shop.patch(ada, {kind: OTHER[kind]}).status == 200
    shop.pass_time(days=days)
    again, account = join(shop, "again", **{kind: ADA[kind]})
    assert account["balance"] == balance
    assert (see(shop, again).status == 200) == (balance == 0)


@pytest.mark.parametrize("removed", [{"email": None}, {"email": OTHER["email"]}])
def test_an_address_that_a_member_has_left_brings_no_advocate_anything(shop: Shop, removed: dict[str, Any]) -> None:
    shop.change_program(referrals=TERMS)
    ada = shop.enroll("ada", **ADA)
    shop.patch(ada, removed)
    advocate = shop.enroll("advocate", email="advocate@example.org")
    assert refused_code(shop, advocate, email="ada+again@example.org") == ["/referral_code"]
    assert join(shop, "eve", email="eve@example.org")[1]["balance"] == WELCOME


def test_an_address_left_for_another_and_taken_again_is_its_members(shop: Shop) -> None:
    ada = shop.enroll("ada", **ADA)
    for email in (OTHER["email"], ADA["email"], OTHER["email"], "ada+1@example.net", ADA["email"]):
        assert shop.patch(ada, {"email": email}).status == 200
    assert [entry["type"] for entry in shop.entries(ada)] == ["enroll"]
    assert shop.balance(ada) == WELCOME
    assert join(shop, "again", email=OTHER["email"])[1]["balance"] == 0


def test_a_member_who_gets_an_address_that_another_has_left_notices_nothing(shop: Shop) -> None:
    ada, eve = shop.enroll("ada", **ADA), shop.enroll("eve")
    shop.patch(ada, {"email": OTHER["email"]})
    assert shop.patch(eve, {"email": ADA["email"]}).status == 200
    assert [entry["type"] for entry in shop.entries(eve)] == ["enroll"]
    assert_refused(see(shop, eve), 404, "remembered_not_found")


def test_whoever_has_come_again_is_new_by_no_other_address_either(shop: Shop) -> None:
    shop.erase(shop.enroll("ada", **ADA))
    assert join(shop, "again", email=ADA["email"])[1]["balance"] == 0
    assert join(shop, "third", phone=ADA["phone"])[1]["balance"] == 0


def test_an_address_left_before_the_end_leads_to_what_was_left_then(shop: Shop) -> None:
    ada = shop.enroll("ada", **ADA)
    shop.patch(ada, {"email": OTHER["email"]})
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    shop.erase(ada)
    shop.refund(ada, 200_000)
    stream("refund")
    assert join(shop, "again", email=ADA["email"])[1]["debt"] == 2000


def test_an_operator_lets_an_address_be_handed_down(shop: Shop) -> None:
    shop.change_program(referrals=TERMS)
    ada = shop.enroll("ada", **ADA)
    assert_refused(lift(shop, ada), 404, "remembered_not_found")
    shop.patch(ada, {"email": OTHER["email"]})
    shop.pass_time(days=1)
    shop.patch(ada, {"phone": OTHER["phone"]})
    waits = see(shop, ada).body
    assert (waits["joined"], waits["debt"]) == (True, 0)
    assert waits["forget_at"].startswith((shop.now + timedelta(days=365)).date().isoformat())
    assert lift(shop, ada).body == waits
    for one in (see(shop, ada), lift(shop, ada)):
        assert_refused(one, 404, "remembered_not_found")
    daughter = brought(shop, ada, "daughter", email=ADA["email"])
    assert shop.balance(daughter) == WELCOME
    assert join(shop, "son", phone=ADA["phone"])[1]["balance"] == WELCOME
    traces = shop.get("/v1/audit", scope=OPERATOR).body["items"]
    assert ("remembered.lifted", ada) in [(trace["what"], trace["member_id"]) for trace in traces]


def test_what_is_lifted_of_who_came_again_frees_the_addresses_that_they_have_left(shop: Shop) -> None:
    shop.erase(shop.enroll("ada", **ADA))
    again, _ = join(shop, "again", email=ADA["email"])
    shop.patch(again, {"email": OTHER["email"]})
    assert lift(shop, again).status == 200
    assert_refused(see(shop, again), 404, "remembered_not_found")


def test_what_was_lifted_of_who_is_gone_waits_under_no_address_that_they_left_before(shop: Shop) -> None:
    ada = shop.enroll("ada", **ADA)
    shop.patch(ada, {"email": OTHER["email"]})
    shop.erase(ada)
    assert lift(shop, ada).status == 200
    assert join(shop, "again", email=ADA["email"])[1]["balance"] == WELCOME


def test_whoever_agrees_under_an_address_that_they_have_left_is_not_welcomed(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    shop.patch(shop.enroll("ada", **ADA), {"email": OTHER["email"]})
    again = provisional(shop, ADA["email"])
    assert shop.post(f"/v1/members/{again}/consent", {"terms_version": "v1"}).status == 200
    assert shop.balance(again) == 500


def test_whoever_claims_points_under_an_address_that_they_have_left_is_not_welcomed(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    shop.patch(shop.enroll("ada", **ADA), {"email": OTHER["email"]})
    again = provisional(shop, ADA["email"])
    assert join(shop, "again", email=ADA["email"]) == (again, shop.account(again))
    assert shop.balance(again) == 500


def test_whoever_never_agreed_is_welcomed_once_they_join(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    never = provisional(shop, ADA["email"])
    assert shop.erase(never).status == 200
    assert join(shop, "ada", email=ADA["email"])[1]["balance"] == WELCOME


def test_an_address_that_came_by_a_merge_is_no_new_persons_once_it_is_left(shop: Shop) -> None:
    ada, other = shop.enroll("ada", **ADA), shop.enroll("other", email=OTHER["email"])
    assert shop.merge(ada, other).status == 200
    shop.erase(ada)
    assert join(shop, "again", email=OTHER["email"])[1]["balance"] == 0


def provisional(shop: Shop, email: str) -> str:
    """Somebody who has bought something for 500.00, and agreed to nothing yet."""
    order = {"type": "order", "order_id": "A-2", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 50_000}
    reply = shop.post("/v1/earn", {**order, "identifier": {"email": email}})
    return str(reply.body["entry"]["entry_id"]).rpartition("-")[0]


@pytest.mark.parametrize(
    "details", [{"email": "eve@example.org"}, {"phone": "+44 20 7946 0959"}, {}, {"card_number": "C-1"}]
)
def test_whoever_has_another_address_meets_nothing(shop: Shop, details: dict[str, str]) -> None:
    ada = spent_and_erased(shop, card_number="C-1", **ADA)
    shop.refund(ada, 200_000)
    stream("refund")
    assert join(shop, "again", **details)[1]["balance"] == WELCOME


@pytest.mark.parametrize(("days", "balance"), [(364, 0), (366, WELCOME)])
def test_it_waits_for_a_year(shop: Shop, days: int, balance: int) -> None:
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    stream("refund")
    shop.pass_time(days=days)
    assert (see(shop, ada).status == 200) == (balance == 0)
    again, account = join(shop, "again", **ADA)
    assert (account["balance"], account["debt"]) == (balance, 0 if balance else 2000)
    assert (see(shop, again).status == 200) == (balance == 0)


@pytest.mark.parametrize("before", [True, False])
def test_a_program_may_remember_nobody(shop: Shop, before: bool) -> None:
    if before:
        shop.change_program(remembered_days=0)
    ada = spent_and_erased(shop)
    shop.change_program(remembered_days=0)
    assert (see(shop, ada).status == 404) == before
    assert join(shop, "again", **ADA)[1]["balance"] == WELCOME


def test_what_was_lifted_waits_no_more(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    stream("refund")
    lifted = lift(shop, ada)
    assert (lifted.status, lifted.body["debt"]) == (200, 2000)
    assert_refused(lift(shop, ada), 404, "remembered_not_found")
    assert join(shop, "again", **ADA)[1]["balance"] == WELCOME
    stream("refund")
    traces = shop.get("/v1/audit", scope=OPERATOR).body["items"]
    assert ("remembered.lifted", ada) in [(trace["what"], trace["member_id"]) for trace in traces]


def test_what_was_met_can_be_lifted_once(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    stream("refund")
    again, _ = join(shop, "again", **ADA)
    shop.order(again, "A-2", 50_000)
    assert shop.account(again)["debt"] == 1500
    assert lift(shop, again).status == 200
    assert_refused(lift(shop, again), 404, "remembered_not_found")
    assert (shop.account(again)["debt"], shop.balance(again)) == (0, 500)
    assert_refused(see(shop, again), 404, "remembered_not_found")


def test_what_was_met_can_be_lifted_once_the_member_was_merged(shop: Shop) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    ada = shop.enroll("ada", **ADA)
    shop.order(ada, total=10_000)
    shop.adjust(ada, -200)
    spend = {"credit": 500, "order_total": 1000, "currency": "USD", "capture": True}
    assert shop.post(f"/v1/members/{ada}/redemptions", spend, key="spend").status == 201
    shop.erase(ada)
    shop.refund(ada, 10_000)
    assert stream("refund") == []
    again, _ = join(shop, "again", **ADA)
    into = shop.enroll("into")
    assert shop.merge(into, again).status == 200
    seen = see(shop, into).body
    assert (seen["debt"], seen["credit_debt"]) == (100, 500)
    before = shop.balance(into) - shop.account(into)["debt"]
    assert lift(shop, into).status == 200
    assert shop.balance(into) - shop.account(into)["debt"] == before + 100
    assert shop.get(f"/v1/members/{into}/credit").body["debt"]["amount"] == 0
    assert_refused(lift(shop, into), 404, "remembered_not_found")
    assert_refused(see(shop, into), 404, "remembered_not_found")


def test_a_refund_reaches_whoever_has_joined_again_already_and_once(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    again, _ = join(shop, "again", **ADA)
    shop.refund(ada, 150_000)
    for _ in range(2):
        assert stream("refund") == []
        assert shop.account(again)["debt"] == 1500
    shop.order(again, "A-2", 160_000)
    assert shop.balance(again) == 100
    shop.refund(ada, 50_000, refund_id="R-2")
    assert stream("refund") == []
    assert (shop.balance(again), shop.account(again)["debt"]) == (0, 400)
    assert see(shop, again).body["debt"] == 2000


def test_it_follows_somebody_through_several_accounts(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    second, _ = join(shop, "second", **ADA)
    shop.erase(second)
    shop.refund(ada, 200_000)
    for _ in range(2):
        assert stream("refund") == []
    assert see(shop, second).body["debt"] == 2000
    assert join(shop, "third", **ADA)[1]["debt"] == 2000


def test_what_counts_once_in_a_life_stays_counted(shop: Shop) -> None:
    survey = {"action_id": "survey", "description": "Survey", "points": 50, "limit": {"per": "lifetime", "times": 1}}
    shop.change_program(earning={"actions": [survey]})
    ada = shop.enroll("ada", **ADA)
    assert shop.action(ada, "s-1", "survey").body["entry"]["points"] == 50
    shop.erase(ada)
    again, _ = join(shop, "again", **ADA)
    assert shop.action(again, "s-2", "survey").body["entry"]["points"] == 0
    assert see(shop, again).body["limits_used"] == ["action:survey"]
    lift(shop, again)
    assert shop.action(again, "s-3", "survey").body["entry"]["points"] == 50


def test_whoever_was_a_member_is_nobodys_new_friend(shop: Shop) -> None:
    shop.change_program(referrals=TERMS)
    advocate = shop.enroll("advocate", email="advocate@example.org")
    shop.erase(brought(shop, advocate, "ada", **ADA))
    assert refused_code(shop, advocate, **ADA) == ["/referral_code"]


@pytest.mark.parametrize("by_member", [True, False])
def test_an_address_counts_from_its_confirmation_on(shop: Shop, by_member: bool) -> None:
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    stream("refund")
    eve = shop.enroll("eve", email="eve@example.org")
    options: dict[str, Any] = {"scope": MEMBER, "member_id": eve} if by_member else {}
    assert shop.patch(eve, {"email": ADA["email"]}, **options).status == 200
    account = shop.account(eve)
    assert (account["balance"], account["debt"]) == ((WELCOME, 0) if by_member else (0, 1900))
    assert shop.erase(eve).status == (200 if by_member else 202)
    if by_member:
        assert join(shop, "again", **ADA)[1]["debt"] == 2000, "it has waited for whose address it is"


def test_nothing_is_remembered_under_an_address_that_only_the_member_gave(shop: Shop) -> None:
    eve = shop.enroll("eve")
    shop.patch(eve, {"email": "ada@example.org"}, scope=MEMBER, member_id=eve)
    shop.erase(eve)
    assert join(shop, "ada", email="ada@example.org")[1]["balance"] == WELCOME


def test_who_agrees_later_meets_it_with_their_consent(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    ada = spent_and_erased(shop)
    shop.refund(ada, 200_000)
    stream("refund")
    again = provisional(shop, ADA["email"])
    assert shop.post(f"/v1/members/{again}/consent", {"terms_version": "v1"}).status == 200
    account = shop.account(again)
    assert (account["balance"], account["debt"]) == (0, 1500)


def test_debt_of_store_credit_waits_as_well(shop: Shop) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    ada = shop.enroll("ada", **ADA)
    shop.order(ada, total=10_000)
    spend = {"credit": 500, "order_total": 1000, "currency": "USD", "capture": True}
    assert shop.post(f"/v1/members/{ada}/redemptions", spend, key="spend").status == 201
    shop.erase(ada)
    shop.refund(ada, 10_000)
    for _ in range(2):
        assert stream("refund") == []
    assert see(shop, ada).body["credit_debt"] == 500
    again, _ = join(shop, "again", **ADA)
    assert shop.get(f"/v1/members/{again}/credit").body["debt"]["amount"] == 500
    assert lift(shop, again).body["credit_debt"] == 500
    assert shop.get(f"/v1/members/{again}/credit").body["debt"]["amount"] == 0


def test_only_operators_see_and_lift_it(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    for path, method in (("remembered", "GET"), ("remembered/lift", "POST")):
        body = {"reason": "why"} if method == "POST" else None
        reply = shop.call(method, f"/v1/members/{ada}/{path}", body, scope=MEMBER, member_id=ada)
        assert_refused(reply, 403, "forbidden")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("ada+a@example.org", "Ada+shop@example.org"),
        ("ada+x@example.org", "ada@example.org"),
        ("a.d.a@gmail.com", "ada+1@googlemail.com"),
    ],
)
@pytest.mark.parametrize("is_proven", [True, False])
def test_whoever_joins_with_a_variant_of_an_address_they_have_proven_meets_it(
    shop: Shop, mailbox: Mailbox, first: str, again: str, is_proven: bool
) -> None:
    ada = shop.enroll("ada", email="old@example.org" if is_proven else first)
    if is_proven:
        change(shop, mailbox, ada, "email", first)
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    shop.post(f"/v1/members/{ada}/freeze", {"reason": "fraud", "reference": "f"}, scope=OPERATOR)
    review = shop.call("DELETE", f"/v1/members/{ada}", scope=MEMBER, member_id=ada).body["review_id"]
    assert shop.post(f"/v1/reviews/{review}/approve", scope=OPERATOR, caller="otto").status == 200
    shop.refund(ada, 200_000)
    stream("refund")
    assert join(shop, "other", email="a.da@example.org")[1]["debt"] == 0
    account = join(shop, "again", email=again)[1]
    assert (account["balance"], account["debt"]) == ((0, 2000) if is_proven else (WELCOME, 0))
    assert account["frozen"] == is_proven
    if not is_proven:
        assert join(shop, "same", email=first)[1]["debt"] == 2000, "as it is spelled"


def test_an_address_by_which_somebody_has_signed_in_is_proven(shop: Shop, mailbox: Mailbox) -> None:
    ada = shop.enroll("ada", email="a.d.a@gmail.com")
    assert sign_in(Browser(), mailbox, "a.d.a@gmail.com").path == "/me?said=welcome"
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    assert shop.erase(ada).status == 200
    shop.refund(ada, 200_000)
    stream("refund")
    assert join(shop, "again", email="ada@gmail.com")[1]["debt"] == 2000


def test_an_address_that_was_put_back_by_its_link_is_proven(shop: Shop, mailbox: Mailbox) -> None:
    ada = shop.enroll("ada", email="ada+x@example.org")
    change(shop, mailbox, ada, "email", "thief@example.org")
    assert undo(shop, link_to(mailbox, "ada+x@example.org")).status == 200
    shop.erase(ada)
    assert join(shop, "again", email="ada@example.org")[1]["balance"] == 0


def test_what_two_members_have_proven_stays_so_when_they_are_merged(shop: Shop, mailbox: Mailbox) -> None:
    ada, bob = shop.enroll("ada", email="ada@example.org"), shop.enroll("bob", email="bob@example.org")
    change(shop, mailbox, ada, "email", "ada+x@example.org")
    shop.merge(bob, ada)
    shop.erase(bob)
    assert join(shop, "again", email="ada+y@example.org")[1]["balance"] == 0


def test_what_was_lifted_leaves_no_trace_on_whoever_joins_or_confirms_the_address(shop: Shop) -> None:
    ada = spent_and_erased(shop)
    lift(shop, ada)
    again, _ = join(shop, "again", email=ADA["email"])
    assert [entry["type"] for entry in shop.entries(again)] == ["enroll"]
    other = shop.enroll("other")
    assert shop.patch(other, {"phone": ADA["phone"]}).status == 200
    assert [entry["type"] for entry in shop.entries(other)] == ["enroll"]
    shop.refund(ada, 200_000)
    stream("refund")
    assert shop.account(again)["debt"] == 2000 - WELCOME
    seen = see(shop, again).body
    assert (seen["joined"], seen["debt"]) == (False, 2000)
