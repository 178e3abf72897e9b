"""Commands that go through whole tables: `loyalty import`, `export` and `catch-up`."""

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from typer import Argument, Option

from infra.cli.options import Data, Dates, DueShards, Endpoint, IdentitySecret, PeopleTable, Table
from infra.cli.running import Resume, Workers, counting, running
from infra.tools import importer, incoming
from infra.tools.aws_target import Named, named_tables
from infra.tools.catch_up import catch_up_all
from infra.tools.exporter import Exported
from infra.tools.exporter import export as write_files
from infra.tools.incoming import Choices, Incoming
from infra.tools.money import money
from shared.tables import programs

AS_OF_HELP = "The day that stands for what a file does not say: since when they are members, when points were earned."

app = typer.Typer()


@app.command("import")
def import_(
    files: Annotated[
        list[Path], Argument(metavar="FILE", help="CSV or XLSX of members, pools, points, credit, tiers, or customers.")
    ],
    dry_run: Annotated[
        bool, Option("--dry-run", help="Check everything, show the first lines, write nothing.")
    ] = False,
    dates: Dates = None,
    as_of: Annotated[datetime | None, Option("--as-of", formats=["%Y-%m-%d"], metavar="DAY", help=AS_OF_HELP)] = None,
    expires_on: Annotated[
        str | None, Option(metavar="DAY", help="The last day of points of which a file does not say it, or never.")
    ] = None,
    map_: Annotated[
        Path | None, Option("--map", metavar="FILE", help='Which columns are which: TOML such as email = "Mail".')
    ] = None,
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

    Name the files in this order: members, pools, points, credit, tiers. A file of customers or of balances from a shop
    system may stand for the first ones.
    """
    choices = Choices(dates, f"{as_of:%Y-%m-%d}" if as_of else None, expires_on, map_)
    found = [incoming.look(path, choices) for path in files]  # before a database is started for what cannot work
    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    known = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    with (
        named_tables(named) as tables,
        running("import", tables, [*known, str(choices), str(dry_run)], workers=workers, resume=resume) as (
            run,
            progress,
        ),
    ):
        currency, members_come = programs.load_program().currency, False
        for one in found:
            _say(one, shows=dry_run)
            for file in incoming.ready(one, run.folder):
                result = importer.bring_in(
                    file.path,
                    run.telling(counting(progress, one.sheet.path.name)),
                    dry_run=dry_run,
                    may_be_members=file.is_opening,
                    members_come=members_come,
                )
                _report(one.sheet.path, result, currency, dry_run=dry_run)
                if result.bad:
                    return 1
                members_come = dry_run and (members_come or file.kind == "members")
    if dry_run:
        print("a dry run: nothing was written")
    return 0


def _say(found: Incoming, *, shows: bool) -> None:
    """Tell how a file is read, and, if it shows that, its first lines as they would come in."""
    for note in found.notes:
        print(f"{found.sheet.path.name}: {note}", file=sys.stderr)
    for kind in found.kinds if shows else ():
        grid = Grid(title=f"{found.sheet.path.name}: {kind}, the first lines", title_justify="left")
        rows = list(islice(found.rows(kind), incoming.PREVIEW_LINES))
        names = [name for name in rows[0][1] if any(row[name] for _, row in rows)] if rows else []
        for name in ("line", *names):
            grid.add_column(name)
        for line, row in rows:
            grid.add_row(str(line.number), *(escape(row[name]) for name in names))
        Console().print(grid)


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
    if dry_run and result.bad:
        print("a dry run: nothing was written; put these lines right")
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
