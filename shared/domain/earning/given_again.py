"""Giving an order's points again: to the lots that a refund took them from, or to those that the order went to."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.ledger import combined, give, negative
from shared.domain.lots import NEVER, UNTIL_APPROVED, LotDay
from shared.domain.points.expiry import ends_on, lot_day, policy_of, returned_lots
from shared.domain.program.expiry import Inactivity
from shared.domain.program.program import Program


def given_again(
    account: Account, program: Program, granted: Entry, points: int, today: date, taken: Entry | None = None
) -> dict[str, Any]:
    """The effects of `points` that `granted` has brought, given once more by the shop; what is owed is settled first.

    They go to where `taken` took them from, as far as that goes, and else to the lot of `granted`. They wait if they
    would still be waiting there; those whose day has passed get its grace days, and have expired if those have, too.
    `points` among the effects are those that have not.
    """
    own = own_day(account, program, granted)
    waiting_key = UNTIL_APPROVED if UNTIL_APPROVED in granted.pending else f"{granted.available_on}/{own}"
    pending: dict[str, int] = {}
    lots: dict[str, int] = {}
    for key, part in [*_places(taken), (waiting_key if granted.pending else own, points)]:
        part = min(part, points)  # noqa: PLW2901 - no more than is left to give
        points -= part
        if not _waits(account, key, today):
            lots = combined(lots, {own if key == UNTIL_APPROVED else key.rpartition("/")[2]: part})
        elif part:
            pending[key] = pending.get(key, 0) + part
    living, expired = returned_lots(account, program, lots, today, has_grace=True)
    came = sum(living.values()) + sum(pending.values())
    return {"points": came, **give(account, living), "pending": pending, "expired": expired}


def own_day(account: Account, program: Program, granted: Entry) -> LotDay:
    """The lot that a grant's points are in, or would be in this account.

    What waited for consent ends as if it had come when it was booked. Where activity prolongs all lots it is theirs.
    """
    policy = policy_of(account, program)
    prolonged = (lot for lot in account.lots if lot != NEVER) if isinstance(policy, Inactivity) else ()
    days: list[LotDay] = [lot_day(ended_on(account, program, granted)), *prolonged]
    return max(days)


def ended_on(account: Account, program: Program, granted: Entry) -> date | None:
    """The last day of a grant's points, had nothing prolonged them; None: none."""
    if UNTIL_APPROVED not in granted.pending:
        return granted.expires_on
    booked_on = local_day(granted.recorded_at, program.time_zone)
    return ends_on(account, program, policy_of(account, program), booked_on)


def _places(taken: Entry | None) -> list[tuple[str, int]]:
    """The pending lots and the lots that an entry took from, with how much it took."""
    if taken is None:
        return []
    took: Mapping[str, int] = {**negative(taken.pending), **negative(taken.lots)}
    return [(key, points) for key, points in took.items() if points > 0]


def _waits(account: Account, key: str, today: date) -> bool:
    """Whether points of a pending lot still wait."""
    available_on, separator, _ = key.partition("/")
    if not separator:
        return False
    if key == UNTIL_APPROVED:
        return account.status == "provisional"
    day, through = date.fromisoformat(available_on), account.matured_through
    return day > today and (through is None or day > through)
