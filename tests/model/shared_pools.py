"""Decisions of members who share pools, as operations make them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.spending.pools import SharedBooks


def decided(
    decide: Callable[[Sequence[Account]], Sequence[Entry]], accounts: Sequence[Account], program: Program, now: datetime
) -> Sequence[Entry]:
    """What a decision books on members' accounts and, last, their pools."""
    books = SharedBooks(accounts, program, now)
    planned = decide(books.as_own())
    if not planned or not books.has_pools:
        return planned
    return books.shared(decide(books.drawn_for(planned)))
