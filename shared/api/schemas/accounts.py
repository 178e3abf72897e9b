"""An account as callers see it."""

from collections.abc import Sequence
from datetime import date, datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.challenges import Course, courses, is_held
from shared.domain.fields import Record
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.lots import Lots
from shared.domain.points.expiry import by_last_day
from shared.domain.points.paid_plans import current
from shared.domain.points.tiers import held_tier, qualifying
from shared.domain.program.program import Program
from shared.domain.spending.pools import pool_among, united
from shared.domain.spending.prices import nearest_reward


class NextTier(Record):
    """The tier above: what is missing, in the program's measure, and how far the member is in whole percent."""

    tier_id: str
    name: str
    missing: int
    percent: int


class TierAnswer(Record):
    """The tier held, the day it is reviewed on (null: never), what counts, and what is missing to keep it.

    `set_until`: through which day the shop has set at least a tier by hand.
    """

    tier_id: str
    name: str
    since: date
    review_on: date | None
    qualifying: int
    to_keep: int
    benefits: tuple[str, ...]
    next: NextTier | None
    set_until: date | None = None


class ExpiringPoints(Record):
    """Points that can be spent until the end of a day; null: without end."""

    on: date | None
    points: int


class NextReward(Record):
    """The nearest reward that the balance does not yet cover."""

    reward_id: str
    name: str
    missing: int


class BadgeAnswer(Record):
    """A badge held: since when, and how often it was earned."""

    badge_id: str
    name: str
    on: date
    times: int


class ChallengeAnswer(Record):
    """How far the member has come with a challenge, in whole percent."""

    challenge_id: str
    name: str
    done: int
    target: int
    percent: int
    points: int


class MembershipAnswer(Record):
    """The paid membership that runs."""

    plan_id: str
    name: str
    since: date
    paid_through: date
    benefits: tuple[str, ...]


class PoolShare(Record):
    """The pool that a member shares in, how many points are in it, and with how many members it is shared."""

    pool_id: str
    balance: int
    members: int


class AccountAnswer(Record):
    """What a member can spend, points of their pool included, to the second of `as_of`. `expiring` adds up to it."""

    member_id: str
    status: str
    balance: int
    pending: int
    held: int
    debt: int
    frozen: bool
    lifetime_earned: int
    tier: TierAnswer
    expiring: tuple[ExpiringPoints, ...]
    next_reward: NextReward | None
    badges: tuple[BadgeAnswer, ...] = ()
    challenges: tuple[ChallengeAnswer, ...] = ()
    membership: MembershipAnswer | None = None
    pool: PoolShare | None = None
    as_of: datetime


def account_answer(account: Account, program: Program, now: datetime, others: Sequence[Account] = ()) -> AccountAnswer:
    """An account to the second of `now`, whatever the schedules have booked by then."""
    account = up_to_date(account, program, now)
    pool = pool_among(account, others)
    if pool is not None:
        pool = up_to_date(pool, program, now)
    account = united(account, pool)
    today = local_day(now, program.time_zone)
    return AccountAnswer(
        member_id=account.member_id,
        status=account.status,
        balance=account.balance,
        pending=account.pending_points,
        held=account.held_points,
        debt=account.debt,
        frozen=bool(account.frozen),
        lifetime_earned=account.earned,
        tier=_tier_answer(account, program, today),
        expiring=points_by_day(account.lots),
        next_reward=_next_reward(account, program, today),
        badges=_badges(account, program),
        challenges=tuple(_challenge(course) for course in courses(account, program, today)),
        membership=_membership(account, program),
        pool=None if pool is None else _share(account.pool_id or "", pool),
        as_of=now,
    )


def points_by_day(lots: Lots) -> tuple[ExpiringPoints, ...]:
    """Lots as callers see them, the soonest to expire first."""
    return tuple(ExpiringPoints(on=day, points=points) for day, points in by_last_day(lots).items())


def _tier_answer(account: Account, program: Program, today: date) -> TierAnswer:
    tiers = program.tiers
    tier_status = account.tier_status()
    tier = held_tier(account, tiers, today)
    counted = qualifying(account, tiers, today)
    above = tiers.levels[tiers.levels.index(tier) + 1 :]
    upper = None
    if above:
        missing = max(0, above[0].threshold - counted)
        percent = min(100, counted * 100 // above[0].threshold)
        upper = NextTier(tier_id=above[0].tier_id, name=above[0].name, missing=missing, percent=percent)
    return TierAnswer(
        tier_id=tier.tier_id,
        name=tier.name,
        since=tier_status.since,
        review_on=tier_status.review_on,
        qualifying=counted,
        to_keep=max(0, tier.threshold - counted),
        benefits=tier.benefits,
        next=upper,
        set_until=account.tier_by_hand.until if account.tier_by_hand else None,
    )


def _badges(account: Account, program: Program) -> tuple[BadgeAnswer, ...]:
    names = {challenge.challenge_id: challenge.name for challenge in program.challenges}
    return tuple(
        BadgeAnswer(badge_id=badge_id, name=names.get(badge_id, badge_id), on=badge.on, times=badge.times)
        for badge_id, badge in account.badges.items()
        if is_held(badge)
    )


def _challenge(course: Course) -> ChallengeAnswer:
    challenge = course.challenge
    return ChallengeAnswer(
        challenge_id=challenge.challenge_id,
        name=challenge.name,
        done=course.done,
        target=course.target,
        percent=course.percent,
        points=challenge.points,
    )


def _membership(account: Account, program: Program) -> MembershipAnswer | None:
    membership = current(account)
    if membership is None:
        return None
    plan = program.plan(membership.plan_id)
    return MembershipAnswer(
        plan_id=membership.plan_id,
        name=plan.name if plan else membership.plan_id,
        since=membership.since,
        paid_through=membership.paid_through,
        benefits=plan.benefits if plan else (),
    )


def _share(pool_id: str, pool: Account) -> PoolShare:
    return PoolShare(pool_id=pool_id, balance=pool.balance, members=len(pool.pool_members))


def _next_reward(account: Account, program: Program, today: date) -> NextReward | None:
    reward = nearest_reward(account, program, today)
    if reward is None:
        return None
    return NextReward(reward_id=reward.reward_id, name=reward.name, missing=reward.points - account.balance)
