"""What callers are shown: the shapes of the HTTPS contract, made from accounts, entries, members and rewards."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from shared.domain.account import Account, Entry, Lots, Piece, Traits
from shared.domain.calendar import local_day
from shared.domain.earning.challenges import Course, courses
from shared.domain.earning.earnings import Earned
from shared.domain.fields import Record
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.members.members import Consent, Member, Preferences
from shared.domain.points.expiry import date_of, ends_on
from shared.domain.points.paid_plans import current
from shared.domain.points.tiers import held_tier, qualifying
from shared.domain.program.program import Program, Reward
from shared.domain.spending.pools import pool_among, united
from shared.domain.spending.redemptions import State, nearest_reward, reward_value, voucher_code, why_unavailable
from shared.domain.subaccounts import is_wallet, member_of


class Money(Record):
    """An amount in minor units of an ISO 4217 currency."""

    amount: int
    currency: str


class NextTier(Record):
    """The tier above: what is missing, in the program's measure, and how far the member is in whole percent."""

    tier_id: str
    name: str
    missing: int
    percent: int


class TierAnswer(Record):
    """The tier held, the day it is reviewed on (null: never), what counts, and what is missing to keep it."""

    tier_id: str
    name: str
    since: date
    review_on: date | None
    qualifying: int
    to_keep: int
    benefits: tuple[str, ...]
    next: NextTier | None


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


class TraitsAnswer(Record):
    """What segments look at in a member, beside points, tier and purchases."""

    member_id: str
    tags: tuple[str, ...]
    place: str | None
    opt_ins: tuple[str, ...]


class Effects(Record):
    """Signed changes of the four buckets."""

    available: int
    pending: int
    held: int
    debt: int


class BreakdownLine(Record):
    """One line of how points came about."""

    rule_id: str
    points: int
    description: str


class EntryAnswer(Record):
    """One line of the ledger. `lots` says which expiry dates it touched."""

    entry_id: str
    type: str
    points: int
    available_on: date | None
    expires_on: date | None
    occurred_at: datetime
    recorded_at: datetime
    source: dict[str, str]
    sequence: int
    balance_after: int
    effects: Effects
    lots: tuple[ExpiringPoints, ...]
    breakdown: tuple[BreakdownLine, ...]
    actor: str
    program_version: int


class BookedAnswer(Record):
    """The entry that was booked, and the account as it stands now."""

    entry: EntryAnswer
    account: AccountAnswer


class EntryPage(Record):
    """A page of the ledger, newest first."""

    items: tuple[EntryAnswer, ...]
    next_cursor: str | None


class QuoteAnswer(Record):
    """What an order would earn, and when those points would come and go."""

    points: int
    available_on: date | None
    expires_on: date | None
    breakdown: tuple[BreakdownLine, ...]


class MemberAnswer(Record):
    """Who a member is."""

    member_id: str
    status: str
    external_id: str | None
    email: str | None
    phone: str | None
    card_number: str | None
    name: str | None
    birthday: str | None
    locale: str | None
    place: Annotated[str | None, Field(exclude_if=lambda place: place is None)] = None
    consent: Consent
    message_preferences: Preferences
    referral_code: str | None
    channel: str | None
    enrolled_at: datetime
    merged_into: str | None


class RedemptionAnswer(Record):
    """A redemption: its state, what it took (no points, if credit) and gives, and what the member shows at the till."""

    redemption_id: str
    member_id: str
    state: State
    points: int
    value: Money | None
    voucher_code: str
    hold_expires_at: datetime
    reward_id: str | None
    order_id: str | None
    account: AccountAnswer | None = None


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


class ExportAnswer(Record):
    """Everything held about a member."""

    member: MemberAnswer
    also_known_as: tuple[dict[str, str], ...]
    referred_by_code: str | None
    account: AccountAnswer
    entries: tuple[EntryAnswer, ...]


def account_answer(account: Account, program: Program, now: datetime, others: Sequence[Account] = ()) -> AccountAnswer:
    """An account to the second, whether or not a job has booked what time has done."""
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


def entry_answer(entry: Entry) -> EntryAnswer:
    """An entry as callers see it."""
    return EntryAnswer(
        entry_id=entry.entry_id,
        type=entry.type,
        points=entry.points,
        available_on=entry.available_on,
        expires_on=entry.expires_on,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        source=dict(entry.source),
        sequence=entry.sequence,
        balance_after=entry.balance_after,
        effects=Effects(
            available=entry.available_effect, pending=entry.pending_effect, held=entry.held_effect, debt=entry.debt
        ),
        lots=points_by_day(entry.lots),
        breakdown=_lines(entry.breakdown),
        actor=entry.actor,
        program_version=entry.program_version,
    )


def booked_answer(
    entry: Entry, account: Account, program: Program, now: datetime, others: Sequence[Account] = ()
) -> BookedAnswer:
    """An entry and the account beside it; `others` may have its pool."""
    return BookedAnswer(entry=entry_answer(entry), account=account_answer(account, program, now, others))


def quote_answer(
    earned: Earned, program: Program, account: Account | None, placed_on: date, today: date
) -> QuoteAnswer:
    """What an order placed on a day would earn a member, or a newcomer (None)."""
    available_on = placed_on + timedelta(days=program.earning.pending_days)
    return QuoteAnswer(
        points=earned.points,
        available_on=available_on if available_on > today else None,
        expires_on=ends_on(account, program, program.expiry, available_on),
        breakdown=_lines(earned.breakdown),
    )


def member_answer(member: Member) -> MemberAnswer:
    """A member as callers see them."""
    names = set(MemberAnswer.model_fields)
    return MemberAnswer.model_validate({name: getattr(member, name) for name in names})


def traits_answer(member_id: str, traits: Traits) -> TraitsAnswer:
    """A member's traits."""
    return TraitsAnswer(member_id=member_id, tags=traits.tags, place=traits.place, opt_ins=traits.opt_ins)


def redemption_answer(
    entry: Entry, state: State, program: Program, account: AccountAnswer | None = None
) -> RedemptionAnswer:
    """A redemption, from any entry of its life and the state it is in."""
    [(redemption_id, hold)] = {**entry.opened, **entry.closed, **entry.reversed}.items()
    return RedemptionAnswer(
        redemption_id=redemption_id,
        member_id=member_of(entry.member_id) or "",
        state=state,
        points=0 if is_wallet(entry.member_id) else hold.points,
        value=_money(hold.value, program),
        voucher_code=voucher_code(redemption_id),
        hold_expires_at=hold.expires_at,
        reward_id=hold.reward_id,
        order_id=hold.order_id,
        account=account,
    )


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
        value=_money(reward_value(reward), program),
        percent=getattr(reward, "percent", None),
        sku=getattr(reward, "sku", None),
        partner_id=getattr(reward, "partner_id", None),
        stock_left=left,
        minimum_tier=reward.minimum_tier,
        starts_on=reward.starts_on,
        ends_on=reward.ends_on,
        **for_member,
    )


def _tier_answer(account: Account, program: Program, today: date) -> TierAnswer:
    tiers = program.tiers
    standing = account.standing()
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
        since=standing.since,
        review_on=standing.review_on,
        qualifying=counted,
        to_keep=max(0, tier.threshold - counted),
        benefits=tier.benefits,
        next=upper,
    )


def _badges(account: Account, program: Program) -> tuple[BadgeAnswer, ...]:
    names = {challenge.challenge_id: challenge.name for challenge in program.challenges}
    return tuple(
        BadgeAnswer(badge_id=badge_id, name=names.get(badge_id, badge_id), on=badge.on, times=badge.times)
        for badge_id, badge in account.badges.items()
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


def points_by_day(lots: Lots) -> tuple[ExpiringPoints, ...]:
    """Lots as callers see them, the soonest to expire first."""
    return tuple(ExpiringPoints(on=date_of(day), points=points) for day, points in sorted(lots.items()))


def _lines(pieces: tuple[Piece, ...]) -> tuple[BreakdownLine, ...]:
    return tuple(
        BreakdownLine(rule_id=piece.rule_id, points=piece.points, description=piece.description) for piece in pieces
    )


def _money(amount: int | None, program: Program) -> Money | None:
    return None if amount is None else Money(amount=amount, currency=program.currency)


def _next_reward(account: Account, program: Program, today: date) -> NextReward | None:
    reward = nearest_reward(account, program, today)
    if reward is None:
        return None
    return NextReward(reward_id=reward.reward_id, name=reward.name, missing=reward.points - account.balance)
