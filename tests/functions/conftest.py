"""The functions as API Gateway calls them, on moto: one thread, small tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from moto import mock_aws

from functions import account, earn, enroll, program, redeem
from infra.local.engine import _request
from infra.tables import LOYALTY, PEOPLE
from shared import clock, dynamo, settings, store
from shared.domain.invariants import breaches

ROUTES: tuple[tuple[str, ModuleType], ...] = (
    ("/redemptions", redeem),
    ("/v1/earn/quote", earn),
    ("/earn", earn),
    ("/refunds", earn),
    ("/adjustments", earn),
    ("/transfers", earn),
    ("/account", account),
    ("/entries", account),
    ("/v1/rewards", account),
    ("/v1/program", program),
    ("/v1/members", enroll),
)
START = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The problem's code; an answer that is no problem has none."""
        return str(self.body.get("code", ""))

    @property
    def replayed(self) -> bool:
        """Whether the answer says that it repeats an earlier one."""
        return self.headers.get("Idempotency-Replayed") == "true"


class Shop:
    """A storefront, its members and its operator, calling the functions."""

    def __init__(self) -> None:
        self.now = START
        clock.use(lambda: self.now)

    def pass_time(self, **amount: float) -> None:
        """Let time pass, in whatever `timedelta` takes."""
        self.now += timedelta(**amount)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str | None = "loyalty/storefront",
        member_id: str | None = None,
        headers: dict[str, str] | None = None,
        text: str | None = None,
        query: dict[str, str] | None = None,
    ) -> Reply:
        """One request through the function that has its path."""
        function = next(module for part, module in ROUTES if part in path)
        claims = {"scope": scope, "client_id": "till-7", "sub": "till-7"}
        if member_id:
            claims["member_id"] = member_id
        if body is not None:
            text = json.dumps(body)
        event = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}),
            "queryStringParameters": query,
            "headers": {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}},
            "requestContext": {
                "http": {"method": method, "path": path},
                "stage": "$default",
                "requestId": "test",
                "authorizer": {"jwt": {"claims": claims, "scopes": None}} if scope else {},
            },
            "body": text,
            "isBase64Encoded": False,
        }
        answer = function.handler(event, None)
        found = {name: value for name, value in answer.get("headers", {}).items()}
        found |= {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
        return Reply(answer["statusCode"], found, json.loads(answer["body"]))

    def get(self, path: str, **options: Any) -> Reply:
        """A GET request."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, key: str | None = None, **options: Any) -> Reply:
        """A POST request, with an idempotency key if one is given."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", path, body, headers=headers, **options)

    def enroll(self, key: str = "join-1", **details: Any) -> str:
        """A new member's id."""
        reply = self.post("/v1/members", {"external_id": key, **details}, key=key)
        assert reply.status == 201, reply.body
        return str(reply.body["member_id"])

    def order(self, member_id: str, order_id: str = "A-1", total: int = 4250, **details: Any) -> Reply:
        """Credit an order placed now."""
        body = {
            "type": "order",
            "order_id": order_id,
            "placed_at": self.now.isoformat(),
            "currency": "USD",
            "total": total,
            **details,
        }
        return self.post(f"/v1/members/{member_id}/earn", body)

    def account(self, member_id: str) -> dict[str, Any]:
        """The account as a storefront reads it."""
        reply = self.get(f"/v1/members/{member_id}/account")
        assert reply.status == 200, reply.body
        return dict(reply.body)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop with empty tables and the default program; the invariants are checked when its test ends."""
    environment = {
        "LOYALTY_TABLE": "loyalty",
        "PEOPLE_TABLE": "people",
        "IDENTITY_KEY": "00" * 32,
        "DUE_SHARDS": "2",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        _forget()
        database = boto3.client("dynamodb")
        for table in (LOYALTY, PEOPLE):
            database.create_table(**_request(table))
        yield Shop()
        check_every_account()
    _forget()
    clock.use(lambda: datetime.now(UTC))


def check_every_account() -> None:
    """Every account in the table against its ledger."""
    items = dynamo.client().scan(TableName=settings.loyalty_table())["Items"]
    for item in items:
        if item["sk"]["S"] == "ACCOUNT":
            member_id = item["pk"]["S"].removeprefix("MEMBER#")
            entries = store.load_whole_history(member_id)[::-1]
            assert breaches(store.load_account(member_id).account, entries) == []


def _forget() -> None:
    dynamo.client.cache_clear()
    store.forget_program()
