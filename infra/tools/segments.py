"""A table's segments: what DynamoDB's parallel scan divides it into, by the hash of the partition key."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from infra.tools.parts import Part, Run
from shared.tables import client
from shared.tables.client import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS_TOGETHER = 20_000
"""About so many items make a segment, unless there are fewer segments than keep every worker busy."""
SEGMENTS_A_WORKER = 4
SEGMENTS_MAX = 1_000_000
"""DynamoDB divides a table into no more."""


def segments(database: "DynamoDBClient", table: str, run: Run) -> list[Part]:
    """The parts of a table: one if a page of a scan holds it, else so many that each takes minutes at most.

    A run that goes on has the parts that it began with.
    """
    count = run.once("segments", lambda: _count(database, table, run.workers))
    return [
        {"name": f"segment {number + 1} of {count}", "table": table, "segment": number, "of": count}
        for number in range(count)
    ]


def identity(database: "DynamoDBClient", table: str) -> list[str]:
    """What tells a table from any other, one of the same name at the same address included."""
    described = database.describe_table(TableName=table)["Table"]
    return [database.meta.endpoint_url, described["TableArn"], str(described["CreationDateTime"])]


def pages(part: Part, **request: Any) -> Iterator[Sequence[Item]]:  # noqa: ANN401 - botocore's own arguments
    """The items of a segment, a page at a time."""
    if part["of"] > 1:
        request |= {"Segment": part["segment"], "TotalSegments": part["of"]}
    scan = client.client().get_paginator("scan").paginate(TableName=part["table"], **request)
    return (page["Items"] for page in scan)


def accounts(part: Part, **request: Any) -> Iterator[Sequence[Item]]:  # noqa: ANN401 - botocore's own arguments
    """The accounts of a segment, a page at a time: of members, wallets and pools. Other items are not sent."""
    only = {"FilterExpression": "sk = :account", "ExpressionAttributeValues": {":account": {"S": "ACCOUNT"}}}
    return pages(part, **only, **request)


def _count(database: "DynamoDBClient", table: str, workers: int) -> int:
    if "LastEvaluatedKey" not in database.scan(TableName=table):
        return 1
    # Hours old, and 0 for a table just restored.
    items = database.describe_table(TableName=table)["Table"].get("ItemCount", 0)
    return min(max(items // ITEMS_TOGETHER, workers * SEGMENTS_A_WORKER), SEGMENTS_MAX)
