"""Commands that work on tables: `loyalty replay`, `verify`, `rebuild` and `campaign`."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid
from typer import Argument, Option

from infra.cli.options import Data, Dates, DueShards, Endpoint, Table
from infra.cli.running import Resume, Workers, counting, running, running_unkept
from infra.errors import UsageError
from infra.machine import engine
from infra.tables import LOYALTY
from infra.tools import in_cloud
from infra.tools import rebuild as rebuilding
from infra.tools.aws_target import Named, Tables, named_tables, on_aws
from infra.tools.campaign_effect import effect
from infra.tools.money import money
from infra.tools.publish_totals import publish as publish_totals
from infra.tools.rehearsal import on_copy
from infra.tools.replay import Result
from infra.tools.replay import replay as replay_file
from infra.tools.target import opened
from infra.tools.totals import Holdings, holdings
from infra.tools.verify import Report, check_by_parts
from shared.tables import programs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BAD_LINES_SHOWN_MAX = 50

app = typer.Typer()


@app.command()
def replay(
    file: Annotated[Path, Argument(metavar="FILE", help="CSV or XLSX with a header, or the CDNOW text format.")],
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be booked, write nothing.")] = False,
    skip_bad: Annotated[bool, Option("--skip-bad", help="Book the good lines, although others are wrong.")] = False,
    dates: Dates = None,
    endpoint: Endpoint = None,
    data: Data = None,
) -> int:
    """Book a file of past purchases and returns, up to now. Exits with 1 if any line was not booked."""
    with named_tables(Named(endpoint, data)) as tables, ExitStack() as copies:
        client = tables.client
        if dry_run:
            client = engine.client(copies.enter_context(on_copy(client.meta.endpoint_url)))
        result = replay_file(file, tables.now, skips_bad=skip_bad or dry_run, dates=dates)
        held = holdings(client, LOYALTY.name, result.until) if result.until else None
    for bad in result.bad_lines[:BAD_LINES_SHOWN_MAX]:
        print(f"line {bad.line}: {bad.reason}", file=sys.stderr)
    if len(result.bad_lines) > BAD_LINES_SHOWN_MAX:
        print(f"and {len(result.bad_lines) - BAD_LINES_SHOWN_MAX} lines more", file=sys.stderr)
    if result.bad_lines and not (skip_bad or dry_run):
        print("nothing was booked: put these lines right, or add --skip-bad to book the others", file=sys.stderr)
        return 1
    Console().print(_replay_grid(result, held))
    if dry_run:
        print("a dry run: this would be booked, and nothing was written")
    return 1 if result.bad_lines else 0


@app.command()
def verify(
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    publish: Annotated[
        str | None, Option(metavar="STACK", help="With --table: send the totals to the dashboard of this stack.")
    ] = None,
    in_cloud_of: Annotated[
        str | None, Option("--in-cloud", metavar="STACK", help="Have functions of this stack check its own tables.")
    ] = None,
    workers: Workers = None,
    resume: Resume = False,
) -> int:
    """Check every account against its ledger. Exits with 1 if an invariant is broken."""
    if in_cloud_of:
        if data or table or publish or workers or resume:
            raise UsageError("--in-cloud STACK takes no option but the --endpoint of an emulator")
        return _verify_in_cloud(in_cloud_of, endpoint)
    if table:
        with on_aws(table, {}, failure=f"{table} cannot be checked") as client:
            tables = Tables(client, table, datetime.now(UTC))
            return _verify(tables, publish_for=publish, workers=workers, resume=resume)
    if publish:
        raise UsageError("totals are published for a table on AWS: add --table NAME")
    with named_tables(Named(endpoint, data), must_exist=True) as tables:
        return _verify(tables, publish_for=None, workers=workers, resume=resume)


@app.command()
def rebuild(
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    due_shards: DueShards = None,
    withdraw: Annotated[
        Path | None, Option(metavar="FILE", help="Move entries after a missing one to this file.")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, write nothing.")] = False,
    workers: Workers = None,
) -> int:
    """Repair a restored table from its ledger. Nobody may write to it meanwhile. Exits with 1 if anything is left."""
    if bool(table) != bool(due_shards):
        raise UsageError("--table NAME and --due-shards N belong together")
    if not table:
        with opened(endpoint, data, must_exist=True) as used:
            return _rebuild(engine.client(used), LOYALTY.name, withdraw, workers, is_dry=dry_run)
    with on_aws(table, {"DUE_SHARDS": str(due_shards)}, failure=f"{table} cannot be rebuilt") as client:
        return _rebuild(client, table, withdraw, workers, is_dry=dry_run)


@app.command()
def campaign(
    campaign_id: Annotated[str, Argument(metavar="CAMPAIGN_ID")],
    endpoint: Endpoint = None,
    data: Data = None,
) -> int:
    """Compare the members that a campaign treated with those held out. Exits with 1 if no order could take part."""
    with opened(endpoint, data, must_exist=True) as used:
        groups = effect(engine.client(used), LOYALTY.name, campaign_id)
    grid = Grid("group", "members", "orders", "amount", "average order", "points given")
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, group in sorted(groups.items(), reverse=True):
        figures = (len(group.members), group.orders, group.amount, group.average_order, group.campaign_points)
        grid.add_row(name, *(f"{figure:,}" for figure in figures))
    Console().print(grid if groups else f"no order could take part in a campaign {campaign_id}")
    return 0 if groups else 1


def _verify(tables: Tables, *, publish_for: str | None, workers: int | None, resume: bool) -> int:
    program = programs.load_program()
    with running("verify", tables, workers=workers, resume=resume) as (run, progress):
        report = check_by_parts(tables.client, tables.loyalty, run.telling(counting(progress, "accounts")))
    print(_verdict(report, len(report.violations), program.currency))
    if publish_for:
        publish_totals(publish_for, report.outstanding, report.credit, program)
    return 1 if report.violations else 0


def _verify_in_cloud(stack: str, endpoint: str | None) -> int:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("parts", total=None)
        found = in_cloud.verify(stack, endpoint, lambda done, of: progress.update(task, completed=done, total=of))
    print(_verdict(found.first, found.violations, found.currency))
    return 1 if found.violations else 0


def _replay_grid(result: Result, held: Holdings | None) -> Grid:
    grid = Grid("what", "how many", show_header=False)
    grid.columns[1].justify = "right"
    rows: list[tuple[str, int | str]] = [
        ("orders booked now", result.orders),
        ("orders booked before", result.orders_before),
        ("returns booked now", result.returns),
        ("returns booked before", result.returns_before),
        ("members enrolled now", result.enrolled),
        ("lines not booked", len(result.bad_lines)),
    ]
    if held and result.until:
        rows += [
            ("as of", f"{result.until:%Y-%m-%d}"),
            ("members", held.members),
            ("orders", held.orders),
            ("points earned", held.earned),
            ("points redeemed", held.redeemed),
            ("points expired", held.expired),
            ("points outstanding", held.outstanding),
            ("liability", _worth(held)),
            ("store credit", money(held.credit_amount, held.currency)),
            *((f"members in {tier}", count) for tier, count in held.tiers.items()),
        ]
    rows.append(("seconds", f"{result.seconds:.1f}"))
    for what, value in rows:
        grid.add_row(what, f"{value:,}" if isinstance(value, int) else value)
    return grid


def _worth(held: Holdings) -> str:
    worth = held.liability_amount
    return "points have no price" if worth is None else money(worth, held.currency)


def _verdict(report: Report, violations: int, currency: str) -> str:
    seen = f"{report.accounts} accounts, {report.entries} entries, {report.outstanding} points outstanding"
    if report.credit:
        seen += f", {money(report.credit, currency)} of store credit"
    lines = [f"{seen}: {violations} violations"]
    lines += [
        f"invariant {first.invariant}: {first.member_id or 'the table'}: {first.detail}"
        for first in report.first_of_each()
    ]
    return "\n".join(lines)


def _rebuild(client: "DynamoDBClient", table: str, withdraw: Path | None, workers: int | None, *, is_dry: bool) -> int:
    with running_unkept(datetime.now(UTC), workers) as run:
        report = rebuilding.rebuild(client, table, run, writes=not is_dry, withdrawn_to=withdraw)
    _print_repairs(report, is_dry=is_dry)
    if report.left and withdraw is None:
        print("entries after a missing one stay in the table; --withdraw FILE moves them to a file", file=sys.stderr)
    return 1 if report.left else 0


def _print_repairs(report: rebuilding.Report, *, is_dry: bool) -> None:
    would = "would be " if is_dry else ""
    kinds: list[tuple[str, Sequence[str]]] = [
        (f"{would}put right", report.put_right),
        ("lost, and what it did is in no account", report.lost),
        (f"{would}withdrawn", report.withdrawn),
        ("left as it is", report.left),
    ]
    for kind, lines in kinds:
        for line in lines:
            print(f"{kind}: {line}")
    counts = f"{len(report.put_right)} {would}put right, {len(report.lost)} entries lost"
    print(f"{report.accounts} accounts: {counts}, {len(report.withdrawn)} {would}withdrawn, {len(report.left)} left")
