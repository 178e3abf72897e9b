"""All items under one partition key, whatever they are."""

from collections.abc import Iterable

from shared.tables import client
from shared.tables.client import Item

PAGES_MAX = 100


def items(table: str, pk: str, pages_max: int = PAGES_MAX) -> Iterable[Item]:
    """Every item under a key. Raises TryAgainError beyond `pages_max` megabytes."""
    return client.query(
        table,
        pages_max=pages_max,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ConsistentRead=True,
    )
