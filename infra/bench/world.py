"""What figures are taken from: the functions in this process, on an engine of its own, and bare boto3 beside them.

The bare code is the cheapest that sends the same two requests as an earn: no rules, no checks, no answer, items of the
same size made beforehand, and a client that does not validate its parameters, as the product's does not.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

from infra.machine import engine, environment
from infra.tables import LOYALTY
from shared import clock, runtime
from shared.caller import STOREFRONT
from shared.tables import client as dynamo
from shared.tables import programs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTNERS = [
    {"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 1, "amount": 1}},
]
ORDER_TOTAL = 5_000
"""Minor units: an order of 50 dollars."""
BARE_CONNECTIONS = 32
_numbers = count()


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any


class World:
    """Calls as API Gateway makes them, to the functions in this process."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client: DynamoDBClient = dynamo.client()

    def call(
        self,
        function: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str = STOREFRONT,
        key: str = "",
        partner_id: str = "",
    ) -> Reply:
        """One request."""
        answer = self.invoke(function, event(method, path, body, scope, key, partner_id))
        return Reply(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def invoke(self, function: str, event: Any) -> Any:
        """What a function answers to an event."""
        return import_module(f"functions.{function}").handler(event, None)

    def ok(self, *request: Any, **options: Any) -> Any:
        """The body of a successful answer. Raises RuntimeError."""
        reply = self.call(*request, **options)
        if reply.status // 100 != 2:
            raise RuntimeError(f"{request}: {reply.status} {reply.body}")
        return reply.body

    def enroll(self, **details: Any) -> str:
        """A new member's id."""
        name = unique("member")
        body = {"external_id": name, **details}
        return str(self.ok("enroll", "POST", "/v1/members", body, key=name)["member_id"])

    def earn(self, member_id: str, total: int = ORDER_TOTAL, **options: Any) -> str:
        """The id of an order that a member was credited with."""
        order = new_order(total)
        self.ok("earn", "POST", f"/v1/members/{member_id}/earn", order, **options)
        return str(order["order_id"])

    def use_program(self, **changes: Any) -> None:
        """Store the program with some parts changed."""
        version = programs.load_program().version
        program = json.loads(programs.load_program().model_dump_json()) | changes
        programs.replace_program(type(programs.load_program()).model_validate(program), version)

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        """An item of the ledger's table."""
        return dict(self.client.get_item(TableName=LOYALTY.name, Key={"pk": {"S": pk}, "sk": {"S": sk}})["Item"])

    @contextmanager
    def requests(self) -> Iterator[list[str]]:
        """The names of the requests that are sent to DynamoDB while it lasts."""
        sent: list[str] = []

        def note(model: Any, **_: Any) -> None:
            sent.append(model.name)

        events = self.client.meta.events
        events.register("before-call.dynamodb", note)
        try:
            yield sent
        finally:
            events.unregister("before-call.dynamodb", note)


@contextmanager
def open_world() -> Iterator[World]:
    """An empty world, on MiniStack, for as long as the block lasts."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        engine.running("ministack", Path(temporary), keep=False) as own,
        environment.restored(),
    ):
        environment.forget_the_shell()
        os.environ.update(environment.variables(own.endpoint, Path(temporary)))
        engine.create_missing_tables(own.endpoint)
        runtime.reset()
        try:
            yield World(own.endpoint)
        finally:
            runtime.reset()


def unique(kind: str) -> str:
    """A name that this process gives once."""
    return f"{kind}-{os.getpid()}-{next(_numbers)}"


def new_order(total: int = ORDER_TOTAL) -> dict[str, Any]:
    """An order placed now, of a name of its own."""
    placed_at = clock.now().isoformat()
    return {"type": "order", "order_id": unique("order"), "placed_at": placed_at, "currency": "USD", "total": total}


def event(method: str, path: str, body: Any, scope: str, key: str = "", partner_id: str = "") -> dict[str, Any]:
    """What API Gateway hands to a function."""
    claims = {"scope": scope, "client_id": "bench", "sub": "bench"} | ({"partner_id": partner_id} if partner_id else {})
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | ({"idempotency-key": key} if key else {}),
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "authorizer": {"jwt": {"claims": claims}},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


class Bare:
    """The same two requests without the product: an account's item and an entry's, as large as the product's."""

    def __init__(self, account: Mapping[str, Any], entry: Mapping[str, Any], client: "DynamoDBClient") -> None:
        self._account, self._entry = dict(account), dict(entry)
        self._client = client

    @classmethod
    def like(cls, world: World, member_id: str, order_id: str, client: "DynamoDBClient | None" = None) -> "Bare":
        """One that writes what an earn of this member has written; with boto3's own client unless given another."""
        config = Config(parameter_validation=False, max_pool_connections=BARE_CONNECTIONS)
        client = client or boto3.client("dynamodb", endpoint_url=world.endpoint, config=config)
        account, entry = world.item(f"MEMBER#{member_id}", "ACCOUNT"), world.item(f"ORDER#{order_id}", "EARN")
        return cls(account, entry, client)

    def put_member(self, name: str) -> None:
        """An account that the loop can begin with."""
        item = {**self._account, "pk": {"S": f"MEMBER#{name}"}, "revision": {"N": "1"}, "due_sk": {"S": name}}
        self._client.put_item(TableName=LOYALTY.name, Item=item)

    def earn(self, name: str) -> None:
        """Get, then put both if the account is as it was. Raises the client's own error if it is not."""
        key = {"pk": {"S": f"MEMBER#{name}"}, "sk": {"S": "ACCOUNT"}}
        account = self._client.get_item(TableName=LOYALTY.name, Key=key, ConsistentRead=True)["Item"]
        revision = account["revision"]
        following = str(int(revision["N"]) + 1)
        account = {**account, "revision": {"N": following}, "sequence": {"N": following}}
        pk, of_member = {"S": f"ORDER#{unique('bare')}"}, {"member_id": {"S": name}, "sequence": {"N": following}}
        entry = {**self._entry, "pk": pk, **of_member}
        writes: Any = [
            {
                "Put": {
                    "TableName": LOYALTY.name,
                    "Item": account,
                    "ConditionExpression": "revision = :revision",
                    "ExpressionAttributeValues": {":revision": revision},
                }
            },
            {
                "Put": {
                    "TableName": LOYALTY.name,
                    "Item": entry,
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
        ]
        self._client.transact_write_items(TransactItems=writes)
