"""A member's statement of a month: what came, what went, what ends next."""

from collections.abc import Iterable
from datetime import date

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.message_types import Value
from shared.domain.points.expiry import by_last_day
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import Program
from shared.domain.telling.notifications import Note


def statement_id(member_id: str, month: str) -> str:
    """The one statement of a member and a month."""
    return f"statement:{member_id}:{month}"


def is_of(entry: Entry, month: str, program: Program) -> bool:
    """Whether an entry was booked in a month, by the program's days."""
    return month_of(local_day(entry.recorded_at, program.time_zone)) == month


def statement(account: Account, entries: Iterable[Entry], program: Program, month: str, today: date) -> Note:
    """The statement from an account (settled) and its entries of the month."""
    earned = spent = expired = 0
    for entry in entries:
        earned += entry.earned
        expired += entry.expired_points - (entry.points if entry.type == "expiry" else 0)
        spent += sum(hold.points for hold in entry.closed.values()) if entry.type == "capture" else 0
        spent -= sum(hold.points for hold in entry.reversed.values())
    ends, expiring = next(((day, points) for day, points in by_last_day(account.lots).items() if day), (None, 0))
    values: dict[str, Value] = {
        "month": month,
        "balance": account.balance,
        "earned": max(0, earned),
        "spent": max(0, spent),
        "expired": expired,
        "expiring": expiring,
        "expiring_on": ends.isoformat() if ends else None,
        "tier_name": held_tier(account, program.tiers, today).name,
    }
    return Note(
        message_id=statement_id(account.member_id, month), member_id=account.member_id, kind="statement", values=values
    )
