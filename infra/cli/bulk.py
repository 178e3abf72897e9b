"""Commands that go through whole tables: `loyalty import`, `export` and `catch-up`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from infra.cli.options import Data, DueShards, Endpoint, IdentitySecret, PeopleTable, Table
from infra.cli.running import Resume, Workers, counting, running
from infra.tools import csv_files, importer
from infra.tools.aws_target import Named, named_tables
from infra.tools.catch_up import catch_up_all
from infra.tools.exporter import Exported
from infra.tools.exporter import export as write_files
from infra.tools.import_rows import kind_of
from infra.tools.money import money
from shared.tables import programs

app = typer.Typer()


@app.command("import")
def import_(
    files: Annotated[list[Path], Argument(metavar="FILE", help="CSV of members, pools, points, credit or tiers.")],
    dry_run: Annotated[bool, Option("--dry-run", help="Check everything, write nothing.")] = False,
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
    workers: Workers = None,
    resume: Resume = False,
) -> int:
    """Bring members, points, store credit and tiers in from another program. Exits with 1 if any line is wrong.

    Name the files in this order: members, pools, points, credit, tiers.
    """
    for path in files:
        kind_of(csv_files.header(path))  # before a database is started for what cannot work
    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    known = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    with (
        named_tables(named) as tables,
        running("import", tables, [*known, str(dry_run)], workers=workers, resume=resume) as (run, progress),
    ):
        for path in files:
            result = importer.bring_in(path, run.telling(counting(progress, path.name)), dry_run=dry_run)
            _report(path, result, programs.load_program().currency, dry_run=dry_run)
            if result.bad:
                return 1
    return 0


@app.command()
def export(
    folder: Annotated[Path, Argument(metavar="DIRECTORY", help="Where to write the five files.")],
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
    workers: Workers = None,
    resume: Resume = False,
) -> int:
    """Write members, points, store credit and tiers to files that import reads."""
    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    with (
        named_tables(named, must_exist=True) as tables,
        running("export", tables, [str(folder.resolve())], workers=workers, resume=resume) as (run, progress),
    ):
        exported = write_files(tables.client, tables.loyalty, folder, run.telling(counting(progress, "accounts")))
        currency = programs.load_program().currency
    credit = f", {money(exported.credit, currency)} of store credit" if exported.credit else ""
    print(f"{folder}: {exported.members} members, {exported.points} points{credit}, as of {run.now.isoformat()}")
    for note in _notes(exported, currency):
        print(note, file=sys.stderr)
    return 0


@app.command()
def catch_up(
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
    workers: Workers = None,
    resume: Resume = False,
) -> int:
    """Book what time has done to every account.

    Run it after a program change that gives idle members something (retention, anniversaries, other reminders): each
    account is put under its next day. Exits with 1 if any account could not be brought up to date.
    """
    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    with (
        named_tables(named, must_exist=True) as tables,
        running("catch-up", tables, workers=workers, resume=resume) as (run, progress),
    ):
        done = catch_up_all(tables.client, tables.loyalty, run.telling(counting(progress, "accounts")))
    print(
        f"{done.accounts} accounts as of {run.now.isoformat()}: {done.entries} entries booked, "
        f"{done.failed} accounts could not be brought up to date"
    )
    return 1 if done.failed else 0


def _report(path: Path, result: importer.Result, currency: str, *, dry_run: bool) -> None:
    for bad in result.bad_lines:
        print(f"{path.name}: line {bad.line}: {bad.reason}", file=sys.stderr)
    if result.bad > len(result.bad_lines):
        print(f"and {result.bad - len(result.bad_lines)} lines more", file=sys.stderr)
    would = "" if result.is_written else "would be "
    brought = {"points": f" with {result.points} points", "credit": f" with {money(result.points, currency)}"}
    points = brought.get(result.kind, "")
    print(
        f"{path.name}: {result.kind}: {result.new} lines {would}brought in{points}, "
        f"{result.before} brought in before, {result.bad} wrong"
    )
    if dry_run:
        print("a dry run: nothing was written")
    elif result.bad and not result.is_written:
        print("nothing was written: put these lines right, and import the file again")
    elif result.bad:
        print("the wrong lines were not written: put them right, and import the file again")


def _notes(exported: Exported, currency: str) -> Iterator[str]:
    as_if_cancelled = "held for open redemptions; they are written as if those were cancelled"
    left_out = {
        f"{exported.waiting} points wait for an operator's approval, and are left out": exported.waiting,
        f"{exported.debt} points of debt are left out": exported.debt,
        f"{money(exported.debt_of_credit, currency)} owed by wallets are left out": exported.debt_of_credit,
        f"{exported.provisional} provisional members, who have not agreed to the terms, are left out": (
            exported.provisional
        ),
        f"{exported.held} points are {as_if_cancelled}": exported.held,
        f"{money(exported.held_credit, currency)} of store credit are {as_if_cancelled}": exported.held_credit,
    }
    return (f"note: {what}" for what, number in left_out.items() if number)
