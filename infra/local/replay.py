"""`loyalty replay`: a shop's past purchases through the functions that the API uses, with time moving as the file does.

Members are enrolled with their first purchase. What time has done, points expired and tiers reviewed, is booked before
a member's next purchase, and in the end for all, each entry with the moment at which it came about. Everything has a
key of its own: a second run, or one after a crash, books nothing twice.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from functions import expire
from infra.local.due_days import days_standing
from infra.local.purchases import BadLine, Purchase, read
from infra.local.storefront import RefusedError, Storefront
from shared import clock, dynamo, settings, store
from shared.domain.calendar import local_day, start_of_day

WORKERS = 8
"""More do not help: the engine and this process have one core each."""
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
        """Each customer's purchases in order, then what time has done until the last one."""
        if not purchases:
            return
        with ThreadPoolExecutor(WORKERS) as workers:
            shares: dict[int, list[Purchase]] = {}
            for purchase in purchases:
                shares.setdefault(crc32(purchase.customer.encode()) % WORKERS, []).append(purchase)
            for done in [workers.submit(self._book_all, share) for share in shares.values()]:
                done.result()
            _settle(local_day(purchases[-1].placed_at, self._zone), self._zone, workers)

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


def _settle(last: date, zone: str, workers: ThreadPoolExecutor) -> None:
    """Book what time has done until a day to everybody whom it concerns, and have the schedules go on from there.

    Nobody was reminded on the way: those whose reminder's day has passed stand under the last day as well.
    """
    now = start_of_day(last, zone)
    for day in days_standing(dynamo.client(), date.min, last):
        for shard in range(settings.due_shards()):
            members = store.due_members(day, shard, expire.DUE_PAGES_MAX)
            for settled in [workers.submit(store.settle_stored, one, now, not_before=last) for one in members]:
                settled.result()
    for run in (store.EXPIRY_RUN, store.REMINDER_RUN):
        noted = store.load_day(run)
        if noted is None or noted > last:
            store.note_day(run, last)


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
