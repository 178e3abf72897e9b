"""What an endpoint that keeps failing was not told: of each account, from which of its events on.

The events themselves are in the ledger.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from shared import settings
from shared.domain.errors import TryAgainError
from shared.tables import client
from shared.tables.client import Key

KEPT = timedelta(days=30)
ATTEMPTS_MAX = 3
SETTLED_AFTER = timedelta(minutes=1)
"""Until then the index of the ledger may not have the event yet."""


class Parked(NamedTuple):
    """An account whose events from `first` on wait; `times` tells whether more were parked since it was read."""

    account_id: str
    first: int
    times: int


def park(webhook_id: str, account_id: str, sequence: int, now: datetime) -> None:
    """Note that an endpoint was not told an event. Raises TryAgainError if others keep writing."""
    whole = {":forget_at": client.forget_at(now + KEPT), ":at": {"S": _text(now)}, ":one": {"N": "1"}}
    request: Any = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(_key(webhook_id, account_id)),
        "ExpressionAttributeNames": {"#first": "first"},
        "ExpressionAttributeValues": {**whole, ":sequence": {"N": str(sequence)}},
    }
    kept = "forget_at = :forget_at, parked_at = :at ADD times :one"
    earlier: dict[str, Any] = {
        "UpdateExpression": f"SET #first = :sequence, {kept}",
        "ConditionExpression": "attribute_not_exists(pk) OR #first > :sequence",
    }
    later: dict[str, Any] = {"UpdateExpression": f"SET {kept}", "ConditionExpression": "#first <= :sequence"}
    for _ in range(ATTEMPTS_MAX):
        if any(client.holds(partial(client.client().update_item, **request, **change)) for change in (earlier, later)):
            return
    raise TryAgainError("others write what waits for the endpoint")


def waiting(webhook_id: str, now: datetime, limit: int) -> Iterator[Parked]:
    """At most `limit` accounts whose events wait for an endpoint."""
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _key(webhook_id, "").pk}},
            ConsistentRead=True,
            Limit=limit,
        )
    )
    for item in answer["Items"]:
        if item["parked_at"]["S"] <= _text(now - SETTLED_AFTER):
            yield Parked(item["sk"]["S"], int(item["first"]["N"]), int(item["times"]["N"]))


def remove(webhook_id: str, parked: Parked) -> None:
    """Forget what waited, unless more was parked meanwhile."""
    request: Any = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(_key(webhook_id, parked.account_id)),
        "ConditionExpression": "times = :times",
        "ExpressionAttributeValues": {":times": {"N": str(parked.times)}},
    }
    client.holds(lambda: client.client().delete_item(**request))


def _key(webhook_id: str, account_id: str) -> Key:
    return Key(f"PARKED#{webhook_id}", account_id)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
