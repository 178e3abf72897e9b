"""What a month costs, by part: the requests and units that operations use, at the prices that AWS publishes.

The units of an operation are stated here as measured, and a test measures them again; processor time is measured by
`python -m infra.bench.memory`. A test counts in the template what the stack has once, however much it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from infra.cloud.permissions import NEEDS

REGION = "us-east-1"
LOOKED_UP_ON = "2026-11-22"
_MB_PER_GB = 1024
_MILLION = 1_000_000
_BYTES_PER_GB = 1024**3
_HOURS = 730
_SECONDS = _HOURS * 3600


class Price(NamedTuple):
    """Dollars for so many of something; `published` is the month whose price list or documentation says so."""

    dollars: float
    per: int
    of: str
    published: str
    region: str = REGION
    looked_up_on: str = LOOKED_UP_ON

    @property
    def each(self) -> float:
        """Dollars for one."""
        return self.dollars / self.per


# First tier, before any free one.
PRICES: Mapping[str, Price] = {
    "api": Price(1.00, _MILLION, "HTTP API requests up to 512 KB", "2026-09"),
    "lambda call": Price(0.20, _MILLION, "calls", "2026-09"),
    "lambda": Price(0.0000133334, 1, "GB-second, arm64", "2026-09"),
    "snapshot": Price(0.0000015046, 1, "GB-second of a function's version", "2026-09"),
    "restore": Price(0.0001397998, 1, "GB restored from a snapshot", "2026-09"),
    "read": Price(0.125, _MILLION, "read request units", "2026-09"),
    "write": Price(0.625, _MILLION, "write request units", "2026-09"),
    "table": Price(0.25, 1, "GB-month", "2026-09"),
    "table backup": Price(0.20, 1, "GB-month of point-in-time recovery", "2026-09"),
    "queue": Price(0.40, _MILLION, "requests up to 64 KB, standard queue", "2026-09"),
    "event": Price(1.00, _MILLION, "events up to 64 KB", "2026-03"),
    "archive": Price(0.10, 1, "GB put into an archive", "2026-03"),
    "archived": Price(0.023, 1, "GB-month in an archive", "2026-03"),
    "schedule": Price(1.00, _MILLION, "scheduled calls", "2026-09"),
    "mail": Price(0.10, 1000, "e-mails", "2025-07"),
    "log": Price(0.50, 1, "GB put into a log", "2026-09"),
    "logged": Price(0.03, 1, "GB-month in a log", "2026-09"),
    "metric": Price(0.30, 1, "metric-month of one's own, by name and dimensions", "2026-02"),
    "alarm": Price(0.10, 1, "alarm-month of one metric", "2026-09"),
    "dashboard": Price(3.00, 1, "dashboard-month", "2026-06"),
    "key": Price(1.00, 1, "key-month; each of the first two rotations adds as much", "2026-03"),
    "key request": Price(0.03, 10_000, "requests", "2026-03"),
    "secret": Price(0.40, 1, "secret-month", "2026-09"),
    "secret request": Price(0.05, 10_000, "requests", "2026-09"),
    "token": Price(2.25, 1000, "tokens for a machine", "2025-04"),
    "app client": Price(6.00, 1, "client-month of a machine", "2025-04"),
    "person": Price(0.015, 1, "person who signs in in a month, Essentials", "2026-09"),
}
NOT_INCLUDED = (
    "taxes",
    "free tiers",
    "data to the internet",
    "text messages (by country and carrier)",
    "support",
    "orders with partners (three write units more than others: the index of partners, and a prepaid one's funds)",
    "members brought by members, and those enrolled by a shop who agree later (a call, or two, for each)",
    "what your own program adds: program changes, exports, other webhooks",
)

MB_PER_PROCESSOR = 1769
"""Lambda gives a function one processor at this size, and its share of one below."""
REQUEST_MS = 10
"""What a function waits for an answer of DynamoDB, or of another service in the region."""
SLOWER = 1.5
"""Lambda's arm64 processor against the one measured on: not known, so taken to be slower."""


@dataclass(frozen=True)
class Operation:
    """What one call uses: DynamoDB's units, its function's processor time and requests, what the stream makes of it."""

    function: str
    read_units: float
    write_units: float
    processor_ms: float
    requests: float
    entries: int = 0
    mails: float = 0

    @property
    def seconds(self) -> float:
        """How long Lambda bills it."""
        return milliseconds(self.processor_ms, self.requests, NEEDS[self.function].memory_mb) / 1000


OPERATIONS: Mapping[str, Operation] = {
    "order": Operation("earn", 1, 7, processor_ms=5, requests=2, entries=1, mails=0.5),
    "partner order": Operation("earn", 1, 10, processor_ms=5, requests=2, entries=1, mails=0.5),
    "account": Operation("account", 1, 0, processor_ms=2, requests=1),
    "redemption": Operation("redeem", 2, 14, processor_ms=8, requests=4, entries=2, mails=1),
    "join": Operation("enroll", 0, 15, processor_ms=4, requests=1, entries=1, mails=1),
}
LOOKS_PER_ORDER = 2
ORDERS_PER_REDEMPTION = 10
JOINS_SHARE = 0.02
"""New members in a month, of all."""
ENTRIES_OF_TIME = 0.1
"""Entries of maturity, expiry and tier reviews in a month, for each member."""
TELL = Operation("notify", read_units=2, write_units=1, processor_ms=4, requests=6)
"""Each entry, by the stream: its marker before and after, the account; the bus and two queues."""
SEND = Operation("messages", read_units=2, write_units=2, processor_ms=4, requests=5)
"""Each message, of which an entry is taken to have one: the account and the member; its marker before and after."""
REMIND = Operation("notify", read_units=1, write_units=4, processor_ms=4, requests=3, mails=1)
"""Each reminder until it is queued: the account, read, and written with its index."""
STATE = Operation("notify", read_units=2, write_units=1, processor_ms=6, requests=4, mails=1)
"""Each statement until it is queued: the account and a page of the ledger; that it is done."""
REMINDED_SHARE = 0.05
"""Members who are reminded in a month that points expire, of all."""
WEBHOOK_DELIVERY = Operation("webhook_deliveries", read_units=1, write_units=1, processor_ms=3, requests=32)
"""Each event, to one webhook: its endpoint's answer is waited for as long as for thirty requests."""
SETTLE = Operation("expire", read_units=1, write_units=7, processor_ms=5, requests=2)
"""Each entry of time: the account, the transaction. One in a hundred accounts is also held against its ledger."""

COLD_SHARE = 0.01
"""Calls that start an environment; AWS says that typically under one in a hundred does."""
COLD_SECONDS = 0.6
"""What such a start is billed without a snapshot: 0.2 of a processor, with room for unpacking."""
ITEM_BYTES, PERSON_BYTES, EVENT_BYTES = 1_500, 1_000, 900
ENTRY_COPIES = 2
"""In the table and in the index `history`."""
VERIFICATIONS = 2 * 52 / 12
"""How often in a month the whole ledger is read and held against its accounts."""
VERIFIED_MS = 0.3
"""Each entry, by a whole processor: it is looked at in a part of the table, and again with its member's others."""
READ_UNIT_BYTES = 4096
MONTHS_KEPT = 12
"""How long entries, and events in the archive, have been piling up, unless it is said."""
LOG_MONTHS = 3
ACCESS_LOG_BYTES, METRICS_LOG_BYTES = 330, 230
"""API Gateway's line for each request; a function's own with metrics."""

_QUEUE_REQUESTS_PER_TASK = 2
POLLED_QUEUES = 6
POLLERS, POLL_SECONDS = 5, 20
"""Lambda keeps so many requests waiting at each queue, messages or none."""
BY_DAY = _HOURS / 2
"""Hours between nine and twenty, in which members are written to."""
SCHEDULED: Mapping[str, float] = {"expire": _HOURS, "birthdays": _HOURS, "notify": 2 * _HOURS + 3 * BY_DAY}
"""Calls by schedules: `notify` for what waits or is parked, and by day for reminders, statements and partners."""
SHARDS = 8
LOOKS: Mapping[str, float] = {
    "expire": _HOURS * 33 * SHARDS,
    "birthdays": _HOURS,
    "notify": BY_DAY * (33 + 1) * SHARDS + _HOURS * SHARDS,
}
"""Queries of runs, which look at each shard of the days of a month, of last month's statements, and of what waits."""
PAGE = 100
PAGES_MIN: Mapping[str, float] = {"expire": 30 * SHARDS, "notify": 30 * SHARDS}
"""Pages of runs: where few are due on a day, each shard has one of its own."""
KEY_REQUESTS = 12 * _HOURS * 4
"""DynamoDB asks for the table's key again after five minutes, here for four connections."""

ALARMS = 65
"""Metrics that alarms look at: each is billed, however many an alarm has."""
METRICS = 29
"""Names that functions count under, the runs of `notify` among them, the one that the access log is counted by, and
those that a check of the whole ledger adds; one dimension each.
"""
TOKENS = _HOURS
"""A storefront that keeps its token for the hour that it is good."""
APP_CLIENTS = 1
"""Of machines: the storefront's. Each partner that is given one adds another."""


def milliseconds(processor_ms: float, requests: float, memory_mb: int) -> float:
    """How long a call takes that uses a whole processor for `processor_ms` where it was measured."""
    return processor_ms * SLOWER * max(1, MB_PER_PROCESSOR / memory_mb) + requests * REQUEST_MS


def dollars_per_million(call_ms: float, memory_mb: int) -> float:
    """What a million calls of a function cost in Lambda."""
    seconds = call_ms / 1000 * memory_mb / _MB_PER_GB
    return (seconds * PRICES["lambda"].each + PRICES["lambda call"].each) * _MILLION


def memory_gb(function: str) -> float:
    """The size of a function as Lambda bills it."""
    return NEEDS[function].memory_mb / _MB_PER_GB


@dataclass(frozen=True)
class Month:
    """What happens in one."""

    members: int
    orders: int
    people: int = 0
    """Members and operators who sign in."""
    months: int = MONTHS_KEPT
    """How many have been like it, this one included: nothing is deleted from the ledger."""

    @property
    def asked(self) -> list[tuple[float, Operation]]:
        """Operations that come in by the API, and how many of each."""
        return [
            (self.orders, OPERATIONS["order"]),
            (self.orders * LOOKS_PER_ORDER, OPERATIONS["account"]),
            (self.orders / ORDERS_PER_REDEMPTION, OPERATIONS["redemption"]),
            (self.members * JOINS_SHARE, OPERATIONS["join"]),
        ]

    @property
    def requests(self) -> float:
        """HTTP requests; a redemption is reserved and captured."""
        return sum(number for number, _ in self.asked) + self.orders / ORDERS_PER_REDEMPTION

    @property
    def entries_of_time(self) -> float:
        """What the clock books."""
        return self.members * ENTRIES_OF_TIME

    @property
    def entries(self) -> float:
        """What the ledger grows by."""
        return sum(number * operation.entries for number, operation in self.asked) + self.entries_of_time

    @property
    def told(self) -> list[tuple[float, Operation]]:
        """Reminders, and the statements of those who bought something, and how many of each."""
        return [(self.members * REMINDED_SHARE, REMIND), (min(self.members, self.orders), STATE)]

    @property
    def messages(self) -> float:
        """What is queued to be sent to members, whether or not it is then wanted."""
        return self.entries + sum(number for number, _ in self.told)

    @property
    def work(self) -> list[tuple[float, Operation]]:
        """Everything that functions do."""
        later = [
            (self.entries, TELL),
            (self.messages, SEND),
            (self.entries, WEBHOOK_DELIVERY),
            (self.entries_of_time, SETTLE),
        ]
        return [*self.asked, *self.told, *later]

    @property
    def pages(self) -> float:
        """Messages of runs, each a call of a worker."""
        listed = self.entries_of_time + sum(number for number, _ in self.told)
        return sum(PAGES_MIN.values()) + listed / PAGE

    @property
    def calls(self) -> float:
        """Calls of functions; every entry is taken to come alone, as it does where there are few."""
        return self.requests + 2 * self.entries + self.messages + sum(SCHEDULED.values()) + self.pages


def monthly(members: int, orders: int, people: int = 0, months: int = MONTHS_KEPT) -> dict[str, float]:
    """Dollars by part, for so many members, who place so many orders in all; `people` of them sign in themselves.

    It is the last of so many `months`.
    """
    month = Month(members, orders, people, months)
    mails = sum(number * operation.mails for number, operation in (*month.asked, *month.told))
    events_gb = month.entries * EVENT_BYTES / _BYTES_PER_GB
    return {
        "API Gateway": month.requests * PRICES["api"].each,
        "Lambda": _compute(month) * PRICES["lambda"].each + month.calls * PRICES["lambda call"].each,
        "Lambda snapshots": _snapshots(month),
        **_tables(month),
        "ledger checks": _verification(month),
        "queues": _queue_requests(month) * PRICES["queue"].each,
        "event bus": month.entries * PRICES["event"].each,
        "event archive": events_gb * (PRICES["archive"].each + months * PRICES["archived"].each),
        "schedules": sum(SCHEDULED.values()) * PRICES["schedule"].each,
        "e-mail": mails * PRICES["mail"].each,
        "logs": _logs_gb(month) * (PRICES["log"].each + LOG_MONTHS * PRICES["logged"].each),
        "metrics": METRICS * PRICES["metric"].each,
        "alarms": ALARMS * PRICES["alarm"].each,
        "dashboard": PRICES["dashboard"].each,
        "key": PRICES["key"].each + KEY_REQUESTS * PRICES["key request"].each,
        "secret": PRICES["secret"].each + month.calls * COLD_SHARE * PRICES["secret request"].each,
        "Cognito": TOKENS * PRICES["token"].each
        + APP_CLIENTS * PRICES["app client"].each
        + month.people * PRICES["person"].each,
    }


_OF_STREAM = (TELL, SEND, WEBHOOK_DELIVERY)


def of_the_stream() -> dict[str, float]:
    """Dollars by part that the stream adds to a million entries: telling others, one message and one webhook."""
    dollars = {
        "event bus": PRICES["event"].each,
        "reads": sum(one.read_units for one in _OF_STREAM) * PRICES["read"].each,
        "markers": sum(one.write_units for one in _OF_STREAM) * PRICES["write"].each,
        "queues": 2 * _QUEUE_REQUESTS_PER_TASK * PRICES["queue"].each,
        "Lambda": sum(
            one.seconds * memory_gb(one.function) * PRICES["lambda"].each + PRICES["lambda call"].each
            for one in _OF_STREAM
        ),
    }
    return {part: _MILLION * each for part, each in dollars.items()}


def _compute(month: Month) -> float:
    """GB-seconds, of starts as well; a schedule's queries are waits like any other."""
    work = sum(number * operation.seconds * memory_gb(operation.function) for number, operation in month.work)
    cold = sum(
        number * COLD_SHARE * COLD_SECONDS * memory_gb(operation.function)
        for number, operation in month.work
        if not NEEDS[operation.function].is_snapshot
    )
    waited = sum(number * memory_gb(name) for name, number in LOOKS.items())
    return work + cold + waited * REQUEST_MS / 1000


def _snapshots(month: Month) -> float:
    """Dollars for keeping a version of each, and for starting from it."""
    kept = sum(memory_gb(name) for name, needs in NEEDS.items() if needs.is_snapshot) * _SECONDS
    restored = sum(
        number * COLD_SHARE * memory_gb(operation.function)
        for number, operation in month.work
        if NEEDS[operation.function].is_snapshot
    )
    return kept * PRICES["snapshot"].each + restored * PRICES["restore"].each


def _tables(month: Month) -> dict[str, float]:
    reads = sum(number * operation.read_units for number, operation in month.work) + sum(LOOKS.values()) / 2
    writes = sum(number * operation.write_units for number, operation in month.work)
    kept = month.members * (ITEM_BYTES + PERSON_BYTES) + month.entries * month.months * ENTRY_COPIES * ITEM_BYTES
    return {
        "DynamoDB requests": reads * PRICES["read"].each + writes * PRICES["write"].each,
        "DynamoDB storage": kept / _BYTES_PER_GB * PRICES["table"].each,
        "DynamoDB backup": kept / _BYTES_PER_GB * PRICES["table backup"].each,
    }


def _verification(month: Month) -> float:
    """Dollars for reading all of the table as it is at that instant, and each member's entries once more by the index,
    where half a unit reads as much.
    """
    entries = month.entries * month.months
    in_table, again = (month.members + entries) * ITEM_BYTES / READ_UNIT_BYTES, entries * ITEM_BYTES / READ_UNIT_BYTES
    reads = in_table + month.members + again / 2
    seconds = entries * VERIFIED_MS * SLOWER / 1000
    memory = MB_PER_PROCESSOR / _MB_PER_GB
    return VERIFICATIONS * (reads * PRICES["read"].each + seconds * memory * PRICES["lambda"].each)


def _queue_requests(month: Month) -> float:
    """Waiting at every queue; then sending and deleting. A task that arrives ends a wait without another request."""
    waits = POLLED_QUEUES * POLLERS * _SECONDS / POLL_SECONDS
    return waits + (month.pages + month.entries + month.messages) * _QUEUE_REQUESTS_PER_TASK


def _logs_gb(month: Month) -> float:
    written = month.requests * ACCESS_LOG_BYTES + 2 * month.entries * METRICS_LOG_BYTES
    return written / _BYTES_PER_GB


def run_cost(members: int, orders: int, people: int, months: int = MONTHS_KEPT) -> int:
    """Print the bill."""
    bill = monthly(members, orders, people, months)
    width = max(map(len, bill))
    for part, dollars in bill.items():
        print(f"{part:<{width}} {dollars:>10,.2f}")
    print(f"{'dollars a month':<{width}} {sum(bill.values()):>10,.2f}")
    a_year_on = sum(monthly(members, orders, people, months + 12).values()) - sum(bill.values())
    print(f"{'after another year':<{width}} {a_year_on:>+10,.2f}")
    added = ", ".join(f"{part} {dollars:.2f}" for part, dollars in of_the_stream().items())
    print(f"of it, for a million entries, what the stream adds to them: {added}")
    oldest, newest = (end(price.published for price in PRICES.values()) for end in (min, max))
    print(f"{REGION}, list prices looked up on {LOOKED_UP_ON} as published {oldest} to {newest}")
    print(f"taken for granted: one webhook, told of everything; one storefront; {people} people who sign in;")
    print(f"  {months} months like this one; reminders for {REMINDED_SHARE:.0%} of members, a statement for who bought")
    print(f"not included: {', '.join(NOT_INCLUDED)}")
    return 0
