"""How often something is done by somebody in an hour or a day, where a program wants that looked at."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from shared.domain.actors import STREAM, is_partner, is_shop
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.points.reviews import Review
from shared.domain.program.operators import Rate
from shared.domain.program.program import Program
from shared.domain.subaccounts import is_pool, is_wallet

EVIDENCE_MAX = 50
"""So many entries are named by a review."""

_WATCHED: Mapping[str, str] = {
    "reserve": "redemptions",
    "adjust": "adjustments",
    "refund": "refunds",
    "enroll": "new_members",
    "provisional": "new_members",
}
"""What entries of a type count as: a name of the program's rates."""


class Counted(NamedTuple):
    """What an entry counts toward: what is done, by whom, in which period, and how often that may be."""

    what: str
    by: Literal["member", "caller", "store"]
    who: str
    period: str
    rate: Rate


def is_watched(entry: Entry, program: Program) -> bool:
    """Whether the program wants the entry counted."""
    return _rate_of(entry, program) is not None


def counted(entry: Entry, program: Program, store_id: str | None) -> Sequence[Counted]:
    """What the entry counts toward: a redemption for its member, anything else for who has done it, and its store."""
    rate = _rate_of(entry, program)
    if rate is None:
        return []
    what, period = _WATCHED[entry.type], period_at(entry.recorded_at, rate, program)
    if what == "redemptions":
        return [Counted(what, "member", entry.member_id, period, rate)]
    found = [Counted(what, "store", store_id, period, rate)] if store_id else []
    if is_shop(entry.actor) or is_partner(entry.actor):  # not the clock, an import or a member
        found.append(Counted(what, "caller", entry.actor, period, rate))
    return found


def period_at(moment: datetime, rate: Rate, program: Program) -> str:
    """The hour of universal time, or the program's day, that a moment is in."""
    if rate.per == "hour":
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H}Z"
    return local_day(moment, program.time_zone).isoformat()


def cause_of(one: Counted) -> tuple[str, ...]:
    """What tells the review of a rate from every other."""
    return (one.what, one.by, one.who, one.period)


def review_of(one: Counted, review_id: str, entry_ids: Sequence[str], now: datetime) -> Review:
    """The question that a rate above the program's puts to operators, with some of its entries as evidence."""
    what = one.what.replace("_", " ")
    return Review(
        review_id=review_id,
        kind="rate",
        member_id=one.who if one.by == "member" else "",
        requested_by=STREAM,
        requested_at=now,
        what=f"More than {one.rate.times} {what} by one {one.by} in the {one.rate.per} {one.period}",
        details={
            "rate": one.what,
            "by": one.by,
            "who": one.who,
            "period": one.period,
            "times": str(one.rate.times),
            "entries": " ".join(entry_ids),
        },
    )


def _rate_of(entry: Entry, program: Program) -> Rate | None:
    rates = program.operators.rates if program.operators else None
    if rates is None or is_wallet(entry.member_id) or is_pool(entry.member_id):
        return None
    name = _WATCHED.get(entry.type)
    return rates.of(name) if name else None
