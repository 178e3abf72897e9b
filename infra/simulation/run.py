"""The command `loyalty simulate`: many worlds side by side, and what happened in them all."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from infra.errors import LocalError
from infra.simulation.world import BreachError, Report, World

WORLD_OPERATIONS = 1000
"""Operations of one world: enough for months and crowded accounts, few enough to play one again in a second."""


class FoundError(LocalError):
    """A breach, as the command line tells of it."""


def simulate(seed: int, operations: int, *, world: int | None = None, workers: int | None = None) -> int:
    """Play so many operations of a seed, or one of its worlds alone, and print what happened. 0: nothing was breached.

    Worlds depend on the seed and their number alone, so the result is the same with any number of workers.
    """
    began = time.monotonic()
    numbers = range(-(-operations // WORLD_OPERATIONS)) if world is None else range(world, world + 1)
    total = Report()
    try:
        for report in _played(seed, numbers, workers or os.cpu_count() or 1):
            total = total.merged(report)
            if total.worlds % 100 == 0:
                _tell_progress(total, len(numbers), time.monotonic() - began)
    except BreachError as error:
        raise FoundError(str(error)) from error
    print(_text(seed, total, time.monotonic() - began))
    return 0


def play(seed: int, world: int) -> Report:
    """Play one world of a seed. Raises BreachError."""
    return World(seed, world).run(WORLD_OPERATIONS)


def _played(seed: int, numbers: range, workers: int) -> Iterator[Report]:
    if workers == 1 or len(numbers) == 1:
        yield from (play(seed, number) for number in numbers)
        return
    pool = ProcessPoolExecutor(min(workers, len(numbers)), mp_context=get_context("spawn"))
    try:
        yield from pool.map(partial(play, seed), numbers, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _tell_progress(total: Report, worlds: int, seconds: float) -> None:
    print(f"{total.operations:,} operations in {total.worlds} of {worlds} worlds, {seconds:.0f} s", file=sys.stderr)


def _text(seed: int, total: Report, seconds: float) -> str:
    rate = total.operations / max(seconds, 0.001)
    return "\n".join(
        [
            f"seed {seed}: {total.operations:,} operations in {total.worlds} worlds; nothing was breached.",
            f"{total.commits:,} commits, {sum(total.entries.values()):,} entries",
            f"{seconds:.0f} seconds, {rate:,.0f} operations a second; digest {total.digest:016x}",
            _table("operations", total.kinds),
            _table("what came of them", total.outcomes),
            _table("faults", total.faults),
            _table("entries", total.entries),
            f"messages sent twice, as a crash between sending and noting it may: {total.sent_twice}",
        ]
    )


def _table(title: str, counts: Counter[str]) -> str:
    lines = [f"  {count:>10,}  {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join([f"{title}:", *lines])
