"""What `loyalty import` and `loyalty export` print, and which tables they work on."""

import json
import os
import sys
import urllib.request
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress

from infra.local import cells, engine, importing, running
from infra.local.database import opened
from infra.local.errors import LocalError, UsageError
from infra.local.exporting import Exported, export
from infra.local.import_rows import kind_of
from infra.tables import LOYALTY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ANSWER_SECONDS_MAX = 5


class _Tables(NamedTuple):
    """The tables that this process's environment now names, and the time that it is for them."""

    client: "DynamoDBClient"
    loyalty: str
    now: datetime


def run_import(files: Sequence[Path], named: Namespace, *, dry_run: bool) -> int:
    """Import files one after another and report; the exit status, 1 if any line is wrong."""
    for path in files:
        kind_of(cells.header(path))  # before a database is started for what cannot work
    with _tables(named) as tables, Progress(console=Console(stderr=True)) as progress:
        for path in files:
            advance = partial(progress.advance, progress.add_task(path.name, total=None))
            result = importing.run(path, tables.now, dry_run=dry_run, progress=advance)
            _report(path, result, dry_run=dry_run)
            if result.bad:
                return 1
    return 0


def run_export(folder: Path, named: Namespace) -> int:
    """Export all members and report; the exit status."""
    with _tables(named, must_exist=True) as tables:
        exported = export(tables.client, tables.loyalty, folder, tables.now)
    print(f"{folder}: {exported.members} members, {exported.points} points, as of {tables.now.isoformat()}")
    for note in _notes(exported):
        print(note, file=sys.stderr)
    return 0


def _report(path: Path, result: importing.Result, *, dry_run: bool) -> None:
    for bad in result.bad_lines:
        print(f"{path.name}: line {bad.line}: {bad.reason}", file=sys.stderr)
    if result.bad > len(result.bad_lines):
        print(f"and {result.bad - len(result.bad_lines)} lines more", file=sys.stderr)
    would = "" if result.is_written else "would be "
    points = f" with {result.points} points" if result.kind == "points" else ""
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


def _notes(exported: Exported) -> Iterator[str]:
    left_out = {
        "points wait for an operator's word, and are left out": exported.waiting,
        "points and minor units in pools and wallets are left out": exported.elsewhere,
        "points of debt are left out": exported.debt,
        "provisional members, who have not agreed to the terms, are left out": exported.provisional,
        "points are held for open redemptions; they are written as if those were cancelled": exported.held,
    }
    return (f"note: {number} {what}" for what, number in left_out.items() if number)


@contextmanager
def _tables(named: Namespace, *, must_exist: bool = False) -> Iterator[_Tables]:
    if named.table:
        with _on_aws(named) as tables:
            yield tables
        return
    if named.people_table or named.identity_secret or named.due_shards:
        raise UsageError("--people-table, --identity-secret and --due-shards belong to --table NAME, on AWS")
    with opened(named.endpoint, named.data, must_exist=must_exist) as used:
        yield _Tables(engine.client(used), LOYALTY.name, _time_at(used))


@contextmanager
def _on_aws(named: Namespace) -> Iterator[_Tables]:
    given = {
        "PEOPLE_TABLE": named.people_table,
        "IDENTITY_KEY_SECRET_ID": named.identity_secret,
        "DUE_SHARDS": str(named.due_shards or ""),
    }
    if not all(given.values()):
        raise UsageError("on AWS, give --people-table, --identity-secret and --due-shards too")
    os.environ.update(given, LOYALTY_TABLE=named.table)
    try:
        yield _Tables(boto3.client("dynamodb"), named.table, datetime.now(UTC))
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"{named.table}: {error}") from error


def _time_at(endpoint: str) -> datetime:
    """What time it is for a database: a local server's clock can be moved."""
    server = running.find()
    if server is None or server.endpoint != endpoint:
        return datetime.now(UTC)
    with urllib.request.urlopen(f"{server.url}/_local/clock", timeout=_ANSWER_SECONDS_MAX) as answer:  # noqa: S310
        return datetime.fromisoformat(json.load(answer)["now"])
