"""What one operator may move alone: so many points of one member in a day of the program, given and taken together.

It adds up over adjustments and their undoing, transfers, gifts, claims of orders, and merges.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from shared.domain.account import Account
from shared.domain.actors import is_operator
from shared.domain.calendar import period_begins_on
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.facets import Use
from shared.domain.ledger import uses_together
from shared.domain.points.limits import one_more, used
from shared.domain.program.common import Limit
from shared.domain.program.program import Program


class TooMuchForOneError(InvalidStateError):
    """It is more than one operator may move alone; another one has to agree. `points` are what it moves."""

    def __init__(self, detail: str, points: int) -> None:
        super().__init__(detail)
        self.points = points


def counted_for(
    account: Account,
    program: Program,
    actor: str,
    points: int,
    today: date,
    *,
    requested_by: str | None = None,
    become_one: Sequence[Account] = (),
) -> Mapping[str, Use]:
    """What moving points of the member, either way, counts toward the operator's day: what the entry says it uses.

    Nothing if somebody else acts, or if another operator, `requested_by`, has asked for it: two have agreed on it. What
    has been counted of accounts that become one with the member's adds up. Raises TooMuchForOneError if it is more than
    is left of the day.
    """
    most = program.operators.adjustment_limit_points if program.operators else None
    if most is None or not points or not is_operator(actor) or requested_by is not None:
        return {}
    limit = Limit(points=most, per="day")
    before = sum(used(one, actor, limit, today).points for one in (account, *become_one))
    if before + abs(points) > most:
        raise TooMuchForOneError(
            f"one operator moves at most {most} points of a member in a day, and {before} are moved already",
            abs(points),
        )
    return {actor: one_more(account, actor, limit, today, abs(points))}


def counting(
    entry: Entry,
    account: Account,
    program: Program,
    points: int,
    today: date,
    *,
    requested_by: str | None = None,
    become_one: Sequence[Account] = (),
) -> Entry:
    """The entry, counting toward its operator's day as `counted_for` says, beside what it counts toward already."""
    alone = counted_for(account, program, entry.actor, points, today, requested_by=requested_by, become_one=become_one)
    return entry.model_copy(update={"uses": uses_together(entry.uses, alone, today)}) if alone else entry


def counted_for_undoing(
    account: Account,
    program: Program,
    counted: Mapping[str, Use],
    actor: str,
    points: int,
    today: date,
    *,
    requested_by: str | None = None,
) -> Mapping[str, Use]:
    """What an undo of something that `counted` counts toward.

    If that counts today, it is given back: as many points as really came back, not those that were forgiven. Anything
    else, that two operators had agreed on or that was done another day, is moved again. Raises TooMuchForOneError.
    """
    if counted and all(period_begins_on(use.period) >= today for use in counted.values()):
        return _freed_by_undoing(counted, points)
    return counted_for(account, program, actor, points, today, requested_by=requested_by)


def _freed_by_undoing(counted: Mapping[str, Use], points: int) -> Mapping[str, Use]:
    """What an undo gives back of what counted: as many points as really came back, not those that were forgiven."""
    return {
        name: Use(period=use.period, times=-use.times, points=-min(use.points, abs(points)))
        for name, use in counted.items()
    }


def agreed(requested_by: str | None, approved_by: str) -> dict[str, str]:
    """What an entry's source says of two operators: who asked for it, and who agreed; nothing of one alone."""
    return {"requested_by": requested_by, "approved_by": approved_by} if requested_by else {}
