"""Advice on programs that are legal, but unwise."""

from datetime import date
from typing import Any

import pytest

from shared.domain.advice import advice
from shared.domain.default_program import default_program
from tests.domain.shop import a_program

TODAY = date(2026, 11, 20)
COFFEE = {"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "COFFEE", "points": 10}
VOUCHER = {"reward_id": "voucher", "name": "Voucher", "kind": "money_off", "points": 100, "value": 100}
DOUBLE = {"kind": "multiply", "percent": 200}
LIMIT = {"times": 1, "per": "month"}
YEAR = {"kind": "term", "months": 12}


def rule(**when: Any) -> dict[str, Any]:
    return {"earning": {"rules": [{"rule_id": "r", "description": "R", "when": when, "effect": DOUBLE}]}}


def campaign(**changes: Any) -> dict[str, Any]:
    plain = {"campaign_id": "c", "description": "C", "effect": DOUBLE, "budget": {"points": 1000}}
    return {"campaigns": [{**plain, **changes}]}


def levels(**silver: Any) -> dict[str, Any]:
    bronze = {"tier_id": "bronze", "name": "Bronze", "threshold": 0, "percent": 110}
    return {
        "tiers": {"levels": [bronze, {"tier_id": "silver", "name": "S", "threshold": 500, "percent": 120, **silver}]}
    }


def rewards(*some: dict[str, Any], **redeeming: Any) -> dict[str, Any]:
    return {"redeeming": {"rewards": list(some), **redeeming}}


def segment(**conditions: Any) -> dict[str, Any]:
    return {"segment_id": "s", "name": "S", **conditions}


def challenge(**changes: Any) -> dict[str, Any]:
    goal = {"kind": "count", "of": "amount", "target": 10_000}
    return {"challenges": [{"challenge_id": "b", "name": "B", "goal": goal, **changes}]}


def referrals(**changes: Any) -> dict[str, Any]:
    plain = {"advocate_points": 100, "minimum_spend": 1000, "limit": LIMIT}
    return {"referrals": {**plain, **changes}}


def test_the_default_program_needs_no_advice() -> None:
    assert advice(default_program(), TODAY) == []
    assert advice(a_program(), TODAY) == []


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"earning": {"points": 30}}, "/earning/points", "give back 30 %"),
        (
            {"earning": {"actions": [{"action_id": "a", "description": "A", "points": 5}]}},
            "/earning/actions/0",
            "pays every time",
        ),
        ({"automatic_enrolment": {}}, "/automatic_enrolment", "points_max"),
        (rule(ends_on="2026-11-19"), "/earning/rules/0/when", "its last day was 2026-11-19"),
        (
            rule(starts_on="2026-11-23", ends_on="2026-11-24", weekdays=["sun"]),
            "/earning/rules/0/when",
            "none of its days is a sun",
        ),
        (
            {"earning": {**rule(categories=["gift"])["earning"], "excluded_categories": ["gift"]}},
            "/earning/rules/0/when",
            "excluded",
        ),
        (
            {**rule(tiers=["gold"], segments=["s"]), "segments": {"named": [segment(all=[{"tiers": ["silver"]}])]}},
            "/earning/rules/0/when",
            "no member in any of its tiers",
        ),
        (campaign(budget=None), "/campaigns/0", "no budget"),
        (campaign(when={"ends_on": "2026-11-01"}), "/campaigns/0/when", "never applies"),
        (campaign(hold_out_percent=80), "/campaigns/0/hold_out_percent", "80 % of members out"),
        (campaign(effect={"kind": "multiply", "percent": 5000}), "/campaigns/0/effect", "5000 %"),
        (levels(percent=105), "/tiers/levels/1/percent", "out of order"),
        (levels(percent=110), "/tiers/levels/1", "gives nothing"),
        (
            {**levels(threshold=50_000), "standing_rules": {"caps": {"points_per_day": 100}}},
            "/tiers/levels/1/threshold",
            "out of reach",
        ),
        (rewards({**VOUCHER, "value": 99}), "/redeeming/rewards/0", "which are worth 100 as money"),
        (rewards({**VOUCHER, "value": 201}), "/redeeming/rewards/0", "worth 100 only"),
        (
            {**rewards({**VOUCHER, "points": 9000, "value": 9000}), "expiry": YEAR},
            "/redeeming/rewards/0/points",
            "before they expire",
        ),
        (rewards({**COFFEE, "ends_on": "2026-01-01"}), "/redeeming/rewards/0/ends_on", "ended on"),
        (rewards({**COFFEE, "stock": 0}), "/redeeming/rewards/0/stock", "nobody can have it"),
        (
            {**rewards(COFFEE, hold_minutes=43_200), "expiry": {"kind": "term", "days": 20}},
            "/redeeming/hold_minutes",
            "hold",
        ),
        (
            {"earning": {"pending_days": 30}, "expiry": {"kind": "term", "days": 20}},
            "/earning/pending_days",
            "and live 20",
        ),
        ({"expiry": {"kind": "term", "days": 20}}, "/messages/reminder_days/0", "reminds 30 days ahead"),
        ({"expiry": YEAR, "messages": {"reminder_days": []}}, "/messages/reminder_days", "nobody is told"),
        (
            {"segments": {"named": [segment(all=[{"tiers": ["silver"]}, {"tiers": ["gold"]}])]}},
            "/segments/named/0",
            "no tier fits",
        ),
        (challenge(points=500), "/challenges/0/points", "pays 500 points"),
        (challenge(ends_on="2026-01-01"), "/challenges/0/ends_on", "ended on"),
        (
            challenge(points=5, repeatable=True, goal={"kind": "count", "of": "orders", "target": 2}),
            "/challenges/0",
            "any amount",
        ),
        (referrals(limit=None), "/referrals", "without limit"),
        (referrals(minimum_spend=0), "/referrals", "minimum_spend"),
        (referrals(return_days=0), "/referrals/return_days", "before"),
        ({"gifts": {}}, "/gifts", "limit or points_max"),
        ({"cashback": {"amount": 25, "per_amount": 100}}, "/cashback/amount", "25 %"),
        ({"cashback": {"amount": 5, "per_amount": 100, "cash_payouts": True}}, "/cashback/pending_days", "cash"),
        (
            {"memberships": [{"plan_id": "p", "name": "P", "price": 100, "months": 12}]},
            "/memberships/0",
            "nothing for its price",
        ),
        (
            {"expiry": YEAR, "privacy": {"inactive_months": 6, "starts_on": "2026-01-01"}},
            "/privacy/inactive_months",
            "can still be spent",
        ),
    ],
)
def test_what_is_unwise_is_named_with_its_place(changes: dict[str, Any], pointer: str, words: str) -> None:
    found = advice(a_program(**changes), TODAY)
    assert [one.pointer for one in found if words in one.text] == [pointer], found
