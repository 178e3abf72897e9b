"""What comes back of the orders of members who are gone: recorded, with all that follows for others, and once."""

from typing import Any

import pytest

from shared.tables import ledger
from tests.functions.shop import Shop, assert_refused
from tests.functions.test_campaigns import campaign, left
from tests.functions.test_partners import CAFE, earn, refund
from tests.functions.test_referrals import TERMS, brought, stream


def last_entry(member_id: str) -> Any:
    return ledger.load_whole_history(member_id)[0]


def test_a_refund_for_the_erased_is_recorded_and_books_no_points(shop: Shop) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, total=200_000)
    shop.adjust(ada, -500)
    assert shop.erase(ada).body["lapsed_points"] == 1600
    first = shop.refund(ada, 100_000)
    assert (first.status, first.body["points"], first.body["entry"]["points"]) == (201, 0, 0)
    assert {first.body["account"][name] for name in ("balance", "pending", "held", "debt")} == {0}
    again = shop.refund(ada, 100_000)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    assert_refused(shop.refund(ada, 100_001, refund_id="R-2"), 409, "refund_exceeds_order")
    assert shop.refund(ada, 100_000, refund_id="R-2").status == 201
    assert_refused(shop.refund(ada, 1, refund_id="R-3"), 409, "refund_exceeds_order")


@pytest.mark.parametrize(("spent", "owed"), [(0, [0, 0]), (500, [0, 400]), (1500, [400, 1000]), (2100, [1000, 1000])])
def test_what_was_forfeited_unspent_counts_as_taken_back_and_the_rest_is_owed(
    shop: Shop, spent: int, owed: list[int]
) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, total=200_000)
    if spent:
        shop.adjust(ada, -spent)
    shop.erase(ada)
    entries = []
    for refund_id in ("R-1", "R-2"):
        shop.refund(ada, 100_000, refund_id=refund_id)
        entries.append(last_entry(ada))
    assert [entry.owed for entry in entries] == owed
    assert [entry.unbooked for entry in entries] == [1000, 1000]
    assert [sum(entry.lapsed.values()) for entry in entries] == [1000 - one for one in owed]


def test_a_program_that_forgives_has_nobody_owe_anything(shop: Shop) -> None:
    shop.change_program(refund_debt="forgiven")
    ada = shop.enroll("ada")
    shop.order(ada, total=200_000)
    shop.adjust(ada, -2100)
    shop.erase(ada)
    shop.refund(ada, 200_000)
    assert (last_entry(ada).owed, last_entry(ada).forgiven) == (0, 2000)


def test_nothing_that_was_spent_on_the_order_is_given_back_to_the_erased(shop: Shop) -> None:
    shop.change_program(redeeming={"points_as_money": {"points": 1, "amount": 1}})
    ada = shop.enroll("ada")
    shop.order(ada, total=200_000)
    shop.spend(ada, 100, 200_000, order_id="A-1", capture=True)
    shop.erase(ada)
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 200_000, "return_spent": True}
    reply = shop.post(f"/v1/members/{ada}/refunds", body)
    assert (reply.status, reply.body["returned_points"], reply.body["account"]["balance"]) == (201, 0, 0)


def test_the_wallet_of_the_erased_is_not_touched_either(shop: Shop) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100})
    ada = shop.enroll("ada")
    shop.order(ada, total=10_000)
    shop.erase(ada)
    reply = shop.refund(ada, 10_000)
    assert (reply.status, reply.body["credit"]["amount"]) == (201, 0)
    assert last_entry(f"{ada}~credit").unbooked == 500
    assert last_entry(f"{ada}~credit").owed == 0


def test_an_erased_friends_refund_reaches_the_advocate(shop: Shop) -> None:
    shop.change_program(referrals=TERMS, earning={"welcome_points": 0})
    ada = shop.enroll("ada")
    grace = brought(shop, ada)
    shop.order(grace, total=200_000)
    assert stream() == []
    shop.pass_time(days=31)
    assert shop.balance(ada) == 100
    shop.adjust(grace, -2050)
    shop.erase(grace)
    shop.refund(grace, 198_001)
    assert last_entry(grace).owed == 1981 + 50, "the friend's own reward is owed, too"
    for _ in range(2):
        assert stream("refund") == []
        assert shop.balance(ada) == 0
    assert [entry["type"] for entry in shop.entries(ada)][:1] == ["referral_reversal"]


def test_a_refund_that_leaves_enough_costs_the_advocate_nothing(shop: Shop) -> None:
    shop.change_program(referrals=TERMS, earning={"welcome_points": 0})
    ada = shop.enroll("ada")
    grace = brought(shop, ada)
    shop.order(grace, total=200_000)
    stream()
    shop.erase(grace)
    shop.refund(grace, 198_000)
    stream()
    shop.pass_time(days=31)
    assert shop.balance(ada) == 100


def test_a_campaigns_budget_gets_back_what_the_erased_gave_back(shop: Shop) -> None:
    campaign(shop, budget={"points": 10_000})
    ada = shop.enroll("ada")
    shop.order(ada, total=100_000)
    assert left() < 10_000
    shop.erase(ada)
    shop.refund(ada, 100_000)
    assert left() == 10_000


def test_a_partner_gets_back_what_it_paid_for(shop: Shop) -> None:
    shop.change_program(partners=[CAFE])
    ada = shop.enroll("ada")
    earn(shop, ada, total=5000)
    shop.erase(ada)
    assert refund(shop, ada, 5000, partner_id="cafe").status == 201
    settled = shop.get("/v1/partners/cafe/settlements/2026-11", partner_id="cafe").body
    moved = {one["movement"]: (one["entries"], one["points"]) for one in settled["movements"]}
    assert moved["issued"] == moved["taken_back"] == (1, 50)
    assert settled["net"]["amount"] == 0


def test_whoever_never_agreed_is_gone_too(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"identifiers": ["email"], "consent_days": 10})
    order = {"type": "order", "order_id": "A-1", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 5000}
    reply = shop.post("/v1/earn", {**order, "identifier": {"email": "ada@example.org"}})
    ada = str(reply.body["account"]["member_id"])
    shop.pass_time(days=12)
    assert shop.refund(ada, 5000).status == 201
    assert shop.account(ada)["status"] == "lapsed"
    assert last_entry(ada).owed == 0
