"""Who did what: each change by an operator and each look at personal data leaves a trace, which never changes.

A trace is kept under its month, and once more under the member that it is about, so that one query finds either. It
names people only by their ids.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared import runtime, settings
from shared.domain.actors import is_operator
from shared.domain.calendar import month_of
from shared.domain.fields import Stored
from shared.tables import client, records
from shared.tables.client import Key, Write

if TYPE_CHECKING:
    from shared.caller import Caller

OF_MEMBER_MAX_PAGES = 100
_OF_MEMBER = "ACCESS#"


class Trace(Stored):
    """What an operator did or looked at, and for which member; `details` are ids and counts, never personal data."""

    at: datetime
    actor: str
    what: str
    member_id: str | None = None
    details: Mapping[str, str] = {}


def trail(
    caller: "Caller", what: str, at: datetime, member_id: str | None = None, **details: str | None
) -> list[Write]:
    """The writes of a trace, for the transaction of the change itself; none if the caller is not an operator."""
    if not is_operator(caller.actor):
        return []
    known = {name: value for name, value in details.items() if value is not None}
    trace = Trace(at=at, actor=caller.actor, what=what, member_id=member_id, details=known)
    place = f"{at.isoformat(timespec='microseconds')}#{runtime.random().getrandbits(32):08x}"
    keys = [Key(f"AUDIT#{month_of(at.date())}", place)]
    if member_id is not None:
        keys.append(Key(f"MEMBER#{member_id}", f"{_OF_MEMBER}{place}"))
    held = records.attributes(trace)
    table = settings.loyalty_table()
    return [{"Put": {"TableName": table, "Item": {**client.key_of(key), **held}}} for key in keys]


def record(caller: "Caller", what: str, at: datetime, member_id: str | None = None, **details: str | None) -> None:
    """Leave a trace of a request that has no transaction to join. Raises TryAgainError if it cannot be written."""
    writes = trail(caller, what, at, member_id, **details)
    if writes:
        client.transact(writes)


def listing(month: str, limit: int, before: str | None = None) -> tuple[Sequence[Trace], str | None]:
    """At most `limit` traces of a month (2026-11), the newest first, and where the next page begins."""
    values: dict[str, Any] = {":pk": {"S": f"AUDIT#{month}"}, ":before": {"S": before or "~"}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            KeyConditionExpression="pk = :pk AND sk < :before",
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
    )
    items = answer["Items"]
    more = items[-1]["sk"]["S"] if "LastEvaluatedKey" in answer else None
    return [records.read(Trace, item) for item in items], more


def of_member(member_id: str) -> list[Trace]:
    """Every trace that is about a member, the oldest first."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=OF_MEMBER_MAX_PAGES,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :access)",
        ExpressionAttributeValues={":pk": {"S": f"MEMBER#{member_id}"}, ":access": {"S": _OF_MEMBER}},
    )
    return [records.read(Trace, item) for item in items]
