"""Which messages went out: a marker for each, so that a repeated delivery of its cause sends nothing twice.

A message is claimed, sent, and marked as sent, or as refused by its channel for good. If the sender dies in between,
the claim runs out and the next delivery sends it: better twice in a crash than never.
"""

from datetime import datetime, timedelta
from typing import Any

from shared import settings
from shared.tables import client
from shared.tables.client import Key

CLAIM = timedelta(minutes=5)
WEEK_KEPT = timedelta(days=15)


def claim(message_id: str, now: datetime) -> bool:
    """Whether the caller is to send the message: nothing has become of it, and no other process is sending it."""
    item = {**client.key_of(_key(message_id)), "claimed_at": {"S": now.isoformat()}}
    undone = "attribute_not_exists(sent_at) AND attribute_not_exists(refused_at)"
    free = f"attribute_not_exists(pk) OR ({undone} AND claimed_at < :stale)"
    return client.put_if(settings.loyalty_table(), item, free, stale={"S": (now - CLAIM).isoformat()})


def mark_sent(message_id: str, now: datetime) -> None:
    """Note that a claimed message went out."""
    _mark(message_id, "SET sent_at = :now", now=now.isoformat())


def mark_refused(message_id: str, code: str, now: datetime) -> None:
    """Note that a claimed message will never go out, and what its channel said."""
    _mark(message_id, "SET refused_at = :now, refused_with = :code", now=now.isoformat(), code=code)


def _mark(message_id: str, update: str, **values: str) -> None:
    request: dict[str, Any] = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(_key(message_id)),
        "UpdateExpression": update,
        "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()},
    }
    client.ask(lambda: client.client().update_item(**request))


def release(message_id: str) -> None:
    """Give a claimed message free again: it did not go out."""
    key = client.key_of(_key(message_id))
    client.ask(lambda: client.client().delete_item(TableName=settings.loyalty_table(), Key=key))


def count(member_id: str, week: str, now: datetime) -> int:
    """Count one more marketing message of a member in a week; how many that makes."""
    request: dict[str, Any] = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(_week_key(member_id, week)),
        "UpdateExpression": "SET forget_at = :end ADD messages :one",
        "ExpressionAttributeValues": {
            ":one": {"N": "1"},
            ":end": client.forget_at(now + WEEK_KEPT),
        },
        "ReturnValues": "UPDATED_NEW",
    }
    answer = client.ask(lambda: client.client().update_item(**request))
    return int(answer["Attributes"]["messages"]["N"])


def uncount(member_id: str, week: str) -> None:
    """Take one off again: it did not go out."""
    request: dict[str, Any] = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(_week_key(member_id, week)),
        "UpdateExpression": "ADD messages :one",
        "ExpressionAttributeValues": {":one": {"N": "-1"}},
    }
    client.ask(lambda: client.client().update_item(**request))


def _week_key(member_id: str, week: str) -> Key:
    return Key(f"MESSAGE#{member_id}", f"WEEK#{week}")


def _key(message_id: str) -> Key:
    return Key(f"MESSAGE#{message_id}", "SENT")
