"""Reports on the whole ledger: `loyalty lake`, `statement` and `insights`.

What they need is an extra: a module that imports any of it is imported once that is installed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table as Grid
from typer import Argument, Option

from infra.analytics import packages
from infra.cli.options import Data, DueShards, Endpoint, IdentitySecret, PeopleTable, Table
from infra.cli.running import Resume, Workers, counting, running, running_unkept
from infra.errors import UsageError
from infra.tools.aws_target import Named, Tables, named_tables
from infra.tools.money import money
from infra.tools.parts import Run

if TYPE_CHECKING:
    from infra.analytics.insights import Insights
    from infra.analytics.lake_queries import Lake
    from infra.analytics.statement import Statement

LakeFolder = Annotated[
    Path | None, Option("--lake", metavar="DIR", help="What `loyalty lake` has written, instead of the tables.")
]

app = typer.Typer()


@app.command()
def lake(
    folder: Annotated[Path, Argument(metavar="DIRECTORY", help="Where to write the tables.")],
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
    workers: Workers = None,
    resume: Resume = False,
) -> int:
    """Write the ledger and its accounts as Parquet files, without personal data, for any engine of SQL."""
    packages.require()
    from infra.analytics.lake import write  # noqa: PLC0415

    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    with (
        named_tables(named, must_exist=True) as tables,
        running("lake", tables, [str(folder.resolve())], workers=workers, resume=resume) as (run, progress),
    ):
        written = write(tables.client, tables.loyalty, folder, run.telling(counting(progress, "accounts")))
    rows = ", ".join(f"{written.get(name, 0):,} {name}" for name in ("accounts", "entries", "movements"))
    print(f"{folder}: {rows}, as of {run.now.isoformat()}")
    return 0


@app.command()
def statement(
    month: Annotated[str, Argument(metavar="MONTH", help="Such as 2026-11.")],
    csv: Annotated[Path | None, Option(metavar="FILE", help="Write every number to this file, too.")] = None,
    xlsx: Annotated[Path | None, Option(metavar="FILE", help="Write a workbook, too.")] = None,
    store: Annotated[
        bool,
        Option("--store", help="Store it and all open months before for the API, and close those that are final."),
    ] = False,
    lake_folder: LakeFolder = None,
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
) -> int:
    """Print what a month came to in points and in money, as an accountant needs it."""
    packages.require()
    from infra.analytics.statement import month_statement  # noqa: PLC0415
    from infra.analytics.statement_files import write_csv, write_xlsx  # noqa: PLC0415

    named, stored = Named(endpoint, data, table, people_table, identity_secret, due_shards), []
    if store:
        _require_tables(lake_folder)
        from infra.analytics import closing  # noqa: PLC0415

        with _of_tables(named) as of:
            found = month_statement(of.lake, month)
            stored = closing.store(of.lake, of.tables.client, of.tables.loyalty, of.run, month)
    else:
        with _opened(lake_folder, named) as lake_:
            found = month_statement(lake_, month)
    _print_statement(found)
    for one in stored:
        print(f"{one.month}: stored, and closed under the hash {one.hash}" if one.hash else f"{one.month}: stored")
    if csv:
        write_csv(found, csv)
    if xlsx:
        write_xlsx(found, xlsx)
    return 0


@app.command()
def insights(
    html: Annotated[Path | None, Option(metavar="FILE", help="Write a page that opens without a network, too.")] = None,
    store: Annotated[bool, Option("--store", help="Store every report for the API.")] = False,
    lake_folder: LakeFolder = None,
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
) -> int:
    """Print who orders, how often and for how much, and what is expected of them."""
    packages.require()
    from infra.analytics import insights as made  # noqa: PLC0415
    from infra.analytics.insights_file import write_html  # noqa: PLC0415

    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    if store:
        _require_tables(lake_folder)
        with _of_tables(named) as of:
            found = made.insights(of.lake)
            made.store(found)
    else:
        with _opened(lake_folder, named) as lake_:
            found = made.insights(lake_)
    _print_insights(found)
    if html:
        write_html(found, html)
    return 0


class _Opened(NamedTuple):
    """A lake that is open, and the tables and the run that it was written from."""

    lake: "Lake"
    tables: Tables
    run: Run


@contextmanager
def _of_tables(named: Named) -> Iterator[_Opened]:
    """A lake of the tables as they are now."""
    from infra.analytics.lake import write  # noqa: PLC0415
    from infra.analytics.lake_queries import opened  # noqa: PLC0415

    with (
        TemporaryDirectory() as temporary,
        named_tables(named, must_exist=True) as tables,
        running_unkept(tables.now) as run,
    ):
        folder = Path(temporary) / "lake"
        write(tables.client, tables.loyalty, folder, run)
        with opened(folder) as found:
            yield _Opened(found, tables, run)


@contextmanager
def _opened(folder: Path | None, named: Named) -> "Iterator[Lake]":
    """The lake of a folder, or one of the tables as they are now."""
    from infra.analytics.lake_queries import opened  # noqa: PLC0415

    if folder:
        with opened(folder) as found:
            yield found
        return
    with _of_tables(named) as of_tables:
        yield of_tables.lake


def _require_tables(folder: Path | None) -> None:
    """Raises UsageError with a lake that was written before: what it says may have passed."""
    if folder:
        raise UsageError("--store makes a lake of its own: leave --lake out")


def _print_statement(found: "Statement") -> None:
    console = Console()
    for section in dict.fromkeys(line.section for line in found.lines):
        grid = Grid("of", "what", "units", found.currency, "query", title=section)
        grid.columns[2].justify = grid.columns[3].justify = "right"
        for line in (line for line in found.lines if line.section == section):
            units = "" if line.units is None else f"{line.units:,}"
            grid.add_row(line.subject, line.what, units, _amount(line.amount, found.currency), line.query)
        console.print(grid)
    journal = Grid("debit", "credit", found.currency, "text", title="journal")
    journal.columns[2].justify = "right"
    for one in found.journal:
        journal.add_row(one.debit, one.credit, _amount(one.amount, found.currency), one.text)
    console.print(journal)
    print(f"{found.month}: {found.state}")


def _print_insights(found: "Insights") -> None:
    console = Console()
    for one in found.tables:
        console.print(f"\n[bold]{one.title}[/bold] ({one.query})", highlight=False)
        if one.rows:
            grid = Grid(*one.columns)
            for column in grid.columns[1:]:
                column.justify = "right"
            for row in one.rows:
                grid.add_row(*row)
            console.print(grid)
        if one.note:
            console.print(one.note, highlight=False, markup=False)
    print(f"\nas of {found.as_of:%Y-%m-%d %H:%M} UTC")


def _amount(amount: int | None, currency: str) -> str:
    return "" if amount is None else money(amount, currency).removesuffix(f" {currency}")
