"""On which days anything is due, read from the index that the functions page through."""

from datetime import date
from typing import TYPE_CHECKING

from infra.tables import LOYALTY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def earliest_due(client: "DynamoDBClient", day: date) -> date | None:
    """The first day on or after `day` under which an account stands. Reads the whole index: not for the cloud."""
    pages = client.get_paginator("scan").paginate(TableName=LOYALTY.name, IndexName="due")
    # DUE#<date>#<shard>
    days = {item["due_pk"]["S"].split("#")[1] for page in pages for item in page["Items"]}
    return min((due for due in map(date.fromisoformat, days) if due >= day), default=None)
