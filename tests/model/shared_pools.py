"""Decisions of members who share pools, as operations make them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.spending.pools import SharedBooks, drawn_by, pools_of

Deciding = Callable[[Sequence[Account]], Sequence[Entry]]


def decided(
    decide: Deciding, own: Sequence[Account], look: Callable[[str], Account], program: Program, now: datetime
) -> Sequence[Entry]:
    """What a decision books on members' accounts and, last, their pools: those that they share or have left."""
    pools = pools_of(own)
    while True:
        books = SharedBooks([*own, *map(look, pools)], program, now)
        planned = decide(books.as_own())
        left = [name for name in drawn_by(planned) if name not in pools]
        if not left:
            break
        pools += left
    if not planned or not books.has_pools:
        return planned
    return books.shared(decide(books.drawn_for(planned)))
