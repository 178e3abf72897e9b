"""Whether what many callers saw at once can have happened one after the other.

The search is that of Wing and Gong with Lowe's memory of what was tried, as Horn and Kroening tell it
(https://arxiv.org/abs/1504.00204). It is exact: a history is refused if and only if no order of its operations, in
which each takes effect between its call and its return, explains every answer. It is our own because no such checker is
maintained for Python (those in use are Porcupine for Go and Knossos for Clojure), and because it is this short.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

STEPS_MAX = 1_000_000

_State = TypeVar("_State")
_Call = TypeVar("_Call")


class Operation(NamedTuple, Generic[_Call]):
    """What was asked, what came of it, and when both were known. `returned` None: nobody knows whether it was done."""

    what: _Call
    called: float
    returned: float | None


@dataclass
class _Event:
    """The call or the return of an operation, in a list from which operations are taken and put back."""

    number: int
    match: "_Event | None" = None
    before: "_Event | None" = None
    after: "_Event | None" = None


def is_linearizable(
    history: Sequence[Operation[_Call]], state: _State, step: Callable[[_State, _Call], _State | None]
) -> bool:
    """Whether some order explains the history. `step` gives the state after an operation, None if that cannot be.

    What changes nothing is put in order as soon as it fits, and never tried later: whatever order it fits in later has
    room for it now. Raises RuntimeError if it is not decided after STEPS_MAX.
    """
    head = _listed(history)
    waiting = sum(operation.returned is not None for operation in history)
    done = 0
    tried: set[tuple[int, _State]] = set()
    path: list[tuple[_Event, _State, bool]] = []
    event = head.after
    for _ in range(STEPS_MAX):
        if not waiting:
            return True
        if event is not None and (event.match is not None or history[event.number].returned is None):
            after = step(state, history[event.number].what)
            mark = (done | 1 << event.number, after)
            if after is not None and mark not in tried:
                tried.add((mark[0], after))
                path.append((event, state, after == state))
                state, done = after, mark[0]
                waiting -= event.match is not None
                _take(event)
                event = head.after
            else:
                event = event.after
        else:  # an operation has returned that was not yet done: the last choice was wrong
            is_no_choice = True
            while is_no_choice:
                if not path:
                    return False
                event, state, is_no_choice = path.pop()
                done ^= 1 << event.number
                waiting += event.match is not None
                _put_back(event)
            assert event is not None
            event = event.after
    raise RuntimeError(f"undecided after {STEPS_MAX} steps")


def _listed(history: Sequence[Operation[_Call]]) -> _Event:
    """All calls and returns by time, after a head. A return has no match, nor has the call of what did not return."""
    timed: list[tuple[float, int, _Event]] = []
    for number, operation in enumerate(history):
        call = _Event(number)
        if operation.returned is not None:
            call.match = _Event(number)
            timed.append((operation.returned, 1, call.match))
        timed.append((operation.called, 0, call))
    head = last = _Event(-1)
    for _, _, event in sorted(timed, key=lambda one: one[:2]):
        last.after, event.before = event, last
        last = event
    return head


def _take(call: _Event) -> None:
    for event in (call, call.match):
        if event is not None:
            assert event.before
            event.before.after = event.after
            if event.after is not None:
                event.after.before = event.before


def _put_back(call: _Event) -> None:
    for event in (call.match, call):
        if event is not None:
            assert event.before
            event.before.after = event
            if event.after is not None:
                event.after.before = event
