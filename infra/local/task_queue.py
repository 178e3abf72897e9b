"""A queue of tasks that may be put off, on one machine: waits run by the server's clock, so moving it ends them."""

import heapq
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from infra.local.invoke import Context, Handler
from infra.local.journal import Journal

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 5
WAITING_MAX = 100_000
_VISIBILITY = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class TaskQueue:
    """Hands each task to `function` when its time has come, one by one, until it is dealt with or tried too often."""

    def __init__(
        self,
        function: str,
        handler: Handler,
        attempts_max: int,
        now: Callable[[], datetime],
        dead_letters: Journal,
        tell: Callable[[Mapping[str, Any], int | None], None] = lambda _record, _wait_seconds: None,
    ) -> None:
        self._tell = tell
        self._function = function
        self._handler = handler
        self._attempts_max = attempts_max
        self._now = now
        self._dead_letters = dead_letters
        self._waiting: list[tuple[datetime, int, dict[str, Any]]] = []
        self._numbers = count()
        self._postponed: dict[str, timedelta] = {}
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=function, daemon=True)

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End after the task in hand."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS_MAX)

    def send(self, bodies: list[str], groups: list[str]) -> None:  # noqa: ARG002 - one at a time, none waits for long
        """Queue one task for each body. Raises OverflowError when too many wait."""
        if len(self._waiting) + len(bodies) > WAITING_MAX:
            raise OverflowError(f"over {WAITING_MAX} tasks wait for {self._function}")
        for body in bodies:
            self._push(self._now(), _record(body))

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Deliver a received task again after so long."""
        self._postponed[record["messageId"]] = timedelta(seconds=seconds)

    def deliver(self) -> None:
        """Hand over all whose time has come, here and now."""
        with self._delivering:
            while not self._stopping.is_set() and (record := self._next()) is not None:
                self._deliver(record)

    def _keep(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            self.deliver()

    def _deliver(self, record: dict[str, Any]) -> None:
        try:
            failed = self._handler({"Records": [record]}, Context(self._function))["batchItemFailures"]
        except Exception:
            _log.exception("%s failed", self._function)
            failed = [record]
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        wait = self._postponed.pop(record["messageId"], _VISIBILITY)
        self._tell(record, int(wait.total_seconds()) if failed else None)
        if failed and attempt >= self._attempts_max:
            self._dead_letters.append({"function": self._function, "record": record})
        elif failed:
            record["attributes"]["ApproximateReceiveCount"] = str(attempt + 1)
            self._push(self._now() + wait, record)

    def _push(self, at: datetime, record: dict[str, Any]) -> None:
        with self._lock:
            heapq.heappush(self._waiting, (at, next(self._numbers), record))

    def _next(self) -> dict[str, Any] | None:
        with self._lock:
            if self._waiting and self._waiting[0][0] <= self._now():
                return heapq.heappop(self._waiting)[2]
        return None


def _record(body: str) -> dict[str, Any]:
    name = str(uuid4())
    return {
        "messageId": name,
        "receiptHandle": name,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
