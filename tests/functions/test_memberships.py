"""Paid memberships over HTTP: the price is the plan's, and a whole price comes back once in a person's year."""

from typing import Any

import pytest

from tests.functions.shop import Reply, Shop, assert_refused
from tests.functions.test_kept_orders import claimed

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


@pytest.mark.parametrize(("total", "brought"), [(40_000, "200"), (70_000, "350")])
def test_a_tier_that_an_order_reached_by_the_plans_own_is_the_plans(club: Shop, total: int, brought: str) -> None:
    lends = {**PLUS, "percent": 100, "tier_id": "gold", "deducts_used": True}
    club.change_program(memberships=[lends], earning={"rules": [], "welcome_points": 0})
    ada = club.enroll()
    pay(club, ada, "m")
    club.order(ada, total=total)
    assert cancel(club, ada, "c").body["entry"]["source"]["points_brought"] == brought


def test_a_tier_of_ones_own_is_not_the_plans(club: Shop) -> None:
    lends = {**PLUS, "percent": 100, "tier_id": "gold", "deducts_used": True}
    club.change_program(memberships=[lends], earning={"rules": [], "welcome_points": 0})
    ada = club.enroll()
    club.order(ada, total=100_000)
    assert club.account(ada)["tier"]["tier_id"] == "gold"
    pay(club, ada, "m")
    club.order(ada, "A-2", total=40_000)
    assert cancel(club, ada, "c").body["entry"]["source"]["points_brought"] == "0"


def test_an_order_that_was_claimed_away_and_back_is_still_the_plans(club: Shop) -> None:
    club.change_program(memberships=[{**PLUS, "deducts_used": True}])
    ada, grace = club.enroll("ada"), club.enroll("grace")
    pay(club, ada, "m")
    club.order(ada, total=100_000)
    claimed(club, grace)
    claimed(club, ada, claim_id="C-2")
    pay(club, grace, "n")
    assert cancel(club, grace, "d").body["entry"]["source"]["points_brought"] == "0"
    assert cancel(club, ada, "c").body["entry"]["source"]["points_brought"] == "1000"


def test_an_early_renewal_is_cancelled_alone_and_the_days_before_it_run_on(club: Shop) -> None:
    club.change_program(memberships=[{**PLUS, "refund": "prorated"}])
    ada = club.enroll()
    pay(club, ada, "m")
    through = club.account(ada)["membership"]["paid_through"]
    club.pass_time(days=340)
    pay(club, ada, "n")
    assert cancel(club, ada, "c").body["entry"]["source"]["refund_amount"] == "4900"
    assert club.account(ada)["membership"]["paid_through"] == through
    assert cancel(club, ada, "d").body["entry"]["source"]["refund_amount"] == "0"
    assert club.account(ada)["membership"] is None
    assert_refused(cancel(club, ada, "e"), 409, "invalid_state")


def test_whoever_withdrew_and_joins_again_gets_no_second_whole_price(club: Shop) -> None:
    ada = club.enroll("ada", **ADA)
    pay(club, ada, "m")
    assert cancel(club, ada, "c").body["entry"]["source"]["refund_amount"] == "4900"
    club.erase(ada)
    again = club.enroll("again", **ADA)
    pay(club, again, "n")
    assert cancel(club, again, "d").body["entry"]["source"]["refund_amount"] == "0"
