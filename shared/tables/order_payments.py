"""What redemptions pay of each order, as it is kept beside them: so that two at once do not pay it twice."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared import settings
from shared.domain.entry import Entry
from shared.domain.spending.order_payments import Payments, changes
from shared.tables import client, keys
from shared.tables.client import Item, Key, Write

BY_POINTS, BY_CREDIT, TOTAL = "by_points", "by_credit", "order_total"


def payments_of(item: Item | None) -> Payments:
    """What an item says is paid. What an order was said to come to holds only while something is paid of it."""
    if item is None:
        return Payments()
    by_points, by_credit = int(item[BY_POINTS]["N"]), int(item[BY_CREDIT]["N"])
    is_said = TOTAL in item and (by_points or by_credit)
    return Payments(by_points, by_credit, int(item[TOTAL]["N"]) if is_said else None)


def item_of(key: Key, payments: Payments) -> Item:
    """The item that keeps payments."""
    named = {} if payments.total is None else {TOTAL: {"N": str(payments.total)}}
    amounts = {BY_POINTS: {"N": str(payments.by_points)}, BY_CREDIT: {"N": str(payments.by_credit)}}
    return {**client.key_of(key), **amounts, **named}


def writes(entries: Iterable[Entry], read: Mapping[Key, Item | None]) -> Iterator[Write]:
    """One write for each order of which the entries together change what is paid.

    Where a decision has `read` what was paid, the write holds only while that is still so.
    """
    for order_id, change in changes(entries).items():
        key = keys.paid_key(order_id)
        values = {":points": {"N": str(change.by_points)}, ":credit": {"N": str(change.by_credit)}}
        update: dict[str, Any] = {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(key),
            "UpdateExpression": f"ADD {BY_POINTS} :points, {BY_CREDIT} :credit",
            "ExpressionAttributeValues": values,
        }
        if change.total is not None:
            update["UpdateExpression"] += f" SET {TOTAL} = :total"
            values[":total"] = {"N": str(change.total)}
        if key in read:
            update |= _as_read(read[key], values)
        yield {"Update": update}


def _as_read(item: Item | None, values: dict[str, Any]) -> dict[str, Any]:
    """The condition that an item is as it was read; `values` takes what it compares with."""
    shows = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if item is None:
        return {"ConditionExpression": "attribute_not_exists(pk)", **shows}
    named = [name for name in (BY_POINTS, BY_CREDIT, TOTAL) if name in item]
    values |= {f":read_{name}": item[name] for name in named}
    return {"ConditionExpression": " AND ".join(f"{name} = :read_{name}" for name in named), **shows}
