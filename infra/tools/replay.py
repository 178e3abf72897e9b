"""`loyalty replay`: a shop's past purchases through the functions that the API uses, with time moving as the file does.

Everything has a key of its own: a second run, or one after a crash, books nothing twice.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from infra.errors import LocalError
from infra.tools.due_index import days_standing
from infra.tools.purchases import BadLine, Purchase, read
from infra.tools.replay_worker import Result, book, by_customer, settle
from shared import settings
from shared.domain.calendar import local_day
from shared.services import expiry
from shared.tables import client, due_index, programs

PROCESSES = 2
"""On two cores, with the engine beside them, more do not help."""
ALONE_MAX = 1_000
"""So many purchases are booked about as soon as another process has started."""


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
        last = local_day(purchases[-1].placed_at, zone)
        with _bar(len(purchases), show_progress) as advance:
            for part in _booked(purchases, last, zone, advance):
                result.add(part)
        _settle_others(last, zone)
    result.seconds = time.monotonic() - started
    return result


def _booked(purchases: Sequence[Purchase], last: date, zone: str, advance: Callable[[], None]) -> Iterator[Result]:
    """What came of each process's customers."""
    if len(purchases) <= ALONE_MAX:
        yield book(purchases, last, zone, advance)
        return
    started = [_start(share, last, zone) for share in by_customer(purchases, PROCESSES)]
    waiting = [heard for _, heard in started]
    try:
        while waiting:
            ready = wait(waiting)
            for heard in [one for one in waiting if one in ready]:
                said = _received(heard)
                if isinstance(said, Result):
                    waiting.remove(heard)
                    yield said
                else:
                    advance()
    finally:
        for process, _ in started:
            process.terminate()
            process.join()


def _start(share: Sequence[Purchase], last: date, zone: str) -> tuple[BaseProcess, Connection]:
    context = get_context("spawn")
    heard, tells = context.Pipe(duplex=False)
    process = context.Process(target=_book_and_tell, args=(share, last, zone, tells), daemon=True)
    process.start()
    tells.close()
    return process, heard


def _book_and_tell(share: Sequence[Purchase], last: date, zone: str, tells: Connection) -> None:
    """Tell of each purchase, and in the end what came of all. Ctrl-C is left to the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        tells.send(book(share, last, zone, lambda: tells.send(None)))
    except Exception as error:
        tells.send(error)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _received(heard: Connection) -> Result | None:
    try:
        said: Result | Exception | None = heard.recv()
    except EOFError:
        raise LocalError("a part of the replay was stopped; run it again: nothing is booked twice") from None
    if isinstance(said, Exception):
        raise said
    return said


def _settle_others(last: date, zone: str) -> None:
    """Bring those who bought nothing to a day, too, and have the schedules go on from there."""
    for day in days_standing(client.client(), date.min, last):
        for shard in range(settings.due_shards()):
            settle(due_index.due_members(day, shard, expiry.DUE_PAGES_MAX), last, zone)
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
