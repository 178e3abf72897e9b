"""How often something was done in a period, each entry counted once however often it is delivered.

A marker for each entry is put with the count in one transaction. They are forgotten after a time.
"""

from datetime import datetime

from shared import request_ids, settings
from shared.domain.points.rates import EVIDENCE_MAX, Counted, cause_of
from shared.tables import client
from shared.tables.announced import KEPT
from shared.tables.client import CancelledError, Key

_MARKER = "ENTRY#"


def load(one: Counted) -> int:
    """How often it has been done."""
    item = client.get(settings.loyalty_table(), _key(one, "COUNT"))
    return int(item["times"]["N"]) if item else 0


def add(one: Counted, entry_id: str, now: datetime) -> None:
    """Count an entry, unless it is counted. Raises TryAgainError if others kept counting."""
    table, forget_at = settings.loyalty_table(), client.forget_at(now + KEPT)
    count = {
        "TableName": table,
        "Key": client.key_of(_key(one, "COUNT")),
        "UpdateExpression": "SET forget_at = :end ADD times :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":end": forget_at},
    }
    try:
        client.transact(
            [client.put_new(table, _key(one, f"{_MARKER}{entry_id}"), forget_at=forget_at), {"Update": count}]
        )
    except CancelledError as cancelled:
        if 0 not in cancelled.failed:
            raise


def evidence(one: Counted) -> list[str]:
    """The ids of entries that were counted, at most so many as a review names."""
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :marker)",
            ExpressionAttributeValues={":pk": {"S": _key(one, "").pk}, ":marker": {"S": _MARKER}},
            ConsistentRead=True,
            Limit=EVIDENCE_MAX,
        )
    )
    return [item["sk"]["S"].removeprefix(_MARKER) for item in answer["Items"]]


def _key(one: Counted, sk: str) -> Key:
    return Key(f"RATE#{request_ids.derived_id(*cause_of(one))}", sk)
