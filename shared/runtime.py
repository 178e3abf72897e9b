"""What a process meets outside itself, and what it remembers: all of it can be replaced, and forgotten, here.

In the cloud nothing is replaced. One machine puts its own clock, mailbox and queues here, a replay its file's time, a
simulation everything. Each part is read by the module that knows what it is in the cloud: `clock`, `telemetry`, the
client of the tables, the channels, the queues.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from random import Random, SystemRandom, seed
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack, cast

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.domain.invariants import Breach
    from shared.domain.telling.events import Event, PartnerEvent
    from shared.domain.telling.notifications import Message

_Value = TypeVar("_Value")

RunName = Literal["expiry", "birthdays", "reminders", "statements"]
"""The runs that list members on a schedule, each with a queue of its own."""


class Channels(Protocol):
    """Where messages and events go."""

    def send(self, message: "Message") -> None:
        """Deliver a message by its channel."""

    def publish(self, events: "Sequence[Event | PartnerEvent]") -> None:
        """Publish events for other systems."""


class TaskQueue(Protocol):
    """Where tasks wait that may have to wait longer: deliveries to webhooks, messages to members."""

    def send(self, bodies: list[str], groups: list[str]) -> None:
        """Queue one task for each body; a group of many tasks holds up no other group."""

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Deliver a received task again after so long."""


class RunQueues(Protocol):
    """Where the pages of runs wait, each run's by itself."""

    def send(self, run: RunName, bodies: Sequence[str]) -> None:
        """Queue one message for each body."""

    def waiting(self, run: RunName) -> int:
        """About how many messages nobody has taken yet."""


class Telemetry(Protocol):
    """Where the log, counts and broken invariants go."""

    def logger(self) -> "Logger":
        """The function's log."""

    def count(self, **amounts: int) -> None:
        """Note counts by name."""

    def report(self, member_id: str, breaches: "Sequence[Breach]") -> None:
        """Note the invariants that an account breaks."""


class Parts(TypedDict, total=False):
    """What can be replaced."""

    clock: Callable[[], datetime]
    """The present instant, in UTC."""
    monotonic: Callable[[], float]
    """Seconds that run forward only."""
    random: Random
    back_off: Callable[[int], None]
    """Waits before another try, after so many."""
    database: "Callable[[], DynamoDBClient]"
    channels: Channels
    run_queues: RunQueues
    webhook_queue: TaskQueue
    message_queue: TaskQueue
    due_days: Callable[[date, date], Iterable[date]]
    """The days of a span that may have accounts in the index of what is due."""
    telemetry: Telemetry


replaced: Parts = {}
"""The parts that are replaced now."""
_replaced = cast("dict[str, object]", replaced)
_forgetting: list[Callable[[], None]] = []
_system_random = SystemRandom()
_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


def use(**parts: Unpack[Parts]) -> ExitStack:
    """Replace parts until `reset`; or, if its answer is used as a context manager, until that block ends."""
    undo = ExitStack()
    undo.callback(_put_back, dict(_replaced))
    replaced.update(parts)
    return undo


def reset() -> None:
    """Replace nothing, and remember nothing."""
    _replaced.clear()
    forget()


def forget() -> None:
    """Remember nothing: what was read from settings and tables is read again, as in a new execution environment."""
    for forgets in _forgetting:
        forgets()


def on_forget(forgets: Callable[[], None]) -> None:
    """Have `forgets` called whenever the process is to remember nothing."""
    _forgetting.append(forgets)


class Remembered(Generic[_Value]):
    """What a function has read: kept until the process forgets it, and for at most so many seconds, if it says so."""

    def __init__(self, read: Callable[[], _Value], seconds: float | None) -> None:
        self._read = read
        self._seconds = seconds
        self._kept: tuple[float, _Value] | None = None
        self._times_forgotten = 0
        self.__doc__ = read.__doc__
        on_forget(self.forget)

    def __call__(self) -> _Value:
        """What is kept, or else is read now. What is forgotten while it is read is kept by nobody: it may be old."""
        kept = self._kept
        if kept is None or (self._seconds is not None and monotonic() - kept[0] > self._seconds):
            before = self._times_forgotten
            kept = self._kept = (monotonic(), self._read())
            if self._times_forgotten != before:
                self._kept = None
        return kept[1]

    def forget(self) -> None:
        """Read again when next needed."""
        self._times_forgotten += 1
        self._kept = None


def remembered(*, seconds: float | None = None) -> Callable[[Callable[[], _Value]], Remembered[_Value]]:
    """Marks a function whose answer is kept. See Remembered."""
    return lambda read: Remembered(read, seconds)


def random() -> Random:
    """Chance: the operating system's, which no snapshot of a process repeats."""
    return replaced.get("random", _system_random)


def monotonic() -> float:
    """Seconds that run forward only, from an unknown beginning."""
    return replaced.get("monotonic", time.monotonic)()


def reseed() -> None:
    """Have libraries draw other numbers than whatever was started from the same snapshot: they wait by chance."""
    seed()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done in this block has so many seconds: then Lambda ends it, and whoever called is told nothing."""
    before = _ends_at.set(monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(before)


def seconds_left() -> float:
    """How long the call in hand may still take; without end where nobody ends it."""
    return _ends_at.get() - monotonic()


def _put_back(before: Mapping[str, object]) -> None:
    _replaced.clear()
    _replaced.update(before)
