"""Who is in which segment, and the traits that segments look at beside points, tier and purchases.

Scores look at this month and the twelve before it, as a rolling year of tiers does: an account knows months, not days.
A refund is taken off the month that its order was placed in; a wholly returned order does not count.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from shared.domain.account import Account
from shared.domain.calendar import add_months, month_of
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, NothingChangesError
from shared.domain.facets import Activity, Traits
from shared.domain.ledger import draft
from shared.domain.points.eligibility import is_excluded_address
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import Program
from shared.domain.program.segments import Condition, Scoring, Segment

TAGS_MAX = 20
_SCORE_MAX = 5
_MONTHS_BEFORE = 12


def belongs(account: Account, program: Program, segment: Segment, today: date) -> bool:
    """Whether a member (their account settled) is in a segment today."""
    if not all(_holds(account, program, condition, today) for condition in segment.all):
        return False
    if segment.any and not any(_holds(account, program, condition, today) for condition in segment.any):
        return False
    return not any(_holds(account, program, condition, today) for condition in segment.none)


def in_any(account: Account | None, program: Program, segment_ids: Collection[str], today: date) -> bool:
    """Whether somebody is in any of the named segments, or none is named. Somebody who is not a member is in none."""
    if not segment_ids:
        return True
    if account is None or program.segments is None:
        return False
    return any(
        belongs(account, program, segment, today)
        for segment in program.segments.named
        if segment.segment_id in segment_ids
    )


def scores(account: Account, scoring: Scoring, today: date) -> dict[str, int]:
    """`recency`, `frequency` and `money`, from 1 to 5 each."""
    first = month_of(add_months(today.replace(day=1), -_MONTHS_BEFORE))
    months = [one for month, one in account.activity.items() if first <= month]
    orders, amount = sum(one.orders for one in months), sum(one.amount for one in months)
    last = account.last_order_on
    missed = _SCORE_MAX - 1 if last is None else _reached(scoring.recency_days, (today - last).days - 1)
    return {
        "recency": _SCORE_MAX - missed,
        "frequency": 1 + _reached(scoring.frequency_orders, orders),
        "money": 1 + _reached(scoring.money_amounts, amount),
    }


def is_scored(program: Program) -> bool:
    """Whether the program looks at when and how much members buy: to score them, or to win back who stays away."""
    return program.wins_back or (program.segments is not None and program.segments.scoring is not None)


def bought(month: str, amount: int) -> dict[str, Activity]:
    """What an order adds to its month, in minor units."""
    return {month: Activity(orders=1, amount=amount)}


def retagged(traits: Traits, add: Iterable[str], remove: Iterable[str], excluded: bool | None = None) -> Traits:
    """The traits with tags added, then others removed; `excluded` says anew whether their address earns them nothing.

    Raises InvalidRequestError if there would be more than a member can have.
    """
    tags = (set(traits.tags) | set(add)) - set(remove)
    if len(tags) > TAGS_MAX:
        raise InvalidRequestError(Fault("/add", f"a member has at most {TAGS_MAX} tags, these would be {len(tags)}"))
    is_excluded = traits.excluded if excluded is None else excluded
    return traits.model_copy(update={"tags": tuple(sorted(tags)), "excluded": is_excluded})


def profiled(
    traits: Traits, program: Program, place: str | None, opt_ins: tuple[str, ...], new_email: str | None = None
) -> Traits:
    """The traits with what a member's profile says now; opt-ins only where the program has segments.

    Of a new address nothing is kept but whether its owner earns nothing. Another address does not end that: the shop
    does.
    """
    known = {"place": place} if program.segments is None else {"place": place, "opt_ins": opt_ins}
    return traits.model_copy(update={**known, "excluded": traits.excluded or is_excluded_address(program, new_email)})


def first_traits(
    program: Program, place: str | None, opt_ins: tuple[str, ...], email: str | None = None
) -> Traits | None:
    """What is known of somebody who joins; None if it is nothing."""
    traits = profiled(Traits(), program, place, opt_ins, email)
    return None if traits == Traits() else traits


def united(gone: Traits, into: Traits) -> Traits:
    """The traits after a merge: as many tags of both as a member can have; opt-ins are never widened."""
    others = [tag for tag in gone.tags if tag not in into.tags][: max(0, TAGS_MAX - len(into.tags))]
    place = into.place if into.place is not None else gone.place
    return into.model_copy(
        update={
            "tags": tuple(sorted((*into.tags, *others))),
            "place": place,
            "excluded": gone.excluded or into.excluded,
        }
    )


def change_traits(
    account: Account,
    program: Program,
    traits: Traits,
    *,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str = "",
) -> Entry:
    """Note new traits; no points move. `reference` names what caused it, and is the entry's key.

    Raises NothingChangesError if they are the account's already.
    """
    if traits == account.traits:
        raise NothingChangesError("nothing would change")
    return draft(
        account,
        "traits",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        traits=traits,
        source={"reference": reference},
    )


def _holds(account: Account, program: Program, condition: Condition, today: date) -> bool:
    traits = account.traits
    if condition.tiers and held_tier(account, program.tiers, today).tier_id not in condition.tiers:
        return False
    if condition.tags and not set(condition.tags) & set(traits.tags):
        return False
    if condition.places and not any(_lies_in(traits.place, place) for place in condition.places):
        return False
    if condition.opt_ins and not set(condition.opt_ins) & set(traits.opt_ins):
        return False
    return not condition.needs_scores or _is_scored_so(account, program, condition, today)


def _is_scored_so(account: Account, program: Program, condition: Condition, today: date) -> bool:
    scoring = program.segments.scoring if program.segments else None
    if scoring is None:
        return False
    found: Mapping[str, int] = scores(account, scoring, today)
    wanted = (("recency", condition.recency), ("frequency", condition.frequency), ("money", condition.money))
    return all(not allowed or found[name] in allowed for name, allowed in wanted)


def _lies_in(place: str | None, region: str) -> bool:
    return place is not None and (place == region or place.startswith(f"{region}-"))


def _reached(thresholds: Iterable[int], value: int) -> int:
    return sum(value >= threshold for threshold in thresholds)
