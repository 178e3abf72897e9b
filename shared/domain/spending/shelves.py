"""Where the pieces of a limited reward are: in stock, on shelves from which members take, or gone.

One item that all redemptions write takes some hundred of them a second. So pieces of a reward that has many are put on
shelves, some at a time, and a member takes one from a shelf of theirs. The last pieces are looked for on all shelves.

Pieces are put on a shelf for the stock that the program named then. When it names another, they count as if they were
in stock again: so no more are given than the program in force allows, however many were on shelves.
"""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from shared.domain.points.budgets import UNLEASED, Budget, lease
from shared.domain.program.program import Reward

SHELVES = 8
"""So many items take a reward's redemptions side by side."""
SHELVED_FROM = 1000
"""Of fewer pieces, the one item of the stock is had in an instant, and counts them alone."""


class Shelf(NamedTuple):
    """Pieces on a shelf, and for which stock they were put there; None: for none that is known, as what is put back."""

    pieces: int
    of_stock: int | None


_EMPTY = Shelf(0, None)


class Shelved(NamedTuple):
    """How a reward's pieces stood at one instant; `taken` counts those gone and those on shelves."""

    taken: int
    shelves: Mapping[int, Shelf]

    @property
    def gone(self) -> int:
        """How many pieces members have."""
        return self.taken - sum(shelf.pieces for shelf in self.shelves.values())


class Restocked(NamedTuple):
    """Pieces as they are to be: how many are then taken, and the shelves that change. None if nothing is left."""

    taken: int
    shelves: Mapping[int, Shelf]


def shelf_of(reward: Reward | None, member_id: str) -> int | None:
    """The number of the shelf that a member takes a reward from; None: from stock."""
    if reward is None or reward.stock is None or reward.stock < SHELVED_FROM:
        return None
    return zlib.crc32(member_id.encode()) % SHELVES


def restocked(shelved: Shelved, stock: int, number: int | None, pieces: int = 1) -> Restocked | None:
    """What leaves so many pieces to be taken from a shelf, or with None from stock; None if they are left nowhere.

    What lies on shelves for another stock goes back first, and all does if nobody takes from shelves any more.
    """
    stale = {
        place: shelf
        for place, shelf in shelved.shelves.items()
        if (number is None or shelf.of_stock != stock) and shelf != _EMPTY
    }
    taken = shelved.taken - sum(shelf.pieces for shelf in stale.values())
    changed = dict.fromkeys(stale, _EMPTY)
    if number is None:
        return Restocked(taken, changed) if taken + pieces <= stock else None
    held = {place: shelf.pieces for place, shelf in shelved.shelves.items() if place not in stale}
    moves = dict(lease(Budget(stock, max(0, stock - taken), held), number, pieces))
    if held.get(number, 0) + moves.get(number, 0) < pieces:
        return None
    taken -= moves.pop(UNLEASED, 0)
    changed |= {place: Shelf(held.get(place, 0) + more, stock) for place, more in moves.items()}
    return Restocked(taken, changed)
