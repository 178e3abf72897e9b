"""Paid memberships over HTTP: the price is the plan's, and a whole price comes back once in a person's year."""

from typing import Any

import pytest

from tests.functions.shop import Reply, Shop, assert_refused

PLUS = {"plan_id": "plus", "name": "Plus", "price": 4900, "months": 12, "percent": 200, "refund": "none"}
ADA = {"email": "ada@example.org"}


@pytest.fixture
def club(shop: Shop) -> Shop:
    shop.change_program(memberships=[PLUS])
    return shop


def pay(shop: Shop, member: str, reference: str, **details: Any) -> Reply:
    body = {"plan_id": "plus", "reference": reference, "currency": "USD", "paid_at": shop.now.isoformat(), **details}
    return shop.post(f"/v1/members/{member}/membership", body)


def cancel(shop: Shop, member: str, reference: str) -> Reply:
    return shop.post(f"/v1/members/{member}/membership/cancel", {"reference": reference})


def test_the_amount_is_the_plans_price_or_left_out(club: Shop) -> None:
    ada, grace = club.enroll("ada"), club.enroll("grace")
    with club.writing_nothing():
        refused = pay(club, ada, "m", amount=1)
        assert_refused(refused, 422, "invalid_request")
        assert [fault["pointer"] for fault in refused.body["errors"]] == ["/amount"]
    assert pay(club, ada, "m", amount=4900).status == 201
    assert pay(club, grace, "n").status == 201


def test_a_payment_is_repeated_though_the_price_has_changed_since(club: Shop) -> None:
    ada = club.enroll()
    at = club.now.isoformat()
    assert pay(club, ada, "m", amount=4900, paid_at=at).status == 201
    club.change_program(memberships=[{**PLUS, "price": 5900}])
    assert pay(club, ada, "m", amount=4900, paid_at=at).replayed


def test_what_was_used_is_said_and_taken_off_where_the_plan_says_so(club: Shop) -> None:
    club.change_program(memberships=[{**PLUS, "deducts_used": True}])
    ada = club.enroll()
    pay(club, ada, "m")
    club.order(ada, total=100_000)
    first, again = cancel(club, ada, "c"), cancel(club, ada, "c")
    source = first.body["entry"]["source"]
    assert (source["points_brought"], source["deducted_amount"], source["refund_amount"]) == ("1000", "1000", "3900")
    assert (again.replayed, again.body["entry"]) == (True, first.body["entry"])


def test_whoever_withdrew_and_joins_again_gets_no_second_whole_price(club: Shop) -> None:
    ada = club.enroll("ada", **ADA)
    pay(club, ada, "m")
    assert cancel(club, ada, "c").body["entry"]["source"]["refund_amount"] == "4900"
    club.erase(ada)
    again = club.enroll("again", **ADA)
    pay(club, again, "n")
    assert cancel(club, again, "d").body["entry"]["source"]["refund_amount"] == "0"
