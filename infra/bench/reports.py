"""Every report over a lake of a million entries, made up: how long all of them take, and how much memory."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.analytics.columns import COMES, GOES, TABLES

ENTRIES, MEMBERS = 1_000_000, 50_000
SECONDS_MAX = 10
MONTH = "2026-11"
BEGINS, ENDS = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 12, 2, 12, tzinfo=UTC)
_NUMBERS = (*COMES, *GOES, "net", "debt", "orders", "order_value", "available", "pending", "held", "sequence")
_ORDERED_ON = "DATE '2025-01-01' + CAST(hash(number) % 700 AS INTEGER)"
_SPENDS = "sequence % 4 = 0"
"""Every fourth entry of a member spends 50 points; the others are orders that bring 100."""


def timed(entries: int = ENTRIES, members: int = MEMBERS) -> tuple[float, int]:
    """Seconds of processor time that the month's statement and all insights take together, and megabytes at most.

    They are made by a process of their own. A machine with nothing else to do takes no longer than its processors:
    DuckDB uses them all.
    """
    with TemporaryDirectory() as name:
        write(Path(name), entries, members)
        command = [sys.executable, "-m", "infra.bench.reports", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(done.stdout)
    return float(seconds), int(megabytes)


def write(folder: Path, entries: int, members: int) -> None:
    """Write a lake: orders and spending of some members over two years, each the same number of entries."""
    import duckdb  # noqa: PLC0415 - an extra

    with duckdb.connect() as database:
        database.execute(f"""
            CREATE TABLE made AS SELECT *, row_number() OVER (PARTITION BY member ORDER BY day, number) AS sequence
            FROM (SELECT range AS number, range % {members} AS member, {_ORDERED_ON.replace("number", "range")} AS day
                  FROM range({entries}))""")  # noqa: S608 - numbers
        for name, select in _tables():
            (folder / name).mkdir()
            database.execute(f"COPY ({select}) TO '{folder}/{name}/part-00000.parquet' (FORMAT parquet)")


def _tables() -> Iterator[tuple[str, str]]:
    whose = {"account_id": "'m' || member", "member_id": "'m' || member", "kind": "'member'", "unit": "'points'"}
    at = "CAST(day AS TIMESTAMP) + INTERVAL 12 HOUR"
    instants = dict.fromkeys(("occurred_at", "recorded_at", "effective_at"), at)
    entry = {
        **whose,
        **instants,
        "entry_id": "'m' || member || '-' || sequence",
        "sequence": "sequence",
        "type": f"CASE WHEN {_SPENDS} THEN 'capture' ELSE 'earn' END",
        "occurred_on": "day",
        "effective_on": "day",
        "is_booked": "true",
        "actor_role": "'storefront'",
        "program_version": "1",
        "earned": f"CASE WHEN {_SPENDS} THEN 0 ELSE 100 END",
        "spent": f"CASE WHEN {_SPENDS} THEN 50 ELSE 0 END",
        "net": f"CASE WHEN {_SPENDS} THEN -50 ELSE 100 END",
        "order_key": f"CASE WHEN {_SPENDS} THEN NULL ELSE 'o' || number END",
        "orders": f"CASE WHEN {_SPENDS} THEN 0 ELSE 1 END",
        "order_value": f"CASE WHEN {_SPENDS} THEN 0 ELSE 1000 + number % 9000 END",
    }
    moved = {**whose, **instants, "entry_id": entry["entry_id"], "last_day": "DATE '2027-12-31'"}
    available = _select("movements", {**moved, "bucket": "'available'", "units": entry["net"]}, "made")
    spent = _select("movements", {**moved, "bucket": "'spent'", "units": "50"}, f"made WHERE {_SPENDS}")
    yield "entries", _select("entries", entry, "made")
    yield "movements", f"{available} UNION ALL {spent}"
    of_member = "(SELECT member, min(day) AS day, sum(1) AS entries FROM made GROUP BY member)"
    account = {**whose, "status": "'active'", "enrolled_on": "day", "entries": "entries"}
    yield "accounts", _select("accounts", account, of_member)
    program = {"version": "1", "worth_points": "1", "worth_amount": "1"}
    yield "program_versions", _select("program_versions", program, "range(1)")
    yield "closed_months", _select("closed_months", {}, "range(0)")
    about = {"as_of": f"TIMESTAMP '{ENDS:%Y-%m-%d %H:%M}'", "time_zone": "'America/New_York'", "currency": "'USD'"}
    yield "about", _select("about", {**about, "program_version": "1"}, "range(1)")


def _select(table: str, values: Mapping[str, str], source: str) -> str:
    columns = (
        f"CAST({values.get(name, '0' if name in _NUMBERS else 'NULL')} AS {column.type}) AS {name}"
        for name, column in TABLES[table].items()
    )
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 - our own texts


def _main() -> None:
    import resource  # noqa: PLC0415 - not on every system
    import time  # noqa: PLC0415

    from infra.analytics import lake_queries  # noqa: PLC0415
    from infra.analytics.insights import insights  # noqa: PLC0415
    from infra.analytics.statement import month_statement  # noqa: PLC0415

    began = time.process_time()
    with lake_queries.opened(Path(sys.argv[1])) as lake:
        statement, found = month_statement(lake, MONTH), insights(lake)
    silent = {table.name for table in found.tables if not table.rows} - {"at_risk"}
    if not statement.lines or silent:
        raise AssertionError(f"reports with nothing to say: {silent}")
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([time.process_time() - began, peak_kb // 1024]))


if __name__ == "__main__":
    _main()
