"""Every account of a table brought up to date: what time has done is booked, and each stands under its next day.

An account learns its next day when it is written. After a change of the program that gives idle members one (retention,
anniversaries, other reminders) nobody writes to them; the functions never read a whole table, so a command does.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.domain.calendar import local_day
from shared.domain.errors import LoyaltyError
from shared.tables import programs, upkeep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKERS = 8
_AT_ONCE = 1000
"""So many accounts are at hand at a time: memory does not grow with the table."""


class CaughtUp(NamedTuple):
    """How many accounts there are, how much was booked for them, and how many could not be brought up to date."""

    accounts: int = 0
    entries: int = 0
    failed: int = 0


def catch_up_all(
    client: "DynamoDBClient", loyalty_table: str, now: datetime, progress: Callable[[], None] | None = None
) -> CaughtUp:
    """Bring every account up to `now`; a due date that has passed becomes today, where the next runs look.

    Accounts that are up to date are read and not written. `progress` is called after each account.
    """
    today = local_day(now, programs.load_program().time_zone)
    total = CaughtUp()
    with ThreadPoolExecutor(WORKERS) as workers:
        for page in _account_ids(client, loyalty_table):
            for one in workers.map(lambda member_id: _caught_up(member_id, now, today), page):
                total = CaughtUp(*(before + more for before, more in zip(total, one, strict=True)))
                if progress:
                    progress()
    return total


def _caught_up(member_id: str, now: datetime, today: date) -> CaughtUp:
    try:
        return CaughtUp(accounts=1, entries=upkeep.catch_up(member_id, now, not_before=today))
    except LoyaltyError:
        return CaughtUp(accounts=1, failed=1)


def _account_ids(client: "DynamoDBClient", loyalty_table: str) -> Iterator[list[str]]:
    pages = client.get_paginator("scan").paginate(
        TableName=loyalty_table,
        FilterExpression="sk = :account",
        ExpressionAttributeValues={":account": {"S": "ACCOUNT"}},
        ProjectionExpression="pk",
        PaginationConfig={"PageSize": _AT_ONCE},
    )
    return ([item["pk"]["S"].removeprefix("MEMBER#") for item in page["Items"]] for page in pages)
