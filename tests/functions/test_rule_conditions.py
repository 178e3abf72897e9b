"""Rules that look at the hour, at how an order was paid, and at the codes that came with it."""

from typing import Any

import pytest

from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused


def rule(**when: Any) -> dict[str, Any]:
    return {"rule_id": "more", "description": "More", "when": when, "effect": {"kind": "add", "points": 7}}


@pytest.fixture
def ada(shop: Shop) -> str:
    return shop.enroll("ada")


def points(shop: Shop, member: str, order_id: str = "A-1", **details: Any) -> int:
    return int(shop.order(member, order_id, 1_000, **details).body["entry"]["points"])


@pytest.mark.parametrize(
    ("hours", "at", "earned"),
    [
        (("14:00", "17:00"), "2026-11-20T13:59:59-05:00", 10),
        (("14:00", "17:00"), "2026-11-20T14:00:00-05:00", 17),
        (("14:00", "17:00"), "2026-11-20T21:00:00+01:00", 17),
        (("14:00", "17:00"), "2026-11-20T17:00:00-05:00", 10),
        (("22:00", "06:00"), "2026-11-20T23:00:00-05:00", 17),
        (("22:00", "06:00"), "2026-11-21T05:59:00-05:00", 17),
        (("22:00", "06:00"), "2026-11-21T06:00:00-05:00", 10),
    ],
)
def test_hours_are_those_of_the_programs_zone(shop: Shop, ada: str, hours: Any, at: str, earned: int) -> None:
    starts_at, ends_at = hours
    shop.change_program(earning={"rules": [rule(hours={"starts_at": starts_at, "ends_at": ends_at})]})
    shop.pass_time(days=1)
    assert points(shop, ada, placed_at=at) == earned


def test_a_payment_method_is_looked_at(shop: Shop, ada: str) -> None:
    shop.change_program(earning={"rules": [rule(payment_methods=["invoice", "app"])]})
    assert [points(shop, ada, name, payment_method=name) for name in ("app", "cash")] == [17, 10]
    assert points(shop, ada) == 10


def test_one_of_the_codes_is_enough_and_an_amended_order_keeps_it(shop: Shop, ada: str) -> None:
    shop.change_program(earning={"rules": [rule(codes=["SPRING", "MAY"])]})
    assert points(shop, ada, "A-0", codes=["AUTUMN"]) == 10
    assert points(shop, ada, codes=["AUTUMN", "MAY"]) == 17
    amended = {"amendment_id": "m", "amended_at": shop.now.isoformat(), "total": 2_000}
    changed: Reply = shop.post(f"/v1/members/{ada}/orders/A-1/amend", amended)
    assert (changed.status, changed.body["entry"]["points"]) == (201, 10)


def test_hours_that_are_none_are_refused(shop: Shop) -> None:
    text = shop.get("/v1/program/whole", scope=OPERATOR).body
    text["earning"]["rules"] = [rule(hours={"starts_at": "08:00", "ends_at": "08:00"})]
    assert_refused(shop.replace_program(text, 1), 422, "invalid_request")
