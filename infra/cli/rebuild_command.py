"""What `loyalty rebuild` prints, and on which table it works."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from infra.errors import UsageError
from infra.machine import engine
from infra.tables import LOYALTY
from infra.tools.aws_target import on_aws
from infra.tools.rebuild import Report, rebuild
from infra.tools.target import opened

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def run_rebuild(named: Namespace) -> int:
    """Make a table whole and report; the exit status, 1 if something is left that it cannot put right.

    Raises UsageError for options that do not go together, LocalError where the table cannot be used.
    """
    if bool(named.table) != bool(named.due_shards):
        raise UsageError("--table NAME and --due-shards N belong together")
    if not named.table:
        with opened(named.endpoint, named.data, must_exist=True) as used:
            return _rebuild(engine.client(used), LOYALTY.name, named.withdraw, is_dry=named.dry_run)
    settings = {"DUE_SHARDS": str(named.due_shards)}
    with on_aws(named.table, settings, failure=f"{named.table} cannot be rebuilt") as client:
        return _rebuild(client, named.table, named.withdraw, is_dry=named.dry_run)


def _rebuild(client: "DynamoDBClient", table: str, withdraw: Path | None, *, is_dry: bool) -> int:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("accounts", total=None)
        report = rebuild(
            client, table, writes=not is_dry, withdrawn_to=withdraw, progress=lambda: progress.advance(task)
        )
    _print(report, is_dry=is_dry)
    if report.left and withdraw is None:
        print("entries beyond a missing one are left as they are: --withdraw FILE moves them there", file=sys.stderr)
    return 1 if report.left else 0


def _print(report: Report, *, is_dry: bool) -> None:
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
