"""The loyalty block of the Universal Commerce Protocol, as a third party's validator reads it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire

SCHEMA = Path(__file__).parents[1] / "data" / "ucp-loyalty.schema.json"
CLAIM = "com.example.rewards"
AGENTS = {"claim": CLAIM, "currency_name": "Leaves", "currency_code": "LVS"}
CART = {"currency": "USD", "total": 10_000}
RULES = [
    {
        "rule_id": "tea",
        "description": "2x on tea",
        "when": {"categories": ["tea"]},
        "effect": {"kind": "multiply", "percent": 200},
    },
    {
        "rule_id": "web",
        "description": "Web bonus",
        "when": {"channels": ["web"]},
        "effect": {"kind": "add", "points": 25},
        "limit": {"times": 1, "per": "month"},
    },
]
CAPS = {"caps": {"points_per_order": 120}}
CASHBACK = {"amount": 5, "per_amount": 100}
PLAN = {"plan_id": "plus", "name": "Plus", "price": 100, "months": 12, "percent": 150, "benefits": ["Free returns"]}


@cache
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def club(shop: Shop) -> Shop:
    shop.change_program(agents=AGENTS, earning={"rules": RULES})
    return shop


def ask(shop: Shop, buyer: dict[str, Any] | None = None, **cart: Any) -> dict[str, Any]:
    """The membership that is answered; every answer is checked against the schema and its own sums."""
    reply = asked(shop, buyer, **cart)
    assert reply.status == 200, reply.body
    validator().validate(reply.body["loyalty"])
    [(claim, membership)] = reply.body["loyalty"].items()
    assert claim == CLAIM
    benefits = {benefit["id"] for tier in membership.get("tiers", ()) for benefit in tier["benefits"]}
    for reward in membership["rewards"]:
        forecast = reward["earning_forecast"]
        assert sum(line["amount"] for line in forecast["breakdown"]) == forecast["amount"]
        assert {line["benefit_id"] for line in forecast["breakdown"] if "benefit_id" in line} <= benefits
    return dict(membership)


def asked(shop: Shop, buyer: dict[str, Any] | None = None, **cart: Any) -> Reply:
    body = {**CART, **cart, **({"buyer": buyer} if buyer else {})}
    return shop.post("/v1/ucp/loyalty", body)


def lines(membership: dict[str, Any], reward: int = 0) -> dict[str, int]:
    return {line["id"]: line["amount"] for line in membership["rewards"][reward]["earning_forecast"]["breakdown"]}


def test_a_verified_member_sees_their_tier_its_benefits_and_what_the_cart_would_earn(club: Shop) -> None:
    ada = club.enroll("ada")
    club.order(ada, total=60_000)
    shown = ask(club, {"member_id": ada, "verified": True}, channel="web")
    assert (shown["id"], shown["provisional"], shown["display_id"]) == (ada, False, f"****{ada[-4:]}")
    [tier] = shown["tiers"]
    assert (tier["id"], tier["name"]) == ("silver", "Silver")
    assert shown["rewards"][0]["currency"] == {"name": "Leaves", "code": "LVS", "decimal_places": 0}
    breakdown = shown["rewards"][0]["earning_forecast"]["breakdown"]
    assert [(line["id"], line["amount"], line.get("benefit_id")) for line in breakdown] == [
        ("base", 100, None),
        ("tier:silver", 20, "tier:silver"),
        ("web", 25, None),
    ]
    booked = club.order(ada, "A-2", 10_000, channel="web").body["entry"]
    assert booked["points"] == shown["rewards"][0]["earning_forecast"]["amount"]


def test_a_paid_membership_stands_beside_the_tier(club: Shop) -> None:
    ada = club.enroll("ada")
    club.change_program(memberships=[PLAN])
    body = {"plan_id": "plus", "reference": "p", "amount": 100, "currency": "USD", "paid_at": club.now.isoformat()}
    assert club.post(f"/v1/members/{ada}/membership", body).status == 201
    shown = ask(club, {"member_id": ada, "verified": True})
    assert [tier["id"] for tier in shown["tiers"]] == ["bronze", "plan:plus"]
    assert lines(shown) == {"base": 100, "plan:plus": 50}


def test_who_is_not_verified_cannot_be_told_from_who_does_not_exist(club: Shop, wire: Wire) -> None:
    ada = club.enroll("ada", email="ada@example.org", card_number="C-1")
    club.order(ada, total=60_000)
    del wire.requests[:]
    claims: list[dict[str, Any] | None] = [
        {"member_id": ada},
        {"member_id": "nobody", "verified": False},
        {"email": "ada@example.org", "verified": False},
        {"email": "nobody@example.org"},
        {"card_number": "C-1"},
        None,
    ]
    [shown, *others] = [ask(club, claim) for claim in claims]
    assert all(other == shown for other in others)
    assert shown["provisional"]
    assert not {"display_id", "tiers"} & set(shown)
    assert lines(shown) == {"base": 100}
    assert wire.requests == [], "nobody is looked for"


def test_one_read_tells_all_of_a_verified_member(club: Shop, wire: Wire) -> None:
    ada = club.enroll("ada")
    del wire.requests[:]
    with club.writing_nothing():
        ask(club, {"member_id": ada, "verified": True})
    assert wire.requests == ["GetItem"]


def test_what_a_cap_cuts_is_cut_from_the_lines_and_said(club: Shop) -> None:
    club.change_program(standing_rules=CAPS)
    shown = ask(club, channel="web", lines=[{"sku": "T", "category": "tea", "amount": 10_000}])
    assert lines(shown) == {"base": 100, "tea": 20, "cap:order": 0}


def test_cashback_is_a_second_reward_in_money(club: Shop) -> None:
    club.change_program(cashback=CASHBACK)
    money = ask(club)["rewards"][1]
    assert money["currency"] == {"name": "Store credit", "code": "USD", "decimal_places": 2}
    assert money["earning_forecast"]["amount"] == 500


def test_staff_are_promised_neither_points_nor_money(club: Shop) -> None:
    club.change_program(cashback=CASHBACK, standing_rules={"excluded": {"tags": ["staff"]}})
    ada = club.enroll("ada")
    club.post(f"/v1/members/{ada}/tags", {"add": ["staff"]}, key="T-1")
    shown = ask(club, {"member_id": ada, "verified": True})
    assert [reward["earning_forecast"]["amount"] for reward in shown["rewards"]] == [0, 0]


def test_refusals(club: Shop) -> None:
    ada = club.enroll("ada")
    verified = {"verified": True}
    assert_refused(asked(club, {"member_id": "nobody", **verified}), 404, "member_not_found")
    assert_refused(asked(club, {"email": "ada@example.org", **verified}), 422, "invalid_request")
    assert_refused(asked(club, {"member_id": ada, "card_number": "C"}), 422, "invalid_request")
    assert asked(club, currency="EUR").pointers == ["/currency"]
    for scope in (MEMBER, OPERATOR):
        assert_refused(club.post("/v1/ucp/loyalty", CART, scope=scope), 403, "forbidden")
    club.erase(ada)
    assert_refused(asked(club, {"member_id": ada, **verified}), 409, "member_not_active")
    club.change_program(agents=None)
    assert_refused(asked(club), 409, "not_offered")


CARTS = st.fixed_dictionaries(
    {"total": st.integers(0, 5_000_000)},
    optional={
        "channel": st.sampled_from(["web", "till"]),
        "lines": st.lists(
            st.fixed_dictionaries(
                {
                    "sku": st.sampled_from(["A", "B"]),
                    "category": st.sampled_from(["tea", "gift-card", "pots"]),
                    "quantity": st.integers(1, 5),
                    "amount": st.integers(0, 5000),
                }
            ),
            max_size=4,
        ),
    },
)


@pytest.fixture
def members(club: Shop) -> list[str]:
    """Bronze, silver and gold, each with a part of the day's points used up, in a program with caps and cashback."""
    club.change_program(
        earning={"rounding": "nearest", "per_amount": 7},
        cashback=CASHBACK,
        standing_rules={"caps": {"points_per_order": 400, "points_per_day": 900}},
    )
    found = [club.enroll(name) for name in ("ada", "grace", "hedy")]
    for member, total in zip(found, (10, 3000, 50_000), strict=True):
        club.order(member, member, total)
        club.adjust(member, 1)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cart=CARTS, who=st.sampled_from([0, 1, 2, "somebody", None]))
def test_every_answer_is_valid_and_adds_up(club: Shop, members: list[str], cart: dict[str, Any], who: Any) -> None:
    buyer = {"member_id": members[who], "verified": True} if isinstance(who, int) else None
    total = max(cart["total"], sum(line["amount"] for line in cart.get("lines", ())))
    ask(club, {"email": "a@example.org"} if who == "somebody" else buyer, **{**cart, "total": total})
