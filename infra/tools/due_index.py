"""On which days anything is due, read from the index that the functions page through."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from infra.tables import LOYALTY
from shared import settings
from shared.domain.calendar import month_of
from shared.tables import deferred_messages, statements

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def days_standing(client: "DynamoDBClient", first: date, last: date) -> list[date]:
    """The days of a span, both ends included, under which accounts stand. Reads the whole index: not for the cloud."""
    return sorted(day for day in _all_days(client) if first <= day <= last)


def earliest_due(client: "DynamoDBClient", day: date) -> date | None:
    """The first day on or after `day` on which anything is due. Reads the whole index: not for the cloud."""
    first_statement = earliest_statement(day)
    found = [due for due in _all_days(client) if due >= day]
    return min([*found, first_statement] if first_statement else found, default=None)


def earliest_statement(day: date) -> date | None:
    """The first day on or after `day` on which statements of the month before can be sent."""
    this_month = day.replace(day=1)
    if any(statements.members(month_of(this_month - timedelta(days=1)))):
        return day
    following = (this_month + timedelta(days=32)).replace(day=1)
    return following if any(statements.members(month_of(this_month))) else None


def earliest_waiting() -> datetime | None:
    """When the first of the messages that wait may go."""
    firsts = (deferred_messages.first(shard) for shard in range(settings.due_shards_read()))
    return min((first for first in firsts if first is not None), default=None)


def _all_days(client: "DynamoDBClient") -> set[date]:
    pages = client.get_paginator("scan").paginate(
        TableName=LOYALTY.name, IndexName="due", ProjectionExpression="due_pk"
    )
    # DUE#<date>#<shard>
    days = {item["due_pk"]["S"].split("#")[1] for page in pages for item in page["Items"]}
    return set(map(date.fromisoformat, days))
