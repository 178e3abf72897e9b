"""Every account of a table brought up to date: what time has done is booked, and each stands under its next day.

An account learns its next day when it is written. After a change of the program that gives idle members one (retention,
anniversaries, other reminders) nobody writes to them; the functions never read a whole table, so a command does.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.tools import segments
from infra.tools.parts import Part, Run, Tell
from shared.domain.calendar import local_day
from shared.domain.errors import LoyaltyError
from shared.tables import programs, upkeep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKERS = 8
"""Threads of a process: each waits for the database most of its time."""
_AT_ONCE = 1000
"""So many accounts are at hand at a time: memory does not grow with the table."""


class CaughtUp(NamedTuple):
    """How many accounts there are, how much was booked for them, and how many could not be brought up to date."""

    accounts: int = 0
    entries: int = 0
    failed: int = 0


def catch_up_all(database: "DynamoDBClient", loyalty_table: str, run: Run) -> CaughtUp:
    """Bring every account up to the run's instant; a due date that has passed becomes today, where the next runs look.

    Accounts that are up to date are read and not written. The run is told of each account.
    """
    parts = ({**part, "now": run.now.isoformat()} for part in segments.segments(database, loyalty_table, run))
    return _total(CaughtUp(*result) for result in run.through("accounts", catch_up_part, parts))


def catch_up_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Bring the accounts of a segment up to its `now`: a CaughtUp of them."""
    now = datetime.fromisoformat(part["now"])
    today = local_day(now, programs.load_program().time_zone)
    total = CaughtUp()
    pages = segments.accounts(part, ProjectionExpression="pk", PaginationConfig={"PageSize": _AT_ONCE})
    with ThreadPoolExecutor(WORKERS) as workers:
        for page in pages:
            members = [item["pk"]["S"].removeprefix("MEMBER#") for item in page]
            for one in workers.map(lambda member_id: _caught_up(member_id, now, today), members):
                total = _total([total, one])
                tell(1)
    return total


def _caught_up(member_id: str, now: datetime, today: date) -> CaughtUp:
    try:
        return CaughtUp(accounts=1, entries=upkeep.catch_up(member_id, now, not_before=today))
    except LoyaltyError:
        return CaughtUp(accounts=1, failed=1)


def _total(some: Iterable[CaughtUp]) -> CaughtUp:
    return CaughtUp(*map(sum, zip(CaughtUp(), *some, strict=True)))
