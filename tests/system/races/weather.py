"""Faults that the engine cannot produce, in some of a client's requests: conflicts, throttling, lost messages."""

import threading
from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PER_CENT = 4
"""How many of a hundred requests meet each fault."""
_CONFLICT = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}


class Weather:
    """Injects through the client's events, until it is closed; `met` counts what it did."""

    def __init__(self, client: "DynamoDBClient", seed: int) -> None:
        self.met = Counter[str]()
        self._client = client
        self._random = Random(seed)  # noqa: S311 - guards nothing
        self._drawing = threading.Lock()
        client.meta.events.register("before-call.dynamodb", self._sending)
        client.meta.events.register("after-call.dynamodb", self._answered)

    def close(self) -> None:
        """Leave the client alone."""
        self._client.meta.events.unregister("before-call.dynamodb", self._sending)
        self._client.meta.events.unregister("after-call.dynamodb", self._answered)

    def _sending(self, model: Any, **_: Any) -> Any:
        if model.name.startswith("Transact") and self._strikes("conflict"):
            return _refused("TransactionCanceledException", **_CONFLICT)
        if self._strikes("throttled"):
            return _refused("ThrottlingException")
        if self._strikes("request lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb.example")
        return None

    def _answered(self, **_: Any) -> None:
        if self._strikes("answer lost"):
            raise ReadTimeoutError(endpoint_url="https://dynamodb.example")

    def _strikes(self, fault: str) -> bool:
        with self._drawing:
            if self._random.randrange(100) >= PER_CENT:
                return False
            self.met[fault] += 1
            return True


def _refused(code: str, **more: Any) -> tuple[Any, dict[str, Any]]:
    return SimpleNamespace(status_code=400), {"Error": {"Code": code, "Message": "made up"}, **more}
