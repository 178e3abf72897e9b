"""The program: everything a shop decides about its points, as one versioned piece of data.

Money is in minor units of the program's currency, points are integers, shares and factors are whole percents.
Days are days in the program's time zone, first and last included.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.domain.calendar import DayEnds
from shared.domain.fields import (
    Amount,
    Currency,
    Days,
    Points,
    PositiveAmount,
    PositivePoints,
    Record,
    Reference,
    Slug,
    Text,
)
from shared.domain.terms.common import Filter, Limit, Months, Percent, Times, Validity, require_unique

RULES_MAX = 100
REWARDS_MAX = 200
TIERS_MAX = 10
ACTIONS_MAX = 50

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Rounding = Literal["down", "nearest", "up"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Berlin") from error
    return name


def _known_currency(code: str) -> str:
    from iso4217 import Currency as Iso4217  # noqa: PLC0415 - parses its tables; only storing a program needs it

    try:
        Iso4217(code)
    except ValueError as error:
        raise ValueError(f"{code!r} is not an ISO 4217 currency, such as EUR") from error
    return code


class When(Validity):
    """What an order must be for a rule to apply. What is left empty does not matter.

    Categories and SKUs select lines; the rule then works on those lines alone.
    """

    categories: Filter = ()
    skus: Filter = ()
    channels: Filter = ()
    store_ids: Filter = ()
    partner_ids: Filter = ()
    tiers: Filter = ()
    weekdays: tuple[Weekday, ...] = ()
    minimum_spend: Amount = 0


class Multiply(Record):
    """So many percent of the base points instead of 100: 200 doubles them. Each multiplier works on the base alone."""

    kind: Literal["multiply"]
    percent: Annotated[int, Field(strict=True, gt=100, le=10_000)]


class Add(Record):
    """So many points on top, once for the order or once for each item that the rule selects."""

    kind: Literal["add"]
    points: PositivePoints
    per: Literal["order", "item"] = "order"


class Rule(Record):
    """A bonus on top of the base points."""

    rule_id: Slug
    description: Text
    when: When = When()
    effect: Annotated[Multiply | Add, Field(discriminator="kind")]
    limit: Limit | None = None


class Action(Record):
    """Something other than an order that earns points."""

    action_id: Slug
    description: Text
    points: PositivePoints
    limit: Limit | None = None


class Earning(Record):
    """`points` for each `per_amount` minor units, rounded once over the whole order."""

    points: PositivePoints
    per_amount: PositiveAmount
    description: Text
    rounding: Rounding = "down"
    minimum_spend: Amount = 0
    excluded_categories: Filter = ()
    excluded_skus: Filter = ()
    pending_days: Days = 0
    welcome_points: Points = 0
    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)] = ()
    actions: Annotated[tuple[Action, ...], Field(max_length=ACTIONS_MAX)] = ()


class Term(Record):
    """Points live so many months or days from when they can be spent, to the end of the unit which that day lies in."""

    kind: Literal["term"]
    months: Months | None = None
    days: Annotated[Days, Field(ge=1)] | None = None
    ends: DayEnds = "day"

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.months is None) == (self.days is None):
            raise ValueError("give either months or days")
        return self


class Inactivity(Record):
    """All points live so many months from the member's last order, action or redemption."""

    kind: Literal["inactivity"]
    months: Months


class CalendarDate(Record):
    """All points end on one day of the year, but never sooner than `minimum_days` after they were earned."""

    kind: Literal["calendar_date"]
    month: Annotated[int, Field(strict=True, ge=1, le=12)]
    day: Annotated[int, Field(strict=True, ge=1, le=31)]
    minimum_days: Days = 0

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            date(2024, self.month, self.day)  # a leap year
        except ValueError as error:
            raise ValueError(f"no year has a day {self.day} in month {self.month}") from error
        return self


class Never(Record):
    """Points do not expire."""

    kind: Literal["never"]


Expiry = Annotated[Term | Inactivity | CalendarDate | Never, Field(discriminator="kind")]


class Tier(Record):
    """A level that members reach; `percent` multiplies the base points of what they earn, 100 being none."""

    tier_id: Slug
    name: Text
    threshold: Amount
    percent: Annotated[int, Field(strict=True, ge=100, le=10_000)] = 100
    benefits: Annotated[tuple[Text, ...], Field(max_length=20)] = ()


class Tiers(Record):
    """Levels from the lowest up, what counts toward them, and how they are kept and lost.

    A rolling period counts this calendar month and the twelve whole months before it, so that nothing drops out before
    its year is over. A tier is reached at once and lost only at its review, `grace_days` after it was missed.
    """

    measure: Literal["points", "spend"] = "points"
    period: Literal["rolling_12_months", "calendar_year", "lifetime"] = "rolling_12_months"
    down: Literal["one_step", "recalculated"] = "one_step"
    grace_days: Annotated[Days, Field(le=90)] = 0
    levels: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=TIERS_MAX)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        thresholds = [tier.threshold for tier in self.levels]
        if thresholds[0] != 0:
            raise ValueError(f"the lowest tier, {self.levels[0].tier_id!r}, must have the threshold 0")
        if sorted(set(thresholds)) != thresholds:
            raise ValueError("thresholds must rise from each tier to the next")
        require_unique("tier_id", (tier.tier_id for tier in self.levels))
        return self

    def rank(self, tier_id: str) -> int | None:
        """Position of a tier counted from the lowest, 0; None if the program has no such tier."""
        return next((rank for rank, tier in enumerate(self.levels) if tier.tier_id == tier_id), None)


class _Reward(Validity):
    reward_id: Slug
    name: Text
    description: Text | None = None
    points: PositivePoints
    stock: Points | None = None
    minimum_tier: Slug | None = None
    limit: Times | None = None


class MoneyReward(_Reward):
    """An amount: off the order, on a gift card, or paid out as store credit (`cashback`)."""

    kind: Literal["money_off", "gift_card", "cashback"]
    value: PositiveAmount


class PercentReward(_Reward):
    """A share of the order, off it."""

    kind: Literal["percent_off"]
    percent: Percent


class ProductReward(_Reward):
    """A product, named by the shop's own SKU."""

    kind: Literal["product"]
    sku: Reference


class PlainReward(_Reward):
    """Free shipping, or something to take part in."""

    kind: Literal["free_shipping", "experience"]


class PartnerReward(_Reward):
    """Something that a partner gives; `value` if it is worth an amount."""

    kind: Literal["partner"]
    partner_id: Reference
    value: PositiveAmount | None = None


Reward = Annotated[
    MoneyReward | PercentReward | ProductReward | PlainReward | PartnerReward, Field(discriminator="kind")
]


class PointsAsMoney(Record):
    """`points` are worth `amount` minor units of an order; a redemption pays at most `order_share_percent` of it."""

    points: PositivePoints
    amount: PositiveAmount
    minimum_points: Points = 0
    order_share_percent: Percent = 100


class Redeeming(Record):
    """How points are spent, and what becomes of them when a redemption is undone after their date has passed."""

    points_as_money: PointsAsMoney | None = None
    hold_minutes: Annotated[int, Field(strict=True, ge=1, le=60 * 24 * 90)] = 30
    returned_points_grace_days: Days = 14
    rewards: Annotated[tuple[Reward, ...], Field(max_length=REWARDS_MAX)] = ()


class Messages(Record):
    """What members are told. Marketing always needs their consent; `service` says when service messages go out."""

    service: Literal["always", "with_consent", "never"] = "always"
    reminder_days: Annotated[tuple[Annotated[Days, Field(ge=1, le=90)], ...], Field(max_length=5)] = (30, 7, 1)
    nudge_within_points: Points = 50


class Program(Record):
    """One version of a shop's program."""

    version: Annotated[int, Field(strict=True, ge=1)] = 1
    name: Text
    currency: Annotated[Currency, AfterValidator(_known_currency)]
    country: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}$")]
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    earning: Earning
    expiry: Expiry
    refund_debt: Literal["allowed", "forgiven"] = "allowed"
    tiers: Tiers
    redeeming: Redeeming = Redeeming()
    messages: Messages = Messages()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require_unique("rule_id", (rule.rule_id for rule in self.earning.rules))
        require_unique("action_id", (action.action_id for action in self.earning.actions))
        require_unique("reward_id", (reward.reward_id for reward in self.redeeming.rewards))
        for rule in self.earning.rules:
            self._require_tiers(rule.when.tiers, f"rule {rule.rule_id!r}")
        for reward in self.redeeming.rewards:
            self._require_tiers((reward.minimum_tier,) if reward.minimum_tier else (), f"reward {reward.reward_id!r}")
        return self

    def _require_tiers(self, tier_ids: Sequence[str], where: str) -> None:
        for tier_id in tier_ids:
            if self.tiers.rank(tier_id) is None:
                known = ", ".join(tier.tier_id for tier in self.tiers.levels)
                raise ValueError(f"{where} names the tier {tier_id!r}, which is not one of: {known}")

    def reward(self, reward_id: str) -> "Reward | None":
        """The reward of that id, if there is one."""
        return next((reward for reward in self.redeeming.rewards if reward.reward_id == reward_id), None)
