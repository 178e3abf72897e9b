"""The program of a shop that has not stored one of its own."""

from functools import cache

from shared.domain.program.program import Program

_TEXT = {
    "name": "Rewards Club",
    "currency": "USD",
    "country": "US",
    "time_zone": "America/New_York",
    "earning": {
        "points": 1,
        "per_amount": 100,
        "description": "1 point per dollar",
        "rounding": "down",
        "welcome_points": 100,
        "excluded_categories": ["gift-card"],
        "actions": [
            {
                "action_id": "review",
                "description": "Product review",
                "points": 25,
                "limit": {"times": 4, "per": "month"},
            },
        ],
    },
    "expiry": {"kind": "term", "months": 12, "ends": "month"},
    "refund_debt": "allowed",
    "tiers": {
        "measure": "points",
        "period": "rolling_12_months",
        "down": "one_step",
        "levels": [
            {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
            {
                "tier_id": "silver",
                "name": "Silver",
                "threshold": 500,
                "percent": 120,
                "benefits": ["Free standard shipping"],
            },
            {
                "tier_id": "gold",
                "name": "Gold",
                "threshold": 1000,
                "percent": 150,
                "benefits": ["Free express shipping", "Early access to sales"],
            },
        ],
    },
    "redeeming": {
        "points_as_money": {"points": 100, "amount": 100},
        "hold_minutes": 30,
        "returned_points_grace_days": 14,
        "rewards": [
            {"reward_id": "free-coffee", "name": "Free coffee", "kind": "product", "sku": "COFFEE", "points": 150},
            {"reward_id": "free-shipping", "name": "Free shipping", "kind": "free_shipping", "points": 300},
            {"reward_id": "five-off", "name": "$5 off", "kind": "money_off", "value": 500, "points": 450},
            {
                "reward_id": "gift-card-25",
                "name": "$25 gift card",
                "kind": "gift_card",
                "value": 2500,
                "points": 2400,
                "limit": {"times": 2, "per": "month"},
            },
            {
                "reward_id": "tasting",
                "name": "Evening tasting for two",
                "kind": "experience",
                "points": 1500,
                "stock": 20,
                "minimum_tier": "gold",
                "limit": {"times": 1, "per": "year"},
            },
        ],
    },
    "messages": {"service": "always", "reminder_days": [30, 7, 1], "nudge_within_points": 50},
}


@cache
def default_program() -> Program:
    """Version 1: one point a dollar, three tiers, points that live a year to the month's end."""
    return Program.model_validate(_TEXT)
