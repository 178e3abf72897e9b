"""Idempotency keys that callers choose: each belongs to whoever calls, and two callers may choose the same."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared import request_ids
from shared.caller import Caller
from shared.tables.operation import AnotherCallersKeyError

_Answer = TypeVar("_Answer")


def under(caller: Caller, parts: Sequence[str], attempt: Callable[[str], _Answer]) -> _Answer:
    """What `attempt` answers under the id that `parts`, the caller's key the last of them, make.

    The first caller of a key has the id that the parts alone make, as all had before keys belonged to callers: so
    what was booked then is found, and nothing more is read for it. Whoever else uses the key has an id of their own:
    `attempt` has to raise AnotherCallersKeyError where it meets what another has booked.
    """
    try:
        return attempt(request_ids.derived_id(*parts))
    except AnotherCallersKeyError:
        return attempt(request_ids.derived_id("caller", caller.actor, *parts))
