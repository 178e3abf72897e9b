"""Challenges: how far a member has come with each, and the badges that reaching a goal brings.

What an account keeps of a challenge is bounded: a count, a few days, or a few names. An order that comes back counts no
more: what that makes of progress and badges is worked out in `lifecycle.kept_facets`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day, period_of
from shared.domain.earning.kept_orders import Sale, kept_categories
from shared.domain.entry import Entry, Piece
from shared.domain.facets import Badge, Progress
from shared.domain.ledger import book, draft
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.eligibility import EXCLUDED, points_for
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


def order_deed(program: Program, sale: Sale, points: int) -> Deed:
    """What is kept of an order, and earns `points`, is to challenges. It counts on the day it was placed, or booked."""
    entry = sale.entry
    return Deed(
        on=_day_of(program, entry),
        points=points,
        amount=sale.amount_kept,
        channel=entry.source.get("channel"),
        store_id=entry.source.get("store_id"),
        categories=kept_categories(sale),
    )


def action_deed(program: Program, entry: Entry) -> Deed | None:
    """What the entry of an action is to challenges; None: nothing yet.

    An action that waits for approval counts once it is approved, on that day. One of somebody excluded never does.
    """
    if any(piece.rule_id == EXCLUDED for piece in entry.breakdown):
        return None
    if entry.type == "approve":
        on = local_day(entry.recorded_at, program.time_zone)
        return Deed(on=on, points=entry.earned, action=entry.source["action"])
    if UNTIL_APPROVED in entry.pending:
        return None
    return Deed(on=_day_of(program, entry), points=entry.points, action=entry.source["action"])


def with_challenges(account: Account, program: Program, entry: Entry, deed: Deed | None) -> list[Entry]:
    """The entry of an order or action, with the progress that it makes, and after it an entry for each badge it brings.

    `account` is the one that the entry follows.
    """
    progress: dict[str, Progress] = {}
    reached: list[Challenge] = []
    if deed is None:
        return [entry]
    for challenge in program.challenges:
        before = account.progress.get(challenge.challenge_id, Progress())
        after, is_reached = advanced(challenge, account, before, deed)
        reached += [challenge] if is_reached else []
        if after != account.progress.get(challenge.challenge_id):
            progress[challenge.challenge_id] = after
    entries = [entry.model_copy(update={"progress": progress})] if progress else [entry]
    return [*entries, *badges_for(book(account, entries[0]), program, reached, entry)] if reached else entries


def advanced(challenge: Challenge, account: Account, before: Progress, deed: Deed) -> tuple[Progress, bool]:
    """The progress after a deed, and whether it has reached the goal. `account` says which badges are held."""
    if not counts(challenge, account, deed):
        return before, False
    after = _advanced(challenge, before, deed)
    if _done(challenge, after) >= challenge.goal.target:
        return _begun_anew(challenge, after), True
    return after, False


def badges_for(account: Account, program: Program, reached: Iterable[Challenge], cause: Entry) -> Iterator[Entry]:
    """An entry for each badge that `cause` has brought; `account` is the one that they follow."""
    for challenge in reached:
        badge = _badge_entry(account, program, challenge, cause)
        account = book(account, badge)
        yield badge


def is_held(badge: Badge | None) -> bool:
    """Whether a badge was earned and has not been lost again."""
    return badge is not None and badge.times > 0


def courses(account: Account, program: Program, today: date) -> list[Course]:
    """Every challenge that is on today, or whose badge the member holds, and how far they are."""
    return [
        Course(
            challenge,
            _done(challenge, _current(challenge, account, today)),
            challenge.goal.target,
            badge if is_held(badge) else None,
        )
        for challenge in program.challenges
        if is_held(badge := account.badges.get(challenge.challenge_id)) or challenge.covers(today)
    ]


def merged_badges(gone: Account, into: Account) -> dict[str, Badge]:
    """The badges of a merged member that the other lacks, and those that both hold: all of them, since the earlier day.

    Each was earned by itself, and goes by itself with what it rests on.
    """
    badges = {}
    for name, badge in gone.badges.items():
        own = into.badges.get(name)
        badges[name] = badge if own is None else _united(own, badge)
    return {name: badge for name, badge in badges.items() if into.badges.get(name) != badge}


def merged_progress(gone: Account, into: Account) -> dict[str, Progress]:
    """Of two accounts' progress, where the merged member's lies in a later period or is further on."""
    return {name: one for name, one in gone.progress.items() if _rank(one) > _rank(into.progress.get(name, Progress()))}


def _united(own: Badge, other: Badge) -> Badge:
    held = [badge for badge in (own, other) if badge.times] or [own]
    times, lost = own.times + other.times, own.lost + other.lost
    return own.model_copy(update={"on": min(badge.on for badge in held), "times": times, "lost": lost})


def _rank(progress: Progress) -> tuple[str, int]:
    return (progress.period, max(progress.count, progress.streak, len(progress.kinds), len(progress.days)))


def counts(challenge: Challenge, account: Account, deed: Deed) -> bool:
    """Whether a deed counts toward a challenge. `account` says which badges are held."""
    has_badge = is_held(account.badges.get(challenge.challenge_id))
    if not challenge.covers(deed.on) or (has_badge and not challenge.repeatable):
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


def _day_of(program: Program, entry: Entry) -> date:
    return local_day(min(entry.occurred_at, entry.recorded_at), program.time_zone)


def _badge_entry(account: Account, program: Program, challenge: Challenge, cause: Entry) -> Entry:
    name, today = challenge.challenge_id, local_day(cause.recorded_at, program.time_zone)
    held = account.badges.get(name) or Badge(on=today, times=0)
    badge = held.model_copy(update={"on": held.on if held.times else today, "times": held.times + 1})
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
        source={"badge_id": name, "times": str(badge.times + badge.lost)},
    )
    return with_tier_raised(account, program, entry, today)
