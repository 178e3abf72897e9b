"""Who is to get a statement of a month: a small item for each member with an entry in it, gone once it is sent.

So the work of a month's statements follows the members who did something, not all there are.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from shared import settings
from shared.tables import client, keys
from shared.tables.client import Key

KEPT = timedelta(days=92)
PAGES_MAX = 1000


def note(member_id: str, month: str, now: datetime) -> None:
    """Note that a member had an entry in a month, however often."""
    item: dict[str, Any] = {
        **client.key_of(_key(member_id, month)),
        "forget_at": client.forget_at(now + KEPT),
    }
    client.ask(lambda: client.client().put_item(TableName=settings.loyalty_table(), Item=item))


def members(month: str) -> Iterator[str]:
    """Whose statement of a month was not sent yet."""
    for shard in range(settings.due_shards_read()):
        found = client.query(
            settings.loyalty_table(),
            pages_max=PAGES_MAX,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _pk(month, shard)}},
        )
        yield from (item["sk"]["S"] for item in found)


def members_after(month: str, shard: int, after: str, members_max: int) -> list[str]:
    """The next of those members in one shard, in order, after one of them."""
    found = client.following(settings.loyalty_table(), _pk(month, shard), after, members_max)
    return [item["sk"]["S"] for item in found]


def remove(member_id: str, month: str, shard: int) -> None:
    """Forget a statement that was dealt with, in the shard that it was found in."""
    key = client.key_of(Key(_pk(month, shard), member_id))
    client.ask(lambda: client.client().delete_item(TableName=settings.loyalty_table(), Key=key))


def _key(member_id: str, month: str) -> Key:
    return Key(_pk(month, keys.shard_of(member_id, settings.due_shards())), member_id)


def _pk(month: str, shard: int) -> str:
    return f"STATEMENT#{month}#{shard}"
