"""Messages that wait for the end of somebody's quiet hours: what is to be said, never the words or the address.

Consent, preferences and language are looked at when the time has come, so that a no in between counts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared import settings
from shared.domain.telling.notifications import Note
from shared.tables import client, keys, records
from shared.tables.client import Key

PAGES_MAX = 100


class Waiting(NamedTuple):
    """A note, and where it waits."""

    key: Key
    note: Note


def put(note: Note, until: datetime) -> None:
    """Let a note wait. The same note until the same instant waits once."""
    key = Key(f"WAITING#{_shard(note.member_id)}", f"{_text(until)}#{note.message_id}")
    item: dict[str, Any] = {**client.key_of(key), **records.attributes(note)}
    client.ask(lambda: client.client().put_item(TableName=settings.loyalty_table(), Item=item))


def over(now: datetime) -> Iterator[Waiting]:
    """What need not wait any longer, in each shard the earliest first."""
    for shard in range(settings.due_shards_read()):
        yield from _of_shard(shard, now)


def first(shard: int) -> datetime | None:
    """When the first note of a shard may go."""
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"WAITING#{shard}"}},
            Limit=1,
        )
    )
    return next((datetime.fromisoformat(item["sk"]["S"].split("#")[0]) for item in answer["Items"]), None)


def everything() -> Iterator[Waiting]:
    """All that waits, whenever its time comes."""
    for shard in range(settings.due_shards_read()):
        yield from _before(shard, "~")


def remove(one: Waiting) -> None:
    """Forget a note that was dealt with."""
    key = client.key_of(one.key)
    client.ask(lambda: client.client().delete_item(TableName=settings.loyalty_table(), Key=key))


def _of_shard(shard: int, now: datetime) -> Iterator[Waiting]:
    # "$" follows "#": what is over at this very instant is over.
    return _before(shard, f"{_text(now)}$")


def _before(shard: int, end: str) -> Iterator[Waiting]:
    items = client.query(
        settings.loyalty_table(),
        pages_max=PAGES_MAX,
        KeyConditionExpression="pk = :pk AND sk < :end",
        ExpressionAttributeValues={":pk": {"S": f"WAITING#{shard}"}, ":end": {"S": end}},
    )
    for item in items:
        yield Waiting(Key(item["pk"]["S"], item["sk"]["S"]), records.read(Note, item))


def _shard(member_id: str) -> int:
    return keys.shard_of(member_id, settings.due_shards())


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
