"""The catalogue of rewards as callers see it."""

from datetime import date
from typing import Any

from shared.api.schemas.money import Money, money_of
from shared.domain.fields import Record
from shared.domain.spending.prices import reward_value, why_unavailable
from shared.services.rewards import Catalogue, Offer


class RewardAnswer(Record):
    """A reward of the catalogue; the last three are given for a member only."""

    reward_id: str
    name: str
    description: str | None
    picture: str | None
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


def reward_page(catalogue: Catalogue, next_cursor: str | None, locale: str | None = None) -> RewardPage:
    """Part of the catalogue as callers see it, in the nearest language where a locale is given."""
    items = tuple(_reward_answer(offer, catalogue, locale) for offer in catalogue.offers)
    return RewardPage(items=items, next_cursor=next_cursor)


def _reward_answer(offer: Offer, catalogue: Catalogue, locale: str | None) -> RewardAnswer:
    (reward, taken), program, account = offer, catalogue.program, catalogue.account
    for_member: dict[str, Any] = {}
    left = None if reward.stock is None else max(0, reward.stock - taken)
    if account is not None:
        for_member = {
            "affordable": reward.points <= account.balance,
            "eligible": left != 0 and why_unavailable(account, program, reward, catalogue.today) is None,
            "points_missing": max(0, reward.points - account.balance),
        }
    text = reward.text_in(locale or "")
    return RewardAnswer(
        reward_id=reward.reward_id,
        name=text.name,
        description=text.description,
        picture=reward.picture,
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
