"""What one operator may move alone: so many points of one member in a day of the program, given and taken together."""

from collections.abc import Mapping
from datetime import date

from shared.domain.account import Account
from shared.domain.calendar import period_of
from shared.domain.errors import InvalidStateError
from shared.domain.facets import Use
from shared.domain.points.limits import used
from shared.domain.program.common import Limit
from shared.domain.program.program import Program


class TooMuchForOneError(InvalidStateError):
    """It is more than one operator may move alone; another one has to agree."""


def counted_for(account: Account, program: Program, actor: str, points: int, today: date) -> Mapping[str, Use]:
    """What moving points of the member, either way, counts toward the operator's day: what the entry says it uses.

    Raises TooMuchForOneError if it is more than is left of the day.
    """
    limit = program.operators.adjustment_limit_points if program.operators else None
    if limit is None:
        return {}
    before = used(account, actor, Limit(points=limit, per="day"), today)
    if before.points + abs(points) > limit:
        raise TooMuchForOneError(
            f"one operator moves at most {limit} points of a member in a day, and {before.points} are moved already"
        )
    return {actor: Use(period=period_of(today, "day"), times=1, points=abs(points))}


def freed_by_undoing(counted: Mapping[str, Use], points: int) -> Mapping[str, Use]:
    """What an undo gives back of what counted: as many points as really came back, not those that were forgiven."""
    return {
        name: Use(period=use.period, times=-use.times, points=-min(use.points, abs(points)))
        for name, use in counted.items()
    }
