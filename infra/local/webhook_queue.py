"""The queue of deliveries to webhooks, on one machine: waits run by the server's clock, so moving it ends them."""

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
from shared.domain.telling.webhooks import ATTEMPTS_MAX

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 5
WAITING_MAX = 100_000
_VISIBILITY = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class WebhookQueue:
    """Hands each message to `webhook_deliveries` when its time has come, one by one, until it is dealt with."""

    def __init__(self, handler: Handler, now: Callable[[], datetime], dead_letters: Journal) -> None:
        self._handler = handler
        self._now = now
        self._dead_letters = dead_letters
        self._waiting: list[tuple[datetime, int, dict[str, Any]]] = []
        self._numbers = count()
        self._postponed: dict[str, timedelta] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="webhooks", daemon=True)

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End after the delivery in hand."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS_MAX)

    def send(self, bodies: list[str]) -> None:
        """Queue one message for each body. Raises OverflowError when too many wait."""
        if len(self._waiting) + len(bodies) > WAITING_MAX:
            raise OverflowError(f"over {WAITING_MAX} deliveries wait")
        for body in bodies:
            self._push(self._now(), _record(body))

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Deliver a received message again after so long."""
        self._postponed[record["messageId"]] = timedelta(seconds=seconds)

    def _keep(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            while not self._stopping.is_set() and (record := self._next()) is not None:
                self._deliver(record)

    def _deliver(self, record: dict[str, Any]) -> None:
        try:
            failed = self._handler({"Records": [record]}, Context("webhook_deliveries"))["batchItemFailures"]
        except Exception:
            _log.exception("webhook_deliveries failed")
            failed = [record]
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        wait = self._postponed.pop(record["messageId"], _VISIBILITY)
        if failed and attempt >= ATTEMPTS_MAX:
            self._dead_letters.append({"function": "webhook_deliveries", "record": record})
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
