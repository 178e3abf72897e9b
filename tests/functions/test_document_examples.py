"""Every example of the document works when it is sent, and is answered as the document shows.

Each request goes to a world that has what it names: members, an order, a gift, a webhook. Ids of the document stand for
those of the world. An answer that is shown has the fields of the one that comes, and obeys its schema.
"""

import json
import pickle
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from infra import openapi
from infra.document.dress import examples, operations
from shared import runtime
from tests.functions.mailbox import Mailbox
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, moto_tables
from tests.functions.test_address_changes import code_in, link_to

ADA, GRACE = "lcmpkthvzd3qdlnlawgu", "qhwkzdmnvtrpxsbgfyjc"
VOUCHER, USED_VOUCHER = "7Q2K9-XW34H-JMPRS", "3M7TK-Q9XW2-HJPRS"
CODE, INVITATION, TOKEN = "7Q2K9XW3", "7Q2K-9XW3-4HJM", "the token at the end of the link"
SCOPES = {"storefront": STOREFRONT, "member": MEMBER, "operator": OPERATOR, None: None}
CINEMA = {
    "reward_id": "cinema",
    "name": "A night at the cinema",
    "kind": "product",
    "sku": "CINEMA",
    "points": 1200,
    "voucher": {"own_codes": True},
}
LINES = [{"sku": "TEA-1", "quantity": 5, "amount": 12_500}, {"sku": "POT-1", "amount": 30_000}]
EXAMPLES = examples()


@dataclass
class World:
    """A shop with everything that examples name; `ids` are what those of the document stand for."""

    shop: Shop
    ids: dict[str, str]

    def send(self, example: Mapping[str, Any]) -> Reply:
        """Send an example with the world's ids instead of the document's."""
        method, _, template = example["operation"].partition(" ")
        names = {"member_id": ADA, **example.get("path", {})}
        path = template.format(**{name: self.ids.get(value, value) for name, value in names.items()})
        headers = {"Idempotency-Key": example["key"]} if "key" in example else {}
        if (method, template) == ("PUT", "/v1/program"):
            headers["If-Match"] = self.shop.get("/v1/program", scope=None).headers["ETag"]
        token: dict[str, Any] = {"scope": SCOPES[example["scope"]], "caller": "otto"}
        if example["scope"] == "member":
            token["member_id"] = self.ids[ADA]
        return self.shop.call(method, path, self._own(example.get("body")), headers=headers, **token)

    def _own(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._own(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._own(inner) for inner in value]
        return self.ids.get(value, value) if isinstance(value, str) else value


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setenv("PUBLIC_URL", "https://shop.example")
    # The host of the document's webhooks is one of the public internet.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.215.14", 443))])
    runtime.forget()
    kept = Mailbox()
    with runtime.use(channels=kept, webhook_queue=Undelivered()):
        yield kept


class Undelivered:
    """A queue of webhooks' deliveries that nobody looks at."""

    def send(self, bodies: list[str], groups: list[str]) -> None: ...

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None: ...


def simple_world(shop: Shop, mailbox: Mailbox) -> World:
    """What the program that a shop begins with lets be."""
    ada = shop.enroll("shop-42", email="ada@example.com", name="Ada", birthday="12-10", age_confirmed=True)
    grace = shop.enroll("shop-43", email="grace@example.com", name="Grace", age_confirmed=True)
    frozen = shop.enroll("shop-44", age_confirmed=True)
    shop.pass_time(days=20)
    shop.order(ada, "A-700", 50_000)
    shop.pass_time(days=20)
    shop.order(ada, "A-1001", 42_500, lines=LINES)
    shop.order(ada, "A-800", 42_500, lines=LINES)
    shop.order(ada, "A-900", 42_500, lines=LINES)
    shop.order(grace, "G-1", 2_000)
    shop.adjust(grace, 500, "grace")
    shop.post(f"/v1/members/{ada}/refunds", {"order_id": "A-900", "refund_id": "R-1", "amount": 100})
    given = shop.adjust(ada, 900, "adjustment").body["entry"]["entry_id"]
    reserved = shop.redeem(ada, key="reserved").body["redemption_id"]
    spent = shop.spend(ada, 300, 4_200, key="captured").body["redemption_id"]
    shop.move(ada, spent, "capture")
    shop.post(f"/v1/members/{frozen}/freeze", {"reason": "lost", "reference": "f"}, scope=OPERATOR)
    hook = shop.post("/v1/webhooks", {"url": "https://shop.example/hook"}, key="hook", scope=OPERATOR).body
    other = shop.enroll("shop-45", email="old@example.com", age_confirmed=True)
    for address in ("new@example.org", "newer@example.org"):
        own = {"scope": MEMBER, "member_id": other}
        shop.patch(other, {"email": address}, **own)
        codes = [one for one in mailbox.collect() if one.to == address and one.kind == "address_code"]
        shop.post("/v1/members/me/confirmations", {"code": code_in(codes[-1])}, **own)
    token = link_to(mailbox, "new@example.org")
    shop.patch(ada, {"email": "ada@example.net"}, scope=MEMBER, member_id=ada)
    code = code_in([one for one in mailbox.collect() if one.to == "ada@example.net"][-1])
    ids = {ADA: ada, GRACE: grace, "frozen": frozen, "adjustment": given, "reserved": reserved, "captured": spent}
    return World(shop, {**ids, "hook": hook["webhook_id"], CODE: code, TOKEN: token})


def whole_world(shop: Shop, mailbox: Mailbox) -> World:
    """What the program with every section lets be, too."""
    shop.pass_time(days=-40)
    [program] = [one["body"] for one in EXAMPLES if one["operation"] == "PUT /v1/program"]
    redeeming = {**program["redeeming"], "rewards": [*program["redeeming"]["rewards"], CINEMA]}
    assert shop.replace_program({**program, "redeeming": redeeming}, 1).status == 200
    world = simple_world(shop, mailbox)
    ada, grace = world.ids[ADA], world.ids[GRACE]
    opener = shop.enroll("shop-46", age_confirmed=True)
    pool = shop.post("/v1/pools", {"member_id": opener}, key="open").body["pool_id"]
    gift = {"to_member_id": grace, "points": 10}
    gift_id = shop.post(f"/v1/members/{ada}/gifts", gift, key="g", scope=MEMBER, member_id=ada).body["gift_id"]
    waiting = shop.action(ada, "review-1").body
    subscriber = shop.enroll("shop-47", age_confirmed=True)
    paid = {"plan_id": "tea-plus", "reference": "m-0", "currency": "USD", "paid_at": shop.now.isoformat()}
    assert shop.post(f"/v1/members/{subscriber}/membership", paid).status == 201
    reviews = shop.get("/v1/reviews", scope=OPERATOR).body["items"]
    gone = shop.enroll("shop-48", email="gone@example.com", age_confirmed=True)
    shop.order(gone, "gone-1", 1_000)
    shop.redeem(gone, "free-coffee", key="gone", capture=True)
    shop.post(f"/v1/members/{gone}/refunds", {"order_id": "gone-1", "refund_id": "g", "amount": 1_000})
    assert shop.erase(gone).status in {200, 202}
    assert waiting
    voucher, used = (
        shop.redeem(ada, "free-coffee", key=key, capture=True).body["voucher_code"] for key in ("live", "used")
    )
    assert shop.post("/v1/vouchers/use", {"code": used, "reference": "T-699"}).status == 200
    world.ids |= {
        VOUCHER: voucher,
        USED_VOUCHER: used,
        "pool": pool,
        "opener": opener,
        "offered": gift_id,
        "subscriber": subscriber,
        "gone": gone,
        "waiting": reviews[0]["review_id"],
        INVITATION: shop.invite(pool, "invitation"),
    }
    return world


@pytest.mark.parametrize("program", [None, "whole"])
def test_every_example_works_and_is_answered_as_it_is_shown(shop: Shop, mailbox: Mailbox, program: str | None) -> None:
    world = (whole_world if program else simple_world)(shop, mailbox)
    tables, now = {name: pickle.dumps(table.items) for name, table in moto_tables().items()}, shop.now
    for example in EXAMPLES:
        if example.get("program") not in {None, program}:
            continue
        for name, table in moto_tables().items():
            table.items = pickle.loads(tables[name])  # noqa: S301 - of this very test
        runtime.forget()
        shop.now = now
        reply = world.send(example)
        named = f"{example['operation']}, {example['name']}"
        assert reply.status == example["status"], (named, reply.body)
        if program == example.get("program"):
            assert fields(example["answer"]) == fields(reply.body), named
        if "key" in example and reply.status < 300:
            again = world.send(example)
            assert again.status < 300, (named, again.body)


def test_every_answer_that_is_shown_obeys_its_schema() -> None:
    document = openapi.document()
    root = Resource.from_contents({"components": document["components"]}, DRAFT202012)
    registry = Registry().with_resource("urn:document", root)
    for example in EXAMPLES:
        method, _, path = example["operation"].partition(" ")
        answer = document["paths"][path][method.lower()]["responses"][str(example["status"])]
        schema = json.loads(json.dumps(answer["content"]["application/json"]["schema"]).replace("#/", "urn:document#/"))
        Draft202012Validator(schema, registry=registry).validate(example["answer"])
        assert answer["content"]["application/json"]["examples"][example["name"]]["value"] == example["answer"]


def test_every_operation_has_an_example_but_pages_and_reports() -> None:
    named = {one["operation"] for one in EXAMPLES}
    assert {name for name in operations() if "/v1/" in name} - named == {
        "GET /v1/unsubscribe/{token}",
        "POST /v1/unsubscribe/{token}",
        "GET /v1/changes/undo/{token}",
        "POST /v1/changes/undo/{token}",
        # A job has to work them out first.
        "GET /v1/insights/{report}",
        "GET /v1/statements/{month}",
    }


def test_every_shape_of_a_body_has_an_example() -> None:
    spending = [one["body"] for one in EXAMPLES if one["operation"] == "POST /v1/members/{member_id}/redemptions"]
    assert all(any(shape in body for body in spending) for shape in ("reward_id", "points", "credit"))
    earned = [one["body"]["type"] for one in EXAMPLES if one["operation"] == "POST /v1/members/{member_id}/earn"]
    assert set(earned) == {"order", "action"}


def fields(value: Any, depth: int = 2) -> Any:
    """The names of fields, and of those within, without what is in them; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: fields(inner, depth - 1) for name, inner in value.items()} if depth else None
    return [fields(value[0], depth)] if isinstance(value, list) and value else None
