"""`loyalty replay`: a shop's past purchases through the services that the API uses, with time moving as the file does.

Members are enrolled with their first purchase. What time has done, points expired and tiers reviewed, is booked before
a member's next purchase, and in the end for all, each entry with the moment at which it came about. Everything has a
key of its own: a second run, or one after a crash, books nothing twice.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from functions import expire
from infra.tools.accounts_at_hand import AccountsAtHand
from infra.tools.due_index import days_standing
from infra.tools.purchases import BadLine, Purchase, read
from infra.tools.storefront import RefusedError, Storefront
from shared import runtime, settings
from shared.domain.calendar import local_day, start_of_day
from shared.tables import client, due_index, programs, upkeep
from shared.tables.operation import Outcome

THREADS = 4
"""More do not help: they share one core."""
CLIENT_ID = "replay"

_Item = TypeVar("_Item")


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
    zone = programs.load_program().time_zone
    result, purchases = Result(), list[Purchase]()
    for line in read(path, zone):
        if isinstance(line, BadLine):
            result.bad_lines.append(line)
        else:
            purchases.append(line)
    purchases.sort(key=lambda purchase: (purchase.placed_at, purchase.line))
    if purchases:
        last, own_time = local_day(purchases[-1].placed_at, zone), threading.local()
        at_hand: Any = AccountsAtHand(client.client())
        with (
            _bar(len(purchases), show_progress) as advance,
            runtime.use(clock=lambda: own_time.now, database=lambda: at_hand),
        ):
            members = _Booking(result, own_time, advance).book(purchases)
            _settle(members, last, zone)
        _settle_others(last, zone)
    result.bad_lines.sort()
    result.seconds = time.monotonic() - started
    return result


class _Booking:
    def __init__(self, result: Result, own_time: threading.local, advance: Callable[[], None]) -> None:
        self._result = result
        self._own_time = own_time
        self._advance = advance
        self._members: dict[str, str] = {}
        self._shop = Storefront(CLIENT_ID)
        self._counting = threading.Lock()

    def book(self, purchases: Iterable[Purchase]) -> Sequence[str]:
        """Book purchases, each customer's in their order; the members whose they are."""
        _in_threads(self._try_to_book, _by_customer(purchases))
        return list(self._members.values())

    def _try_to_book(self, purchase: Purchase) -> None:
        try:
            self._book(purchase)
        except RefusedError as error:
            with self._counting:
                self._result.bad_lines.append(BadLine(purchase.line, str(error)))
        with self._counting:
            self._advance()

    def _book(self, purchase: Purchase) -> None:
        self._own_time.now = purchase.placed_at
        member_id = self._members.get(purchase.customer)
        is_new = False
        if member_id is None:
            joined = self._shop.enroll(f"{CLIENT_ID}:{purchase.customer}", external_id=purchase.customer)
            member_id, is_new = joined.member_id, not joined.was_before
            self._members[purchase.customer] = member_id
        booked = self._earned(member_id, _order(purchase))
        with self._counting:
            self._result.enrolled += is_new
            self._result.orders += not booked.replayed
            self._result.replayed += booked.replayed
            self._result.until = max(purchase.placed_at, self._result.until or purchase.placed_at)

    def _earned(self, member_id: str, order: dict[str, Any]) -> Outcome:
        try:
            return self._shop.earn(member_id, order)
        except RefusedError:
            # By an account at hand, perhaps, that somebody else has changed: now it is read.
            return self._shop.earn(member_id, order)


def _by_customer(purchases: Iterable[Purchase]) -> Sequence[Sequence[Purchase]]:
    """The purchases in a share for each thread: all of a customer's in one, in the order in which they come."""
    numbers: dict[str, int] = {}
    shares: list[list[Purchase]] = [[] for _ in range(THREADS)]
    for purchase in purchases:
        shares[numbers.setdefault(purchase.customer, len(numbers)) % THREADS].append(purchase)
    return shares


def _order(purchase: Purchase) -> dict[str, Any]:
    return {
        "order_id": purchase.order_id,
        "placed_at": purchase.placed_at.isoformat(),
        "currency": purchase.currency,
        "total": purchase.amount,
        "lines": list(purchase.lines),
    }


def _settle(members: Sequence[str], last: date, zone: str) -> None:
    """Book what time has done to members until a day. Nobody was reminded on the way: they stand under it if due."""
    now = start_of_day(last, zone)
    shares = [members[first::THREADS] for first in range(THREADS)]
    _in_threads(lambda member_id: upkeep.catch_up(member_id, now, not_before=last), shares)


def _in_threads(work: Callable[[_Item], object], shares: Iterable[Iterable[_Item]]) -> None:
    """Work on every item, a thread for each share. After Ctrl-C or a failure nobody begins another."""
    stopped = threading.Event()

    def work_on_all(share: Iterable[_Item]) -> None:
        for item in share:
            if stopped.is_set():
                return
            work(item)

    with ThreadPoolExecutor(THREADS) as threads:
        try:
            for done in as_completed([threads.submit(work_on_all, share) for share in shares]):
                done.result()
        except BaseException:
            stopped.set()
            raise


def _settle_others(last: date, zone: str) -> None:
    """Bring those who bought nothing to a day, too, and have the schedules go on from there."""
    for day in days_standing(client.client(), date.min, last):
        for shard in range(settings.due_shards()):
            _settle(list(due_index.due_members(day, shard, expire.DUE_PAGES_MAX)), last, zone)
    for run in (due_index.EXPIRY_RUN, due_index.REMINDER_RUN):
        noted = due_index.load_day(run)
        if noted is None or noted > last:
            due_index.note_day(run, last)


@contextmanager
def _bar(total: int, show: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("purchases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        task = progress.add_task("purchases", total=total)
        yield lambda: progress.advance(task)
