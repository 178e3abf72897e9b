"""`loyalty lake`: the ledger and its accounts as Parquet files, which any engine of SQL opens as they are.

One account after another is read, settled and written as lines of JSON, and DuckDB makes a file of each table of them:
memory does not grow with the number of accounts. A segment of the table can be written by itself, by whatever process.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from infra.analytics.columns import TABLES, Column
from infra.analytics.ledger_rows import Names, Row, Sales, account_row, instant, ledger_rows
from infra.errors import LocalError
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.program.program import Program
from shared.tables import accounts as accounts_table
from shared.tables import ledger, programs
from shared.tables.client import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX = 5
"""How often an account is read again while others keep writing to it."""
_GONE = {"erased", "lapsed"}
_PSEUDONYM_BYTES = 16


class Segment(NamedTuple):
    """A part of the table that touches no other: the `number`th, from 0, of so many."""

    number: int = 0
    of: int = 1


class Written(NamedTuple):
    """How many rows of each table were written, and as of when."""

    rows: Mapping[str, int]
    as_of: datetime


class _Read(NamedTuple):
    """An account as its last entry left it, with its ledger, the oldest entry first."""

    account: Account
    entries: list[Entry]


def write(
    client: "DynamoDBClient",
    loyalty_table: str,
    folder: Path,
    now: datetime,
    *,
    secret: bytes,
    segment: Segment = Segment(),  # noqa: B008 - it cannot be changed
) -> Written:
    """Write a folder of Parquet files for each table, with all that time has done until `now`.

    `secret` makes the pseudonyms: parts that belong together are written under one, and once it is forgotten nobody
    comes from a pseudonym to what it stands for. Raises LocalError if the part is there already, or an account changes
    faster than it can be read.
    """
    import duckdb  # noqa: PLC0415 - an extra

    program, rows = programs.load_program(), Counter[str]()
    lines = {name: folder / name / f"part-{segment.number:05}.jsonl" for name in TABLES}
    with ExitStack() as files:
        try:
            opened = {name: files.enter_context(_new(path)) for name, path in lines.items()}
        except OSError as error:
            raise LocalError(f"{error.filename} cannot be written: {error.strerror}; name another folder") from error
        for account in _accounts(client, loyalty_table, segment):
            for name, row in _rows(account, program, now, secret):
                rows[name] += 1
                opened[name].write(json.dumps(row) + "\n")
        if segment.number == 0:
            for name, row in _of_program(program, now):
                rows[name] += 1
                opened[name].write(json.dumps(row) + "\n")
    with duckdb.connect() as database:
        database.execute("SET preserve_insertion_order = false")
        for name, path in lines.items():
            if rows[name]:
                database.execute(_copy(TABLES[name], path))
            path.unlink()
    return Written(dict(rows), now)


def pseudonym(secret: bytes, name: str) -> str:
    """What stands for a name: the same under the same secret, and without it anything."""
    return blake2b(name.encode(), key=secret, digest_size=_PSEUDONYM_BYTES).hexdigest()


def _new(path: Path) -> IO[str]:
    if path.with_suffix(".parquet").exists():
        raise FileExistsError(0, "it is there already", str(path.with_suffix(".parquet")))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("x", encoding="utf-8")


def _copy(columns: Mapping[str, Column], lines: Path) -> str:
    types = ", ".join(f"{name}: '{column.type}'" for name, column in columns.items())
    source = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {{{types}}})"
    return f"COPY (SELECT * FROM {source}) TO {_quoted(lines.with_suffix('.parquet'))} (FORMAT parquet)"  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _accounts(client: "DynamoDBClient", loyalty_table: str, segment: Segment) -> Iterator[Item]:
    """The account of each member, each wallet and each pool, in one segment of the table."""
    pages = client.get_paginator("scan").paginate(
        TableName=loyalty_table, ConsistentRead=True, Segment=segment.number, TotalSegments=segment.of
    )
    return (item for page in pages for item in page["Items"] if item["sk"]["S"] == "ACCOUNT")


def _rows(item: Item, program: Program, now: datetime, secret: bytes) -> Iterator[tuple[str, Row]]:
    account, entries = _with_ledger(accounts_table.account_of(item))
    settled = settle(account, program, account.present(now))
    survivor = accounts_table.survivor_of(settled.account)
    is_gone = survivor.status in _GONE
    names = Names(account.member_id, survivor.member_id, lambda name: pseudonym(secret, name), is_gone)
    yield "accounts", account_row(settled.account, names, program.time_zone)
    sales = Sales()
    for name in account.merged_from:
        for entry in ledger.load_whole_history(name)[::-1]:
            sales.change(entry)
    all_entries = [*entries, *settled.entries]
    for row, movements in ledger_rows(all_entries, account.sequence, names, program.time_zone, sales):
        yield "entries", row
        yield from (("movements", one) for one in movements)


def _with_ledger(account: Account) -> _Read:
    """An account under traffic is read again until the index shows all entries that it has booked."""
    for _ in range(READS_MAX):
        entries = ledger.load_history_to(account.member_id, account.sequence)
        if entries is not None:
            return _Read(account, entries)
        account = accounts_table.load_account(account.member_id).account
    raise LocalError(f"the ledger of {account.member_id} is not whole: check the table with `loyalty verify`")


def _of_program(program: Program, now: datetime) -> Iterator[tuple[str, Row]]:
    for version in range(1, program.version + 1):
        try:
            stored = program if version == program.version else programs.load_version(version)
        except LookupError:  # the shop has never stored it: nothing was booked by it
            continue
        rate = stored.redeeming.points_as_money
        worth = {"worth_points": rate.points if rate else None, "worth_amount": rate.amount if rate else None}
        yield "program_versions", {"version": version, **worth}
    yield (
        "about",
        {
            "as_of": instant(now),
            "time_zone": program.time_zone,
            "currency": program.currency,
            "program_version": program.version,
        },
    )
