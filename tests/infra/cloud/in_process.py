"""Stories told in this process: the functions on moto, every request to AWS noted with the function that made it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple
from unittest.mock import patch

import boto3
import botocore.client
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from infra import openapi, tables
from infra.bench.resources import make_resources, note_runs
from infra.cloud.permissions import (
    DUE,
    EVENT_BUS,
    EVERYTHING,
    HISTORY,
    IDENTITY_SECRET,
    OF_PARTNERS,
    RUN_QUEUES,
    RUN_WORKERS,
    SENDER,
)
from infra.machine.engine import create_table_request
from infra.simulation.fake_dynamodb import Database
from shared import runtime, settings
from tests.infra.cloud.stories import HOLD_MINUTES, STOREFRONT, Item, Reply, hold, pooled

REGION = "us-east-1"
START = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
_SERVICES = {
    "SendMessageBatch": ("sqs:SendMessage", None),
    "ChangeMessageVisibility": ("sqs:ChangeMessageVisibility", None),
    "GetQueueAttributes": ("sqs:GetQueueAttributes", None),
    "PutEvents": ("events:PutEvents", EVENT_BUS),
    "SendEmail": ("ses:SendEmail", SENDER),
    "Publish": ("sns:Publish", EVERYTHING),
    "GetSecretValue": ("secretsmanager:GetSecretValue", IDENTITY_SECRET),
}


class Use(NamedTuple):
    """One action on one resource; `key` is the partition key, where the resource is a table."""

    function: str
    action: str
    on: str
    key: str = ""


class InProcess:
    """A world whose clock can be moved, and that notes what functions ask of AWS in `uses`."""

    moves_time = True

    def __init__(self) -> None:
        self.uses: set[Use] = set()
        self.settings_read: set[tuple[str, str]] = set()
        self._now = START
        self._function = ""
        self._running = ""
        self._refuses_mail = False
        runtime.use(clock=self.now)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str | None = STOREFRONT,
        member_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        claims = {"scope": scope, "client_id": "story", "sub": "story", "partner_id": "cafe", "member_id": member_id}
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}},
            "requestContext": {
                "http": {"method": method, "path": path},
                "stage": "$default",
                "authorizer": {"jwt": {"claims": claims}} if scope else {},
            },
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self.invoke(_function_of(method, path), event)
        body = answer["body"]
        return Reply(answer["statusCode"], answer["headers"], body if body.startswith("<") else json.loads(body))

    def invoke(self, function: str, event: Any) -> Any:
        if function != self._running:
            runtime.forget()
            self._running = function
        self._function = function
        try:
            return import_module(f"functions.{function}").handler(event, None)
        except ClientError as error:
            raise AssertionError(str(error)) from error
        finally:
            self._function = ""

    def now(self) -> datetime:
        return self._now

    def pass_days(self, days: int) -> None:
        self._now += timedelta(days=days)
        self.note_runs()

    def pass_days_for(self, member_id: str, days: int) -> None:  # noqa: ARG002 - it passes for all
        self.pass_days(days)

    def note_runs(self) -> None:
        note_runs(self._now - timedelta(days=1))

    def start_anew(self, function: str) -> None:
        if function == self._running:
            runtime.forget()

    def item(self, pk: str, sk: str) -> Item:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return boto3.client("dynamodb").get_item(TableName="loyalty", Key=key)["Item"]

    def put_item(self, item: Item) -> None:
        boto3.client("dynamodb").put_item(TableName="loyalty", Item=dict(item))

    def identity_key(self) -> bytes:
        return bytes.fromhex(boto3.client("secretsmanager").get_secret_value(SecretId="identity")["SecretString"])

    def member_with_lapsed_hold(self, **details: Any) -> str:
        member_id = pooled(self, **details)
        hold(self, member_id)
        self._now += timedelta(minutes=HOLD_MINUTES + 1)
        return member_id

    def take_queued(self, function: str) -> Sequence[str]:
        sqs, bodies = boto3.client("sqs"), list[str]()
        for run in (run for run, worker in RUN_WORKERS.items() if worker == function):
            url = sqs.get_queue_url(QueueName=RUN_QUEUES[run])["QueueUrl"]
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    bodies.append(message["Body"])
        return bodies

    def await_mail(self, address: str) -> None:
        """Nothing is sent here that a story does not ask for."""

    @contextmanager
    def refusing_mail(self) -> Iterator[None]:
        self._refuses_mail = True
        yield
        self._refuses_mail = False

    def mails_to(self, address: str) -> int:
        sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return sum(address in message.destinations["ToAddresses"] for message in sent)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note every request of every client, whoever made it and when."""
        ask = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - all pass here

        def noted(client: Any, operation: str, params: Mapping[str, Any]) -> Any:
            if self._function:
                self.uses.update(Use(self._function, *use) for use in _uses(operation, params))
            if operation == "SendEmail" and self._refuses_mail:
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, operation)
            return ask(client, operation, params)

        def read(name: str) -> str:
            self.settings_read.add((self._function, name))
            return required(name)

        required = settings._required  # noqa: SLF001 - every setting is read by it
        with (
            patch.object(botocore.client.BaseClient, "_make_api_call", noted),
            patch.object(settings, "_required", read),
        ):
            yield


def make_tables() -> None:
    """Make the tables where clients find them: on moto or an engine, where `database` does not take their place."""
    for table in (tables.LOYALTY, tables.PEOPLE):
        boto3.client("dynamodb").create_table(**create_table_request(table))


@contextmanager
def database() -> Iterator[None]:
    """DynamoDB in memory for every client: moto copies its tables with each transaction."""
    made = Database(
        (tables.LOYALTY, tables.PEOPLE),
        around=lambda _operation, execute: execute(),
        watch=lambda _written: None,
        behind=lambda: 0,
    )
    ask = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - all pass here

    def answered(client: Any, operation: str, params: Mapping[str, Any]) -> Any:
        if client.meta.service_model.service_name != "dynamodb":
            return ask(client, operation, params)
        return getattr(made, xform_name(operation))(**params)

    with patch.object(botocore.client.BaseClient, "_make_api_call", answered):
        yield


def make_everything() -> dict[str, str]:
    """Make what the functions use besides tables; the settings that lead there."""
    note_runs(START)
    return make_resources()


def _function_of(method: str, path: str) -> str:
    """The most particular route's function."""
    found = [route for route in openapi.routes() if route.method == method and _fits(route.path, path)]
    return min(found, key=lambda route: route.path.count("{")).function


def _fits(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == one for part, one in zip(parts, given, strict=True)
    )


def _uses(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        for item in params["TransactItems"]:
            [(kind, request)] = item.items()
            key = request.get("Key") or request["Item"]
            yield f"dynamodb:{_TRANSACTED[kind]}", request["TableName"], key["pk"]["S"]
    elif operation in {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}:
        key = params.get("Key") or params["Item"]
        yield f"dynamodb:{operation}", params["TableName"], key["pk"]["S"]
    elif operation == "Scan":
        yield "dynamodb:Scan", {"history": HISTORY}[params["IndexName"]], ""
    elif operation == "Query":
        index = {"history": HISTORY, "due": DUE, "partner": OF_PARTNERS}.get(params.get("IndexName", ""))
        key = "" if index else params["ExpressionAttributeValues"][":pk"]["S"]
        yield "dynamodb:Query", index or params["TableName"], key
    else:
        action, resource = _SERVICES[operation]
        yield action, resource or params["QueueUrl"].rsplit("/", 1)[1], ""
