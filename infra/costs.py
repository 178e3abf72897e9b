"""What a month costs, by part: the requests and units that operations use, at the prices that AWS publishes.

The units of an operation are stated here as measured, and a test measures them again; seconds are the processor time
of a quarter of a processor, and ten milliseconds for each request to DynamoDB. Prices are those of us-east-1
without any free tier, and exclude taxes, text messages (by country and carrier) and Cognito (by who signs in, and how).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.cloud.needs import NEEDS

_MB_PER_GB = 1024
_MILLION = 1_000_000
_THOUSAND = 1_000
_HOURS = 730


@dataclass(frozen=True)
class Prices:
    """Dollars."""

    published_on: str = "2025-07"
    api_per_million: float = 1.00
    lambda_per_gb_second: float = 0.0000133334
    lambda_requests_per_million: float = 0.20
    read_units_per_million: float = 0.125
    write_units_per_million: float = 0.625
    storage_and_backup_per_gb: float = 0.25 + 0.20
    events_per_million: float = 1.00
    mails_per_thousand: float = 0.10
    logs_per_gb: float = 0.50
    snapshot_per_gb_second: float = 0.0000015046
    key: float = 1.00
    secret: float = 0.40
    alarm: float = 0.10
    dashboard: float = 3.00


@dataclass(frozen=True)
class Operation:
    """What one call uses: DynamoDB's units, processor time of its function, and what the stream makes of it."""

    function: str
    read_units: float
    write_units: float
    seconds: float
    entries: int
    mails: float = 0


PRICES = Prices()
OPERATIONS: Mapping[str, Operation] = {
    "order": Operation("earn", read_units=1, write_units=7, seconds=0.035, entries=1, mails=0.5),
    "account": Operation("account", read_units=1, write_units=0, seconds=0.015, entries=0),
    "redemption": Operation("redeem", read_units=2, write_units=14, seconds=0.070, entries=2, mails=1),
    "join": Operation("enroll", read_units=0, write_units=15, seconds=0.045, entries=1, mails=1),
}
LOOKS_PER_ORDER = 2
ORDERS_PER_REDEMPTION = 10
JOINS_SHARE = 0.02
"""New members in a month, of all."""
TELL = Operation("notify", read_units=3, write_units=2, seconds=0.050, entries=0)
"""Each entry, by the stream: the account, the member, the marker of a message before and after."""
ITEM_BYTES = 1_500
ENTRY_COPIES = 2
"""In the table and in the index `history`."""
LOG_BYTES = 600
ALARMS = 27
BYTES_PER_GB = 1024**3
ENTRY_MONTHS = 12
"""Whose entries are counted as stored: a year's."""


def memory_gb(function: str) -> float:
    """The size of a function as Lambda bills it."""
    return NEEDS[function].memory_mb / _MB_PER_GB


def monthly(members: int, orders: int) -> dict[str, float]:
    """Dollars by part, for so many members who place so many orders in a month altogether."""
    calls = {
        "order": orders,
        "account": orders * LOOKS_PER_ORDER,
        "redemption": orders / ORDERS_PER_REDEMPTION,
        "join": members * JOINS_SHARE,
    }
    made = [(number, OPERATIONS[name]) for name, number in calls.items()]
    requests = sum(calls.values())
    entries = sum(number * operation.entries for number, operation in made)
    work = [*made, (entries, TELL)]
    mails = sum(number * operation.mails for number, operation in made)
    stored = (members + entries * ENTRY_MONTHS * ENTRY_COPIES) * ITEM_BYTES / BYTES_PER_GB
    snapshots = sum(memory_gb(name) for name, needs in NEEDS.items() if needs.is_snapshot)
    prices = PRICES
    reads = sum(number * operation.read_units for number, operation in work)
    writes = sum(number * operation.write_units for number, operation in work)
    compute = sum(number * operation.seconds * memory_gb(operation.function) for number, operation in work)
    return {
        "API Gateway": requests / _MILLION * prices.api_per_million,
        "Lambda": compute * prices.lambda_per_gb_second
        + (requests + entries) / _MILLION * prices.lambda_requests_per_million,
        "Lambda snapshots": snapshots * _HOURS * 3600 * prices.snapshot_per_gb_second,
        "DynamoDB requests": reads / _MILLION * prices.read_units_per_million
        + writes / _MILLION * prices.write_units_per_million,
        "DynamoDB storage and backup": stored * prices.storage_and_backup_per_gb,
        "EventBridge": entries / _MILLION * prices.events_per_million,
        "e-mail": mails / _THOUSAND * prices.mails_per_thousand,
        "logs": (requests + entries) * LOG_BYTES / BYTES_PER_GB * prices.logs_per_gb,
        "keys, alarms, dashboard": prices.key + prices.secret + ALARMS * prices.alarm + prices.dashboard,
    }


def run_cost(members: int, orders: int) -> int:
    """Print the bill."""
    bill = monthly(members, orders)
    width = max(map(len, bill))
    for part, dollars in bill.items():
        print(f"{part:<{width}} {dollars:>10,.2f}")
    print(f"{'dollars a month':<{width}} {sum(bill.values()):>10,.2f}")
    print(f"us-east-1, prices of {PRICES.published_on}, without free tiers, text messages and Cognito")
    return 0
