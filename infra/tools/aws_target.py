"""Which tables a command works on, of this machine or on AWS, and what time it is there."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.permissions import WORKER_SECONDS_MAX
from infra.errors import LocalError, UsageError
from infra.machine import engine, environment, server_registry
from infra.machine.server_registry import Server
from infra.tables import LOYALTY
from infra.tools.target import opened

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ANSWER_SECONDS_MAX = 5
_PATIENT = {"lambda": Config(read_timeout=WORKER_SECONDS_MAX + 30, retries={"total_max_attempts": 1})}
"""A function that was called takes its time, and is not called again for that."""


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


@contextmanager
def client_of(endpoint: str | None, *, failure: str) -> Iterator[Callable[[str], Any]]:
    """Makes clients of AWS's services: of an emulator at `endpoint`, or with the shell's credentials and region.

    Raises LocalError, which begins with `failure`, for whatever is refused while the block lasts.
    """
    given: dict[str, Any] = {}
    if endpoint:
        given = {"endpoint_url": endpoint, **engine.credentials(endpoint)}
    else:
        environment.recall_the_shell()
    try:
        yield lambda service: boto3.client(service, config=_PATIENT.get(service), **given)  # type: ignore[call-overload]
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"{failure}: {error}") from error


def _time_at(endpoint: str) -> datetime:
    """What time it is for a database: a local server's clock can be moved."""
    server = server_registry.at(endpoint)
    return clock_of(server) if server else datetime.now(UTC)


def clock_of(server: Server) -> datetime:
    """What time a local server says that it is."""
    with urllib.request.urlopen(f"{server.url}/_local/clock", timeout=_ANSWER_SECONDS_MAX) as answer:  # noqa: S310
        return datetime.fromisoformat(json.load(answer)["now"])
