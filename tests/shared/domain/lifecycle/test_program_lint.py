"""Advice on programs that are legal, but unwise."""

from datetime import date
from typing import Any

import pytest

from shared.domain.lifecycle.program_lint import advice
from shared.domain.program.defaults import default_program
from tests.model.shop import a_program

TODAY = date(2026, 11, 20)
COFFEE = {"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "COFFEE", "points": 10}
VOUCHER = {"reward_id": "voucher", "name": "Voucher", "kind": "money_off", "points": 100, "value": 100}
DOUBLE = {"kind": "multiply", "percent": 200}
LIMIT = {"times": 1, "per": "month"}
YEAR = {"kind": "term", "months": 12}


def rule(**when: Any) -> dict[str, Any]:
    return {"earning": {"rules": [{"rule_id": "r", "description": "R", "when": when, "effect": DOUBLE}]}}


CAFE = {"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 1, "amount": 1}}
REDEEMED = {"redeemed_points_per_member_day": 500}


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


def by_spend(**earning: Any) -> dict[str, Any]:
    """Gold from 1000 dollars on, which earn `points` each."""
    gold = {"tier_id": "gold", "name": "Gold", "threshold": 100_000, "percent": 150}
    bronze = {"tier_id": "bronze", "name": "Bronze", "threshold": 0}
    return {"earning": earning, "tiers": {"measure": "spend", "levels": [bronze, gold]}}


def challenge(**changes: Any) -> dict[str, Any]:
    goal = {"kind": "count", "of": "amount", "target": 10_000}
    return {"challenges": [{"challenge_id": "b", "name": "B", "goal": goal, **changes}]}


TWO_ORDERS = {"kind": "count", "of": "orders", "target": 2}


def given(on: dict[str, Any], **more: Any) -> dict[str, Any]:
    gift = {"gift_id": "g", "reward_id": "coffee", "on": on, **more}
    return {**rewards({**COFFEE, "voucher": {"valid_days": 30}}), "given_vouchers": [gift]}


def referrals(**changes: Any) -> dict[str, Any]:
    plain = {"advocate_points": 100, "minimum_spend": 1000, "limit": LIMIT}
    return {"referrals": {**plain, **changes}}


def test_the_default_program_needs_no_advice() -> None:
    assert advice(default_program(), TODAY) == []
    assert advice(a_program(transfers=None), TODAY) == []


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
            {"earning": {**rule(categories=["gift", "tea"])["earning"], "excluded_categories": ["tea", "gift"]}},
            "/earning/rules/0/when",
            "gift, tea is excluded",
        ),
        (
            {**rule(tiers=["gold"], segments=["s"]), "segments": {"named": [segment(all=[{"tiers": ["silver"]}])]}},
            "/earning/rules/0/when",
            "no member in any of its tiers",
        ),
        (
            {
                "earning": {
                    "rules": [{"rule_id": "r", "description": "R", "effect": {"kind": "multiply", "percent": 1001}}]
                }
            },
            "/earning/rules/0/effect",
            "'r' pays 1001 % of the base",
        ),
        (campaign(budget=None), "/campaigns/0", "no budget"),
        (campaign(when={"ends_on": "2026-11-01"}), "/campaigns/0/when", "never applies"),
        (campaign(hold_out_percent=80), "/campaigns/0/hold_out_percent", "80 % of members out"),
        (campaign(effect={"kind": "multiply", "percent": 5000}), "/campaigns/0/effect", "5000 %"),
        (
            {**campaign(when={"partner_ids": ["cafe"]}), "partners": [CAFE]},
            "/campaigns/0/when/partner_ids",
            "passes over orders at Cafe",
        ),
        ({"partners": [{**CAFE, "may_redeem": True}]}, "/partners/0/limits", "nothing bounds what Cafe redeems"),
        ({"partners": [{**CAFE, "takes_points_as_money": True}]}, "/partners/0/limits", "nothing bounds"),
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
            {**rewards(COFFEE, hold_minutes=28_801), "expiry": {"kind": "term", "days": 20}},
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
        (
            {"earning": {"excluded_skus": ["a", "b", "c"], **rule(skus=["a", "b"])["earning"]}},
            "/earning/rules/0/when",
            "never applies: a, b is excluded",
        ),
        (
            {**rewards({**COFFEE, "points": 9001}), **by_spend(points=1), "expiry": {"kind": "term", "days": 1095}},
            "/redeeming/rewards/0/points",
            "costs 9001 points: nobody saves up over 9000 before",
        ),
        (
            {
                **rewards({**COFFEE, "points": 251}),
                "earning": {"welcome_points": 50},
                "expiry": {"kind": "term", "days": 20},
                "standing_rules": {"caps": {"points_per_day": 10}},
            },
            "/redeeming/rewards/0/points",
            "saves up over 250 before",
        ),
        (
            {
                **rewards({**COFFEE, "minimum_tier": "gold", "segments": ["s", "t"]}),
                "segments": {
                    "named": [
                        segment(all=[{"tiers": ["silver"]}], none=[{"tiers": ["gold"]}]),
                        {**segment(any=[{"tiers": ["bronze"]}, {"tiers": ["silver"]}]), "segment_id": "t"},
                    ]
                },
            },
            "/redeeming/rewards/0",
            "no member in 'gold' or above",
        ),
        (
            {**rewards(COFFEE, returned_points_grace_days=21), "expiry": {"kind": "term", "days": 20}},
            "/redeeming/returned_points_grace_days",
            "(20 days)",
        ),
        (
            {"earning": {"pending_days": 56}, "expiry": {"kind": "inactivity", "months": 2}},
            "/earning/pending_days",
            "wait 56 days before they can be spent, and live 56",
        ),
        (
            {
                "earning": {"pending_days": 30},
                "expiry": {"kind": "calendar_date", "month": 3, "day": 31, "minimum_days": 30},
            },
            "/earning/pending_days",
            "points wait 30 days before they can be spent, and live 30",
        ),
        (challenge(points=101), "/challenges/0/points", "may earn only 100"),
        (
            challenge(points=41, minimum_spend=1000, goal={"kind": "visits", "target": 4, "within_days": 30}),
            "/challenges/0/points",
            "may earn only 40",
        ),
        (
            challenge(points=41, minimum_spend=1000, goal={"kind": "count", "of": "orders", "target": 4}),
            "/challenges/0/points",
            "may earn only 40",
        ),
        (referrals(ends_on="2026-11-19"), "/referrals/ends_on", "ended on 2026-11-19"),
        (
            {"segments": {"named": [segment(all=[{"tiers": ["gold"]}], none=[{"tiers": ["gold"]}])]}},
            "/segments/named/0",
            "no tier fits",
        ),
        (rule(codes=["SPRING"]), "/earning/rules/0", "for each order that names a code"),
        (rewards({**COFFEE, "voucher": {}}), "/redeeming/rewards/0/voucher", "set valid_days"),
        (rewards({**COFFEE, "offered": False}), "/redeeming/rewards/0/offered", "nobody can have it"),
        (given({"kind": "absence", "days": 90}), "/given_vouchers/0", "for an order of any amount now and then"),
        (
            {**given({"kind": "badge", "challenge_id": "b"}), **challenge(repeatable=True, goal=TWO_ORDERS)},
            "/given_vouchers/0",
            "for orders of any amount",
        ),
        (
            {**given({"kind": "referral", "to": "advocate"}), **referrals(limit=None)},
            "/given_vouchers/0",
            "again and again with friends",
        ),
    ],
)
def test_what_is_unwise_is_named_with_its_place(changes: dict[str, Any], pointer: str, words: str) -> None:
    found = advice(a_program(**changes), TODAY)
    assert [one.pointer for one in found if words in one.text] == [pointer], found


@pytest.mark.parametrize(
    "changes",
    [
        {"earning": {"points": 20}},
        {"earning": {"actions": [{"action_id": "a", "description": "A", "points": 5, "limit": LIMIT}]}},
        {"earning": {"actions": [{"action_id": "a", "description": "A", "points": 5, "cool_off_days": 1}]}},
        {"earning": {"actions": [{"action_id": "a", "description": "A", "points": 5, "approval": True}]}},
        {"automatic_enrolment": {"points_max": 100}},
        rule(ends_on="2026-11-20"),
        rule(starts_on="2026-11-22", ends_on="2026-11-23", weekdays=["sun"]),
        rule(starts_on="2026-11-23", ends_on="2026-11-29", weekdays=["sun"]),
        rule(starts_on="2026-11-23", weekdays=["sun"]),
        {"earning": {**rule(categories=["gift", "tea"])["earning"], "excluded_categories": ["gift"]}},
        {"earning": {**rule(skus=["a", "b"])["earning"], "excluded_skus": ["a"]}},
        rule(tiers=["gold"]),
        {**rule(segments=["s"]), "segments": {"named": [segment(all=[{"tiers": ["silver"]}])]}},
        {**rule(tiers=["silver"], segments=["s"]), "segments": {"named": [segment(all=[{"tiers": ["silver"]}])]}},
        {
            **campaign(when={"partner_ids": ["cafe"]}),
            "partners": [{**CAFE, "counts_toward": ["campaigns"], "may_redeem": True, "limits": REDEEMED}],
        },
        {"partners": [CAFE]},
        campaign(hold_out_percent=50),
        campaign(effect={"kind": "multiply", "percent": 1000}),
        levels(percent=110, benefits=["A cake"]),
        {**levels(threshold=36_500), "standing_rules": {"caps": {"points_per_day": 100}}},
        rewards(VOUCHER, {**VOUCHER, "reward_id": "v", "value": 200}),
        {**rewards({**COFFEE, "points": 3000}), "expiry": YEAR},
        {**rewards({**COFFEE, "points": 9000}), "expiry": {"kind": "term", "days": 1095}},
        {**rewards({**COFFEE, "points": 9999}), "expiry": {"kind": "inactivity", "months": 12}},
        rewards({**COFFEE, "ends_on": "2026-11-20"}, {**COFFEE, "reward_id": "c", "stock": 1}),
        {
            **rewards({**COFFEE, "minimum_tier": "silver", "segments": ["s"]}),
            "segments": {"named": [segment(all=[{"tiers": ["gold"]}, {"tags": ["vip"]}])]},
        },
        {
            **rewards({**COFFEE, "segments": ["s"]}),
            "segments": {
                "named": [
                    segment(none=[{"tiers": ["gold", "silver", "bronze"], "tags": ["vip"]}]),
                    {**segment(any=[{"tiers": ["gold"]}, {"tags": ["vip"]}]), "segment_id": "t"},
                ]
            },
        },
        {**rewards(COFFEE, hold_minutes=28_800), "expiry": {"kind": "term", "days": 20}},
        {"earning": {"pending_days": 30}, "expiry": {"kind": "term", "days": 31}},
        {**rewards(COFFEE, returned_points_grace_days=31), "expiry": {"kind": "term", "days": 31}},
        {"segments": {"named": [segment(all=[{"tiers": ["silver", "gold"]}, {"tiers": ["gold"]}])]}},
        challenge(points=100),
        challenge(points=100, ends_on="2026-11-20"),
        challenge(points=5, goal={"kind": "count", "of": "orders", "target": 2}),
        challenge(points=40, minimum_spend=1000, goal={"kind": "visits", "target": 4, "within_days": 30}),
        challenge(points=0, repeatable=True, goal={"kind": "count", "of": "orders", "target": 2}),
        referrals(ends_on="2026-11-20"),
        referrals(minimum_spend=0, return_days=0, advocate_points=0, friend_points=10),
        {"gifts": {"points_max": 10}},
        {"gifts": {"limit": LIMIT}},
        {"cashback": {"amount": 20, "per_amount": 100, "cash_payouts": True, "pending_days": 1}},
        {"memberships": [{"plan_id": "p", "name": "P", "price": 100, "months": 12, "percent": 101}]},
        {"memberships": [{"plan_id": "p", "name": "P", "price": 100, "months": 12, "tier_id": "gold"}]},
        {"memberships": [{"plan_id": "p", "name": "P", "price": 100, "months": 12, "benefits": ["A cake"]}]},
        {"privacy": {"inactive_months": 6, "starts_on": "2026-01-01"}},
        {"expiry": YEAR, "privacy": {"inactive_months": 12, "starts_on": "2026-01-01"}},
        rewards({**COFFEE, "voucher": {"valid_days": 30}}),
        given({"kind": "absence", "days": 90}, limit={"times": 1, "per": "year"}),
        given({"kind": "tier", "tier_id": "silver"}),
        {**given({"kind": "badge", "challenge_id": "b"}), **challenge(goal=TWO_ORDERS)},
    ],
)
def test_what_is_only_just_wise_needs_no_advice(changes: dict[str, Any]) -> None:
    told = {"messages": {"reminder_days": [7]}, "earning": {"pending_days": 14}, "transfers": None}
    assert advice(a_program(**(told | changes)), TODAY) == []


TWENTY_DAYS = {"kind": "term", "days": 20}


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({**by_spend(points=1), "expiry": {"kind": "term", "days": 365}}, 3_000),
        ({**by_spend(points=2), "expiry": {"kind": "term", "days": 366}}, 12_000),
        ({**by_spend(points=1, per_amount=50), "expiry": TWENTY_DAYS}, 6_000),
        ({**levels(threshold=500), "expiry": TWENTY_DAYS}, 1_500),
        ({"standing_rules": {"caps": {"points_per_day": 10}}, "expiry": TWENTY_DAYS}, 200),
        ({**levels(threshold=50), "standing_rules": {"caps": {"points_per_day": 10}}, "expiry": TWENTY_DAYS}, 150),
    ],
)
def test_a_reward_may_cost_what_the_best_customer_saves_up_and_no_more(changes: dict[str, Any], most: int) -> None:
    def told(points: int) -> list[str]:
        program = a_program(**{**changes, **rewards({**COFFEE, "points": points})})
        return [one.text for one in advice(program, TODAY) if "saves up" in one.text]

    assert told(most) == []
    [text] = told(most + 1)
    assert f"over {most} before" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry": {"kind": "never"}},
        {"expiry": {"kind": "inactivity", "months": 2}},
        {"tiers": {**levels()["tiers"], "period": "lifetime"}, "expiry": TWENTY_DAYS},
    ],
)
def test_where_nothing_bounds_what_is_saved_up_no_price_is_too_high(changes: dict[str, Any]) -> None:
    program = a_program(**{**changes, **rewards({**COFFEE, "points": 1_000_000})})
    assert not [one for one in advice(program, TODAY) if "saves up" in one.text]


POINT_FOR_CENT = {"points_as_money": {"points": 100, "amount": 100}}


def partner(amount: int, points: int = 100, **changes: Any) -> dict[str, Any]:
    cost = {"points": points, "amount": amount}
    return {"partners": [{"partner_id": "cafe", "name": "Cafe", "point_cost": cost, **changes}]}


def _advice_at(pointer: str, **changes: Any) -> list[str]:
    program = a_program(**{"transfers": None, **changes})
    return [one.text for one in advice(program, TODAY) if one.pointer == pointer]


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        (partner(99), "/partners/0/point_cost", "set amount to 100 or more"),
        (partner(1, points=3), "/partners/0/point_cost", "which are worth 3 as money"),
        ({"earning": {"rounding": "up"}}, "/earning/minimum_spend", "set minimum_spend"),
        ({"transfers": {}}, "/earning/pending_days", "transferred while the goods"),
        (challenge(points=5), "/earning/pending_days", "counted toward badges"),
        ({"transfers": {}, **challenge(points=5)}, "/earning/pending_days", "transferred and counted toward badges"),
        (referrals(advocate_points=600, friend_points=401), "/referrals/minimum_spend", "set minimum_spend above 1001"),
    ],
)
def test_what_can_be_farmed_is_advised_against(changes: dict[str, Any], pointer: str, words: str) -> None:
    [text] = _advice_at(pointer, redeeming=POINT_FOR_CENT, **changes)
    assert words in text


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (partner(100), "/partners/0/point_cost"),
        (partner(1, points=1), "/partners/0/point_cost"),
        (partner(1, may_earn=False), "/partners/0/point_cost"),
        ({**partner(1), "redeeming": {"points_as_money": None}}, "/partners/0/point_cost"),
        ({"earning": {"rounding": "up", "minimum_spend": 1}}, "/earning/minimum_spend"),
        ({"earning": {"rounding": "nearest"}}, "/earning/minimum_spend"),
        ({"transfers": {}, "earning": {"pending_days": 1}}, "/earning/pending_days"),
        (challenge(points=0), "/earning/pending_days"),
        ({"gifts": {"points_max": 10}}, "/earning/pending_days"),
        (referrals(advocate_points=600, friend_points=400), "/referrals/minimum_spend"),
        ({**referrals(advocate_points=5000), "redeeming": {"points_as_money": None}}, "/referrals/minimum_spend"),
    ],
)
def test_what_cannot_be_farmed_needs_no_advice(changes: dict[str, Any], pointer: str) -> None:
    assert _advice_at(pointer, **{"redeeming": POINT_FOR_CENT, **changes}) == []
