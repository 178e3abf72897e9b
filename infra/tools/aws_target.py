"""Which tables a command works on, of this machine or on AWS, and what time it is there."""

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import LocalError, UsageError
from infra.machine import engine, environment, server_registry
from infra.tables import LOYALTY
from infra.tools.target import opened

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ANSWER_SECONDS_MAX = 5


class Named(NamedTuple):
    """Tables as a command's options name them: those of this machine, or, with `table`, on AWS."""

    endpoint: str | None = None
    data: Path | None = None
    table: str | None = None
    people_table: str | None = None
    identity_secret: str | None = None
    due_shards: int | None = None


class Tables(NamedTuple):
    """The tables that this process's environment now names, and the time that it is for them."""

    client: "DynamoDBClient"
    loyalty: str
    now: datetime


@contextmanager
def named_tables(named: Named, *, must_exist: bool = False) -> Iterator[Tables]:
    """The tables that the command line names, known to the environment for as long as the block lasts.

    Raises UsageError for options that do not go together, LocalError where the tables cannot be used.
    """
    if named.table:
        with _on_aws(named.table, named) as tables:
            yield tables
        return
    if named.people_table or named.identity_secret or named.due_shards:
        raise UsageError("--people-table, --identity-secret and --due-shards belong to --table NAME, on AWS")
    with opened(named.endpoint, named.data, must_exist=must_exist) as used:
        yield Tables(engine.client(used), LOYALTY.name, _time_at(used))


@contextmanager
def _on_aws(table: str, named: Named) -> Iterator[Tables]:
    given = {
        "PEOPLE_TABLE": named.people_table or "",
        "IDENTITY_KEY_SECRET_ID": named.identity_secret or "",
        "DUE_SHARDS": str(named.due_shards or ""),
    }
    if not all(given.values()):
        raise UsageError("on AWS, give --people-table, --identity-secret and --due-shards too")
    with on_aws(table, given, failure=table) as client:
        yield Tables(client, table, datetime.now(UTC))


@contextmanager
def on_aws(table: str, settings: Mapping[str, str], *, failure: str) -> Iterator["DynamoDBClient"]:
    """A table on AWS, with the shell's credentials and region; it and `settings` are known to the environment.

    Raises LocalError, which begins with `failure`, for whatever AWS refuses while the block lasts.
    """
    environment.recall_the_shell()
    os.environ.update(settings, LOYALTY_TABLE=table)
    try:
        yield boto3.client("dynamodb")
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"{failure}: {error}") from error


def _time_at(endpoint: str) -> datetime:
    """What time it is for a database: a local server's clock can be moved."""
    server = server_registry.find()
    if server is None or server.endpoint != endpoint:
        return datetime.now(UTC)
    with urllib.request.urlopen(f"{server.url}/_local/clock", timeout=_ANSWER_SECONDS_MAX) as answer:  # noqa: S310
        return datetime.fromisoformat(json.load(answer)["now"])
