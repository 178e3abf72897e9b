"""What every credit has in common: when its points become available and end, and the tier that it may bring."""

from datetime import date, timedelta
from typing import Any

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import book, give
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.expiry import arriving_day, date_of, ends_on, lot_day, maturing_day
from shared.domain.points.tiers import raised
from shared.domain.program.program import Program


def granted(account: Account, program: Program, points: int, began_on: date, today: date) -> dict[str, Any]:
    """The effects of `points` that began on a day: pending for the program's days, and what is owed settled then."""
    return granted_on(account, program, points, began_on + timedelta(days=program.earning.pending_days), today)


def granted_on(account: Account, program: Program, points: int, available_on: date, today: date) -> dict[str, Any]:
    """The effects of `points` that become available on a day, and end as the program says."""
    last_day = ends_on(account, program, program.expiry, available_on)
    return granted_until(account, program, points, available_on, last_day, today)


def granted_until(
    account: Account, program: Program, points: int, available_on: date, ends: date | None, today: date
) -> dict[str, Any]:
    """The effects of points, or of store credit in a wallet, that become available on one day and end on another.

    Those of a provisional member wait for consent.
    """
    if account.status == "provisional":
        return {"lots": {}, "pending": {UNTIL_APPROVED: points} if points else {}}
    last_day = lot_day(ends)
    if available_on > today:
        available_on = maturing_day(account, available_on)
        effects: dict[str, Any] = {"lots": {}, "pending": {f"{available_on}/{last_day}": points} if points else {}}
        return {**effects, "available_on": available_on, "expires_on": date_of(last_day)}
    last_day = arriving_day(account, program, last_day, today)
    return {**give(account, {last_day: points}), "expires_on": date_of(last_day)}


def granted_now(account: Account, program: Program, points: int, today: date) -> dict[str, Any]:
    """The effects of `points` that are available at once, whatever the program says of pending days."""
    return granted_on(account, program, points, today, today)


def with_tier_raised(account: Account, program: Program, entry: Entry, today: date) -> Entry:
    """The entry, and with it the higher tier that the account reaches by it."""
    tier_status = raised(book(account, entry), program.tiers, today)
    return entry if tier_status is None else entry.model_copy(update={"tier": tier_status})
