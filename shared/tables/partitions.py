"""All items under one partition key, whatever they are: to show what is held about a person, and to forget it."""

from collections.abc import Iterable

from shared.tables import client
from shared.tables.client import Item

PAGES_MAX = 100


def items(table: str, pk: str) -> Iterable[Item]:
    """Every item under a key. Raises TryAgainError beyond `PAGES_MAX` megabytes."""
    return client.query(
        table,
        pages_max=PAGES_MAX,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ConsistentRead=True,
    )
