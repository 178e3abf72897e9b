"""`loyalty bench`: every figure of speed and cost beside its goal, each a count or a ratio measured in the same run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from infra.analytics import packages
from infra.bench import cold_start, counts, expiry, lots, replaying, reports, warm, writers
from infra.bench.world import World, open_world
from infra.cloud import costs
from infra.cloud.build.bytecode import RUNTIME, runtime_python
from infra.cloud.permissions import NEEDS

MILLION_EARNS_DOLLARS_MAX = 4.50
UNAVOIDABLE = {"API Gateway", "DynamoDB writes", "DynamoDB reads", "Lambda calls"}
_MILLION = 1_000_000


class Options(NamedTuple):
    """Which rows; the purchases to replay, if any, and what part of them."""

    rows: Sequence[str]
    purchases: Path | None
    fraction: float


class Figure(NamedTuple):
    """One line of the table; `met` is None where nothing was measured, or no goal is set."""

    what: str
    goal: str
    figure: str
    met: bool | None


def run(options: Options) -> int:
    """Print the table, each line as soon as it is known; 1 if a goal is missed."""
    print("| figure | goal | measured | |\n|---|---|---|---|")
    missed = False
    for name in options.rows:
        for line in _measured(name, options):
            verdict = {True: "met", False: "**not met**", None: ""}[line.met]
            print(f"| {line.what} | {line.goal} | {line.figure} | {verdict} |", flush=True)
            missed |= line.met is False
    return int(missed)


def _measured(name: str, options: Options) -> Iterator[Figure]:
    """The lines of a row, on an engine that holds nothing else: what came before must not slow what comes after."""
    with ExitStack() as stack:
        yield from ROWS[name](lambda: stack.enter_context(open_world()), options)


def _requests(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    asked = counts.requests(world())
    alike: dict[str, list[str]] = {}
    for name, sent in asked.items():
        alike.setdefault(" + ".join(sent), []).append(name)
    for requests, names in alike.items():
        most = min(counts.REQUESTS_MAX[name] for name in names)
        number = max(len(asked[name]) for name in names)
        yield Figure(f"requests: {', '.join(names)}", f"at most {most}", f"**{number}** ({requests})", number <= most)


def _warm(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    took = warm.measure(world())
    processor = f"processor {took.handler_processor_ms:.1f} over {took.bare_processor_ms:.1f} ms"
    same = f"{took.handler_ms / took.same_client_ms:.2f} with the functions' client for both"
    figure = f"**{took.ratio:.2f}** ({took.handler_ms:.1f} over {took.bare_ms:.1f} ms; {same}; {processor})"
    yield Figure("warm earn over bare boto3", f"at most {warm.RATIO_MAX}", figure, took.ratio <= warm.RATIO_MAX)


def _units(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    for name, units in counts.write_units(world()).items():
        most = counts.PARTNER_WRITE_UNITS_MAX if "partner" in name else counts.WRITE_UNITS_MAX
        parts = ", ".join(f"{part} {number:g}" for part, number in units.items() if part != "read")
        written = counts.written(units)
        yield Figure(f"write units: {name}", f"at most {most}", f"**{written:g}** ({parts})", written <= most)


def _lines(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    units = counts.write_units_by_lines(world())
    figure = ", ".join(f"{lines}: **{written:g}**" for lines, written in units.items())
    goal = f"at most {counts.WRITE_UNITS_MAX} up to {counts.FEW_LINES} lines"
    few = [written for lines, written in units.items() if lines <= counts.FEW_LINES]
    yield Figure("write units: earn, by the order's lines", goal, figure, max(few) <= counts.WRITE_UNITS_MAX)


def _cold(_: Callable[[], World], __: Options) -> Iterator[Figure]:
    goals = {"bare": f"at most {cold_start.RATIO_MAX}", "client": ""}
    if runtime_python() is None:
        missing = f"not measured: there is no Python {RUNTIME} on this machine"
        yield Figure("cold start over a boto3 client and a resolver", goals["bare"], missing, None)
        return
    took = cold_start.measure()
    for bare, what in (("bare", "a boto3 client and a resolver"), ("client", "a boto3 client alone")):
        ratios = {name: took[name] / took[bare] for name in cold_start.EVERYDAY}
        figure = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        times = f"{took[bare]:.0f} ms of processor time"
        met = max(ratios.values()) <= cold_start.RATIO_MAX if goals[bare] else None
        yield Figure(f"cold start over {what}", goals[bare], f"{figure} ({times})", met)


def _expiry(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    measured = expiry.measure(world())
    asked = {among: taken.requests.total() for among, taken in measured.items()}
    difference = max(asked.values()) / min(asked.values()) - 1
    figure = ", ".join(f"{number:,} among {among:,}" for among, number in asked.items())
    goal = f"equal within {expiry.DIFFERENCE_MAX:.0%}"
    yield Figure(f"expiry run: requests for {expiry.DUE:,} due", goal, figure, difference <= expiry.DIFFERENCE_MAX)
    took = min(taken.settled_ms for taken in measured.values())
    most = costs.SETTLE.processor_ms
    listed = min(taken.listed_ms for taken in measured.values())
    figure = f"**{took:.1f} ms** (and {listed:.2f} ms to list it)"
    yield Figure("expiry run: processor time of an account", f"at most {most:g} ms, as billed", figure, took <= most)


def _lots(_: Callable[[], World], __: Options) -> Iterator[Figure]:
    took = lots.measure()
    few, many = (took[number] for number in lots.LOTS)
    rules = f"{many.rules_ms:.3f} over {few.rules_ms:.3f} ms"
    as_bytes = f"to read and write it {many.bytes_ms:.3f} over {few.bytes_ms:.3f} ms"
    figure = f"**{many.rules_ms - few.rules_ms:.2f} ms** ({rules}; {as_bytes})"
    what = f"an account of {lots.LOTS[1]} lots over one of {lots.LOTS[0]}: processor time to settle and list it"
    yield Figure(what, f"at most {lots.MORE_MS_MAX} ms more", figure, many.rules_ms - few.rules_ms <= lots.MORE_MS_MAX)


def _replay(world: Callable[[], World], options: Options) -> Iterator[Figure]:
    what, goal = "replay of past purchases over the bare loop", f"at least {replaying.RATIO_MIN}"
    if options.purchases is None:
        yield Figure(what, goal, "not measured: name a file with --purchases", None)
        return
    done = replaying.measure(world(), options.purchases, options.fraction)
    speed = f"{done.per_second:.0f} over {done.bare_per_second:.0f} a second"
    beside = f"{done.orders:,} orders, {done.enrolled:,} members enrolled on the way"
    yield Figure(what, goal, f"**{done.ratio:.2f}** ({speed}; {beside})", done.ratio >= replaying.RATIO_MIN)
    memory = f"{done.tenth_mb:.0f} MB after a tenth, {done.peak_mb:.0f} MB in the end"
    is_flat = done.memory_ratio <= replaying.MEMORY_RATIO_MAX
    yield Figure("peak memory of the replay", f"flat: at most {replaying.MEMORY_RATIO_MAX} times", memory, is_flat)


def _writers(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    crowd = writers.measure(world())
    among = f"{writers.WRITERS} writers on one member"
    wrong = "; ".join(crowd.wrong) or f"none among {crowd.booked}"
    yield Figure(f"{among}: lost or double writes", "none", wrong, not crowd.wrong)
    refused = f"**{crowd.try_again_share:.1%}** ({crowd.try_again}); the bare loop gives up {crowd.bare_share:.0%}"
    goal = f"at most {writers.TRY_AGAIN_SHARE_MAX:.0%}"
    few = crowd.try_again_share <= writers.TRY_AGAIN_SHARE_MAX
    yield Figure(f"{among}: answered try_again", goal, refused, few)
    speed = f"{crowd.booked / crowd.seconds:.0f} over {crowd.bare_booked / crowd.bare_seconds:.0f} a second"
    figure = f"**{crowd.ratio:.2f}** ({speed})"
    yield Figure(f"{among}: throughput over the bare loop", "at least 1", figure, crowd.ratio >= 1)


def _cost(world: Callable[[], World], _: Options) -> Iterator[Figure]:
    with_world = world()
    units = counts.write_units(with_world)["earn"]
    bill = million_earns(units["read"], counts.written(units), warm.measure(with_world).handler_processor_ms)
    parts = ", ".join(f"{part} {dollars:.2f}" for part, dollars in bill.items())
    total = sum(bill.values())
    dated = f"prices of {costs.REGION} as of {costs.LOOKED_UP_ON}"
    goal = f"at most {MILLION_EARNS_DOLLARS_MAX:.2f} dollars"
    figure = f"**{total:.2f}** ({parts}; {dated})"
    yield Figure("a million earns, all in", goal, figure, total <= MILLION_EARNS_DOLLARS_MAX)
    least = sum(dollars for part, dollars in bill.items() if part in UNAVOIDABLE)
    yield Figure("of it, before a function has run a millisecond", "", f"{least:.2f}", None)


def million_earns(read_units: float, write_units: float, processor_ms: float) -> dict[str, float]:
    """Dollars by part: an earn's request, its function, its units, and the lines that it logs."""
    prices = {name: price.each * _MILLION for name, price in costs.PRICES.items()}
    took = costs.milliseconds(processor_ms, 2, NEEDS["earn"].memory_mb)
    logged = costs.ACCESS_LOG_BYTES / 1024**3
    return {
        "API Gateway": prices["api"],
        "DynamoDB writes": write_units * prices["write"],
        "DynamoDB reads": read_units * prices["read"],
        "Lambda calls": prices["lambda call"],
        "Lambda time": took / 1000 * costs.memory_gb("earn") * prices["lambda"],
        "starts from a snapshot": costs.COLD_SHARE * costs.memory_gb("earn") * prices["restore"],
        "logs": logged * prices["log"],
    }


def _reports(_: Callable[[], World], __: Options) -> Iterator[Figure]:
    packages.require()
    seconds, megabytes = reports.timed()
    goal = f"at most {reports.SECONDS_MAX} s of processor time"
    figure = f"**{seconds:.1f} s**, {megabytes} MB at most"
    yield Figure("all reports over a million entries", goal, figure, seconds <= reports.SECONDS_MAX)


ROWS: Mapping[str, Callable[[Callable[[], World], Options], Iterator[Figure]]] = {
    "requests": _requests,
    "warm": _warm,
    "units": _units,
    "lines": _lines,
    "cold": _cold,
    "expiry": _expiry,
    "lots": _lots,
    "replay": _replay,
    "writers": _writers,
    "reports": _reports,
    "cost": _cost,
}
"""What `--only` takes, in the order of the table."""
