"""The id of the request in hand, under which its answer, its refusal and its lines in the log are found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

HEADER = "Request-Id"
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str | None:
    """The id; None outside of a request."""
    return _current.get()


def id_of(event: Mapping[str, Any]) -> str | None:
    """The id that the gateway has given to an event."""
    found = (event.get("requestContext") or {}).get("requestId")
    return str(found) if found else None


@contextmanager
def within(request_id: str | None) -> Iterator[None]:
    """What is done in this block is done for the request of this id."""
    before = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(before)
