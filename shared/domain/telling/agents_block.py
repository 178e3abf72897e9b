"""What shopping agents are shown of a membership, in the terms of the Universal Commerce Protocol's loyalty extension.

Amounts there are never negative and a breakdown adds up to its amount, so what a cap cuts is cut from the lines before
it, the last first. A benefit of a tier that brings points has the id of the line that shows them.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from shared.domain.account import Account
from shared.domain.earning.bonuses import NO_BONUS_PERCENT
from shared.domain.entry import Piece
from shared.domain.fields import Record
from shared.domain.points.paid_plans import current_plan
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import Program

UNVERIFIED_ID = "unverified"
"""The id of every membership shown to an unverified buyer, whether or not there is such a member."""
_SHOWN_CHARACTERS = 4


def _is_none(value: object) -> bool:
    return value is None


class Benefit(Record):
    """What a tier brings."""

    id: str
    description: str


class TierBlock(Record):
    """A tier that is held, or a paid membership that runs."""

    id: str
    name: str
    benefits: tuple[Benefit, ...] = ()


class RewardCurrency(Record):
    """What is earned; amounts are in its smallest unit."""

    name: str
    code: str
    decimal_places: int = 0


class ForecastLine(Record):
    """A part of what would be earned."""

    id: str
    amount: int
    description: str
    benefit_id: Annotated[str | None, Field(exclude_if=_is_none)] = None


class Forecast(Record):
    """What would be earned; the breakdown adds up to it."""

    amount: int
    breakdown: tuple[ForecastLine, ...]


class RewardBlock(Record):
    """One kind of reward, and how much of it the cart would earn."""

    currency: RewardCurrency
    earning_forecast: Forecast


class MembershipBlock(Record):
    """A membership as agents see it. `display_id` and `tiers` are there for verified members alone."""

    id: str
    name: str
    display_id: Annotated[str | None, Field(exclude_if=_is_none)] = None
    tiers: Annotated[tuple[TierBlock, ...] | None, Field(exclude_if=_is_none)] = None
    rewards: tuple[RewardBlock, ...]
    provisional: bool


def membership_block(
    account: Account | None, program: Program, rewards: Sequence[RewardBlock], today: date
) -> MembershipBlock:
    """The membership of a verified member, or, with no account, what the program offers to anybody."""
    shown: dict[str, Any] = {"id": UNVERIFIED_ID, "provisional": True}
    if account is not None:
        shown = {
            "id": account.member_id,
            "display_id": masked(account.member_id) if account.status == "active" else None,
            "tiers": tiers_of(account, program, today),
            "provisional": account.status != "active",
        }
    return MembershipBlock(name=program.name, rewards=tuple(rewards), **shown)


def masked(id_: str) -> str:
    """An id that its owner recognizes and others cannot complete."""
    return f"****{id_[-_SHOWN_CHARACTERS:]}"


def tiers_of(account: Account, program: Program, today: date) -> tuple[TierBlock, ...]:
    """The tier held, and beside it the paid membership that runs, each with its benefits."""
    tier, plan = held_tier(account, program.tiers, today), current_plan(account, program)
    held = [_tier(f"tier:{tier.tier_id}", tier.tier_id, tier.name, tier.percent, tier.benefits)]
    if plan is not None:
        rule_id = f"plan:{plan.plan_id}"
        held.append(_tier(rule_id, rule_id, plan.name, plan.percent, plan.benefits))
    return tuple(held)


def forecast(pieces: Sequence[Piece], tiers: Sequence[TierBlock]) -> Forecast:
    """What an earning's pieces come to, in lines that are never negative."""
    benefits = {benefit.id for tier in tiers for benefit in tier.benefits}
    total = left = max(0, sum(piece.points for piece in pieces))
    lines = []
    for piece in pieces:
        amount = min(left, max(0, piece.points))
        left -= amount
        if amount or piece.points < 0:
            benefit_id = piece.rule_id if piece.rule_id in benefits else None
            text = piece.description
            lines.append(ForecastLine(id=piece.rule_id, amount=amount, description=text, benefit_id=benefit_id))
    return Forecast(amount=total, breakdown=tuple(lines))


def _tier(rule_id: str, id_: str, name: str, percent: int, texts: Sequence[str]) -> TierBlock:
    benefits = [Benefit(id=f"{rule_id}:{number}", description=text) for number, text in enumerate(texts, 1)]
    if percent > NO_BONUS_PERCENT:
        benefits.insert(0, Benefit(id=rule_id, description=f"{percent}% of the base points on every order"))
    return TierBlock(id=id_, name=name, benefits=tuple(benefits))
