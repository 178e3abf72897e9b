"""A tier that an operator sets until a day."""

from typing import Any

import pytest

from functions import expire
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, assert_refused


def set_tier(shop: Shop, member: str, tier: str = "gold", until: str = "2026-12-31", **more: Any) -> Reply:
    body = {"tier_id": tier, "until": until, "reason": "Status match", "reference": "t-1"}
    scope = more.pop("scope", OPERATOR)
    return shop.post(f"/v1/members/{member}/tier", {**body, **more}, scope=scope, caller="olga")


def tier(shop: Shop, member: str) -> tuple[str, str | None]:
    held = shop.account(member)["tier"]
    return held["tier_id"], held["set_until"]


def test_it_counts_through_its_day_and_ends_by_itself(shop: Shop, queues: Queues) -> None:
    ada = shop.enroll("ada")
    answer = set_tier(shop, ada, note="From the other shop's app")
    assert (answer.status, answer.body["entry"]["source"]["reason"]) == (201, "Status match")
    assert set_tier(shop, ada, note="From the other shop's app").replayed
    assert tier(shop, ada) == ("gold", "2026-12-31")
    assert shop.order(ada, "A-1", 10_000).body["entry"]["points"] == 150
    shop.now = shop.now.replace(month=12, day=31)
    assert tier(shop, ada) == ("gold", "2026-12-31")
    shop.pass_time(days=1)
    assert tier(shop, ada) == ("bronze", None)
    expire.handler({"time": shop.now.isoformat()}, None)
    queues.deliver()
    assert [one["type"] for one in shop.entries(ada)].count("tier_set_end") == 1
    assert shop.order(ada, "A-2", 10_000).body["entry"]["points"] == 100


def test_what_the_member_reaches_stays_theirs(shop: Shop) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 120_000)
    set_tier(shop, ada, "silver")
    assert tier(shop, ada)[0] == "gold"
    shop.refund(ada, 120_000)
    assert tier(shop, ada)[0] == "silver"


def test_another_one_takes_its_place_and_today_ends_it_tonight(shop: Shop) -> None:
    ada = shop.enroll("ada")
    set_tier(shop, ada)
    assert set_tier(shop, ada, "silver", "2026-11-20", reference="t-2").status == 201
    assert tier(shop, ada) == ("silver", "2026-11-20")
    shop.pass_time(days=1)
    assert tier(shop, ada) == ("bronze", None)


@pytest.mark.parametrize(
    ("tier_id", "until", "pointer"),
    [("iron", "2026-12-31", "/tier_id"), ("gold", "2026-11-19", "/until"), ("gold", "2028-11-22", "/until")],
)
def test_a_tier_or_a_day_that_cannot_be_is_refused(shop: Shop, tier_id: str, until: str, pointer: str) -> None:
    ada = shop.enroll("ada")
    with shop.writing_nothing():
        refused = set_tier(shop, ada, tier_id, until)
    assert_refused(refused, 422, "invalid_request")
    assert refused.pointers == [pointer]


def test_it_goes_on_with_who_a_member_becomes(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    set_tier(shop, ada)
    set_tier(shop, grace, "silver", "2026-12-01")
    shop.merge(grace, ada)
    assert tier(shop, grace) == ("gold", "2026-12-31")


def test_the_audit_names_who_did_it_and_nobody_else_may(shop: Shop) -> None:
    ada = shop.enroll("ada")
    for scope in (STOREFRONT, MEMBER):
        assert set_tier(shop, ada, scope=scope).status == 403
    set_tier(shop, ada)
    [trace] = shop.get("/v1/audit", scope=OPERATOR).body["items"]
    assert (trace["actor"], trace["what"], trace["member_id"]) == ("operator:olga", "tier.set", ada)
