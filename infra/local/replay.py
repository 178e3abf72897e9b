"""`loyalty replay`: a shop's past purchases through the functions that the API uses, with time moving as the file does.

Members are enrolled with their first purchase, and the expiry schedule runs on the way, so that points expire and tiers
are reviewed as they would have been. Everything has a key of its own: a second run, or one after a crash, books nothing
twice.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from zlib import crc32

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from functions import expire
from infra.local.due_days import days_standing
from infra.local.purchases import BadLine, Purchase, read
from infra.local.storefront import RefusedError, Storefront
from shared import clock, due_days, dynamo, settings, store
from shared.domain.calendar import local_day, start_of_day

WORKERS = 8
"""More do not help: the engine and this process have one core each."""
SCHEDULE_DAYS = 28
"""How often what time has done is booked. No balance waits for it: an account is settled whenever it is looked at."""
CLIENT_ID = "replay"


@dataclass
class Result:
    """What a replay did: orders booked now, orders that had been booked before, and the lines that are none."""

    orders: int = 0
    replayed: int = 0
    enrolled: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    until: datetime | None = None
    seconds: float = 0.0


def replay(path: Path, *, show_progress: bool = True) -> Result:
    """Book every purchase of a file, the earliest first. The environment says into which tables.

    Raises LocalError if the file cannot be read or is of no known format.
    """
    started = time.monotonic()
    zone = store.load_program().time_zone
    result = Result()
    purchases = []
    for line in read(path, zone):
        if isinstance(line, BadLine):
            result.bad_lines.append(line)
        else:
            purchases.append(line)
    purchases.sort(key=lambda purchase: (purchase.placed_at, purchase.line))
    with _own_time() as at, _bar(len(purchases), show_progress) as advance:
        _Replay(result, at, zone, advance).run(purchases)
    result.bad_lines.sort()
    result.seconds = time.monotonic() - started
    return result


class _Replay:
    def __init__(self, result: Result, at: Callable[[datetime], None], zone: str, advance: Callable[[], None]) -> None:
        self._result = result
        self._at = at
        self._zone = zone
        self._advance = advance
        self._members: dict[str, str] = {}
        self._shop = Storefront(CLIENT_ID)
        self._counting = threading.Lock()

    def run(self, purchases: Sequence[Purchase]) -> None:
        """Each customer's purchases in order; every SCHEDULE_DAYS what time has done until then."""
        if not purchases:
            return
        first, last = (local_day(purchases[end].placed_at, self._zone) for end in (0, -1))
        _rewind(first)
        with ThreadPoolExecutor(WORKERS) as workers:
            periods = groupby(
                purchases, lambda one: (local_day(one.placed_at, self._zone) - first).days // SCHEDULE_DAYS
            )
            for number, of_period in periods:
                if number:
                    self._run_schedule(first + timedelta(days=number * SCHEDULE_DAYS), workers)
                shares: dict[int, list[Purchase]] = {}
                for purchase in of_period:
                    shares.setdefault(crc32(purchase.customer.encode()) % WORKERS, []).append(purchase)
                for done in [workers.submit(self._book_all, share) for share in shares.values()]:
                    done.result()
            self._run_schedule(last, workers)
            _bring_forward(last, start_of_day(last, self._zone), workers)

    def _run_schedule(self, day: date, workers: ThreadPoolExecutor) -> None:
        waiting: list[str] = []
        expire.use(waiting.extend)
        due_days.use(partial(days_standing, dynamo.client()))
        instant = start_of_day(day, self._zone)
        self._at(instant)
        expire.handler({"time": instant.isoformat()}, None)

        asked = [json.loads(body) for body in waiting]
        days = [(date.fromisoformat(one["on"]), one["shard"]) for one in asked]
        if not all(expire.settle_due(due_on, shard, instant, workers.map) for due_on, shard in days):
            raise RuntimeError(f"the expiry run of {day} failed; start the replay again")

    def _book_all(self, purchases: Iterable[Purchase]) -> None:
        for purchase in purchases:
            try:
                self._book(purchase)
            except RefusedError as error:
                with self._counting:
                    self._result.bad_lines.append(BadLine(purchase.line, str(error)))
            self._advance()

    def _book(self, purchase: Purchase) -> None:
        self._at(purchase.placed_at)
        member_id = self._members.get(purchase.customer)
        is_new = False
        if member_id is None:
            joined = self._shop.enroll(f"{CLIENT_ID}:{purchase.customer}", external_id=purchase.customer)
            member_id, is_new = joined.body["member_id"], not joined.is_replay
            self._members[purchase.customer] = member_id
        booked = self._shop.earn(member_id, _order(purchase))
        with self._counting:
            self._result.enrolled += is_new
            self._result.orders += not booked.is_replay
            self._result.replayed += booked.is_replay
            self._result.until = max(purchase.placed_at, self._result.until or purchase.placed_at)


def _order(purchase: Purchase) -> dict[str, Any]:
    return {
        "order_id": purchase.order_id,
        "placed_at": purchase.placed_at.isoformat(),
        "currency": purchase.currency,
        "total": purchase.amount,
        "lines": list(purchase.lines),
    }


def _rewind(day: date) -> None:
    """Have the schedule look at what is due from the file's beginning on, even where it has been further."""
    last = store.load_day(store.EXPIRY_RUN)
    if last is None or last > day:
        store.note_day(store.EXPIRY_RUN, day)


def _bring_forward(last: date, now: datetime, workers: ThreadPoolExecutor) -> None:
    """Have those whose reminder's day has passed stand under the last day, where the schedules go on.

    Nobody was reminded on the way, so they still wait under that day, and the schedules look back a month alone.
    """
    for day in days_standing(dynamo.client(), date.min, last - timedelta(days=1)):
        for shard in range(settings.due_shards()):
            members = store.due_members(day, shard, expire.DUE_PAGES_MAX)
            for settled in [workers.submit(store.settle_stored, one, now, not_before=last) for one in members]:
                settled.result()
    reminded = store.load_day(store.REMINDER_RUN)
    if reminded is None or reminded > last:
        store.note_day(store.REMINDER_RUN, last)


@contextmanager
def _own_time() -> Iterator[Callable[[datetime], None]]:
    """A clock that each thread sets for itself, for as long as the block lasts."""
    here = threading.local()

    def at(instant: datetime) -> None:
        here.now = instant

    clock.use(lambda: here.now)
    try:
        yield at
    finally:
        clock.use(lambda: datetime.now(UTC))


@contextmanager
def _bar(total: int, show: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("purchases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        task = progress.add_task("purchases", total=total)
        yield lambda: progress.advance(task)
