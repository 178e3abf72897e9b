"""A shop's past purchases through the functions (`loyalty replay`), over the bare loop on the same engine.

The bare loop runs before and after, so that a machine that grows busier or quieter slows or quickens both.
"""

import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from infra.bench.world import Bare, World, unique

RATIO_MIN = 0.6
MEMORY_RATIO_MAX = 1.25
"""Peak memory in the end over that after a tenth of the time."""
BARE_WORKERS = 8
"""More do not help: the engine and this process have one core each."""
BARE_TAKES = 1_500
BARE_MEMBERS = 500
_SAMPLE_SECONDS = 0.1


class Replayed(NamedTuple):
    """How quick it went, and how much memory it took at its peak: after a tenth of the time, and in the end."""

    orders: int
    enrolled: int
    seconds: float
    bare_per_second: float
    tenth_mb: float
    peak_mb: float

    @property
    def per_second(self) -> float:
        """Orders booked; members are enrolled and points expire in the same time."""
        return self.orders / self.seconds

    @property
    def ratio(self) -> float:
        """Over the bare loop."""
        return self.per_second / self.bare_per_second

    @property
    def memory_ratio(self) -> float:
        """The peak in the end over that after a tenth."""
        return self.peak_mb / self.tenth_mb


def measure(world: World, path: Path, fraction: float) -> Replayed:
    """Replay the first lines of a file, as many as `fraction` of them."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    before = _bare_per_second(world)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        part.write_text("\n".join(lines[: max(2, round(len(lines) * fraction))]))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            orders, enrolled, seconds, tenth_mb, peak_mb = process.submit(_replay, part).result()
    bare = (before + _bare_per_second(world)) / 2
    return Replayed(orders, enrolled, seconds, bare, tenth_mb, peak_mb)


def _replay(path: Path) -> tuple[int, int, float, float, float]:
    from infra.tools.replay import replay  # noqa: PLC0415 - in a process of its own

    samples: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            samples.append(_resident_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        result = replay(path, datetime.now(UTC), skips_bad=True, show_progress=False)
    finally:
        done.set()
        watching.join()
    tenth = samples[: max(1, len(samples) // 10)]
    return result.orders, result.enrolled, result.seconds, max(tenth), max(samples)


def _resident_mb() -> float:
    [resident] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(resident.split()[1]) / 1024


def _bare_per_second(world: World) -> float:
    member_id = world.enroll()
    bare = Bare.like(world, member_id, world.earn(member_id))
    names = [unique("bare-customer") for _ in range(BARE_MEMBERS)]
    for name in names:
        bare.put_member(name)
    shares = [[*names[worker::BARE_WORKERS]] for worker in range(BARE_WORKERS)]

    def all_of_one(share: list[str]) -> None:
        for number in range(BARE_TAKES // BARE_WORKERS):
            bare.earn(share[number % len(share)])

    started = time.perf_counter()
    with ThreadPoolExecutor(BARE_WORKERS) as workers:
        list(workers.map(all_of_one, shares))
    return BARE_TAKES // BARE_WORKERS * BARE_WORKERS / (time.perf_counter() - started)
