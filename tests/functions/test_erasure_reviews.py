"""Who is frozen or owes something is erased once an operator has decided; until then nothing kept of them is used."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from functions import notify
from shared.tables import accounts, members
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.functions.test_privacy import ADA, Mailbox, assert_forgotten, live, mailbox
from tests.functions.test_referrals import stream
from tests.functions.test_remembered import join, see

__all__ = ["mailbox"]


def freeze(shop: Shop, member_id: str, step: str = "freeze", reference: str = "F-1") -> Reply:
    cause = {"reason": "a doubt", "reference": reference}
    return shop.post(f"/v1/members/{member_id}/{step}", cause, scope=OPERATOR)


def erase_self(shop: Shop, member_id: str) -> Reply:
    return shop.call("DELETE", f"/v1/members/{member_id}", scope=MEMBER, member_id=member_id)


def decide(shop: Shop, reply: Reply, step: str = "approve") -> Reply:
    body = {"reason": "a claim is open"} if step == "reject" else None
    return shop.post(f"/v1/reviews/{reply.body['review_id']}/{step}", body, scope=OPERATOR)


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member who has spent what an order brought, and has returned the goods."""
    ada = shop.enroll("ada", **ADA)
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    shop.refund(ada, 200_000)
    assert shop.account(ada)["debt"] == 2000
    return ada


def test_who_owes_is_erased_by_an_operators_approval_and_owes_it_still(shop: Shop, ada: str) -> None:
    asked = erase_self(shop, ada)
    assert (asked.status, asked.replayed, asked.body["status"]) == (202, False, "erasure_requested")
    assert asked.body["due_on"] == "2026-12-20"
    again = shop.erase(ada)
    assert (again.status, again.replayed, again.body) == (202, True, asked.body)
    [review] = shop.get("/v1/reviews", query={"kind": "erasure"}, scope=OPERATOR).body["items"]
    assert (review["review_id"], review["due_on"]) == (asked.body["review_id"], "2026-12-20")
    assert review["what"] == "Erase a member who owes 2000 points"

    done = decide(shop, asked)
    assert (done.status, done.body["review"]["state"], done.body["entry"]["type"]) == (200, "approved", "erase")
    assert decide(shop, asked).replayed
    assert_refused(decide(shop, asked, "reject"), 409, "invalid_state")
    assert_forgotten(ada)
    assert (shop.erase(ada).status, shop.erase(ada).replayed) == (200, True)
    account = join(shop, "again", email=ADA["email"])[1]
    assert (account["balance"], account["debt"]) == (0, 2000)


def test_a_freeze_stands_on_whoever_joins_again(shop: Shop) -> None:
    ada = shop.enroll("ada", **ADA)
    freeze(shop, ada)
    asked = erase_self(shop, ada)
    assert asked.status == 202
    decide(shop, asked)
    assert see(shop, ada).body["frozen_under"] == "F-1"
    again, account = join(shop, "again", email=ADA["email"])
    assert account["frozen"]
    assert freeze(shop, again, "unfreeze", "F-2").status == 201
    account = join(shop, "other", email="bob@example.org")[1]
    assert not account["frozen"]


def test_a_lifted_freeze_stands_no_more(shop: Shop) -> None:
    ada = shop.enroll("ada", **ADA)
    freeze(shop, ada)
    decide(shop, erase_self(shop, ada))
    again, _ = join(shop, "again", email=ADA["email"])
    assert shop.post(f"/v1/members/{again}/remembered/lift", {"reason": "no"}, scope=OPERATOR).status == 200
    assert not shop.account(again)["frozen"]


def test_what_is_kept_is_not_used_while_an_erasure_waits(
    shop: Shop, ada: str, mailbox: Mailbox, queues: Queues
) -> None:
    shop.patch(ada, {"phone": "+44 20 7946 0958"})
    asked = erase_self(shop, ada)
    for identifier in ({"email": ADA["email"]}, {"external_id": "ada"}, {"phone": "+442079460958"}):
        assert_refused(shop.post("/v1/members/lookup", identifier), 404, "member_not_found")
        assert_refused(shop.post("/v1/members", identifier, key=str(identifier)), 409, "identifier_taken")
    assert shop.post("/v1/members/search", {"name": "Lovelace"}).body["items"] == []
    for options in ({}, {"scope": OPERATOR}, {"scope": MEMBER, "member_id": ada}):
        seen = shop.get(f"/v1/members/{ada}", **options).body
        assert seen["status"] == "erasure_requested"
        assert {seen[name] for name in ("name", "email", "phone", "external_id", "birthday", "referral_code")} == {None}
    assert_refused(shop.patch(ada, {"name": "Ada"}), 409, "member_not_active")
    assert_refused(shop.post(f"/v1/members/{ada}/consent", {"terms_version": "v2"}), 409, "member_not_active")
    assert_refused(shop.merge(shop.enroll("bob"), ada), 409, "member_not_active")
    shop.order(ada, "A-2", 10_000)
    notify.handler({"time": shop.now.isoformat()}, None)
    assert queues.deliver() == []
    assert mailbox.kinds == []
    member = members.load_member(ada).member
    assert not member.consent.marketing.email
    held = shop.get(f"/v1/members/{ada}/export", scope=MEMBER, member_id=ada).body["held"]
    assert asked.body["review_id"] in [review["review_id"] for review in held["reviews"]]


def test_a_refused_erasure_lets_everything_be_used_again_but_the_consent(shop: Shop, ada: str) -> None:
    asked = erase_self(shop, ada)
    done = decide(shop, asked, "reject")
    assert (done.status, done.body["review"]["state"], done.body["entry"]) == (200, "rejected", None)
    assert decide(shop, asked, "reject").replayed
    seen = shop.get(f"/v1/members/{ada}").body
    assert (seen["status"], seen["name"], seen["email"]) == ("active", ADA["name"], ADA["email"])
    assert not seen["consent"]["marketing"]["email"]
    assert shop.post("/v1/members/lookup", {"email": ADA["email"]}).body["member_id"] == ada
    assert [one["member_id"] for one in shop.post("/v1/members/search", {"name": "ada"}).body["items"]] == [ada]
    second = erase_self(shop, ada)
    assert (second.status, second.replayed) == (202, False)
    assert second.body["review_id"] != asked.body["review_id"]
    shop.order(ada, "A-2", 200_000)
    assert decide(shop, second).status == 200


def test_a_review_shows_that_its_day_has_passed(shop: Shop, ada: str) -> None:
    erase_self(shop, ada)
    for days, overdue in ((30, None), (1, True)):
        shop.pass_time(days=days)
        [review] = shop.get("/v1/reviews", query={"kind": "erasure"}, scope=OPERATOR).body["items"]
        assert review.get("is_overdue") == overdue
    assert date.fromisoformat(review["due_on"]) + timedelta(days=1) == shop.now.date()


def test_whether_a_day_has_passed_goes_by_the_programs_days(shop: Shop, ada: str) -> None:
    shop.change_program(time_zone="Pacific/Auckland")
    due_on = date.fromisoformat(erase_self(shop, ada).body["due_on"])
    for at, overdue in ((time(10, 59), None), (time(11, 1), True)):  # 13 hours ahead of universal time in December
        shop.now = datetime.combine(due_on, at, UTC)
        [review] = shop.get("/v1/reviews", query={"kind": "erasure"}, scope=OPERATOR).body["items"]
        assert review.get("is_overdue") == overdue


def test_nobody_finds_or_becomes_whom_an_order_by_identifier_names(shop: Shop, ada: str) -> None:
    order = {"type": "order", "order_id": "A-2", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 1000}
    erase_self(shop, ada)
    request = {**order, "identifier": {"email": ADA["email"]}}
    assert_refused(shop.post("/v1/earn", request), 404, "member_not_found")
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    assert_refused(shop.post("/v1/earn", request), 409, "member_not_active")


def test_who_is_away_for_long_is_kept_while_they_owe_something(shop: Shop, ada: str, queues: Queues) -> None:
    shop.change_program(privacy={"inactive_months": 1, "starts_on": "2026-01-01"}, expiry={"kind": "never"})
    bob = shop.enroll("bob", email="bob@example.org")
    live(shop, queues, days=120)
    assert accounts.load_account(bob).account.status == "erased"
    assert accounts.load_account(ada).account.status == "active"
    stream("erase")
    assert join(shop, "bob again", email="bob@example.org")[1]["balance"] == 0
