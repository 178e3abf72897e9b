"""Puts right what a table keeps beside its accounts although other items make it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from infra.errors import LocalError
from infra.tools.derived_items import (
    BUDGET,
    DEPOSITED,
    OF_CREDIT,
    PAID,
    PROGRAM,
    VERSION,
    Derived,
    OfEntries,
    makers_of,
)
from shared.domain.earning.campaigns import budget_total
from shared.domain.spending.order_payments import Payments
from shared.tables import keys, orders, programs
from shared.tables.client import Item, Key, key_of
from shared.tables.order_payments import BY_POINTS, item_of
from shared.tables.orders import OrderState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CHANGES_WITH_EACH_WRITE = ("changes", "amount", "taken", "pieces", "remaining", "revision", BY_POINTS)


class Sums(NamedTuple):
    """One line for each sum: those put right, and what is wrong with one all the same."""

    put_right: tuple[str, ...]
    left: tuple[str, ...]


def put_right(client: "DynamoDBClient", table: str, derived: Derived, of_entries: OfEntries, *, writes: bool) -> Sums:
    """Make every sum what the entries make; with `writes` False, say what would be done.

    Raises LocalError if somebody else writes to one.
    """
    told = derived.all_wrong(of_entries)
    wrong = derived.wrong(of_entries)
    left: list[str] = []
    for name, state in derived.wrong_orders(of_entries).items():
        if writes:
            _write(client, table, derived.items[name], list(_order(name, state)))
    for name in dict.fromkeys(_item_name(one) for one in wrong):
        items = derived.items[name]
        if name == PROGRAM:
            desired = _program(items)
        elif name.startswith(BUDGET):
            deposits = wrong.get(name + DEPOSITED)
            desired = [_budget(name, items, of_entries.sums[name], deposits)]
            if deposits is not None and deposits < of_entries.sums[name]:
                left.append(f"{name}: {of_entries.sums[name]} points are spent, of deposits only {deposits} are there")
        elif name.endswith(PAID):
            desired = list(_payments(name, of_entries.payments(name)))
        else:
            desired = list(_sum(name, wrong[name]))
        if writes:
            _write(client, table, items, desired)
    lines = (f"{name} was {holds}, {makers_of(name)} make {made}" for name, holds, made in told)
    return Sums(tuple(lines), tuple(left))


def _item_name(name: str) -> str:
    """Which item holds a sum: some hold two."""
    return name.removesuffix(DEPOSITED).removesuffix(OF_CREDIT)


def _payments(name: str, made: Payments) -> Iterator[Item]:
    """What redemptions pay of an order; none if that is nothing."""
    if made.paid:
        yield item_of(Key(name.removesuffix(PAID), PAID.removeprefix("#")), made)


def _order(name: str, state: OrderState) -> Iterator[Item]:
    """How an order stands; none if nothing has happened to it."""
    if state != OrderState():
        pk, _, sk = name.rpartition("#")
        yield orders.item_of(Key(pk, sk), state)


def _sum(name: str, made: int) -> Iterator[Item]:
    """A redemption's parts or a reward's stock; none if nothing was ever counted."""
    pk, _, sk = name.rpartition("#")
    if made:
        yield {**key_of(Key(pk, sk)), ("taken" if sk == "STOCK" else "amount"): {"N": str(made)}}


def _budget(name: str, items: Sequence[Item], spent: int, deposits: int | None) -> Item:
    """All that is left in one place: leases move points without spending any, so none are needed."""
    own_name = name.removeprefix(BUDGET)
    total: dict[str, Any] = next((dict(item) for item in items if item["sk"]["S"] == "TOTAL"), {})
    if not total:
        program = programs.load_program()
        of_program = budget_total(program, own_name)
        total = {**key_of(keys.budget_key(own_name)), "budgeted": {"N": str(of_program or 0)}}
        if of_program is not None:
            total["version"] = {"N": str(program.version)}
    budgeted = max(spent, int(total["budgeted"]["N"]) if deposits is None else deposits)
    return {**total, "budgeted": {"N": str(budgeted)}, "remaining": {"N": str(budgeted - spent)}}


def _program(items: Sequence[Item]) -> list[Item]:
    """The current program as its newest version has it, and the newest version as the current program has it."""
    current = next((item for item in items if item["sk"]["S"] == "CURRENT"), None)
    versions = {int(item["sk"]["S"].removeprefix(VERSION)): item for item in items if item is not current}
    newest = max([*versions, int(current["revision"]["N"]) if current else 0])
    kept = versions[newest] if newest in versions or current is None else current
    text = {name: kept[name] for name in ("body", "schema") if name in kept}
    versions[newest] = {**key_of(Key(PROGRAM, f"{VERSION}{newest}")), **text}
    current = {**key_of(Key(PROGRAM, "CURRENT")), "revision": {"N": str(newest)}, **text}
    return [current, *versions.values()]


def _write(client: "DynamoDBClient", table: str, items: Sequence[Item], desired: Sequence[Item]) -> None:
    """Have the desired items stand instead of those that were read."""
    read = {_key(item): item for item in items}
    wanted = {_key(item): item for item in desired}
    writes: list[Any] = [
        {"Put": {"TableName": table, "Item": item, **_as_read(read.get(key))}}
        for key, item in wanted.items()
        if item != read.get(key)
    ]
    writes += [
        {"Delete": {"TableName": table, "Key": key_of(key), **_as_read(item)}}
        for key, item in read.items()
        if key not in wanted
    ]
    try:
        client.transact_write_items(TransactItems=writes)
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        raise LocalError(f"somebody else is writing to {items}: let nobody, and rebuild again") from error


def _as_read(item: Item | None) -> dict[str, Any]:
    """The condition that an item is as it was read."""
    name = next((name for name in _CHANGES_WITH_EACH_WRITE if item and name in item), None)
    if item is None or name is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#name = :read",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": {":read": item[name]},
    }


def _key(item: Item) -> Key:
    return Key(item["pk"]["S"], item["sk"]["S"])
