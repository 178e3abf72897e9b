"""Plots of a coalition, as data: a program, and steps that two members, a partner and a careless shop take.

A plot is drawn from a seed and its number. One that succeeds is made as short as it can be.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from infra import tools
from shared.domain.lifecycle.program_lint import advice
from shared.domain.program.program import Program

START = datetime(2026, 10, 26, 9, tzinfo=UTC)
STEPS_MIN, STEPS_MAX = 20, 90
ADDRESSES_MAX = 3
"""How many addresses one member of the coalition has at most."""
_EXAMPLE = Path(tools.__file__).with_name("example_program.json")

Text = dict[str, Any]
"""A program, as it is stored."""


class Step(NamedTuple):
    """One step: what is done, by which of the two, on what, and how much. Any numbers make a step."""

    kind: str
    member: int
    which: int
    numbers: tuple[int, int, int, int]
    lines: tuple[tuple[str, str | None, int, int], ...] = ()
    """Of what is bought: SKU, category, pieces, minor units."""


class Plot(NamedTuple):
    """A program, how many addresses each of the two has, and what the coalition does."""

    program: Text
    addresses: int
    steps: tuple[Step, ...]


KINDS = {
    "join": 14,
    "buy": 26,
    "return": 14,
    "return_lines": 8,
    "keep": 4,
    "amend": 4,
    "claim": 4,
    "act": 5,
    "approve": 4,
    "reserve": 9,
    "spend_on_order": 6,
    "capture": 8,
    "cancel": 6,
    "reverse": 5,
    "spend_credit": 6,
    "pay_out": 3,
    "gift": 5,
    "end_gift": 5,
    "open_pool": 3,
    "join_pool": 4,
    "leave_pool": 3,
    "transfer": 6,
    "erase": 3,
    "merge": 3,
    "change_address": 2,
    "change_birthday": 1,
    "pay_plan": 4,
    "cancel_plan": 3,
    "partner_order": 9,
    "partner_return": 6,
    "partner_redeem": 8,
    "partner_end": 6,
    "arrive": 3,
    "wait": 20,
}
"""What may be done, and how often."""
_ARTICLES = (("TEA", "tea"), ("POT", "tea"), ("CUP", None), ("CARD", "gift-card"), ("CAKE", "cake"))


def drawn(seed: int, number: int) -> Plot:
    """The `number`th plot of a seed."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - the same for the same seed, guards nothing
    program = _program(random)
    joins = tuple(_step(random, "join")._replace(member=member) for member in (0, 1))
    steps = (_step(random, _kind(random)) for _ in range(random.randrange(STEPS_MIN, STEPS_MAX + 1)))
    return Plot(program, random.randrange(1, ADDRESSES_MAX + 1), (*joins, *steps))


def smaller(plot: Plot) -> Iterator[Plot]:
    """Plots with less in them: fewer steps, plainer ones, a program without a section."""
    steps = plot.steps
    for size in (8, 3, 1):
        for start in range(0, len(steps), size):
            yield plot._replace(steps=steps[:start] + steps[start + size :])
    for name in sorted(plot.program.keys() & _SECTIONS):
        program = {key: value for key, value in plot.program.items() if key != name}
        if _is_wise(program):
            yield plot._replace(program=program)
    for number, step in enumerate(steps):
        for plainer in _plainer(step):
            yield plot._replace(steps=(*steps[:number], plainer, *steps[number + 1 :]))


def _plainer(step: Step) -> Iterator[Step]:
    if step.lines:
        yield step._replace(lines=step.lines[1:])
    for place, value in enumerate(step.numbers):
        for less in sorted({0, value % 6} - {value}):
            numbers = list(step.numbers)
            numbers[place] = less
            first, second, third, fourth = numbers
            yield step._replace(numbers=(first, second, third, fourth))


def _kind(random: Random) -> str:
    [kind] = random.choices(list(KINDS), list(KINDS.values()))
    return kind


def _step(random: Random, kind: str) -> Step:
    first, second, third, fourth = (random.randrange(1000) for _ in range(4))
    lines = []
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        sku, category = random.choice(_ARTICLES)
        pieces = random.randrange(1, 4)
        lines.append((sku, category, pieces, pieces * random.choice((100, 333, 1000, 2500))))
    return Step(kind, random.randrange(2), random.randrange(1000), (first, second, third, fourth), tuple(lines))


# Programs -------------------------------------------------------------------------------------------------------------

_SECTIONS = frozenset(
    {
        "automatic_enrolment",
        "campaigns",
        "cashback",
        "celebrations",
        "challenges",
        "gifts",
        "memberships",
        "pools",
        "privacy",
        "referrals",
        "standing_rules",
        "transfers",
        "sharing_limit",
    }
)
"""What a program can do without."""
_EXPIRIES: tuple[Text, ...] = (
    {"kind": "term", "months": 12, "ends": "month"},
    {"kind": "term", "days": 45},
    {"kind": "term", "months": 2, "ends": "month"},
    {"kind": "inactivity", "months": 3},
    {"kind": "calendar_date", "month": 3, "day": 31, "minimum_days": 60},
    {"kind": "never"},
)


def example() -> Text:
    """The program that comes with the product, which has every section."""
    text: Text = json.loads(_EXAMPLE.read_text())
    return text


def _program(random: Random) -> Text:
    """The example, or a variant of it on which `loyalty program check` has no advice."""
    if random.randrange(8) == 0:
        return example()
    while True:
        variant = _variant(random)
        if _is_wise(variant):
            return variant


def _is_wise(text: Text) -> bool:
    return not advice(Program.model_validate(text), START.date())


def _variant(random: Random) -> Text:
    text = example()
    for name in sorted(_SECTIONS):
        if random.randrange(2) == 0:
            text.pop(name, None)
    text["expiry"] = random.choice(_EXPIRIES)
    text["messages"]["reminder_days"] = [7]
    text["earning"] |= {
        "points": random.choice((1, 4, 10)),
        "rounding": random.choice(("down", "nearest", "up")),
        "pending_days": random.choice((0, 0, 14)),
        "welcome_points": random.choice((0, 100)),
        "minimum_spend": random.choice((0, 0, 500)),
        "rules": [rule for rule in _RULES if random.randrange(3) == 0],
    }
    text["redeeming"] |= {
        "hold_minutes": random.choice((30, 60 * 24 * 5, 60 * 24 * 40)),
        "returned_points_grace_days": random.choice((0, 5, 14)),
    }
    if random.randrange(2):
        for level in text["tiers"]["levels"]:
            level.pop("percent", None)
    text["tiers"]["measure"] = random.choice(("points", "spend"))
    text["remembered_days"] = random.choice((365, 365, 30))
    for partner in text["partners"]:
        partner["point_cost"] = {"points": 100, "amount": 100}
        counts = ("tiers", "challenges", "referrals", "campaigns", "segments")
        partner["counts_toward"] = [one for one in counts if random.randrange(3) == 0]
    return _with_other_sections(random, text)


def _with_other_sections(random: Random, text: Text) -> Text:
    """The program with other terms in those of its sections that it has."""
    if "campaigns" in text:
        text["campaigns"] = [_campaign(random)]
    if "referrals" in text:
        text["referrals"]["friend_gets_them"] = random.choice(("on_joining", "on_first_purchase"))
        text["referrals"]["return_days"] = random.choice((3, 30))
    if "transfers" in text:
        text["transfers"] = random.choice(({}, {"limit": {"points": 1000, "per": "week"}}))
    if "cashback" in text:
        text["cashback"] |= {
            "pending_days": random.choice((0, 14)),
            "minimum_payout": random.choice((1, 100)),
            "rounding": random.choice(("down", "nearest", "up")),
        }
    for plan in text.get("memberships", ()):
        plan |= {"refund": random.choice(("none", "full", "prorated")), "refund_days": random.choice((0, 14))}
    return text


_RULES: tuple[Text, ...] = (
    {
        "rule_id": "tea",
        "description": "Tea counts double",
        "when": {"categories": ["tea"]},
        "effect": {"kind": "multiply", "percent": 200},
    },
    {
        "rule_id": "cups",
        "description": "Points for each cup",
        "when": {"skus": ["CUP"]},
        "effect": {"kind": "add", "points": 2, "per": "item"},
        "limit": {"points": 5, "per": "month"},
    },
    {
        "rule_id": "large",
        "description": "Large orders",
        "when": {"minimum_spend": 3000},
        "effect": {"kind": "add", "points": 15},
        "limit": {"times": 2, "per": "lifetime"},
    },
)


def _campaign(random: Random) -> Text:
    return {
        "campaign_id": "autumn",
        "description": "Autumn",
        "effect": random.choice(({"kind": "add", "points": 25}, {"kind": "multiply", "percent": 200})),
        "budget": {"points": random.choice((60, 1000))},
        "limit": random.choice(({"points": 60, "per": "month"}, {"times": 1, "per": "lifetime"})),
    }
