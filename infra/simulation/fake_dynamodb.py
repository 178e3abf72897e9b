"""A DynamoDB in memory, in the place of boto3's client: the requests that the product makes, and no others.

Writes are seen by `watch` as they are committed. Index queries may be a moment behind, as they are in the cloud.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from infra.simulation import expressions
from infra.simulation.expressions import UnknownExpressionError, plain
from infra.tables import Index, Table

TRANSACTION_ITEMS_MAX = 100
PAGE_ITEMS = 60
"""So few that pages are turned."""
RECENT_COMMITS = 3
"""How many commits an index may be behind."""

Key = tuple[str, str]
Item = Mapping[str, Any]


class Written(NamedTuple):
    """One item of a commit, before and after; None: it was not, or is not there."""

    table: str
    key: Key
    before: Item | None
    after: Item | None


Around = Callable[[str, Callable[[], Any]], Any]
"""What a request goes through: its name, and what executes it."""


def refusal(code: str, operation: str, **more: Any) -> ClientError:  # noqa: ANN401
    """The error that boto3 raises when DynamoDB refuses."""
    status = {"HTTPStatusCode": 500 if code == "InternalServerError" else 400}
    response: Any = {"Error": {"Code": code, "Message": "simulated"}, "ResponseMetadata": status, **more}
    return ClientError(response, operation)


class Database:
    """Two tables and their indexes. `around` is asked about each request; `behind` whether an index lags."""

    def __init__(
        self, tables: Sequence[Table], around: Around, watch: Callable[[list[Written]], None], behind: Callable[[], int]
    ) -> None:
        self._items: dict[str, dict[str, dict[str, Item]]] = {table.name: {} for table in tables}
        self._sorted: dict[str, dict[str, list[str]]] = {table.name: {} for table in tables}
        self._indexes = {table.name: {index.name: _Listing(index) for index in table.indexes} for table in tables}
        self._recent: deque[list[Written]] = deque(maxlen=RECENT_COMMITS)
        self._around, self._watch, self._behind = around, watch, behind

    # What the simulation looks at -------------------------------------------------------------------------------------

    def peek(self, table: str, key: Key) -> Item | None:
        """An item as it is; no request, no fault."""
        return self._items[table].get(key[0], {}).get(key[1])

    def everything(self, table: str) -> list[tuple[Key, Item]]:
        """All items, by their keys."""
        return [
            ((pk, sk), item) for pk, rows in sorted(self._items[table].items()) for sk, item in sorted(rows.items())
        ]

    # What boto3's client can do ---------------------------------------------------------------------------------------

    def get_item(self, **request: Any) -> Any:  # noqa: ANN401
        """One item."""
        _known(request, "TableName", "Key", "ConsistentRead")
        return self._around("GetItem", lambda: _found(self.peek(request["TableName"], _key(request["Key"]))))

    def transact_get_items(self, **request: Any) -> Any:  # noqa: ANN401
        """Several items as of one instant."""
        _known(request, "TransactItems")
        gets = [get["Get"] for get in request["TransactItems"]]
        if len(gets) > TRANSACTION_ITEMS_MAX:
            raise UnknownExpressionError(f"{len(gets)} items are read together")

        def read() -> Any:  # noqa: ANN401
            return {"Responses": [_found(self.peek(get["TableName"], _key(get["Key"]))) for get in gets]}

        return self._around("TransactGetItems", read)

    def query(self, **request: Any) -> Any:  # noqa: ANN401
        """A page of a table or an index."""
        return self._around("Query", lambda: self._query(**request))

    def scan(self, **request: Any) -> Any:  # noqa: ANN401
        """How many items an index has, up to a limit."""
        _known(request, "TableName", "IndexName", "Limit", "Select")
        listing = self._indexes[request["TableName"]][request["IndexName"]]
        return self._around("Scan", lambda: {"Count": min(listing.size, request["Limit"])})

    def put_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Put one item, perhaps on a condition."""
        return self._around("PutItem", lambda: self._single("Put", request, "PutItem"))

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Change one item."""
        return self._around("UpdateItem", lambda: self._single("Update", request, "UpdateItem"))

    def delete_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Delete one item."""
        return self._around("DeleteItem", lambda: self._single("Delete", request, "DeleteItem"))

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401
        """All or nothing."""
        _known(request, "TransactItems", "ClientRequestToken")
        return self._around("TransactWriteItems", lambda: self._transact(request["TransactItems"]))

    # Inside -----------------------------------------------------------------------------------------------------------

    def _single(self, kind: str, request: dict[str, Any], operation: str) -> Any:  # noqa: ANN401
        returns = request.pop("ReturnValues", None)
        written, holds = self._planned(kind, request)
        if not holds:
            raise refusal("ConditionalCheckFailedException", operation)
        self._commit([written])
        return {"Attributes": written.after} if returns else {}

    def _transact(self, items: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
        planned = []
        for item in items:
            [(kind, request)] = item.items()
            written, holds = self._planned(kind, request)
            planned.append((written, holds, request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"))
        places = {(written.table, written.key) for written, _, _ in planned}
        if not planned or len(places) < len(planned) or len(planned) > TRANSACTION_ITEMS_MAX:
            raise UnknownExpressionError(f"no transaction: {len(planned)} writes at {len(places)} places")
        if not all(holds for _, holds, _ in planned):
            reasons = [_reason(*one) for one in planned]
            raise refusal("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
        self._commit([written for written, _, _ in planned])
        return {}

    def _planned(self, kind: str, request: Mapping[str, Any]) -> tuple[Written, bool]:
        """What a write would make of its item, and whether its condition holds."""
        table = request["TableName"]
        key = _key(request["Item"] if kind == "Put" else request["Key"])
        before = self.peek(table, key)
        holds, values, names = (
            True,
            request.get("ExpressionAttributeValues", {}),
            request.get("ExpressionAttributeNames"),
        )
        if "ConditionExpression" in request:
            holds = expressions.condition(request["ConditionExpression"], names)(before or {}, values)
        if kind == "Put":
            _known(request, "TableName", "Item", *_CONDITION)
            return Written(table, key, before, request["Item"]), holds
        if kind == "Delete":
            _known(request, "TableName", "Key", *_CONDITION)
            return Written(table, key, before, None), holds
        if kind != "Update":
            raise UnknownExpressionError(f"{kind} in a transaction")
        _known(request, "TableName", "Key", "UpdateExpression", *_CONDITION)
        after = dict(before or request["Key"])
        if holds:
            expressions.update(request["UpdateExpression"], names)(after, values)
        return Written(table, key, before, after), holds

    def _commit(self, written: list[Written]) -> None:
        for one in written:
            rows = self._items[one.table].setdefault(one.key[0], {})
            if one.before is None and one.after is not None:
                insort(self._sorted[one.table].setdefault(one.key[0], []), one.key[1])
            if one.after is None:
                if one.before is not None:
                    del rows[one.key[1]]
                    self._sorted[one.table][one.key[0]].remove(one.key[1])
            else:
                rows[one.key[1]] = one.after
            for listing in self._indexes[one.table].values():
                listing.change(one)
        self._recent.append(written)
        self._watch(written)

    def _query(self, **request: Any) -> Any:  # noqa: ANN401
        _known(request, *_QUERY)
        table, values = request["TableName"], request["ExpressionAttributeValues"]
        partition, _, rest = request["KeyConditionExpression"].partition(" AND ")
        name, _, value = partition.split(" ")
        pk = values[value]["S"]
        index = request.get("IndexName")
        if index is None and name != "pk":
            raise UnknownExpressionError(partition)
        if index is None:
            rows = self._items[table].get(pk, {})
            found: list[Item] = [rows[sk] for sk in self._sorted[table].get(pk, [])]
        else:
            listing = self._indexes[table][index]
            if name != listing.index.hash_key.name:
                raise UnknownExpressionError(partition)
            recent = list(self._recent)
            found = listing.rows(pk, recent[len(recent) - min(self._behind(), len(recent)) :])
        if rest:
            holds = expressions.condition(rest, request.get("ExpressionAttributeNames"))
            found = [item for item in found if holds(item, values)]
        sort_key = "sk" if index is None else self._indexes[table][index].index.range_key.name
        forward = request.get("ScanIndexForward", True)
        if not forward:
            found.reverse()
        size = min(request.get("Limit", PAGE_ITEMS), PAGE_ITEMS)
        return _page(found, request.get("ExclusiveStartKey"), size, sort_key, forward=forward)


_CONDITION = (
    "ConditionExpression",
    "ExpressionAttributeValues",
    "ExpressionAttributeNames",
    "ReturnValuesOnConditionCheckFailure",
)
_QUERY = (
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "ExpressionAttributeValues",
    "ExpressionAttributeNames",
    "ScanIndexForward",
    "Limit",
    "ExclusiveStartKey",
    "ConsistentRead",
)


class _Listing:
    """A global secondary index: the keys of those items that have its attributes."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._rows: dict[str, dict[Key, Item]] = {}

    def change(self, written: Written) -> None:
        before, after = self._pk(written.before), self._pk(written.after)
        if before is not None:
            del self._rows[before][written.key]
        if after is not None and written.after is not None:
            self._rows.setdefault(after, {})[written.key] = written.after

    @property
    def size(self) -> int:
        """How many items there are."""
        return sum(map(len, self._rows.values()))

    def rows(self, pk: str, unseen: Sequence[list[Written]]) -> list[Item]:
        """The items of a partition in order, without what the last commits have changed."""
        rows = dict(self._rows.get(pk, {}))
        for one in (one for commit in reversed(unseen) for one in reversed(commit)):
            if self._pk(one.after) == pk:
                rows.pop(one.key, None)
            if self._pk(one.before) == pk and one.before is not None:
                rows[one.key] = one.before
        name = self.index.range_key.name
        return [item for _, item in sorted(rows.items(), key=lambda row: (plain(row[1][name]), row[0]))]

    def _pk(self, item: Item | None) -> str | None:
        if item is None or self.index.range_key.name not in item or self.index.hash_key.name not in item:
            return None
        pk: str = item[self.index.hash_key.name]["S"]
        return pk


def _page(found: list[Item], after: Item | None, size: int, sort_key: str, *, forward: bool) -> Any:  # noqa: ANN401
    """A page that begins behind a place, whether or not an item still exists there."""
    if after is not None:
        begin = _place(after, sort_key)
        found = [
            item for item in found if (_place(item, sort_key) > begin if forward else _place(item, sort_key) < begin)
        ]
    page = found[:size]
    more = {}
    if len(found) > size:
        more = {"LastEvaluatedKey": {name: page[-1][name] for name in {"pk": 0, "sk": 0, sort_key: 0}}}
    return {"Items": page, "Count": len(page), **more}


def _place(item: Item, sort_key: str) -> Any:  # noqa: ANN401
    return plain(item[sort_key]) if sort_key in item else "", _key(item)


def _reason(written: Written, holds: bool, shows: bool) -> dict[str, Any]:
    if holds:
        return {"Code": "None"}
    item = {"Item": written.before} if shows and written.before is not None else {}
    return {"Code": "ConditionalCheckFailed", **item}


def _found(item: Item | None) -> Any:  # noqa: ANN401
    return {} if item is None else {"Item": item}


def _key(item: Item) -> Key:
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    if not pk or not sk:
        raise UnknownExpressionError("a key is empty")
    return pk, sk


def _known(request: Mapping[str, Any], *names: str) -> None:
    unknown = [name for name in request if name not in names]
    if unknown:
        raise UnknownExpressionError(f"{', '.join(unknown)} in a request")
