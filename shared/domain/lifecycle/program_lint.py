"""What a program may say and had better not: legal, but unwise. Each piece of advice names its place.

What counts as unwise are rules of thumb, each named once below.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from shared.domain.program.campaigns import Campaign
from shared.domain.program.challenges import Challenge, Count, Streak, Visits
from shared.domain.program.expiry import CalendarDate, Inactivity, Term
from shared.domain.program.given_vouchers import GivenVoucher, OnAbsence, OnBadge, OnReferral
from shared.domain.program.program import Program, Reward
from shared.domain.program.rules import WEEKDAYS, Multiply, When
from shared.domain.program.segments import Segment
from shared.domain.spending.prices import reward_value

GIVEN_BACK_PERCENT_MAX = 20
"""Of what members spend: more is rarely meant."""
HOLD_OUT_PERCENT_WISE_MAX = 50
MULTIPLY_PERCENT_WISE_MAX = 1000
REWARD_WORTH_TIMES_MAX = 2
"""A reward worth more than this many times its points as money leaves nobody a reason to spend them otherwise."""
AFFORDABLE_TIERS = 3
"""Who earns so many times the highest tier's threshold within the points' life is about the best customer there is."""
DAYS_PER_MONTH_MIN = 28
_WEEK = 7


class Advice(NamedTuple):
    """What is unwise, and where, as a JSON pointer into the program."""

    pointer: str
    text: str


def advice(program: Program, today: date) -> list[Advice]:
    """Everything that is legal but unwise about a program, as of a day in its own time zone."""
    return [
        *_on_earning(program),
        *_on_rules(program, today),
        *_on_campaigns(program, today),
        *_on_tiers(program),
        *_on_rewards(program, today),
        *_on_times(program),
        *_on_segments(program),
        *_on_challenges(program, today),
        *_on_friends(program, today),
        *_on_cashback(program),
        *_on_plans(program),
        *_on_privacy(program),
        *_on_partners(program),
        *_on_vouchers(program),
        *_on_farming(program),
    ]


def life_days(program: Program) -> int | None:
    """How many days points live at least; None: they do not expire."""
    policy = program.expiry
    if isinstance(policy, Term):
        return policy.days if policy.months is None else policy.months * DAYS_PER_MONTH_MIN
    if isinstance(policy, Inactivity):
        return policy.months * DAYS_PER_MONTH_MIN
    return policy.minimum_days if isinstance(policy, CalendarDate) else None


def _on_earning(program: Program) -> Iterator[Advice]:
    earning, rate = program.earning, program.redeeming.points_as_money
    if rate and earning.points * rate.amount * 100 > GIVEN_BACK_PERCENT_MAX * earning.per_amount * rate.points:
        given = earning.points * rate.amount * 100 // (earning.per_amount * rate.points)
        yield Advice("/earning/points", f"base points alone give back {given} % of what is spent, as points are money")
    for number, action in enumerate(earning.actions):
        if action.limit is None and action.cool_off_days is None and not action.approval:
            at = f"/earning/actions/{number}"
            yield Advice(at, f"action {action.action_id!r} pays every time: give it a limit, a cool-off or approval")
    terms = program.automatic_enrolment
    if terms and terms.points_max is None:
        yield Advice("/automatic_enrolment", "points of people who never agreed may grow without bound: set points_max")


def _on_rules(program: Program, today: date) -> Iterator[Advice]:
    for number, rule in enumerate(program.earning.rules):
        at = f"/earning/rules/{number}"
        why = _never_applies(program, rule.when, today)
        if why:
            yield Advice(f"{at}/when", f"rule {rule.rule_id!r} never applies: {why}")
        if rule.when.codes and rule.limit is None:
            yield Advice(at, f"rule {rule.rule_id!r} pays for each order that names a code: set limit")
        if isinstance(rule.effect, Multiply) and rule.effect.percent > MULTIPLY_PERCENT_WISE_MAX:
            yield Advice(
                f"{at}/effect", f"rule {rule.rule_id!r} pays {rule.effect.percent} % of the base: 200 doubles it"
            )


def _on_campaigns(program: Program, today: date) -> Iterator[Advice]:
    for number, campaign in enumerate(program.campaigns):
        at, name = f"/campaigns/{number}", f"campaign {campaign.campaign_id!r}"
        why = _never_applies(program, campaign.when, today)
        if why:
            yield Advice(f"{at}/when", f"{name} never applies: {why}")
        for partner in (one for one in program.partners if one.partner_id in campaign.when.partner_ids):
            if "campaigns" not in partner.counts_toward:
                text = f"{name} passes over orders at {partner.name}, which do not count toward campaigns"
                yield Advice(f"{at}/when/partner_ids", text)
        yield from _on_campaign(campaign, at, name)


def _on_campaign(campaign: Campaign, at: str, name: str) -> Iterator[Advice]:
    if campaign.budget is None:
        yield Advice(at, f"{name} has no budget: nothing bounds what it gives away")
    if campaign.hold_out_percent > HOLD_OUT_PERCENT_WISE_MAX:
        yield Advice(
            f"{at}/hold_out_percent", f"{name} holds {campaign.hold_out_percent} % of members out: most get nothing"
        )
    if isinstance(campaign.effect, Multiply) and campaign.effect.percent > MULTIPLY_PERCENT_WISE_MAX:
        yield Advice(f"{at}/effect", f"{name} pays {campaign.effect.percent} % of the base: 200 doubles it")


def _on_partners(program: Program) -> Iterator[Advice]:
    for number, partner in enumerate(program.partners):
        takes, limits = partner.may_redeem or partner.takes_points_as_money, partner.limits
        if takes and limits.redeemed_points_per_member_day is None and limits.redeemed_points_per_day is None:
            text = f"nothing bounds what {partner.name} redeems in a day: set redeemed_points_per_member_day"
            yield Advice(f"/partners/{number}/limits", text)


def _on_tiers(program: Program) -> Iterator[Advice]:
    levels, most = program.tiers.levels, _points_max(program, 365)
    for number, tier in enumerate(levels[1:], start=1):
        at, below = f"/tiers/levels/{number}", levels[number - 1]
        if tier.percent < below.percent:
            yield Advice(
                f"{at}/percent",
                f"tier {tier.tier_id!r} earns {tier.percent} %, less than {below.tier_id!r} below it: out of order?",
            )
        counts_a_year = program.tiers.measure == "points" and program.tiers.period != "lifetime"
        if counts_a_year and most is not None and tier.threshold > most:
            yield Advice(
                f"{at}/threshold",
                f"tier {tier.tier_id!r} is out of reach: nobody may earn more than {most} points in a year",
            )
        if tier.percent == below.percent and not set(tier.benefits) - set(below.benefits):
            yield Advice(at, f"tier {tier.tier_id!r} gives nothing that {below.tier_id!r} does not")


def _on_rewards(program: Program, today: date) -> Iterator[Advice]:
    for number, reward in enumerate(program.redeeming.rewards):
        at, name = f"/redeeming/rewards/{number}", f"reward {reward.reward_id!r}"
        yield from _on_worth(program, reward, at, name)
        most = _affordable_max(program)
        if most is not None and reward.points > most:
            yield Advice(
                f"{at}/points", f"{name} costs {reward.points} points: nobody saves up over {most} before they expire"
            )
        if reward.ends_on is not None and reward.ends_on < today:
            yield Advice(f"{at}/ends_on", f"{name} ended on {reward.ends_on}")
        if reward.stock == 0:
            yield Advice(f"{at}/stock", f"{name} has no stock: nobody can have it")
        tiers = _tier_ids_from(program, reward.minimum_tier)
        if reward.segments and not tiers & _tiers_of_segments(program, reward.segments):
            yield Advice(at, f"{name} is for nobody: its segments have no member in {reward.minimum_tier!r} or above")


def _on_vouchers(program: Program) -> Iterator[Advice]:
    given = {gift.reward_id for gift in program.given_vouchers}
    for number, reward in enumerate(program.redeeming.rewards):
        at, name = f"/redeeming/rewards/{number}", f"reward {reward.reward_id!r}"
        if reward.voucher is not None and reward.voucher.valid_days is None:
            yield Advice(f"{at}/voucher", f"vouchers of {name} never end, and are owed until then: set valid_days")
        if not reward.offered and reward.reward_id not in given:
            yield Advice(f"{at}/offered", f"{name} is neither offered nor given: nobody can have it")
    for number, gift in enumerate(program.given_vouchers):
        if gift.limit is None and (why := _farmed(program, gift)):
            yield Advice(f"/given_vouchers/{number}", f"gift {gift.gift_id!r} comes again and again{why}: set limit")


def _farmed(program: Program, gift: GivenVoucher) -> str | None:
    """By what a gift without a limit is had as often as one likes; None: by nothing."""
    if isinstance(gift.on, OnBadge):
        challenge = next(one for one in program.challenges if one.challenge_id == gift.on.challenge_id)
        is_bounded = not challenge.repeatable or (_spend_min(challenge) or 0) > 0
        return None if is_bounded else f" with {challenge.name!r}, for orders of any amount"
    if isinstance(gift.on, OnReferral) and program.referrals and program.referrals.limit is None:
        return " with friends"
    if isinstance(gift.on, OnAbsence):
        return " for an order of any amount now and then"
    return None


def _on_worth(program: Program, reward: Reward, at: str, name: str) -> Iterator[Advice]:
    rate, value = program.redeeming.points_as_money, reward_value(reward)
    if rate is None or value is None:
        return
    worth = reward.points * rate.amount // rate.points
    if value < worth:
        yield Advice(
            at, f"{name} gives {value} minor units for {reward.points} points, which are worth {worth} as money"
        )
    elif value > REWARD_WORTH_TIMES_MAX * worth:
        yield Advice(
            at, f"{name} gives {value} minor units for {reward.points} points, which as money are worth {worth} only"
        )


def _on_times(program: Program) -> Iterator[Advice]:
    life = life_days(program)
    if life is None:
        return
    if program.redeeming.hold_minutes > life * 24 * 60:
        yield Advice("/redeeming/hold_minutes", f"a hold lasts longer than points live ({life} days)")
    if program.earning.pending_days >= life:
        yield Advice(
            "/earning/pending_days",
            f"points wait {program.earning.pending_days} days before they can be spent, and live {life} days then",
        )
    if program.redeeming.returned_points_grace_days > life:
        yield Advice(
            "/redeeming/returned_points_grace_days", f"points that come back live longer than new ones ({life} days)"
        )
    for number, ahead in enumerate(program.messages.reminder_days):
        if ahead >= life:
            yield Advice(
                f"/messages/reminder_days/{number}", f"reminds {ahead} days ahead of points that live {life} days"
            )
    if not program.messages.reminder_days:
        yield Advice("/messages/reminder_days", "points expire, and nobody is told before they do")


def _on_segments(program: Program) -> Iterator[Advice]:
    for number, segment in enumerate(program.segments.named if program.segments else ()):
        if not _tiers_of(program, segment):
            yield Advice(
                f"/segments/named/{number}", f"segment {segment.segment_id!r} is empty: no tier fits all its conditions"
            )


def _on_challenges(program: Program, today: date) -> Iterator[Advice]:
    for number, challenge in enumerate(program.challenges):
        at, name = f"/challenges/{number}", f"challenge {challenge.challenge_id!r}"
        if challenge.ends_on is not None and challenge.ends_on < today:
            yield Advice(f"{at}/ends_on", f"{name} ended on {challenge.ends_on}")
        least = _spend_min(challenge)
        if least is None or not challenge.points:
            continue
        earned = least * program.earning.points // program.earning.per_amount
        if least == 0 and challenge.repeatable:
            yield Advice(at, f"{name} pays again and again for orders of any amount: set minimum_spend")
        elif least and challenge.points > earned:
            yield Advice(
                f"{at}/points",
                f"{name} pays {challenge.points} points for orders that may earn only {earned} by themselves",
            )


def _on_friends(program: Program, today: date) -> Iterator[Advice]:
    terms = program.referrals
    if terms is not None:
        if terms.limit is None:
            yield Advice("/referrals", "one member may bring friends without limit: set limit")
        if not terms.minimum_spend and terms.advocate_points:
            yield Advice("/referrals", "a friend's purchase of any amount pays the advocate: set minimum_spend")
        if not terms.return_days and terms.advocate_points:
            yield Advice("/referrals/return_days", "the advocate is paid before the friend's purchase can be returned")
        if terms.ends_on is not None and terms.ends_on < today:
            yield Advice("/referrals/ends_on", f"referrals ended on {terms.ends_on}")
    if program.gifts and program.gifts.limit is None and program.gifts.points_max is None:
        yield Advice("/gifts", "a thief of an account can give all its points away: set limit or points_max")


def _on_cashback(program: Program) -> Iterator[Advice]:
    terms = program.cashback
    if terms is None:
        return
    if terms.amount * 100 > GIVEN_BACK_PERCENT_MAX * terms.per_amount:
        given = terms.amount * 100 // terms.per_amount
        yield Advice("/cashback/amount", f"cashback gives back {given} % of what is spent")
    if terms.cash_payouts and not terms.pending_days:
        yield Advice("/cashback/pending_days", "credit is paid out as cash before its order can be returned")


def _on_plans(program: Program) -> Iterator[Advice]:
    for number, plan in enumerate(program.memberships):
        if plan.tier_id is None and plan.percent <= 100 and not plan.benefits:  # noqa: PLR2004 - 100 is no more than all
            yield Advice(f"/memberships/{number}", f"plan {plan.plan_id!r} gives nothing for its price")


def _on_privacy(program: Program) -> Iterator[Advice]:
    terms, life = program.privacy, life_days(program)
    if terms is None:
        return
    if life is not None and terms.inactive_months * DAYS_PER_MONTH_MIN < life:
        yield Advice("/privacy/inactive_months", "members are erased while points that they hold can still be spent")


def _on_farming(program: Program) -> Iterator[Advice]:
    """What lets somebody make points out of nothing, again and again."""
    earning, moves = program.earning, []
    if earning.rounding == "up" and not earning.minimum_spend:
        yield Advice(
            "/earning/minimum_spend",
            "rounding up gives a point for the smallest order, and a purchase can be split into many:"
            ' set minimum_spend, or rounding to "down"',
        )
    moves += ["transferred"] if program.transfers else []
    moves += ["counted toward badges that bring more"] if any(one.points for one in program.challenges) else []
    if moves and not earning.pending_days:
        yield Advice(
            "/earning/pending_days",
            f"points can be {' and '.join(moves)} while the goods that brought them can go back:"
            " set pending_days to as many days as an order can be returned",
        )
    yield from _on_worth_of_others(program)


def _on_worth_of_others(program: Program) -> Iterator[Advice]:
    """What costs somebody less than it is worth as money: a partner's points, a friend's first order."""
    rate, terms = program.redeeming.points_as_money, program.referrals
    if rate is None:
        return
    for number, partner in enumerate(program.partners):
        cost = partner.point_cost
        if partner.may_earn and cost.amount * rate.points < rate.amount * cost.points:
            least = -(-rate.amount * cost.points // rate.points)
            yield Advice(
                f"/partners/{number}/point_cost",
                f"partner {partner.partner_id!r} pays {cost.amount} for {cost.points} points, which are worth {least}"
                f" as money: it gains by giving them to itself; set amount to {least} or more",
            )
    if terms is None or not terms.minimum_spend:
        return
    given = (terms.advocate_points + terms.friend_points) * rate.amount // rate.points
    if given > terms.minimum_spend:
        yield Advice(
            "/referrals/minimum_spend",
            f"a referral brings both together what is worth {given}, for an order of {terms.minimum_spend}:"
            f" an invented friend pays for itself; set minimum_spend above {given}, or fewer points",
        )


def _never_applies(program: Program, when: When, today: date) -> str | None:
    if when.ends_on is not None and when.ends_on < today:
        return f"its last day was {when.ends_on}"
    if when.weekdays and not _has_weekday(when):
        return f"none of its days is a {' or '.join(when.weekdays)}"
    excluded = program.earning.excluded_categories
    if when.categories and set(when.categories) <= set(excluded):
        return f"{', '.join(when.categories)} is excluded from earning"
    if when.skus and set(when.skus) <= set(program.earning.excluded_skus):
        return f"{', '.join(when.skus)} is excluded from earning"
    if when.tiers and when.segments and not set(when.tiers) & _tiers_of_segments(program, when.segments):
        return "its segments have no member in any of its tiers"
    return None


def _has_weekday(when: When) -> bool:
    if when.starts_on is None or when.ends_on is None or (when.ends_on - when.starts_on).days >= _WEEK - 1:
        return True
    days = [when.starts_on + timedelta(days=count) for count in range((when.ends_on - when.starts_on).days + 1)]
    return any(WEEKDAYS[day.weekday()] in when.weekdays for day in days)


def _tiers_of_segments(program: Program, segment_ids: Sequence[str]) -> set[str]:
    named = program.segments.named if program.segments else ()
    found: set[str] = set()
    for segment in named:
        if segment.segment_id in segment_ids:
            found |= _tiers_of(program, segment)
    return found


def _tiers_of(program: Program, segment: Segment) -> set[str]:
    """The tiers that members of a segment may hold."""
    tiers = _tier_ids_from(program, None)
    for condition in segment.all:
        tiers &= set(condition.tiers) or tiers
    if segment.any and all(condition.tiers for condition in segment.any):
        tiers &= {tier_id for condition in segment.any for tier_id in condition.tiers}
    for condition in segment.none:
        if condition.tiers and condition.model_fields_set == {"tiers"}:
            tiers -= set(condition.tiers)
    return tiers


def _tier_ids_from(program: Program, minimum: str | None) -> set[str]:
    lowest = program.tiers.rank(minimum) or 0 if minimum else 0
    return {tier.tier_id for tier in program.tiers.levels[lowest:]}


def _points_max(program: Program, days: int) -> int | None:
    """The most that orders and actions may earn in so many days; None: there is no bound."""
    per_day = program.standing_rules.caps.points_per_day if program.standing_rules else None
    return None if per_day is None else per_day * days


def _affordable_max(program: Program) -> int | None:
    """More points than anybody has together before they expire; None where nothing says how many that are."""
    life = life_days(program)
    if life is None or isinstance(program.expiry, Inactivity):
        return None
    tiers, earning = program.tiers, program.earning
    top = tiers.levels[-1].threshold
    points = top if tiers.measure == "points" else top * earning.points // earning.per_amount
    years = max(1, -(-life // 365))
    known = [
        *([points * AFFORDABLE_TIERS * years] if points and tiers.period != "lifetime" else []),
        *([most + earning.welcome_points] if (most := _points_max(program, life)) is not None else []),
    ]
    return min(known, default=None)


def _spend_min(challenge: Challenge) -> int | None:
    """The least that must be spent for a badge, in minor units; None where it takes no orders."""
    goal = challenge.goal
    if isinstance(goal, Count):
        if goal.of == "amount":
            return goal.target
        return challenge.minimum_spend * goal.target if goal.of == "orders" else None
    return challenge.minimum_spend * goal.target if isinstance(goal, Visits | Streak) else None
