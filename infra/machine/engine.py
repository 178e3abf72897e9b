"""The database behind the local server: an AWS engine in a process of its own, or somebody else's endpoint."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import tables
from infra.errors import LocalError
from infra.machine import engine_keys, folders, supervised_process
from infra.machine.environment import REGION
from infra.machine.guard import TABLES_ONLY, Guard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Kind = Literal["ministack", "moto"]

LOOPBACK = "127.0.0.1"
_START_SECONDS_MAX = 15
_TABLE_SECONDS_MAX = 30
_PAUSE_SECONDS = 0.05
_LOG_TAIL_BYTES = 2000
_BEGAN = "began"
"""The file that is as old as the newest start of an engine."""
_CLIENT = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 2})
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Engine:
    """A DynamoDB endpoint. While any of `descriptors` is open somewhere, the engine's process runs on."""

    endpoint: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self.process.stdin.fileno(),) if self.process and self.process.stdin else ()

    def ended(self) -> bool:
        """Whether the engine's process is gone, which it never should be before we stop it."""
        return self.process is not None and self.process.poll() is not None


@contextmanager
def running(
    kind: Kind,
    folder: Path,
    *,
    keep: bool,
    settings: Mapping[str, str] = _NO_SETTINGS,
    services: tuple[str, ...] | None = TABLES_ONLY,
    **opened: Any,  # noqa: ANN401 - what a Guard may be told
) -> Iterator[Engine]:
    """An engine for as long as the block lasts, with `settings` of its own, behind a guard that lets through what is
    signed for `services`, or for any, and what is `opened`.

    It logs to `folder`, and with `keep` finds there what it held when it last ended. It saves that whenever it is asked
    to end, and whenever its parent is gone. Raises LocalError when it does not start, or could not save what it held.
    """
    state = folders.private_folder(folder / "engine") if keep else None
    if state:
        _begin(state)
    port = _free_port()
    endpoint, log = f"http://{LOOPBACK}:{port}", folder / "engine.log"
    with engine_keys.made_for(endpoint) as key:
        guard = asdict(Guard(key, port, services, **opened))
        with log.open("ab") as output:
            process = supervised_process.start(
                f"infra.machine.{kind}_process",
                {"host": LOOPBACK, "guard": guard, "state": str(state) if state else None},
                environment={**_environment(port, key, state, services), **settings},
                output=output,
            )
        try:
            _await_port(port, process, log)
            yield Engine(endpoint, process)
        finally:
            supervised_process.stop(process, supervised_process.SAVE_SECONDS_MAX)
    if state and not _is_saved(state):
        raise LocalError(f"the engine could not save what it held; the end of its log:\n{_tail(log)}")


def client(endpoint: str) -> "DynamoDBClient":
    """A client that needs no settings of the shell, and gives up soon where nothing answers."""
    return boto3.client("dynamodb", endpoint_url=endpoint, config=_CLIENT, **credentials(endpoint))


def streams_client(endpoint: str) -> "DynamoDBStreamsClient":
    """Likewise for the streams of the same database."""
    return boto3.client("dynamodbstreams", endpoint_url=endpoint, config=_CLIENT, **credentials(endpoint))


def credentials(endpoint: str) -> Any:  # noqa: ANN401 - arguments of boto3
    """What clients of an endpoint are made with."""
    key = engine_keys.key_of(endpoint)
    return {"region_name": REGION, "aws_access_key_id": key, "aws_secret_access_key": engine_keys.SECRET}


def stream_arn(endpoint: str) -> str:
    """The ledger's stream. Raises LocalError when the table was made without."""
    arn: str = client(endpoint).describe_table(TableName=tables.LOYALTY.name)["Table"].get("LatestStreamArn", "")
    if not arn:
        raise LocalError(f"the table {tables.LOYALTY.name} at {endpoint} has no stream: give it one of new images")
    return arn


def create_missing_tables(endpoint: str) -> bool:
    """Make the tables that are not there; whether any was made. Raises LocalError where nothing answers."""
    database = client(endpoint)
    try:
        made = [_create_if_missing(database, table) for table in (tables.LOYALTY, tables.PEOPLE)]
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"no DynamoDB answers at {endpoint}: {error}") from error
    return any(made)


def _create_if_missing(database: "DynamoDBClient", table: tables.Table) -> bool:
    try:
        database.create_table(**create_table_request(table))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        return False
    waiter = database.get_waiter("table_exists")
    waiter.wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": _TABLE_SECONDS_MAX})
    return True


def create_table_request(table: tables.Table) -> dict[str, Any]:
    """What DynamoDB is asked for to have a table."""
    keys = [(table.hash_key, table.range_key), *((index.hash_key, index.range_key) for index in table.indexes)]
    attributes = {attribute.name: attribute.type for pair in keys for attribute in pair}
    request: dict[str, Any] = {
        "TableName": table.name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(table.hash_key, table.range_key),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": letter} for name, letter in attributes.items()
        ],
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.hash_key, index.range_key),
                "Projection": {"ProjectionType": index.projection},
            }
            for index in table.indexes
        ]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.stream}
    return request


def _key_schema(hash_key: tables.Attribute, range_key: tables.Attribute) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key.name, "KeyType": "HASH"},
        {"AttributeName": range_key.name, "KeyType": "RANGE"},
    ]


def _environment(port: int, key: str, state: Path | None, services: tuple[str, ...] | None) -> dict[str, str]:
    kept = {"PERSIST_STATE": "1", "STATE_DIR": str(state)} if state else {"PERSIST_STATE": "0"}
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": engine_keys.SECRET,
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "SERVICES": "" if services is None else ",".join((*services, "dynamodbstreams")),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Tables need no containers, and a MiniStack that sees Docker clears away those of any other.
        "DOCKER_HOST": f"unix://{os.devnull}/none",
        "LOG_LEVEL": "WARNING",
        **kept,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(_PAUSE_SECONDS)
    raise LocalError(f"the engine did not start; the end of its log:\n{_tail(log)}")


def _begin(state: Path) -> None:
    """Note when the engine starts, once an earlier one has saved; tell if that one was killed before it had."""
    with folders.held(state, seconds_max=supervised_process.SAVE_SECONDS_MAX):
        began = state / _BEGAN
        if began.exists() and not _is_saved(state):
            print(
                f"loyalty: the engine was killed before it had saved: what was written to {state.parent} since"
                f" {datetime.fromtimestamp(began.stat().st_mtime, UTC).isoformat(timespec='seconds')} is lost",
                file=sys.stderr,
            )
        began.touch()


def _is_saved(state: Path) -> bool:
    """Whether tables were saved since the engine began."""
    saved = state / "dynamodb.json"
    return saved.exists() and saved.stat().st_mtime >= (state / _BEGAN).stat().st_mtime


def _tail(log: Path) -> str:
    return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
