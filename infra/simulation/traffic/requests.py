"""A request: a use case that somebody asks for, as often as they send it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from infra.simulation.fake_dynamodb import Key
from shared.caller import OPERATOR, STOREFRONT, Caller

_Result = TypeVar("_Result")

TILL = Caller("till", frozenset({STOREFRONT}), None)
OLGA = Caller("olga", frozenset({OPERATOR}), None)
OTTO = Caller("otto", frozenset({OPERATOR}), None)


def _ignore(_: object) -> None:
    """Nothing to learn from a result."""


@dataclass(eq=False)
class Request(Generic[_Result]):
    """One request, as often as it is sent: the same call under the same key, at `key` its entry if one is known."""

    kind: str
    call: Callable[[datetime], _Result]
    """Asks a service, at an instant."""
    key: Key | None = None
    learn: Callable[[_Result], None] = _ignore
    intrudes: bool = False
    """Sent under another's key, or with another payload: never to be answered as that one was."""
    attempts: int = 0
    entry_id: str | None = None
    again_by: "Callable[[str], Request[Any]] | None" = None
    """Makes the same request for another member."""

    @property
    def owner(self) -> str | None:
        """Whose account its entry is on, if it was answered with one."""
        return self.entry_id.rpartition("-")[0] if self.entry_id else None

    def as_intruder(self) -> "Request[_Result]":
        """The request, of which nothing is learnt, as nothing may come of it."""
        self.learn, self.intrudes = _ignore, True
        return self
