"""`loyalty replay`: a shop's past purchases and returns, through the services that the API uses.

Time moves as the file does. A customer who is not a member yet is enrolled with the first purchase that can be
credited. What time has done, points expired and tiers reviewed, is booked before a member's next line, and in the end
for all, each entry with the moment at which it came about. Everything has a key of its own: a second run, or one after
a crash, books nothing twice.
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

from infra.tools.accounts_at_hand import AccountsAtHand
from infra.tools.conventions import DayOrder
from infra.tools.due_index import days_standing
from infra.tools.purchases import BadLine, Purchase, Return, history, read
from infra.tools.storefront import RefusedError, Storefront
from shared import runtime, settings
from shared.domain.calendar import local_day, start_of_day
from shared.domain.members.members import Identity
from shared.tables import client, due_index, programs, upkeep
from shared.tables import members as people
from shared.tables.operation import Outcome

THREADS = 4
"""More do not help: they share one core."""
CLIENT_ID = "replay"

_Item = TypeVar("_Item")


@dataclass
class Result:
    """What a replay did: what was booked now, what had been booked before, and the lines that are not booked."""

    orders: int = 0
    orders_before: int = 0
    returns: int = 0
    returns_before: int = 0
    enrolled: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    until: datetime | None = None
    """The last moment of what is booked."""
    seconds: float = 0.0


def replay(
    path: Path, now: datetime, *, skips_bad: bool, dates: DayOrder | None = None, show_progress: bool = True
) -> Result:
    """Book every purchase and return of a file, the earliest first. The environment says into which tables.

    What is dated after `now` is a bad line, and no account is settled beyond what was booked. Unless it `skips_bad`
    lines, nothing is booked while the file has one. Raises LocalError if the file cannot be read or is of no known
    format.
    """
    started = time.monotonic()
    program = programs.load_program()
    zone = program.time_zone
    lines, bad_lines = history(read(path, zone, dates), now, program.currency)
    if bad_lines and not skips_bad:
        return Result(bad_lines=bad_lines)
    result, own_time = Result(bad_lines=bad_lines), threading.local()
    at_hand: Any = AccountsAtHand(client.client())
    with (
        _bar(len(lines), show_progress) as advance,
        runtime.use(clock=lambda: own_time.now, database=lambda: at_hand),
    ):
        members = _Booking(result, own_time, advance).book(lines)
        if result.until is not None:
            _settle(members, local_day(result.until, zone), zone)
    if result.until is not None:
        _settle_others(local_day(result.until, zone), zone)
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

    def book(self, lines: Sequence[Purchase | Return]) -> Sequence[str]:
        """Book purchases and returns, each customer's in their order; the members whose they are."""
        customers = list(dict.fromkeys(line.customer for line in lines))
        found = people.find_all([Identity(kind="external_id", value=customer) for customer in customers])
        self._members = {
            customer: member_id for customer, member_id in zip(customers, found, strict=True) if member_id is not None
        }
        _in_threads(self._try_to_book, _by_customer(lines))
        return list(self._members.values())

    def _try_to_book(self, line: Purchase | Return) -> None:
        self._own_time.now = line.at
        try:
            if isinstance(line, Purchase):
                self._book_purchase(line)
            else:
                self._book_return(line)
        except RefusedError as error:
            with self._counting:
                self._result.bad_lines.append(BadLine(line.line, str(error)))
        with self._counting:
            self._advance()

    def _book_purchase(self, purchase: Purchase) -> None:
        order = _order(purchase)
        member_id = self._members.get(purchase.customer)
        if member_id is None:
            self._shop.require_creditable(order)
            joined = self._shop.enroll(f"{CLIENT_ID}:{purchase.customer}", external_id=purchase.customer)
            member_id = self._members[purchase.customer] = joined.member.member_id
            with self._counting:
                self._result.enrolled += not joined.replayed
        booked = _asked_twice(lambda: self._shop.earn(member_id, order))
        with self._counting:
            self._result.orders += not booked.replayed
            self._result.orders_before += booked.replayed
            self._result.until = max(purchase.at, self._result.until or purchase.at)

    def _book_return(self, returned: Return) -> None:
        member_id = self._members.get(returned.customer)
        if member_id is None:
            raise RefusedError(f"no order {returned.order_id!r} of customer {returned.customer} has earned points")
        booked = _asked_twice(lambda: self._shop.refund(member_id, _refund(returned)))
        with self._counting:
            self._result.returns += not booked.replayed
            self._result.returns_before += booked.replayed
            self._result.until = max(returned.at, self._result.until or returned.at)


def _asked_twice(call: Callable[[], Outcome]) -> Outcome:
    """What a call comes to; a call that is refused is made again, and then reads the account.

    The account at hand may be older than what somebody else has written.
    """
    try:
        return call()
    except RefusedError:
        return call()


def _by_customer(lines: Iterable[Purchase | Return]) -> Sequence[Sequence[Purchase | Return]]:
    """The lines in a share for each thread: all of a customer's in one, in the order in which they come."""
    numbers: dict[str, int] = {}
    shares: list[list[Purchase | Return]] = [[] for _ in range(THREADS)]
    for line in lines:
        shares[numbers.setdefault(line.customer, len(numbers)) % THREADS].append(line)
    return shares


def _order(purchase: Purchase) -> dict[str, Any]:
    return {
        "order_id": purchase.order_id,
        "placed_at": purchase.at.isoformat(),
        "currency": purchase.currency,
        "total": purchase.amount,
        "lines": list(purchase.lines),
    }


def _refund(returned: Return) -> dict[str, Any]:
    return {
        "order_id": returned.order_id,
        "refund_id": returned.refund_id,
        "amount": returned.amount,
        "refunded_at": returned.at.isoformat(),
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
        for shard in range(settings.due_shards_read()):
            _settle(list(due_index.due_members(day, shard)), last, zone)
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
