"""`loyalty lake`: the ledger and its accounts as Parquet files, which any engine of SQL opens as they are.

Segments of the table are written by themselves, one account after another: read, settled and written as lines of JSON,
of which DuckDB makes a file of each table. Memory does not grow with the number of accounts.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.analytics.columns import TABLES, Column
from infra.analytics.ledger_rows import Names, Row, Sales, account_row, instant, ledger_rows
from infra.errors import LocalError
from infra.tools import segments
from infra.tools.closed_months import Closings, bounds_of, closings_of
from infra.tools.parts import Part, Run, Tell
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.program.program import Program
from shared.tables import accounts as accounts_table
from shared.tables import ledger, programs, reports
from shared.tables.client import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX = 5
"""How often an account is read again while others keep writing to it."""
_GONE = {"erased", "lapsed"}
_PSEUDONYM_BYTES, _SECRET_BYTES = 16, 32


class _Read(NamedTuple):
    """An account as its last entry left it, with its ledger, the oldest entry first."""

    account: Account
    entries: list[Entry]


def write(database: "DynamoDBClient", loyalty_table: str, folder: Path, run: Run) -> Mapping[str, int]:
    """Write a folder of Parquet files for each table, with all that time has done until the run's instant, and say how
    many rows each has. The run is told of each account.

    The secret that makes the pseudonyms is the run's, and ends with it: then nobody comes from one to what it stands
    for. Raises LocalError if a lake is there already, or if an account changes faster than it can be read.
    """
    run.once("folder", lambda: _begin(folder))
    secret = run.once("secret", lambda: secrets.token_hex(_SECRET_BYTES))
    closings = run.once("closings", lambda: Closings(map(bounds_of, reports.closed_months())).as_json())
    named = {"now": run.now.isoformat(), "folder": str(folder.resolve()), "secret": secret, "closings": closings}
    parts = ({**part, **named} for part in segments.segments(database, loyalty_table, run))
    rows = Counter[str]()
    for written in run.through("lake", write_part, parts):
        rows.update(written)
    return rows


def write_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Write the files of a segment as of its `now`; how many rows each has. The first writes what belongs to none."""
    import duckdb  # noqa: PLC0415 - an extra

    now, secret = datetime.fromisoformat(part["now"]), bytes.fromhex(part["secret"])
    program, closings, rows = programs.load_program(), closings_of(part["closings"]), Counter[str]()
    with ExitStack() as removed, ExitStack() as files:
        opened = {name: files.enter_context(_unfinished(part, name).open("w", encoding="utf-8")) for name in TABLES}
        for name in TABLES:
            removed.callback(_unfinished(part, name).unlink, missing_ok=True)
        for account in _accounts(part):
            for name, row in _rows(account, program, now, secret, closings):
                rows[name] += 1
                opened[name].write(json.dumps(row) + "\n")
            tell(1)
        if part["segment"] == 0:
            for name, row in _of_whole(program, now, len(part["closings"])):
                rows[name] += 1
                opened[name].write(json.dumps(row) + "\n")
        files.close()
        with duckdb.connect() as database:
            database.execute("SET preserve_insertion_order = false")
            for name in TABLES if part["segment"] == 0 else rows:  # no table is without a file, though it have no row
                made = _unfinished(part, name).with_suffix(".made")
                database.execute(_copy(TABLES[name], _unfinished(part, name), made))
                made.replace(Path(part["folder"]) / name / f"part-{part['segment']:05}.parquet")
    return dict(rows)


def pseudonym(secret: bytes, name: str) -> str:
    """What stands for a name: the same under the same secret, and without it anything."""
    return blake2b(name.encode(), key=secret, digest_size=_PSEUDONYM_BYTES).hexdigest()


def _begin(folder: Path) -> str:
    """Make the folders of a lake. Raises LocalError if there is one already."""
    if any((folder / name).exists() for name in TABLES):
        raise LocalError(f"there is a lake in {folder} already: name another folder")
    try:
        for name in TABLES:
            (folder / name).mkdir(parents=True)
    except OSError as error:
        raise LocalError(f"{error.filename} cannot be written: {error.strerror}; name another folder") from error
    return str(folder)


def _unfinished(part: Part, name: str) -> Path:
    """The lines of a file while it is made: of a run that was stopped another process may still be at its own."""
    return Path(part["folder"]) / name / f".{part['segment']}-{os.getpid()}.jsonl"


def _copy(columns: Mapping[str, Column], lines: Path, made: Path) -> str:
    types = ", ".join(f"{name}: '{column.type}'" for name, column in columns.items())
    source = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {{{types}}})"
    return f"COPY (SELECT * FROM {source}) TO {_quoted(made)} (FORMAT parquet)"  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _accounts(part: Part) -> Iterator[Item]:
    """The account of each member, each wallet and each pool, in one segment of the table."""
    return (item for page in segments.accounts(part, ConsistentRead=True) for item in page)


def _rows(item: Item, program: Program, now: datetime, secret: bytes, closings: Closings) -> Iterator[tuple[str, Row]]:
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
    for row, movements in ledger_rows(all_entries, account.sequence, names, program.time_zone, sales, closings):
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


def _of_whole(program: Program, now: datetime, closed: int) -> Iterator[tuple[str, Row]]:
    for month in islice(reports.closed_months(), closed):
        instants = {name: instant(getattr(month, name)) for name in ("from_at", "to_at", "as_of")}
        yield "closed_months", {"month": month.month, **instants, "entries": month.entries, "hash": month.hash}
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
