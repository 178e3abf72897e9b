"""Challenges: how far a member has come with each, and the badges that reaching a goal brings.

What an account keeps of a challenge is bounded: a count, a few days, or a few names. A refund takes nothing of it back;
badge points wait as many days as all others, so that a shop can let its returns pass first.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day, period_of
from shared.domain.earning.actions import Occasion
from shared.domain.earning.orders import Order
from shared.domain.entry import Entry, Piece
from shared.domain.facets import Badge, Progress
from shared.domain.ledger import book, draft
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.eligibility import points_for
from shared.domain.points.grants import granted, with_tier_raised
from shared.domain.program.challenges import KINDS_KEPT_MAX, Challenge, Count, Streak, Variety, Visits
from shared.domain.program.program import Program


class Deed(NamedTuple):
    """What an order or an action is to challenges; `amount` in minor units."""

    on: date
    points: int
    action: str | None = None
    amount: int = 0
    channel: str | None = None
    store_id: str | None = None
    categories: tuple[str, ...] = ()


class Course(NamedTuple):
    """A member's progress in a challenge: `done` out of `target`."""

    challenge: Challenge
    done: int
    target: int
    badge: Badge | None

    @property
    def percent(self) -> int:
        """Whole percent; 100 with the badge of a challenge that is not repeated."""
        if self.badge is not None and not self.challenge.repeatable:
            return 100
        return min(100, self.done * 100 // self.target)


def order_deed(program: Program, order: Order, entry: Entry) -> Deed:
    """What an order that `entry` credits is to challenges. It counts on the day it was placed, never a later one."""
    return Deed(
        on=local_day(min(order.placed_at, entry.recorded_at), program.time_zone),
        points=entry.points,
        amount=order.total,
        channel=order.channel,
        store_id=order.store_id,
        categories=tuple(line.category for line in order.lines if line.category),
    )


def action_deed(program: Program, occasion: Occasion, entry: Entry) -> Deed:
    """What an action that `entry` credits is to challenges."""
    on = local_day(min(occasion.occurred_at, entry.recorded_at), program.time_zone)
    return Deed(on=on, points=entry.points, action=occasion.action)


def approved_deed(program: Program, approval: Entry) -> Deed:
    """What an action that waited for `approval` is to challenges: it counts once it is approved, on that day."""
    on = local_day(approval.recorded_at, program.time_zone)
    return Deed(on=on, points=approval.earned, action=approval.source["action"])


def with_challenges(account: Account, program: Program, entry: Entry, deed: Deed) -> list[Entry]:
    """The entry of an order or action, with the progress that it makes, and after it an entry for each badge it brings.

    `account` is the one that the entry follows. What waits for approval does not count yet.
    """
    if deed.action is not None and UNTIL_APPROVED in entry.pending and entry.type == "earn":
        return [entry]
    progress: dict[str, Progress] = {}
    reached: list[Challenge] = []
    for challenge in program.challenges:
        if not _counts(challenge, account, deed):
            continue
        after = _advanced(challenge, account.progress.get(challenge.challenge_id, Progress()), deed)
        if _done(challenge, after) >= challenge.goal.target:
            reached.append(challenge)
            after = _begun_anew(challenge, after)
        if after != account.progress.get(challenge.challenge_id):
            progress[challenge.challenge_id] = after
    entries = [entry.model_copy(update={"progress": progress})] if progress else [entry]
    if reached:
        account = book(account, entries[0])
    for challenge in reached:
        badge = _badge_entry(account, program, challenge, entry)
        account = book(account, badge)
        entries.append(badge)
    return entries


def courses(account: Account, program: Program, today: date) -> list[Course]:
    """Every challenge that is on today, or whose badge the member holds, and how far they are."""
    return [
        Course(challenge, _done(challenge, _current(challenge, account, today)), challenge.goal.target, badge)
        for challenge in program.challenges
        if (badge := account.badges.get(challenge.challenge_id)) is not None or challenge.covers(today)
    ]


def merged_badges(gone: Account, into: Account) -> dict[str, Badge]:
    """The badges of a merged member that the other lacks, and those that both hold, since the earlier day."""
    badges = {}
    for name, badge in gone.badges.items():
        own = into.badges.get(name, badge)
        both = {"on": min(own.on, badge.on), "times": max(own.times, badge.times)}
        badges[name] = own.model_copy(update=both)
    return {name: badge for name, badge in badges.items() if into.badges.get(name) != badge}


def merged_progress(gone: Account, into: Account) -> dict[str, Progress]:
    """Of two accounts' progress, where the merged member's lies in a later period or is further on."""
    return {name: one for name, one in gone.progress.items() if _rank(one) > _rank(into.progress.get(name, Progress()))}


def _rank(progress: Progress) -> tuple[str, int]:
    return (progress.period, max(progress.count, progress.streak, len(progress.kinds), len(progress.days)))


def _counts(challenge: Challenge, account: Account, deed: Deed) -> bool:
    if not challenge.covers(deed.on) or (challenge.challenge_id in account.badges and not challenge.repeatable):
        return False
    if _wants_action(challenge) != (deed.action is not None):
        return isinstance(challenge.goal, Count) and challenge.goal.of == "points" and not challenge.actions
    filters = (
        (challenge.channels, (deed.channel,)),
        (challenge.store_ids, (deed.store_id,)),
        (challenge.categories, deed.categories),
        (challenge.actions, (deed.action,)),
    )
    return deed.amount >= challenge.minimum_spend and all(
        not wanted or any(one in wanted for one in given) for wanted, given in filters
    )


def _wants_action(challenge: Challenge) -> bool:
    goal = challenge.goal
    return bool(challenge.actions) or (isinstance(goal, Count | Variety) and goal.of == "actions")


def _advanced(challenge: Challenge, before: Progress, deed: Deed) -> Progress:
    goal = challenge.goal
    if isinstance(goal, Visits):
        return _visited(goal, before, deed.on)
    if isinstance(goal, Streak):
        return _streak(goal, before, deed.on)
    period = period_of(deed.on, goal.per)
    if before.period > period:  # an order that reaches us after its period is over
        return before
    kept = before if before.period == period else Progress(period=period)
    if isinstance(goal, Variety):
        kinds = sorted({*kept.kinds, *_kinds(goal, deed)})[:KINDS_KEPT_MAX]
        return kept.model_copy(update={"kinds": tuple(kinds)})
    gained = {"orders": 1, "actions": 1, "amount": deed.amount, "points": max(0, deed.points)}[goal.of]
    return kept.model_copy(update={"count": kept.count + gained})


def _visited(goal: Visits, before: Progress, day: date) -> Progress:
    if day.isoformat() <= before.period:  # the days up to then have brought a badge
        return before
    earliest = max([day, *before.days]) - timedelta(days=goal.within_days - 1)
    days = sorted({day, *before.days})
    return before.model_copy(update={"days": tuple(one for one in days if one >= earliest)[-goal.target :]})


def _streak(goal: Streak, before: Progress, day: date) -> Progress:
    period = period_of(day, goal.per)
    if before.period >= period:
        return before
    follows = before.period == _period_before(goal, day)
    return Progress(period=period, streak=before.streak + 1 if follows else 1)


def _period_before(goal: Streak, day: date) -> str:
    if goal.per == "month":
        return period_of(day.replace(day=1) - timedelta(days=1), "month")
    return period_of(day - timedelta(days=7 if goal.per == "week" else 1), goal.per)


def _kinds(goal: Variety, deed: Deed) -> Iterable[str]:
    found: Sequence[str | None] = {
        "categories": deed.categories,
        "stores": (deed.store_id,),
        "actions": (deed.action,),
    }[goal.of]
    return (kind for kind in found if kind is not None)


def _done(challenge: Challenge, progress: Progress) -> int:
    goal = challenge.goal
    if isinstance(goal, Visits):
        return len(progress.days)
    if isinstance(goal, Streak):
        return progress.streak
    return len(progress.kinds) if isinstance(goal, Variety) else progress.count


def _current(challenge: Challenge, account: Account, today: date) -> Progress:
    """Progress as of today: what lies in a period that is over, or too long ago, counts no more."""
    progress = account.progress.get(challenge.challenge_id, Progress())
    goal = challenge.goal
    if isinstance(goal, Visits):
        earliest = today - timedelta(days=goal.within_days - 1)
        return Progress(days=tuple(day for day in progress.days if day >= earliest))
    if isinstance(goal, Streak):
        is_alive = progress.period in {period_of(today, goal.per), _period_before(goal, today)}
        return progress if is_alive else Progress()
    return progress if progress.period == period_of(today, goal.per) else Progress()


def _begun_anew(challenge: Challenge, progress: Progress) -> Progress:
    """What is left to begin with after a badge. What went beyond a count's target counts toward the next."""
    goal = challenge.goal
    if isinstance(goal, Count):
        return Progress(period=progress.period, count=progress.count % goal.target)
    if isinstance(goal, Visits):
        return Progress(period=progress.days[-1].isoformat())
    return Progress(period=progress.period)


def _badge_entry(account: Account, program: Program, challenge: Challenge, cause: Entry) -> Entry:
    name, today = challenge.challenge_id, local_day(cause.recorded_at, program.time_zone)
    held = account.badges.get(name)
    badge = held.model_copy(update={"times": held.times + 1}) if held else Badge(on=today)
    points = points_for(account, program, challenge.points)
    pieces = (Piece(rule_id=f"badge:{name}", points=points, description=challenge.name),)
    entry = draft(
        account,
        "badge",
        occurred_at=cause.occurred_at,
        recorded_at=cause.recorded_at,
        points=points,
        program_version=program.version,
        actor=cause.actor,
        **(granted(account, program, points, today, today) if points else {}),
        earned=points,
        badges={name: badge},
        breakdown=pieces if points else (),
        source={"badge_id": name, "times": str(badge.times)},
    )
    return with_tier_raised(account, program, entry, today)
