"""What `loyalty replay` and `loyalty verify` print."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from iso4217 import Currency
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from infra.machine import engine
from infra.tables import LOYALTY
from infra.tools.aws_target import on_aws
from infra.tools.campaign_effect import effect
from infra.tools.publish_totals import publish
from infra.tools.replay import replay
from infra.tools.replay_worker import Result
from infra.tools.target import opened
from infra.tools.totals import Holdings, holdings
from infra.tools.verify import Report, check
from shared.tables import programs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BAD_LINES_SHOWN_MAX = 50


def run_replay(path: Path, endpoint: str | None, data: Path | None) -> int:
    """Replay a file and report; the exit status, 1 if any line was not booked."""
    with opened(endpoint, data) as used:
        result = replay(path)
        held = holdings(engine.client(used), LOYALTY.name, result.until) if result.until else None
    for bad in result.bad_lines[:BAD_LINES_SHOWN_MAX]:
        print(f"line {bad.line}: {bad.reason}", file=sys.stderr)
    if len(result.bad_lines) > BAD_LINES_SHOWN_MAX:
        print(f"and {len(result.bad_lines) - BAD_LINES_SHOWN_MAX} lines more", file=sys.stderr)
    Console().print(_replay_table(result, held))
    return 1 if result.bad_lines else 0


def run_verify(endpoint: str | None, data: Path | None) -> int:
    """Check the invariants and report; the exit status, 1 if any is broken."""
    with opened(endpoint, data, must_exist=True) as used:
        return _verify(engine.client(used), LOYALTY.name, publishes=False)


def run_verify_on_aws(table: str, *, publishes: bool) -> int:
    """Likewise for a table on AWS, with the shell's credentials; with `publishes` the dashboard learns the totals."""
    with on_aws(table, {}, failure=f"{table} cannot be checked") as client:
        return _verify(client, table, publishes=publishes)


def _verify(client: "DynamoDBClient", table: str, *, publishes: bool) -> int:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("accounts", total=None)
        report = check(client, table, lambda number: progress.update(task, completed=number))
    print(_verdict(report))
    if publishes:
        publish(report.outstanding, programs.load_program())
    return 1 if report.violations else 0


def run_campaign(campaign_id: str, endpoint: str | None, data: Path | None) -> int:
    """Compare the members whom a campaign treated with those held out; the exit status, 1 if it has touched nobody."""
    with opened(endpoint, data, must_exist=True) as used:
        groups = effect(engine.client(used), LOYALTY.name, campaign_id)
    table = Table("group", "members", "orders", "amount", "average order", "points given")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, group in sorted(groups.items(), reverse=True):
        figures = (len(group.members), group.orders, group.amount, group.average_order, group.campaign_points)
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    Console().print(table if groups else f"no order was open to a campaign {campaign_id}")
    return 0 if groups else 1


def _replay_table(result: Result, held: Holdings | None) -> Table:
    table = Table("what", "how many", show_header=False)
    table.columns[1].justify = "right"
    rows: list[tuple[str, int | str]] = [
        ("orders booked now", result.orders),
        ("orders booked before", result.replayed),
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
            ("liability", _money(held)),
            *((f"members in {tier}", count) for tier, count in held.tiers.items()),
        ]
    rows.append(("seconds", f"{result.seconds:.1f}"))
    for what, value in rows:
        table.add_row(what, f"{value:,}" if isinstance(value, int) else value)
    return table


def _money(held: Holdings) -> str:
    if held.liability_amount is None:
        return "points are no money"
    exponent = Currency(held.currency).exponent or 0
    major, minor = divmod(held.liability_amount, 10**exponent)
    return f"{major:,}.{minor:0{exponent}} {held.currency}" if exponent else f"{major:,} {held.currency}"


def _verdict(report: Report) -> str:
    seen = f"{report.accounts} accounts, {report.entries} entries, {report.outstanding} points outstanding"
    lines = [f"{seen}: {len(report.violations)} violations"]
    lines += [
        f"invariant {first.invariant}: {first.member_id or 'the table'}: {first.detail}"
        for first in report.first_of_each()
    ]
    return "\n".join(lines)
