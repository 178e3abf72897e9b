"""Where the points of a budget are: unleased, or leased to slices, from which each operation draws its own.

What is left is the sum of both, and what is spent the rest of the total. Leases move points without spending any, so
one that is never used loses nothing: a slice that runs short takes it back. A slice may owe points, below 0: what was
kept after all is paid for though others have used the budget up. Nothing is left until what is owed has come back.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

SLICES = 16
"""So many items take a budget's writes side by side."""
UNLEASED = -1
"""Where points are that no slice holds, among the numbers of slices."""
_LEASES = 64
_NEEDS_AHEAD = 10

NO_CAPS: Mapping[str, int] = MappingProxyType({})
"""No budget is nearly used up."""

Moves = Mapping[int, int]
"""Signed changes of points by the number of the slice that holds them, or UNLEASED."""


class Budget(NamedTuple):
    """A budget as it stood at one instant, in points; `slices` by their numbers."""

    total: int
    unleased: int
    slices: Mapping[int, int]

    @property
    def left(self) -> int:
        """What can still be spent."""
        return max(0, self.total - self.spent)

    @property
    def spent(self) -> int:
        """What has been drawn from it, less what was given back; more than the total if it is overdrawn."""
        return self.total - self.unleased - sum(self.slices.values())

    @property
    def owes(self) -> bool:
        """Whether any slice is below 0."""
        return any(points < 0 for points in self.slices.values())

    def after(self, moves: Moves) -> "Budget":
        """The budget after points have moved; its total is another if they came or went."""
        slices = {number: points + moves.get(number, 0) for number, points in self.slices.items()}
        added = {number: points for number, points in moves.items() if number not in {UNLEASED, *slices}}
        unleased = self.unleased + moves.get(UNLEASED, 0)
        return Budget(self.total + sum(moves.values()), unleased, {**slices, **added})


def lease(budget: Budget, slice_number: int, need: int) -> Moves:
    """What brings a slice up to `need`, or as near to it as all that is left anywhere; nothing if it is there.

    While enough is unleased, some more than is needed, so that the next need not ask: a 64th of the total or ten times
    the need, but never over half of what is unleased. After that others' slices give what is missing, fullest first.
    """
    missing = need - budget.slices.get(slice_number, 0)
    if missing <= 0:
        return {}
    ample = min(budget.unleased // 2, max(need * _NEEDS_AHEAD, budget.total // _LEASES))
    leased = min(budget.unleased, max(missing, ample))
    others = {number: points for number, points in budget.slices.items() if number != slice_number}
    moves = {UNLEASED: -leased, **_taken(others, max(0, missing - leased))}
    moves[slice_number] = -sum(moves.values())
    return {place: points for place, points in moves.items() if points}


def repaid(budget: Budget) -> Moves:
    """What brings slices that owe points up to 0, or as near to it as what is held elsewhere; unleased first."""
    owed = {number: -points for number, points in sorted(budget.slices.items()) if points < 0}
    from_unleased = min(budget.unleased, sum(owed.values()))
    moves = {UNLEASED: -from_unleased, **_taken(budget.slices, sum(owed.values()) - from_unleased)}
    found = -sum(moves.values())
    for number, points in owed.items():
        moves[number] = min(points, found)
        found -= moves[number]
    return {place: points for place, points in moves.items() if points}


def resized(budget: Budget, total: int) -> Moves:
    """What makes the total another: unleased points come or go first.

    It is never less than what is spent, and one that is overdrawn never becomes less.
    """
    change = max(total, min(budget.spent, budget.total)) - budget.total
    from_unleased = max(change, -budget.unleased)
    moves = {UNLEASED: from_unleased, **_taken(budget.slices, from_unleased - change)}
    return {place: points for place, points in moves.items() if points}


def _taken(slices: Mapping[int, int], points: int) -> dict[int, int]:
    """At most `points` from slices that hold any, the fullest first; negative changes."""
    taken: dict[int, int] = {}
    for number, held in sorted(slices.items(), key=lambda one: (-one[1], one[0])):
        part = min(points, max(0, held))
        points -= part
        taken[number] = -part
    return taken
