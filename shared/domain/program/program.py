"""The program: everything a shop decides about its points, as one versioned piece of data.

Money is in minor units of the program's currency, points are integers, shares and factors are whole percents.
Days are days in the program's time zone, first and last included.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.domain.fields import (
    Amount,
    Count,
    Currency,
    Days,
    Flag,
    Locale,
    Points,
    PositiveAmount,
    PositivePoints,
    Reference,
    Slug,
    Stored,
    Text,
    TimeZone,
)
from shared.domain.program.agents import Agents
from shared.domain.program.anniversaries import Celebrations
from shared.domain.program.automatic_enrolment import AutomaticEnrolment
from shared.domain.program.campaigns import Campaigns
from shared.domain.program.cashback import Cashback
from shared.domain.program.challenges import CHALLENGES_MAX, Challenge
from shared.domain.program.common import Filter, Limit, Percent, Rounding, Times, Validity, require_unique
from shared.domain.program.eligibility import StandingRules
from shared.domain.program.expiry import Expiry
from shared.domain.program.given_vouchers import GivenVoucher, GivenVouchers, OnAbsence, OnBadge, OnBirthday, OnTier
from shared.domain.program.messages import Messages
from shared.domain.program.operators import Operators
from shared.domain.program.paid_plans import PLANS_MAX, Plan
from shared.domain.program.partners import Partner, Partners
from shared.domain.program.privacy import Privacy
from shared.domain.program.referrals import Referrals
from shared.domain.program.rules import Rule, SegmentIds
from shared.domain.program.segments import Segments
from shared.domain.program.sharing import Gifts, Pools, Transfers

RULES_MAX = 100
REWARDS_MAX = 200
TIERS_MAX = 10
LANGUAGES_MAX = 30
ACTIONS_MAX = 50


def _known_currency(code: str) -> str:
    from iso4217 import Currency as Iso4217  # noqa: PLC0415 - parses its tables; only storing a program needs it

    try:
        Iso4217(code)
    except ValueError as error:
        raise ValueError(f"{code!r} is not an ISO 4217 currency, such as EUR") from error
    return code


class Action(Stored):
    """Something other than an order that earns points, every `cool_off_days` at most.

    With `approval`, the points wait for an operator, and live from the approval on.
    """

    action_id: Slug
    description: Text
    points: PositivePoints
    limit: Limit | None = None
    cool_off_days: Annotated[Days, Field(ge=1)] | None = None
    approval: Flag = False


class Earning(Stored):
    """`points` for each `per_amount` minor units, at most `base_max` of an order, rounded once with all bonuses.

    With `whole_steps` only full `per_amount` count: 5 points for each full 2.50 are 5 for 3.00.

    One order or action brings at most `entry_max`, whatever its amount and pieces, and whatever the rules make of them.

    What happened longer than `late_days` ago is not taken any more, unless it is imported.
    """

    points: PositivePoints
    per_amount: PositiveAmount
    whole_steps: Flag = False
    description: Text
    base_max: PositivePoints | None = None
    rounding: Rounding = "down"
    minimum_spend: Amount = 0
    excluded_categories: Filter = ()
    excluded_skus: Filter = ()
    pending_days: Days = 0
    late_days: Days = 30
    entry_max: PositivePoints = 1_000_000
    welcome_points: Points = 0
    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)] = ()
    actions: Annotated[tuple[Action, ...], Field(max_length=ACTIONS_MAX)] = ()


class Tier(Stored):
    """A level that members reach; `percent` multiplies the base points of what they earn, 100 being none."""

    tier_id: Slug
    name: Text
    threshold: Count
    percent: Annotated[int, Field(strict=True, ge=100, le=10_000)] = 100
    benefits: Annotated[tuple[Text, ...], Field(max_length=20)] = ()


class Tiers(Stored):
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


class VoucherTerms(Stored):
    """What a reward's voucher is like: it is fetched by its code, until `valid_days` after it was issued.

    With `in_parts` it may be used little by little: money off by amounts, other things by pieces. With `own_codes` it
    has one of the codes that the shop has added, else one that is drawn.
    """

    valid_days: Annotated[Days, Field(ge=1)] | None = None
    in_parts: Flag = False
    own_codes: Flag = False


PictureUrl = Annotated[str, StringConstraints(strict=True, pattern=r"^https://[^\s\"'<>]+$", max_length=500)]


class RewardText(Stored):
    """A reward's words in another language."""

    name: Text
    description: Text | None = None


class EarlyAccess(Stored):
    """Members from a tier up have a reward so many days before it starts for all."""

    tier_id: Slug
    days: Annotated[Days, Field(ge=1, le=366)]


class _Reward(Validity):
    reward_id: Slug
    name: Text
    description: Text | None = None
    points: PositivePoints
    offered: Flag = True
    """False: nobody has it for points, which then say what it is worth. It is given alone."""
    stock: Points | None = None
    minimum_tier: Slug | None = None
    segments: SegmentIds = ()
    limit: Times | None = None
    voucher: VoucherTerms | None = None
    """With it, what a redemption issues is a voucher that the shop looks up and uses by its code."""
    picture: PictureUrl | None = None
    translations: Annotated[Mapping[Locale, RewardText], Field(max_length=LANGUAGES_MAX)] = {}
    early_access: EarlyAccess | None = None

    @model_validator(mode="after")
    def _is_early_for_a_start(self) -> Self:
        if self.early_access is not None and self.starts_on is None:
            raise ValueError("early_access is before starts_on: give that, too")
        return self

    def text_in(self, locale: str) -> RewardText:
        """Its words in the nearest language: de-AT, then de, then as the program says them."""
        own = RewardText.model_construct(name=self.name, description=self.description)
        return self.translations.get(locale) or self.translations.get(locale.split("-", maxsplit=1)[0]) or own


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


class PointsAsMoney(Stored):
    """`points` are worth `amount` minor units of an order; a redemption pays at most `order_share_percent` of it."""

    points: PositivePoints
    amount: PositiveAmount
    minimum_points: Points = 0
    order_share_percent: Percent = 100


class Redeeming(Stored):
    """How points are spent, and what becomes of them when a redemption is undone after their date has passed."""

    points_as_money: PointsAsMoney | None = None
    hold_minutes: Annotated[int, Field(strict=True, ge=1, le=60 * 24 * 90)] = 30
    returned_points_grace_days: Days = 14
    rewards: Annotated[tuple[Reward, ...], Field(max_length=REWARDS_MAX)] = ()


class Program(Stored):
    """One version of a shop's program."""

    version: Annotated[int, Field(strict=True, ge=1)] = 1
    name: Text
    currency: Annotated[Currency, AfterValidator(_known_currency)]
    country: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}$")]
    time_zone: TimeZone
    earning: Earning
    expiry: Expiry
    refund_debt: Literal["allowed", "forgiven"] = "allowed"
    tiers: Tiers
    redeeming: Redeeming = Redeeming.model_construct()
    segments: Segments | None = None
    campaigns: Campaigns = ()
    messages: Messages = Messages.model_construct()
    challenges: Annotated[tuple[Challenge, ...], Field(max_length=CHALLENGES_MAX)] = ()
    memberships: Annotated[tuple[Plan, ...], Field(max_length=PLANS_MAX)] = ()
    referrals: Referrals | None = None
    automatic_enrolment: AutomaticEnrolment | None = None
    standing_rules: StandingRules | None = None
    celebrations: Celebrations | None = None
    operators: Operators | None = None
    cashback: Cashback | None = None
    pools: Pools | None = None
    gifts: Gifts | None = None
    transfers: Transfers | None = None
    sharing_limit: Limit | None = None
    """What a member may give away in a period, gifts and transfers together, beside the limits of each."""
    privacy: Privacy | None = None
    remembered_days: Days = 365
    """How long what ends with an account waits for the person: debt, a freeze, what is given once; 0: not at all."""
    partners: Partners = ()
    agents: Agents | None = None
    given_vouchers: GivenVouchers = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require_unique("rule_id", (rule.rule_id for rule in self.earning.rules))
        require_unique("action_id", (action.action_id for action in self.earning.actions))
        require_unique("reward_id", (reward.reward_id for reward in self.redeeming.rewards))
        require_unique("challenge_id", (challenge.challenge_id for challenge in self.challenges))
        require_unique("plan_id", (plan.plan_id for plan in self.memberships))
        for plan in self.memberships:
            self._require_tiers((plan.tier_id,) if plan.tier_id else (), f"plan {plan.plan_id!r}")
            if plan.deducts_used and self.redeeming.points_as_money is None:
                worth = "which has to say in points_as_money what they are worth"
                raise ValueError(f"plan {plan.plan_id!r} deducts the points it brought in a program {worth}")
        for rule in self.earning.rules:
            self._require_tiers(rule.when.tiers, f"rule {rule.rule_id!r}")
        for reward in self.redeeming.rewards:
            early = (reward.early_access.tier_id,) if reward.early_access else ()
            least = (reward.minimum_tier,) if reward.minimum_tier else ()
            self._require_tiers((*least, *early), f"reward {reward.reward_id!r}")
        return self

    @model_validator(mode="after")
    def _segments_and_campaigns(self) -> Self:
        require_unique("campaign_id", (campaign.campaign_id for campaign in self.campaigns))
        for segment in self.segments.named if self.segments else ():
            for condition in (*segment.all, *segment.any, *segment.none):
                self._require_tiers(condition.tiers, f"segment {segment.segment_id!r}")
        for rule in self.earning.rules:
            self._require_segments(rule.when.segments, f"rule {rule.rule_id!r}")
        for reward in self.redeeming.rewards:
            self._require_segments(reward.segments, f"reward {reward.reward_id!r}")
        for campaign in self.campaigns:
            self._require_tiers(campaign.when.tiers, f"campaign {campaign.campaign_id!r}")
            self._require_segments(campaign.when.segments, f"campaign {campaign.campaign_id!r}")
        for audience in self.messages.audiences:
            self._require_segments(audience.segments, f"messages of the kind {audience.kind!r}")
        return self

    @model_validator(mode="after")
    def _of_partners(self) -> Self:
        require_unique("partner_id", (partner.partner_id for partner in self.partners))
        for reward in self.redeeming.rewards:
            if self.partners and isinstance(reward, PartnerReward) and self.partner(reward.partner_id) is None:
                known = ", ".join(partner.partner_id for partner in self.partners)
                unknown = f"names the partner {reward.partner_id!r}, which is not one of: {known}"
                raise ValueError(f"reward {reward.reward_id!r} {unknown}")
        return self

    @model_validator(mode="after")
    def _of_given_vouchers(self) -> Self:
        require_unique("gift_id", (gift.gift_id for gift in self.given_vouchers))
        for gift in self.given_vouchers:
            self._require_gift(gift)
        birthday = self.celebrations.birthday if self.celebrations else None
        if birthday and not birthday.points and not any(isinstance(one.on, OnBirthday) for one in self.given_vouchers):
            raise ValueError("a birthday brings points, or a voucher of given_vouchers")
        return self

    def _require_gift(self, gift: GivenVoucher) -> None:
        where, reward = f"the given voucher {gift.gift_id!r}", self.reward(gift.reward_id)
        if reward is None or reward.voucher is None:
            raise ValueError(f"{where} needs a reward of the program that has a voucher, not {gift.reward_id!r}")
        if isinstance(gift.on, OnTier):
            self._require_tiers((gift.on.tier_id,), where)
        if isinstance(gift.on, OnBadge) and all(one.challenge_id != gift.on.challenge_id for one in self.challenges):
            raise ValueError(f"{where} names the challenge {gift.on.challenge_id!r}, which the program does not have")
        if isinstance(gift.on, OnBirthday) and (self.celebrations is None or self.celebrations.birthday is None):
            raise ValueError(f"{where} is for birthdays: say in celebrations from when on one is known")

    def _require_segments(self, segment_ids: Sequence[str], where: str) -> None:
        known = [segment.segment_id for segment in self.segments.named] if self.segments else []
        for segment_id in segment_ids:
            if segment_id not in known:
                names = ", ".join(known) or "none"
                raise ValueError(f"{where} names the segment {segment_id!r}, which is not one of: {names}")

    def _require_tiers(self, tier_ids: Sequence[str], where: str) -> None:
        for tier_id in tier_ids:
            if self.tiers.rank(tier_id) is None:
                known = ", ".join(tier.tier_id for tier in self.tiers.levels)
                raise ValueError(f"{where} names the tier {tier_id!r}, which is not one of: {known}")

    @property
    def wins_back(self) -> bool:
        """Whether members who stay away get something."""
        return any(isinstance(gift.on, OnAbsence) for gift in self.given_vouchers)

    def reward(self, reward_id: str) -> "Reward | None":
        """The reward of that id, if there is one."""
        return next((reward for reward in self.redeeming.rewards if reward.reward_id == reward_id), None)

    def plan(self, plan_id: str) -> Plan | None:
        """The plan of paid membership of that id, if there is one."""
        return next((plan for plan in self.memberships if plan.plan_id == plan_id), None)

    def partner(self, partner_id: str | None) -> Partner | None:
        """The partner of that id, if there is one."""
        return next((partner for partner in self.partners if partner.partner_id == partner_id), None)
