"""A month's end, worked out: `python -m infra.bench.month_end`.

How long it takes to book what has expired of millions of accounts that are due on one day, and to remind as many, with
which options, and for how much. Processor time is measured (`loyalty bench --only expiry`, `python -m
infra.bench.memory`), what a function makes of it by its size and what it costs is in `infra.cloud.costs`, and what a
queue, a table and an index take are AWS's published quotas.
"""

import argparse
import math
from collections.abc import Sequence
from typing import NamedTuple

from infra.cloud import costs
from infra.cloud.costs import PRICES, REMIND, SEND, SETTLE, Operation
from infra.cloud.permissions import NEEDS
from shared.aws import sqs
from shared.services.runs import LISTED_TOGETHER, MEMBERS_PER_PAGE

DUE = 3_000_000
KEY_WRITES = 1000
"""Write units a second of one key, of a table or an index."""
TABLE_WRITES = 4000
"""Write units a second that a new table takes, and each of its indexes."""
TABLE_UNITS, INDEX_UNITS = 4, 2
"""Of the write units of an account that is booked or reminded: the table's, and the most that one index has."""
LIST_PROCESSOR_MS, LIST_REQUESTS = 25, 2
"""To list a thousand members, and to queue them in ten pages: a query, and a request to the queue."""
_HOUR = 3600
_MILLION = 1_000_000


class Options(NamedTuple):
    """The deployment's, as far as they matter, under its names."""

    expiry_workers: int
    due_shards: int
    warm_table_writes: int
    warm_index_writes: int
    reminder_workers: int
    mail_per_second: int


SIZES: Sequence[Options] = (
    Options(20, due_shards=8, warm_table_writes=0, warm_index_writes=0, reminder_workers=10, mail_per_second=14),
    Options(100, due_shards=16, warm_table_writes=8000, warm_index_writes=0, reminder_workers=30, mail_per_second=200),
    Options(
        200, due_shards=32, warm_table_writes=16_000, warm_index_writes=8000, reminder_workers=50, mail_per_second=500
    ),
)


class Run(NamedTuple):
    """How many members a second, what holds it to that, how many seconds in all, and dollars."""

    per_second: float
    bound_by: str
    seconds: float
    dollars: float


def book(due: int, options: Options) -> Run:
    """The expiry run: workers book each account by one transaction."""
    bounds = {
        "workers": options.expiry_workers / SETTLE.seconds,
        **_bounds(options, SETTLE),
    }
    return _run(due, bounds, _dollars(due, SETTLE))


def remind(due: int, options: Options) -> Run:
    """The reminder run: workers queue a message for each member, and they go out at the mail service's rate."""
    bounds = {
        "workers": options.reminder_workers / REMIND.seconds,
        "the mail service": float(options.mail_per_second),
        **_bounds(options, REMIND),
    }
    sent = due * (_one(SEND) + 2 * PRICES["queue"].each)
    return _run(due, bounds, _dollars(due, REMIND) + sent)


def _bounds(options: Options, each: Operation) -> dict[str, float]:
    """Members a second that the listing, the tables and the keys take, whatever works on them."""
    return {
        "listing": options.due_shards * _listed_per_second(each.function),
        "the table's writes": (options.warm_table_writes or TABLE_WRITES) / TABLE_UNITS,
        "the index's writes": (options.warm_index_writes or TABLE_WRITES) / INDEX_UNITS,
        # Each account leaves the day's list: a write of the index, under the key of its shard.
        "shards": float(options.due_shards * KEY_WRITES),
    }


def _run(due: int, bounds: dict[str, float], dollars: float) -> Run:
    bound_by = min(bounds, key=lambda name: bounds[name])
    return Run(bounds[bound_by], bound_by, due / bounds[bound_by], dollars)


def _listed_per_second(function: str) -> float:
    """Of one shard; the shards are listed side by side."""
    took = costs.milliseconds(LIST_PROCESSOR_MS, LIST_REQUESTS, NEEDS[function].memory_mb)
    return LISTED_TOGETHER / (took / 1000)


def _dollars(due: int, each: Operation) -> float:
    """What is added to the month's bill. What the stream makes of each entry is on it whenever that is booked."""
    pages = math.ceil(due / MEMBERS_PER_PAGE)
    sends = math.ceil(pages / sqs.BATCH)
    # A page is received and deleted, and has a call of its own.
    return due * _one(each) + (sends + 2 * pages) * PRICES["queue"].each + pages * PRICES["lambda call"].each


def _one(each: Operation) -> float:
    return (
        each.read_units * PRICES["read"].each
        + each.write_units * PRICES["write"].each
        + each.seconds * costs.memory_gb(each.function) * PRICES["lambda"].each
        + each.mails * PRICES["mail"].each
    )


def lines(due: int) -> list[str]:
    """The table."""
    head = "| options | expiry booked | reminders sent |"
    rows = []
    for options in SIZES:
        booked, reminded = book(due, options), remind(due, options)
        said = ", ".join(f"`{name}` {value}" for name, value in options._asdict().items() if value)
        rows.append(f"| {said} | {_said(booked)} | {_said(reminded)} |")
    return [head, "|---|---|---|", *rows]


def _said(run: Run) -> str:
    hours = run.seconds / _HOUR
    took = f"{hours:.1f} hours" if hours >= 1 else f"{run.seconds / 60:.0f} minutes"
    return f"{took} ({run.per_second:,.0f} a second, by {run.bound_by}), {run.dollars:,.0f} dollars"


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench.month_end", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--due", type=int, default=DUE, metavar="N", help="accounts that are due on the day")
    print("\n".join(lines(parser.parse_args().due)))


if __name__ == "__main__":
    main()
