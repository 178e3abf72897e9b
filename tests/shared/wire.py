"""What goes over the wire to DynamoDB: seen, made to fail, and held to limits that moto does not know."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PARTITION_KEY_BYTES_MAX = 2048
SORT_KEY_BYTES_MAX = 1024
ITEM_BYTES_MAX = 400 * 1024
TRANSACTION_ITEMS_MAX = 100
NUMBER_DIGITS_MAX = 38

Incident = Callable[[], tuple[Any, dict[str, Any]] | None]


class Wire:
    """The requests that a client sends, and what is to happen to the next ones of a name."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.requests: list[str] = []
        self._client = client
        self._before: list[tuple[str, Incident]] = []
        self._after: list[tuple[str, Incident]] = []
        self._is_acting = False
        client.meta.events.register("before-call.dynamodb", self._sending)
        client.meta.events.register("after-call.dynamodb", self._answered)

    def close(self) -> None:
        """Leave the client alone."""
        self._client.meta.events.unregister("before-call.dynamodb", self._sending)
        self._client.meta.events.unregister("after-call.dynamodb", self._answered)

    def before(self, request: str, incident: Callable[[], object]) -> None:
        """Let something happen just before the next request of this name is sent, such as another's write.

        What that sends itself is left alone.
        """

        def act() -> None:
            incident()

        self._before.append((request, act))

    def refuse(
        self, request: str, code: str, *, reasons: Sequence[Mapping[str, Any]] = (), times: int = 1, status: int = 400
    ) -> None:
        """Let the next requests of this name fail, with an error code of DynamoDB's, and not reach it."""
        said = {"Error": {"Code": code, "Message": "made up"}, "CancellationReasons": reasons}
        answer = {**said, "ResponseMetadata": {"HTTPStatusCode": status}}
        self._before += [(request, lambda: (SimpleNamespace(status_code=status), answer))] * times

    def lose(self, request: str, *, times: int = 1) -> None:
        """Let the next requests of this name vanish on their way."""
        self._before += [(request, _time_out)] * times

    def lose_answer(self, request: str, *, times: int = 1) -> None:
        """Let the next requests of this name be carried out, and their answers vanish."""
        self._after += [(request, _time_out)] * times

    def _sending(self, model: Any, **_: Any) -> Any:
        self.requests.append(model.name)
        return self._next(self._before, model.name)

    def _answered(self, model: Any, **_: Any) -> None:
        self._next(self._after, model.name)

    def _next(self, incidents: list[tuple[str, Incident]], request: str) -> tuple[Any, dict[str, Any]] | None:
        index = next((index for index, (name, _) in enumerate(incidents) if name == request), None)
        if index is None or self._is_acting:
            return None
        _, act = incidents.pop(index)
        self._is_acting = True
        try:
            return act()
        finally:
            self._is_acting = False


def hold_to_limits(params: dict[str, Any], **_: Any) -> None:
    """Fails on what DynamoDB itself refuses and moto lets pass, and where money is read as it was a moment ago."""
    asked_for = (params.get("ExpressionAttributeValues") or {}).get(":pk", {}).get("S", "")
    assert params.get("ConsistentRead") or not asked_for.startswith(("GIFT#", "REDEMPTION#")), asked_for
    writes = [next(iter(one.values())) for one in params.get("TransactItems", ())]
    keys = [_key(one) for one in writes]
    assert len(keys) == len(set(keys)), "a transaction names an item twice"
    assert len(keys) <= TRANSACTION_ITEMS_MAX, "a transaction has too many items"
    for one in [*writes, params]:
        item = one.get("Item") or one.get("Key") or {}
        assert len(json.dumps(item).encode()) <= ITEM_BYTES_MAX, "an item is too large"
        for values in (item, one.get("ExpressionAttributeValues") or {}):
            _check_values(values)


def _check_values(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        limit = SORT_KEY_BYTES_MAX if name == "sk" else PARTITION_KEY_BYTES_MAX
        if name in {"pk", "sk", ":pk", ":member"}:
            assert 0 < len(value["S"].encode()) <= limit, f"{name} is not a key that DynamoDB takes"
        if "N" in value:
            assert len(value["N"].lstrip("-")) <= NUMBER_DIGITS_MAX, f"{name} is too large a number"


def _key(write: Mapping[str, Any]) -> tuple[str, str, str]:
    at = write.get("Key") or write["Item"]
    return write["TableName"], at["pk"]["S"], at["sk"]["S"]


def _time_out() -> None:
    raise ReadTimeoutError(endpoint_url="https://dynamodb.example")
