"""Codes by which members prove that they are there. A code itself is not stored, but a keyed hash of it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from shared import settings
from shared.tables import client, members
from shared.tables.client import Item, Key, Write

KEPT = timedelta(days=1)
"""For how long a code that is over is kept: then the database forgets it."""


class MemberCode(NamedTuple):
    """Whom a code names, until when, and whether it has been used."""

    member_id: str
    expires_at: datetime
    is_used: bool


def key_of(code: str) -> Key:
    """Where a code stands."""
    return Key(f"CODE#{members.keyed_hash(f'code:{code}')}", "CODE")


def load(code: str) -> MemberCode | None:
    """A code, if it was issued."""
    return code_of(client.get(settings.loyalty_table(), key_of(code)))


def code_of(item: Item | None) -> MemberCode | None:
    """The code that an item holds."""
    if item is None:
        return None
    return MemberCode(item["member_id"]["S"], datetime.fromisoformat(item["expires_at"]["S"]), "used_for" in item)


def put(code: str, member_id: str, expires_at: datetime) -> None:
    """Issue a code. Raises CancelledError if it is somebody's already."""
    named = {"member_id": {"S": member_id}, "expires_at": {"S": expires_at.isoformat()}}
    forget_at = client.forget_at(expires_at + KEPT)
    client.transact([client.put_new(settings.loyalty_table(), key_of(code), **named, forget_at=forget_at)])


def use(code: str, redemption_id: str) -> Write:
    """Uses a code up for a redemption, if nothing has yet: for the transaction that books it."""
    return {
        "Update": {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(key_of(code)),
            "UpdateExpression": "SET used_for = :redemption",
            "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(used_for)",
            "ExpressionAttributeValues": {":redemption": {"S": redemption_id}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
