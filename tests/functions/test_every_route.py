"""What holds for each route there is: the list is the document's own, so that a new one cannot be forgotten."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra import openapi
from infra.openapi import Route
from shared import runtime
from shared.api.paging import encode_cursor
from shared.domain.program.defaults import default_program
from tests.functions.shop import (
    MEMBER,
    OPERATOR,
    PARTNER,
    STOREFRONT,
    Reply,
    Shop,
    assert_refused,
    check_every_account,
    moto_tables,
)
from tests.shared.wire import hold_to_limits

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIME = "2026-11-20T18:03:00Z"
ORDER = {"order_id": "A-9", "placed_at": TIME, "currency": "USD", "total": 1000}
CAUSE = {"reason": "r", "reference": "c"}
PAYMENT = {"plan_id": "plus", "reference": "m", "amount": 100, "currency": "USD", "paid_at": TIME}
PARTNERS = [
    {"partner_id": name, "name": name, "point_cost": {"points": 100, "amount": 100}, "may_redeem": True}
    for name in ("cafe", "cinema")
]
BODIES: Mapping[str, dict[str, Any]] = {
    "POST /v1/earn": {"type": "order", **ORDER, "identifier": {"external_id": "somebody"}},
    "POST /v1/earn/batch": {"items": [{"type": "order", **ORDER, "member_id": "nobody"}]},
    "POST /v1/earn/quote": {"currency": "USD", "total": 1000},
    "POST /v1/cashiers/codes": {"cashier": "otto", "store_id": "Main Street"},
    "POST /v1/changes/undo": {"token": "x"},
    "POST /v1/members": {"external_id": "new"},
    "POST /v1/members/lookup": {"external_id": "ada"},
    "POST /v1/members/search": {"name": "Ada"},
    "PATCH /v1/members/{member_id}": {"name": "Mallory"},
    "POST /v1/members/{member_id}/adjustments": {"points": 5, **CAUSE},
    "POST /v1/members/{member_id}/confirmations": {"code": "AAAAAAAA"},
    "POST /v1/members/{member_id}/consent": {"terms_version": "2"},
    "POST /v1/members/{member_id}/credit/payouts": {"amount": 1, "currency": "USD", "reference": "p"},
    "POST /v1/members/{member_id}/earn": {"type": "order", **ORDER},
    "POST /v1/members/{member_id}/entries/{entry_id}/undo": {"reason": "r"},
    "POST /v1/members/{member_id}/freeze": CAUSE,
    "POST /v1/members/{member_id}/gifts": {"to_member_id": "nobody", "points": 1},
    "POST /v1/members/{member_id}/membership": PAYMENT,
    "POST /v1/members/{member_id}/membership/cancel": {"reference": "c"},
    "POST /v1/members/{member_id}/merge": {"from_member_id": "nobody"},
    "POST /v1/members/{member_id}/orders/{order_id}/amend": {"amendment_id": "e", "amended_at": TIME, "total": 500},
    "POST /v1/members/{member_id}/orders/{order_id}/claim": {"claim_id": "c", "reason": "r"},
    "PATCH /v1/members/{member_id}/preferences": {"channel": "sms"},
    "POST /v1/members/{member_id}/redemptions": {"reward_id": "free-coffee"},
    "POST /v1/members/{member_id}/redemptions/{redemption_id}/reverse": {"reversal_id": "V", "points": 1},
    "POST /v1/members/{member_id}/refunds": {"order_id": "A-1", "refund_id": "R", "amount": 1, "refunded_at": TIME},
    "POST /v1/members/{member_id}/refunds/{refund_id}/reverse": {},
    "POST /v1/members/{member_id}/remembered/lift": {"reason": "r"},
    "POST /v1/members/{member_id}/tags": {"add": ["vip"]},
    "POST /v1/members/{member_id}/tier": {"tier_id": "gold", "until": "2026-12-31", **CAUSE},
    "POST /v1/members/{member_id}/transfers": {"to_member_id": "nobody", "points": 1},
    "POST /v1/members/{member_id}/unfreeze": CAUSE,
    "POST /v1/messages/preview": {"kind": "points_earned"},
    "POST /v1/partners/{partner_id}/deposits": {"amount": 100, "currency": "USD", "reference": "d"},
    "POST /v1/pools": {},
    "POST /v1/pools/{pool_id}/members": {"invitation": "0000-0000-0000"},
    "PUT /v1/program": default_program().model_dump(mode="json"),
    "POST /v1/reviews/{review_id}/reject": {"reason": "r"},
    "POST /v1/rewards/{reward_id}/codes": {"codes": ["SHOP-1"]},
    "POST /v1/ucp/loyalty": {"currency": "USD", "total": 1000},
    "POST /v1/unsubscribe/{token}": {"List-Unsubscribe": "One-Click"},
    "POST /v1/vouchers/lookup": {"code": "AAAAA-AAAAA-AAAAA"},
    "POST /v1/vouchers/undo": {"code": "AAAAA-AAAAA-AAAAA", "reference": "v"},
    "POST /v1/vouchers/use": {"code": "AAAAA-AAAAA-AAAAA", "reference": "v"},
    "POST /v1/webhooks": {"url": "https://shop.example/loyalty"},
    "PATCH /v1/webhooks/{webhook_id}": {"status": "disabled"},
    "POST /v1/webhooks/{webhook_id}/replay": {"member_id": "nobody", "from_sequence": 1},
}
"""A request for each route that takes one. A route without, fails below."""
GIVEN_TO = {"to_member_id"}
"""Where a request names another member on purpose: whom points are given to."""
SCOPES = (STOREFRONT, MEMBER, OPERATOR, PARTNER)
ROUTES = openapi.routes()
PAGES = [route for route in ROUTES if not route.scopes and "{token}" in route.path]
"""They answer with HTML; `test_preferences.py` and `test_address_changes.py` look at them."""
OF_MEMBERS = [route for route in ROUTES if MEMBER in route.scopes]
OF_PARTNERS = [route for route in ROUTES if PARTNER in route.scopes]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def schema_of(route: Route) -> dict[str, Any]:
    """What a route's body may hold, by the names of its fields; of several shapes, all of them."""
    content = operation_of(route).get("requestBody", {}).get("content", {}).get("application/json", {})
    return dict(_properties(content.get("schema", {})))


def operation_of(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = openapi.document()["paths"][route.path][route.method.lower()]
    return operation


def takes_cursor(route: Route) -> bool:
    """Whether a route answers with pages."""
    return any(one["name"] == "cursor" for one in operation_of(route).get("parameters", ()))


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "$ref" in schema:
        schema = openapi.document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", {}).items()
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _properties(one)


@dataclass(frozen=True)
class Town:
    """Two members with everything that a member may have, and what it is called."""

    shop: Shop
    ada: str
    grace: str
    of_ada: Mapping[str, str]
    of_grace: Mapping[str, str]

    def ask(self, route: Route, path: Mapping[str, str], token: Mapping[str, Any], **body: Any) -> Reply:
        """A request that would be carried out, were it the caller's to make."""
        sent = {**BODIES[name_of(route)], **body} if "requestBody" in operation_of(route) else None
        headers = {"Idempotency-Key": "k", "If-Match": '"1"'}
        return self.shop.call(route.method, route.path.format(**path), sent, headers=headers, **token)


@pytest.fixture(scope="module")
def town(moto: "DynamoDBClient") -> Iterator[Town]:
    """One for all: nothing here changes it."""
    for table in moto_tables().values():
        table.items.clear()
    runtime.forget()
    moto.meta.events.register("before-parameter-build.dynamodb", hold_to_limits)
    try:
        with runtime.use():
            yield _town(Shop())
            check_every_account()
    finally:
        moto.meta.events.unregister("before-parameter-build.dynamodb", hold_to_limits)


def _town(shop: Shop) -> Town:
    shop.change_program(pools={"members_max": 3}, gifts={"accept_days": 7}, partners=PARTNERS)
    ada, grace, heidi = (shop.enroll(name, name=name) for name in ("ada", "grace", "heidi"))
    belongings = []
    for member in (ada, grace):
        shop.adjust(member, 1000)
        redeemed = shop.redeem(member, key=f"redeem-{member}").body["redemption_id"]
        gift = shop.post(f"/v1/members/{member}/gifts", {"to_member_id": heidi, "points": 5}, key=f"gift-{member}")
        pool = shop.post("/v1/pools", {"member_id": member}, key=f"pool-{member}").body["pool_id"]
        bought = {"order_id": f"order-{member}", "refund_id": f"refund-{member}"}
        shop.order(member, bought["order_id"], 1000)
        shop.post(f"/v1/members/{member}/refunds", {**bought, "amount": 500, "refunded_at": shop.now.isoformat()})
        names = {
            "member_id": member,
            "entry_id": f"{member}-2",
            **bought,
            "redemption_id": redeemed,
            "gift_id": gift.body["gift_id"],
            "pool_id": pool,
        }
        belongings.append({**names, "partner_id": "cafe", "month": "2026-11"})
    return Town(shop, ada, grace, *belongings)


def test_every_route_that_takes_a_body_has_one_here() -> None:
    takes = {name_of(route) for route in ROUTES if "requestBody" in operation_of(route)}
    assert takes == set(BODIES)


@pytest.mark.parametrize("route", [one for one in ROUTES if one not in PAGES], ids=name_of)
def test_what_a_route_does_not_describe_is_refused_before_anything_is_done(town: Town, route: Route) -> None:
    path = route.path.format(**{**dict.fromkeys(re.findall(r"{(\w+)}", route.path), "x"), **town.of_ada})
    token: dict[str, Any] = {"scope": " ".join(route.scopes - {PARTNER}) or None, "member_id": town.ada}
    key = {"Idempotency-Key": "k", "If-Match": '"1"'}
    body = BODIES.get(name_of(route))

    def ask(**request: Any) -> Reply:
        return town.shop.call(route.method, path, headers=key, **request, **token)

    known = [one["name"] for one in operation_of(route).get("parameters", ()) if one["in"] == "query"]
    with town.shop.writing_nothing():
        reply = ask(body=body, query={"surprise": "1"})
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == ["query:surprise"]
        assert all(name in reply.body["detail"] for name in known)
        assert_refused(ask(text="not json"), 400, "malformed_json")
        assert_refused(ask(text="[]"), 422, "invalid_request")
        assert_refused(ask(body={**(body or {}), "surprise": None}), 422, "invalid_request")


@pytest.mark.parametrize("route", [one for one in ROUTES if "requestBody" not in operation_of(one)], ids=name_of)
def test_a_route_that_takes_no_body_takes_an_empty_one(town: Town, route: Route) -> None:
    path = {**dict.fromkeys(re.findall(r"{(\w+)}", route.path), "unknown"), "month": "2026-11"}
    token: dict[str, Any] = {"scope": " ".join(route.scopes - {PARTNER}) or None, "member_id": "unknown"}
    if route in PAGES:
        return
    replies = [
        town.shop.call(route.method, route.path.format(**path), text=text, headers={"Idempotency-Key": "k"}, **token)
        for text in (None, "", "{}", " { } ", "\ufeff{}")
    ]
    assert {reply.status for reply in replies} < {200, 404}
    assert len({(reply.status, reply.code) for reply in replies}) == 1


@pytest.mark.parametrize("route", [one for one in ROUTES if one.scopes], ids=name_of)
def test_no_scope_opens_a_route_but_those_it_names(town: Town, route: Route) -> None:
    path = {**dict.fromkeys(re.findall(r"{(\w+)}", route.path), "x"), **town.of_ada}
    with town.shop.writing_nothing():
        for scope in SCOPES:
            if scope not in route.scopes:
                token = {"scope": f"openid {scope}", "member_id": town.ada}
                assert_refused(town.ask(route, path, token), 403, "forbidden")
        for scope in ("", "openid", "loyalty", f"{STOREFRONT}s", OPERATOR.upper()):
            assert_refused(town.ask(route, path, {"scope": scope, "member_id": town.ada}), 403, "forbidden")
        assert_refused(town.ask(route, path, {"scope": None}), 401, "unauthenticated")


@pytest.mark.parametrize("route", [one for one in OF_MEMBERS if "{" in one.path], ids=name_of)
def test_a_members_token_finds_nothing_of_another_member(town: Town, route: Route) -> None:
    names = re.findall(r"{(\w+)}", route.path)
    for token in ({"scope": MEMBER, "member_id": town.ada}, {"scope": MEMBER}):
        for foreign in names:
            path = {**town.of_ada, foreign: town.of_grace[foreign]}
            with town.shop.writing_nothing():
                reply = town.ask(route, path, token)
                unknown = town.ask(route, {**path, foreign: "unknown"}, token)
            assert reply.status in {404, 409}, (foreign, reply)
            assert says(reply, path[foreign]) == says(unknown, "unknown")


@pytest.mark.parametrize("other", [STOREFRONT, OPERATOR, PARTNER])
@pytest.mark.parametrize("route", [one for one in OF_MEMBERS if "{member_id}" in one.path], ids=name_of)
def test_a_scope_that_does_not_open_a_route_reaches_nobody_through_it(town: Town, route: Route, other: str) -> None:
    if other in route.scopes:
        return
    token = {"scope": f"{MEMBER} {other}", "member_id": town.ada}
    with town.shop.writing_nothing():
        reply = town.ask(route, town.of_grace, token)
    assert_refused(reply, 404, "member_not_found")


@pytest.mark.parametrize("route", OF_MEMBERS, ids=name_of)
def test_no_query_or_body_names_another_member_for_a_members_token(town: Town, route: Route) -> None:
    token = {"scope": MEMBER, "member_id": town.ada}
    asks = [one["name"] for one in operation_of(route).get("parameters", ()) if one["in"] == "query"]
    places = [name for name in schema_of(route) if name.endswith("member_id") and name not in GIVEN_TO]
    with town.shop.writing_nothing():
        if "member_id" in asks:
            reply = town.shop.get(route.path.format(**town.of_ada), query={"member_id": town.grace}, **token)
            assert_refused(reply, 404, "member_not_found")
        for place in places:
            assert_refused(town.ask(route, town.of_ada, token, **{place: town.grace}), 404, "member_not_found")


@pytest.mark.parametrize("route", OF_PARTNERS, ids=name_of)
def test_a_partners_token_finds_nothing_of_another_partner(town: Town, route: Route) -> None:
    token = {"partner_id": "cinema"}
    with town.shop.writing_nothing():
        if "{partner_id}" in route.path:
            assert_refused(town.ask(route, town.of_ada, token), 404, "partner_not_found")
        elif "{redemption_id}" in route.path:
            assert_refused(town.ask(route, town.of_ada, token), 404, "redemption_not_found")
        if "partner_id" in schema_of(route):
            refused = town.ask(route, town.of_ada, token, partner_id="cafe")
            assert_refused(refused, 422, "invalid_request")
        for partner_id in ("nobody", "cafe#", "x" * 200):
            reply = town.ask(route, town.of_ada, {"partner_id": partner_id})
            assert reply.status in {403, 404}, reply


@pytest.mark.parametrize("route", [one for one in ROUTES if one not in PAGES and "{" in one.path], ids=name_of)
def test_ids_that_nobody_was_given_are_of_nothing(town: Town, route: Route) -> None:
    own = (f"{town.ada}~credit", f"{town.of_ada['pool_id']}~pool", f"{town.ada}#")
    token = {"scope": " ".join(route.scopes - {PARTNER}) or None, "member_id": town.ada}
    with town.shop.writing_nothing():
        for name in re.findall(r"{(\w+)}", route.path):
            for text in (*own, "x" * 1500, "漢" * 1000, "x" * 3000, "%", "nul\x00", "\ud800", "a\nb"):
                path = {"review_id": "x", "webhook_id": "x", "campaign_id": "x", **town.of_ada, name: text}
                reply = town.ask(route, path, token)
                assert reply.status in ({404, 422} if name == "month" else {404}), (text, reply)


@pytest.mark.parametrize("route", [one for one in ROUTES if takes_cursor(one)], ids=name_of)
def test_a_cursor_that_no_page_gave_breaks_nothing(town: Town, route: Route) -> None:
    shapes = ([""], ["\ud800"], ["~"], ["#"], ["漢" * 20], [0], [-1], [10**30], [0, 0], [0, ""], [0, "\ud800"], [9, 9])
    path = route.path.format(**{"webhook_id": "x", **town.of_ada})
    token: dict[str, Any] = {"scope": STOREFRONT if STOREFRONT in route.scopes else OPERATOR, "member_id": town.ada}
    for parts in shapes:
        query = {"cursor": encode_cursor(*parts)}
        reply = town.shop.call(route.method, path, BODIES.get(name_of(route)), query=query, **token)
        assert reply.status in ({404, 422} if "\ud800" in parts else {200, 404, 422}), (parts, reply)


def says(reply: Reply, id_: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """An answer without the id that it is about."""
    body = {name: value.replace(id_, "*") if isinstance(value, str) else value for name, value in reply.body.items()}
    return reply.status, body, reply.headers
