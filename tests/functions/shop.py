"""A shop that calls the functions as API Gateway does, and looks at what they have written."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from infra import openapi
from infra.document.dress import codes_of
from shared import runtime, settings
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.invariants import breaches
from shared.domain.ledger import concerns_others
from shared.domain.spending.given_vouchers import follow_from
from shared.tables import ledger, programs
from tests.model.entries import check_entry

REGION = "us-east-1"
START = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)
STOREFRONT, MEMBER, OPERATOR = "loyalty/storefront", "loyalty/member", "loyalty/operator"
PARTNER = "loyalty/partner"
PAGES_MAX = 50
NAMES_FAULTS = {"invalid_request", "in_the_future", "too_late"}
PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}

Tables = tuple[tuple[str, ...], tuple[str, ...]]


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

    @property
    def pointers(self) -> list[str]:
        """The places of an invalid request's faults."""
        return [str(fault["pointer"]) for fault in self.body["errors"]]


class Shop:
    """A storefront, its members and its operator, calling the functions."""

    def __init__(self) -> None:
        self.now = START
        runtime.use(clock=lambda: self.now)

    def pass_time(self, **amount: float) -> None:
        """Let time pass, in whatever `timedelta` takes."""
        self.now += timedelta(**amount)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str | None = STOREFRONT,
        member_id: str | None = None,
        partner_id: str | None = None,
        caller: str = "till-7",
        headers: Mapping[str, str | None] | None = None,
        text: str | None = None,
        in_base64: bool = False,
        query: dict[str, str] | None = None,
    ) -> Reply:
        """One request through the function that has its path. A header of None is not sent."""
        function = _function_of(method, path)
        claims = {"scope": scope, "client_id": "till-app", "sub": caller}
        if member_id:
            claims["member_id"] = member_id
        if partner_id:
            claims |= {"partner_id": partner_id, "scope": PARTNER}
        if body is not None:
            text = json.dumps(body)
        sent = {"content-type": "application/json", **{name.lower(): text for name, text in (headers or {}).items()}}
        event = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}),
            "queryStringParameters": query,
            "headers": {name: text for name, text in sent.items() if text is not None},
            "requestContext": {
                "http": {"method": method, "path": path},
                "stage": "$default",
                "requestId": "test",
                "authorizer": {"jwt": {"claims": claims, "scopes": None}} if scope is not None else {},
            },
            "body": text,
            "isBase64Encoded": in_base64,
        }
        answer = function.handler(event, None)
        found = dict(answer.get("headers", {}))
        found |= {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
        reply = Reply(answer["statusCode"], found, json.loads(answer["body"]))
        if reply.status >= HTTPStatus.BAD_REQUEST:
            assert reply.code in _codes(method, path), f"{method} {path} is not said to answer {reply.code}"
        return reply

    def get(self, path: str, **options: Any) -> Reply:
        """A GET request."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, key: str | None = None, **options: Any) -> Reply:
        """A POST request, with an idempotency key if one is given."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", path, body, headers=headers, **options)

    def patch(self, member: str, body: Any, **options: Any) -> Reply:
        """Change a member."""
        return self.call("PATCH", f"/v1/members/{member}", body, **options)

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

    def action(self, member_id: str, reference: str = "review-1", action: str = "review") -> Reply:
        """Credit an action taken now."""
        body = {"type": "action", "action": action, "reference": reference, "occurred_at": self.now.isoformat()}
        return self.post(f"/v1/members/{member_id}/earn", body)

    def refund(self, member_id: str, amount: int, order_id: str = "A-1", refund_id: str = "R-1") -> Reply:
        """Take back a part of an order, returned now."""
        body = {"order_id": order_id, "refund_id": refund_id, "amount": amount, "refunded_at": self.now.isoformat()}
        return self.post(f"/v1/members/{member_id}/refunds", body)

    def adjust(self, member_id: str, points: int, reference: str = "case-1", caller: str = "olga") -> Reply:
        """Give or take points by an operator's hand."""
        body = {"points": points, "reason": "goodwill", "reference": reference}
        return self.post(f"/v1/members/{member_id}/adjustments", body, scope=OPERATOR, caller=caller)

    def transfer(self, member_id: str, to_member_id: str, points: int, key: str | None = "gift-1") -> Reply:
        """Move points between members, by an operator's hand."""
        body = {"to_member_id": to_member_id, "points": points}
        return self.post(f"/v1/members/{member_id}/transfers", body, key=key, scope=OPERATOR)

    def redeem(self, member_id: str, reward_id: str = "free-coffee", key: str | None = "spend-1", **more: Any) -> Reply:
        """Reserve points for a reward."""
        return self.post(f"/v1/members/{member_id}/redemptions", {"reward_id": reward_id, **more}, key=key)

    def spend(self, member_id: str, points: int, order_total: int, key: str | None = "spend-1", **more: Any) -> Reply:
        """Reserve points as money on an order."""
        body = {"points": points, "order_total": order_total, "currency": "USD", **more}
        return self.post(f"/v1/members/{member_id}/redemptions", body, key=key)

    def code(self, member_id: str, **options: Any) -> str:
        """A code that the member shows at a till."""
        reply = self.post(f"/v1/members/{member_id}/codes", **options)
        assert reply.status == 201, reply.body
        return str(reply.body["code"])

    def move(self, member_id: str, redemption_id: str, step: str) -> Reply:
        """Capture, cancel or reverse a redemption."""
        return self.post(f"/v1/members/{member_id}/redemptions/{redemption_id}/{step}")

    def invite(self, pool_id: str, key: str = "invite-1", **options: Any) -> str:
        """The code of an invitation to a pool."""
        reply = self.post(f"/v1/pools/{pool_id}/invitations", key=key, **options)
        assert reply.status in {200, 201}, reply.body
        return str(reply.body["code"])

    def join_pool(self, pool_id: str, member_id: str, key: str = "join", **options: Any) -> Reply:
        """Join a pool by an invitation of the shop's."""
        body = {"member_id": member_id, "invitation": self.invite(pool_id, f"{key}-{member_id}")}
        return self.post(f"/v1/pools/{pool_id}/members", body, key=f"{key}-{member_id}", **options)

    def merge(self, into: str, gone: str) -> Reply:
        """Make two members one."""
        return self.post(f"/v1/members/{into}/merge", {"from_member_id": gone})

    def erase(self, member_id: str) -> Reply:
        """Erase a member's personal data."""
        return self.call("DELETE", f"/v1/members/{member_id}", scope=OPERATOR)

    def account(self, member_id: str) -> dict[str, Any]:
        """The account as a storefront reads it."""
        reply = self.get(f"/v1/members/{member_id}/account")
        assert reply.status == 200, reply.body
        return dict(reply.body)

    def balance(self, member_id: str) -> int:
        """What a member can spend now."""
        return int(self.account(member_id)["balance"])

    def entries(self, member_id: str) -> list[dict[str, Any]]:
        """A member's ledger, newest first."""
        return self.pages(f"/v1/members/{member_id}/entries", 100)

    def pages(self, path: str, limit: int, **options: Any) -> list[dict[str, Any]]:
        """A whole list, so many items at a time."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            reply = self.get(path, query={"limit": str(limit), **cursor}, **options)
            assert reply.status == 200, reply.body
            assert len(reply.body["items"]) <= limit
            items += reply.body["items"]
            if reply.body["next_cursor"] is None:
                return items
            cursor = {"cursor": reply.body["next_cursor"]}
        raise AssertionError(f"{path} has no end")

    def change_program(self, **sections: Any) -> int:
        """Lay changes over the sections of the program; its new version."""
        text = self.get("/v1/program/whole", scope=OPERATOR).body
        for name, change in sections.items():
            merges = isinstance(change, dict) and name != "expiry"
            text[name] = {**(text.get(name) or {}), **change} if merges else change
        reply = self.replace_program(text, text["version"])
        if reply.status == HTTPStatus.ACCEPTED:  # it lets operators do more alone: another agrees
            path = f"/v1/reviews/{reply.body['review_id']}/approve"
            assert self.post(path, scope=OPERATOR, caller="the owner").status == HTTPStatus.OK
            return int(text["version"]) + 1
        assert reply.status == HTTPStatus.OK, reply.body
        return int(reply.body["version"])

    def replace_program(self, text: Any, version: int) -> Reply:
        """Replace the program that was read as `version`."""
        return self.call("PUT", "/v1/program", text, scope=OPERATOR, headers={"If-Match": f'"{version}"'})

    def tables(self) -> Tables:
        """Everything that is stored."""
        of_loyalty, of_people = (
            tuple(sorted(json.dumps(item, sort_keys=True) for item in stored(name)))
            for name in (settings.loyalty_table(), settings.people_table())
        )
        return of_loyalty, of_people

    @contextmanager
    def writing_nothing(self) -> Iterator[None]:
        """Fails if anything in the tables is another when the block ends, but for how often somebody has guessed."""
        before = self._tables_but_guesses()
        yield
        assert self._tables_but_guesses() == before

    def _tables_but_guesses(self) -> Tables:
        of_loyalty, of_people = self.tables()
        return tuple(item for item in of_loyalty if '"GUESSES#' not in item), of_people


def _function_of(method: str, path: str) -> Any:
    """The function that the document routes a path to; for a path that it has not, one that says so."""
    routes = {True: None, False: None} | {
        route.method == method: route.function for route in reversed(openapi.routes()) if _leads_to(route.path, path)
    }
    return import_module(f"functions.{routes[True] or routes[False] or 'account'}")


def _codes(method: str, path: str) -> set[str]:
    """The codes that the document says the operation may answer; a path that it has not is said to be none."""
    found = [route for route in openapi.routes() if route.method == method and _leads_to(route.path, path)]
    for route in sorted(found, key=lambda route: route.path.count("{"))[:1]:
        return {*codes_of(f"{method} {route.path}", asks_token=bool(route.scopes)), "route_not_found"}
    return {"route_not_found"}


def _leads_to(route: str, path: str) -> bool:
    """Whether a path is one of a route's: a part in braces stands for any."""
    parts, wanted = path.split("?", maxsplit=1)[0].split("/"), route.split("/")
    return len(parts) == len(wanted) and all(
        part == other or other.startswith("{") for part, other in zip(parts, wanted, strict=True)
    )


def assert_refused(reply: Reply, status: int, code: str) -> None:
    """The reply is the problem that the contract names, in the contract's shape."""
    assert (reply.status, reply.code) == (status, code), reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    more = {"merged_into"} if code == "member_merged" else {"errors"} if code in NAMES_FAULTS else set()
    assert set(reply.body) == PROBLEM | more
    assert reply.body["status"] == status
    assert reply.body["type"] == f"/v1/problems/{code}"
    assert reply.body["request_id"] == reply.headers["Request-Id"]
    assert reply.body["detail"]
    # A fault may quote what was sent; a rule's own words always have their values.
    assert code == "invalid_request" or "None" not in reply.body["detail"]
    for fault in reply.body.get("errors", ()):
        assert set(fault) == {"pointer", "detail"}
        assert fault["pointer"] == "" or fault["pointer"].startswith(("/", "header:", "query:"))
    assert ("Retry-After" in reply.headers) == (status in {429, 503})


def stored(table: str) -> list[dict[str, Any]]:
    """Every item of a table, straight from moto: asking for them would take as long as all the rest of a test."""
    return [item.to_json()["Attributes"] for of_key in moto_tables()[table].items.values() for item in of_key.values()]


def moto_tables() -> dict[str, Any]:
    """Moto's own tables, by name."""
    return dict(dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables)


def check_every_account() -> None:
    """Every account in the table against its ledger."""
    items = stored(settings.loyalty_table())
    ledgers: dict[str, list[Entry]] = {}
    for item in items:
        _check_item(item)
        if "sequence" in item and "body" in item:
            check_entry(ledger.entry_of(item))
            ledgers.setdefault(item["member_id"]["S"], []).append(ledger.entry_of(item))
    for item in items:
        if item["sk"]["S"] == "ACCOUNT":
            account = Account.model_validate_json(item["state"]["S"])
            entries = sorted(ledgers.pop(account.member_id), key=lambda entry: entry.sequence)
            assert breaches(account, entries) == []
    assert ledgers == {}, "entries without an account"


def _check_item(item: dict[str, Any]) -> None:
    """Fails where an entry or an account does not stand in the indexes that it belongs in, by their names."""
    names = set(item) - {"pk", "sk"}
    if item["sk"]["S"] == "ACCOUNT":
        account = Account.model_validate_json(item["state"]["S"])
        assert names - {"due_pk", "due_sk"} == {"state", "schema", "sequence", "revision", "reminded_on"}
        assert names >= {"due_pk", "due_sk"} or not names & {"due_pk", "due_sk"}
        assert "due_sk" not in names or item["due_sk"]["S"] == account.member_id
        assert int(item["sequence"]["N"]) == account.sequence
    elif {"body", "sequence"} <= names:
        entry = ledger.entry_of(item)
        of_partner = {"partner_pk", "partner_sk"} if entry.partner else set()
        brings_gifts = "follow" in names and follow_from(entry, programs.load_program())
        follows = {"follow"} if concerns_others(entry) or brings_gifts else set()
        assert names == {"member_id", "sequence", "type", "body", "schema", *of_partner, *follows}
        assert (item["type"]["S"], int(item["sequence"]["N"])) == (entry.type, entry.sequence)
