"""What goes wrong between a function and the database, and how often: each request may meet one of these."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from infra.simulation.fake_dynamodb import refusal

_WRITES = frozenset({"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"})
_PER_MILLE: dict[str, int] = {
    "request lost before it arrived": 5,
    "answer lost after it was done": 6,
    "conflict with another transaction": 7,
    "throttled": 5,
    "crash before a request": 3,
    "crash after a request": 4,
    "another operation in between": 45,
}
"""How often in a thousand requests, in a world of usual weather."""
WEATHERS = (0, 1, 1, 1, 3)
"""Some worlds are calm, some are stormy."""
URL = "https://dynamodb.simulated"


class MachineDiedError(BaseException):
    """A function's machine died between two steps. Nothing below it may catch this."""


@dataclass
class Faults:
    """Injects faults into requests; `between` runs another operation, if there may be one."""

    random: Random
    weather: int
    between: Callable[[], bool]
    counts: Counter[str] = field(default_factory=Counter)
    is_quiet: bool = False
    """Set while a world is brought to its end."""

    def __post_init__(self) -> None:
        self._bounds: list[tuple[int, str]] = []
        bound = 0
        for name, per_mille in _PER_MILLE.items():
            bound += per_mille * self.weather
            self._bounds.append((bound, name))

    def strikes(self, name: str, per_mille: int) -> bool:
        """Whether something goes wrong beyond requests, which is counted under its name."""
        if self.is_quiet or self.random.randrange(1000) >= per_mille * self.weather:
            return False
        self.counts[name] += 1
        return True

    def around(self, operation: str, execute: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Execute a request, or not, and answer, or not."""
        fault = None if self.is_quiet else self._drawn()
        if fault is None:
            return execute()
        if fault == "another operation in between":
            if self.between():
                self.counts[fault] += 1
            return execute()
        is_transaction = operation in {"TransactWriteItems", "TransactGetItems"}
        if fault.startswith("conflict") and not is_transaction:
            return execute()
        self.counts[fault] += 1
        return self._meet(fault, operation, execute)

    def _drawn(self) -> str | None:
        number = self.random.randrange(1000)
        if number >= self._bounds[-1][0]:
            return None
        return next(name for bound, name in self._bounds if number < bound)

    def _meet(self, fault: str, operation: str, execute: Callable[[], Any]) -> Any:  # noqa: ANN401
        if fault == "throttled":
            raise refusal(self._slow_down(operation), operation)
        if fault.startswith("conflict"):
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise refusal("TransactionCanceledException", operation, CancellationReasons=reasons)
        if fault == "crash before a request":
            raise MachineDiedError(fault)
        if fault.startswith("request lost"):
            raise EndpointConnectionError(endpoint_url=URL)
        answer = execute()
        if fault == "crash after a request":
            raise MachineDiedError(fault)
        if operation in _WRITES:
            raise ReadTimeoutError(endpoint_url=URL)
        del answer
        raise ConnectionClosedError(endpoint_url=URL)

    def _slow_down(self, operation: str) -> str:
        codes = ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"]
        if operation == "TransactWriteItems":
            codes.append("TransactionInProgressException")
        return self.random.choice(codes)
