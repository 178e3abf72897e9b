"""The schedules of one machine, and the moving of its clock, which runs them on the way.

Reminders go out at nine in the morning of the program's zone, whether the clock ran past nine or was moved past it;
messages that waited for the end of somebody's quiet hours, when those end.
Expiry is booked every hour that the server really runs, and never by moving the clock: so a balance can be seen as
it is before the job.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from infra.local.invoke import Context, Handler
from infra.local.journal import Journal
from infra.local.movable_clock import MovableClock
from infra.local.run_queues import RunQueues
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError

REMINDERS_AT = time_of_day(9)
EXPIRY_SECONDS = 60 * 60
WAITING_SECONDS = 30
"""How often a clock that is not moved looks for messages that waited."""
DAYS_MOVED_MAX = 3660
STOP_SECONDS_MAX = 5
# A daily run also looks at the two days before its own: accounts may become due there after those days' runs.
LOOK_BACK_DAYS = 2
_WAITING = "waiting"
"""What `notify` is asked for where nothing else is to be sent."""
_TICK_SECONDS = 1

Scheduled = Literal["expire", "notify", "birthdays"]

_log = logging.getLogger(__name__)


class Schedule:
    """Runs the `handlers` when they are due, one at a time.

    `zone` names the program's time zone; `due_from` tells the first day from a given one on which anything is due, so
    that a year is passed in a second or two; `waiting` tells when the next message that waits may go; `afterwards` is
    done after each run, before the clock moves on.
    """

    def __init__(
        self,
        clock: MovableClock,
        handlers: Mapping[str, Handler],
        queues: RunQueues,
        dead_letters: Journal,
        zone: Callable[[], str],
        due_from: Callable[[date], date | None],
        waiting: Callable[[], datetime | None] = lambda: None,
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._handlers = handlers
        self._queues = queues
        self._dead_letters = dead_letters
        self._zone = zone
        self._due_from = due_from
        self._waiting = waiting
        self._afterwards = afterwards
        self._waited_until = clock.resumed_from
        self._look_at = time.monotonic()
        self._reminded_until = clock.resumed_from
        self._has_reminded = False
        self._expiry_at = time.monotonic() + EXPIRY_SECONDS
        self._running = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="schedule", daemon=True)

    def start(self) -> None:
        """Keep the schedules from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Let what runs end, for at most STOP_SECONDS_MAX, then keep the clock's position."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS_MAX)
        self._clock.save()

    def run(self, function: Scheduled) -> dict[str, Any]:
        """Run a function as its schedule would now, with the queue messages it makes; what it did."""
        return self._run_at(function, self._clock.now())

    def move(self, to: datetime) -> int:
        """Move the clock forward, and run the reminders of the mornings on the way; how many runs that took.

        Raises InvalidStateError for an instant that has passed, InvalidRequestError for one over DAYS_MOVED_MAX away.
        """
        with self._running:
            now = self._clock.now()
            if to < now:
                raise InvalidStateError(f"the clock is at {_text(now)}; like the ledger, it runs forward only")
            if to > now + timedelta(days=DAYS_MOVED_MAX):
                raise InvalidRequestError(Fault("/now", f"must be at most {DAYS_MOVED_MAX} days ahead; move in steps"))
            runs = self._remind(to)
            self._clock.move(to)
            self._clock.save()
            return runs

    def _keep(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            try:
                self._tick()
            except Exception:
                _log.exception("the schedule failed, and goes on")

    def _tick(self) -> None:
        with self._running:
            self._remind(self._clock.now(), looks=time.monotonic() >= self._look_at)
            self._clock.save()
            if time.monotonic() >= self._expiry_at:
                self._expiry_at = time.monotonic() + EXPIRY_SECONDS
                self._run_or_keep("expire", self._clock.now())
                self._run_or_keep("birthdays", self._clock.now())

    def _remind(self, until: datetime, *, looks: bool = True) -> int:
        """Run the reminders of each morning until then on which they can find anybody; how many those were.

        Between them goes what waited for an hour of its own, if anybody `looks`.
        """
        runs = 0
        while (morning := self._next_morning(until)) is not None:
            self._send_waiting(morning)
            self._clock.move(morning)
            self._run_or_keep("notify", morning)
            self._reminded_until, self._has_reminded = morning, True
            runs += 1
        if looks:
            self._look_at = time.monotonic() + WAITING_SECONDS
            self._send_waiting(until)
        self._reminded_until = until
        return runs

    def _send_waiting(self, until: datetime) -> None:
        """Let go what waits until then, each at its time; what fails is not tried at the same one again."""
        while (at := self._waiting()) is not None and self._waited_until < at <= until:
            self._clock.move(max(at, self._clock.now()))
            self._run_or_keep("notify", at, _WAITING)
            self._waited_until = at

    def _next_morning(self, until: datetime) -> datetime | None:
        zone = ZoneInfo(self._zone())
        day = self._reminded_until.astimezone(zone).date()
        if _morning(day, zone) <= self._reminded_until:
            day += timedelta(days=1)
        if _morning(day, zone) > until:
            return None
        # The first run looks further back than any later one: to where the last one ended, before we were started.
        due = self._due_from(day - timedelta(days=LOOK_BACK_DAYS)) if self._has_reminded else day
        if due is None or (morning := _morning(max(due, day), zone)) > until:
            return None
        return morning

    def _run_or_keep(self, function: Scheduled, at: datetime, work: str | None = None) -> None:
        try:
            self._run_at(function, at, work)
        except Exception:
            _log.exception("%s failed on its schedule: it is in the dead letters", function)
            self._dead_letters.append({"function": function, "record": _event(at)})

    def _run_at(self, function: Scheduled, at: datetime, work: str | None = None) -> dict[str, Any]:
        with self._running:
            event = {**_event(at), **({"work": work} if work else {})}
            answer = self._handlers[function](event, Context(function))
            delivered = self._queues.deliver()
            self._afterwards()
            return {"function": function, "time": _text(at), "answer": answer, "queue_messages": delivered}


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, REMINDERS_AT, zone)


def _event(at: datetime) -> dict[str, Any]:
    return {"version": "0", "id": str(uuid4()), "source": "aws.scheduler", "time": _text(at), "detail": {}}


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
