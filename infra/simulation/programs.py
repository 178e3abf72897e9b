"""The programs that worlds are played under: small numbers and short terms, so that every edge is met often."""

from random import Random
from typing import Any

from shared.domain.program.program import Program

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "Africa/Cairo")
EXPIRIES: tuple[dict[str, Any], ...] = (
    {"kind": "term", "months": 2, "ends": "month"},
    {"kind": "term", "days": 20},
    {"kind": "term", "days": 45},
    {"kind": "inactivity", "months": 1},
    {"kind": "calendar_date", "month": 3, "day": 31, "minimum_days": 10},
    {"kind": "never"},
)
ACTIONS: tuple[dict[str, Any], ...] = (
    {"action_id": "review", "description": "Review", "points": 7, "limit": {"points": 20, "per": "week"}},
    {"action_id": "consultation", "description": "Consultation", "points": 11, "approval": True},
    {"action_id": "survey", "description": "Survey", "points": 5, "cool_off_days": 10},
)
REWARDS: tuple[dict[str, Any], ...] = (
    {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "TEA", "points": 5},
    {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 13, "stock": 4},
    {
        "reward_id": "five",
        "name": "Five",
        "kind": "money_off",
        "value": 500,
        "points": 8,
        "limit": {"times": 2, "per": "week"},
    },
)
CHALLENGES: tuple[dict[str, Any], ...] = (
    {
        "challenge_id": "three",
        "name": "Three orders",
        "points": 9,
        "goal": {"kind": "count", "of": "orders", "target": 3, "per": "month"},
    },
)


def drawn(random: Random) -> Program:
    """A program: the core always, each further section in half of the worlds."""
    text: dict[str, Any] = {
        "name": "Simulated",
        "currency": "USD",
        "country": "US",
        "time_zone": random.choice(ZONES),
        "earning": {
            "points": random.choice((1, 3)),
            "per_amount": random.choice((100, 70)),
            "description": "Points",
            "rounding": random.choice(("down", "nearest", "up")),
            "minimum_spend": random.choice((0, 300)),
            "pending_days": random.choice((0, 0, 3, 14)),
            "welcome_points": random.choice((0, 10)),
            "actions": ACTIONS,
            "rules": [
                {
                    "rule_id": "large",
                    "description": "Large orders",
                    "when": {"minimum_spend": 2000},
                    "effect": {"kind": "multiply", "percent": 150},
                }
            ],
        },
        "expiry": random.choice(EXPIRIES),
        "refund_debt": random.choice(("allowed", "allowed", "forgiven")),
        "tiers": {
            "measure": random.choice(("points", "spend")),
            "levels": [
                {"tier_id": "one", "name": "One", "threshold": 0},
                {"tier_id": "two", "name": "Two", "threshold": 150, "percent": 125},
            ],
        },
        "redeeming": {
            "points_as_money": {"points": 1, "amount": 1},
            "hold_minutes": random.choice((30, 60 * 24 * 5, 60 * 24 * 40)),
            "returned_points_grace_days": random.choice((0, 5, 14)),
            "rewards": REWARDS,
        },
        "messages": {"service": "with_consent", "reminder_days": [3]},
        "transfers": {"limit": {"times": 12, "per": "week"}},
    }
    sections = _sections(random)
    text |= {name: section for name, section in sections.items() if random.random() < 0.5}  # noqa: PLR2004
    return Program.model_validate(text)


def changed(program: Program, random: Random) -> Program:
    """The same program with other numbers: what a shop may change from one day to the next."""
    text = program.model_dump()
    text["redeeming"]["hold_minutes"] = random.choice((30, 60 * 24 * 5))
    text["redeeming"]["returned_points_grace_days"] = random.choice((0, 5, 14))
    if random.randrange(3) == 0:
        text["time_zone"] = random.choice(ZONES)
    if random.randrange(3) == 0:
        text["expiry"] = random.choice(EXPIRIES)
    for campaign in text["campaigns"]:
        campaign["budget"] = {"points": random.choice((20, 400, 5000))}
    return Program.model_validate(text)


def _sections(random: Random) -> dict[str, Any]:
    return {
        "campaigns": [
            {
                "campaign_id": "weeks",
                "description": "Tea weeks",
                "effect": {"kind": "add", "points": 3},
                "limit": {"points": 30, "per": "month"},
                "hold_out_percent": 10,
                "budget": {"points": random.choice((30, 1000))},
            }
        ],
        "challenges": CHALLENGES,
        "memberships": [
            {"plan_id": "plus", "name": "Plus", "price": 900, "months": 1, "tier_id": "two", "percent": 120}
        ],
        "referrals": {"friend_points": 6, "advocate_points": 12, "minimum_spend": 200, "return_days": 7},
        "automatic_enrolment": {"consent_days": 10},
        "standing_rules": {"caps": {"points_per_day": 60}},
        "celebrations": {"anniversary": {"points": 4, "starts_on": "2026-01-01"}},
        "operators": {"adjustment_limit_points": 40},
        "cashback": {
            "amount": 5,
            "per_amount": 100,
            "description": "Credit",
            "pending_days": random.choice((0, 5)),
            "expiry": {"kind": "term", "days": 30},
            "minimum_payout": 10,
        },
        "pools": {"members_max": 4},
        "gifts": {"accept_days": 6, "points_max": 100, "limit": {"times": 5, "per": "week"}},
        "sharing_limit": {"points": 150, "per": "week"},
    }
