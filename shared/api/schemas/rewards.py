"""The catalogue of rewards as callers see it."""

from datetime import date
from typing import Any

from shared.api.schemas.money import Money, money_of
from shared.domain.account import Account
from shared.domain.fields import Record
from shared.domain.program.program import Program, Reward
from shared.domain.spending.prices import reward_value, why_unavailable


class RewardAnswer(Record):
    """A reward of the catalogue; the last three are given for a member only."""

    reward_id: str
    name: str
    description: str | None
    kind: str
    points: int
    value: Money | None
    percent: int | None
    sku: str | None
    partner_id: str | None
    stock_left: int | None
    minimum_tier: str | None
    starts_on: date | None
    ends_on: date | None
    affordable: bool | None = None
    eligible: bool | None = None
    points_missing: int | None = None


class RewardPage(Record):
    """A page of the catalogue."""

    items: tuple[RewardAnswer, ...]
    next_cursor: str | None


def reward_answer(
    reward: Reward, program: Program, taken: int, account: Account | None = None, today: date | None = None
) -> RewardAnswer:
    """A reward; with an account (settled) and a day, what it means for that member."""
    for_member: dict[str, Any] = {}
    left = None if reward.stock is None else max(0, reward.stock - taken)
    if account is not None and today is not None:
        for_member = {
            "affordable": reward.points <= account.balance,
            "eligible": left != 0 and why_unavailable(account, program, reward, today) is None,
            "points_missing": max(0, reward.points - account.balance),
        }
    return RewardAnswer(
        reward_id=reward.reward_id,
        name=reward.name,
        description=reward.description,
        kind=reward.kind,
        points=reward.points,
        value=money_of(reward_value(reward), program),
        percent=getattr(reward, "percent", None),
        sku=getattr(reward, "sku", None),
        partner_id=getattr(reward, "partner_id", None),
        stock_left=left,
        minimum_tier=reward.minimum_tier,
        starts_on=reward.starts_on,
        ends_on=reward.ends_on,
        **for_member,
    )
