"""Who may call what, and whose data each caller reaches."""

from typing import Any, NamedTuple

import pytest

from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, assert_refused

SCOPES = {"S": STOREFRONT, "M": MEMBER, "O": OPERATOR}
ORDER = {"order_id": "A-1", "placed_at": "2026-11-20T18:03:00Z", "currency": "USD", "total": 1000}
REFUND = {"order_id": "A-1", "refund_id": "R-1", "amount": 100, "refunded_at": "2026-11-20T18:03:00Z"}


class Route(NamedTuple):
    """A path of the contract, who may call it, and a body that it takes."""

    method: str
    path: str
    who: str
    body: dict[str, Any] | None = None


ROUTES = (
    Route("POST", "/v1/members", "SO", {"external_id": "new"}),
    Route("POST", "/v1/members/lookup", "SO", {"external_id": "ada"}),
    Route("POST", "/v1/members/{member_id}/codes", "SM"),
    Route("GET", "/v1/members/{member_id}", "SMO"),
    Route("PATCH", "/v1/members/{member_id}", "SMO", {"name": "Ada"}),
    Route("DELETE", "/v1/members/{member_id}", "OM"),
    Route("GET", "/v1/members/{member_id}/export", "MO"),
    Route("POST", "/v1/members/{member_id}/merge", "SO", {"from_member_id": "nobody"}),
    Route("GET", "/v1/members/{member_id}/account", "SMO"),
    Route("GET", "/v1/members/{member_id}/entries", "SMO"),
    Route("POST", "/v1/members/{member_id}/earn", "S", {"type": "order", **ORDER}),
    Route("POST", "/v1/earn/quote", "SM", {"currency": "USD", "total": 1000}),
    Route("POST", "/v1/members/{member_id}/refunds", "S", REFUND),
    Route("POST", "/v1/members/{member_id}/adjustments", "O", {"points": 5, "reason": "r", "reference": "c"}),
    Route("POST", "/v1/members/{member_id}/transfers", "MO", {"to_member_id": "nobody", "points": 1}),
    Route("GET", "/v1/rewards", "SMO"),
    Route("POST", "/v1/members/{member_id}/redemptions", "SM", {"reward_id": "free-coffee"}),
    Route("GET", "/v1/members/{member_id}/redemptions/{redemption_id}", "SMO"),
    Route("POST", "/v1/members/{member_id}/redemptions/{redemption_id}/capture", "SO"),
    Route("POST", "/v1/members/{member_id}/redemptions/{redemption_id}/cancel", "SMO"),
    Route("POST", "/v1/members/{member_id}/redemptions/{redemption_id}/reverse", "OS"),
)
OF_MEMBERS = [route for route in ROUTES if "{member_id}" in route.path and "M" in route.who]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def ask(shop: Shop, route: Route, of: str, redemption: str = "unknown", **token: Any) -> Reply:
    path = route.path.format(member_id=of, redemption_id=redemption)
    headers = {"Idempotency-Key": "k", "If-Match": '"1"'}
    return shop.call(route.method, path, route.body, headers=headers, **token)


@pytest.mark.parametrize("letter", SCOPES)
@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_scope_opens_the_paths_that_the_contract_gives_it_and_no_other(shop: Shop, route: Route, letter: str) -> None:
    ada = shop.enroll("ada")
    token = {"scope": f"openid {SCOPES[letter]} profile", "member_id": ada}
    if letter in route.who:
        assert ask(shop, route, ada, **token).status not in {401, 403}
    else:
        with shop.writing_nothing():
            assert_refused(ask(shop, route, ada, **token), 403, "forbidden")


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_nobody_gets_in_without_a_token_or_with_one_for_something_else(shop: Shop, route: Route) -> None:
    ada = shop.enroll("ada")
    with shop.writing_nothing():
        for scope in ("", "openid", "loyalty", "loyalty/storefronts", "LOYALTY/OPERATOR"):
            assert_refused(ask(shop, route, ada, scope=scope, member_id=ada), 403, "forbidden")
        reply = ask(shop, route, ada, scope=None)
    assert_refused(reply, 401, "unauthenticated")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_scopes_that_came_as_an_array_count_like_words(shop: Shop) -> None:
    assert shop.get("/v1/program/whole", scope=f"[openid {OPERATOR}]").status == 200
    assert_refused(shop.get("/v1/program/whole", scope=f"[openid {MEMBER}]"), 403, "forbidden")


@pytest.mark.parametrize("scope", [None, STOREFRONT, MEMBER])
def test_the_program_is_replaced_by_operators_alone(shop: Shop, scope: str | None) -> None:
    text = shop.get("/v1/program/whole", scope=OPERATOR).body
    with shop.writing_nothing():
        reply = shop.call("PUT", "/v1/program", text, scope=scope, headers={"If-Match": '"1"'})
    assert_refused(reply, 403 if scope else 401, "forbidden" if scope else "unauthenticated")


@pytest.mark.parametrize("route", OF_MEMBERS, ids=name_of)
def test_another_member_looks_to_a_member_as_nobody_does(shop: Shop, route: Route) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.adjust(grace, 500)
    of_grace = str(shop.redeem(grace).body["redemption_id"])
    with shop.writing_nothing():
        another = ask(shop, route, grace, of_grace, scope=MEMBER, member_id=ada)
        nobody = ask(shop, route, "nobody", of_grace, scope=MEMBER, member_id=ada)
    assert_refused(another, 404, "member_not_found")
    assert another.body["detail"].replace(grace, "nobody") == nobody.body["detail"]
    assert {**another.body, "detail": ""} == {**nobody.body, "detail": ""}
    assert another.headers == nobody.headers


@pytest.mark.parametrize("body", [{"member_id": "{other}"}, {"member_id": "nobody"}], ids=["another's", "nobody's"])
def test_members_get_no_quotes_for_others(shop: Shop, body: dict[str, str]) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    asked = {"currency": "USD", "total": 1000, "member_id": body["member_id"].format(other=grace)}
    assert_refused(shop.post("/v1/earn/quote", asked, scope=MEMBER, member_id=ada), 404, "member_not_found")


@pytest.mark.parametrize("route", OF_MEMBERS, ids=name_of)
def test_me_is_the_member_of_the_token(shop: Shop, route: Route) -> None:
    ada = shop.enroll("ada")
    shop.adjust(ada, 500)
    mine = str(shop.redeem(ada, key="earlier").body["redemption_id"])
    token = {"scope": MEMBER, "member_id": ada}
    by_me = ask(shop, route, "me", mine, **token)
    assert by_me.status in {200, 201} or by_me.body["detail"].startswith("there is no member nobody:")
    by_id = ask(shop, route, ada, mine, **token)
    assert by_id.status in {200, 201, 404}, "a code is issued anew"
    for volatile in ("entry", "redemption_id", "member", "member_id"):
        assert by_me.body.get(volatile) == by_id.body.get(volatile)


@pytest.mark.parametrize("route", [route for route in ROUTES if "{member_id}" in route.path], ids=name_of)
def test_me_is_nobody_to_a_token_without_a_member(shop: Shop, route: Route) -> None:
    shop.enroll("ada")
    for letter in route.who:
        with shop.writing_nothing():
            assert_refused(ask(shop, route, "me", scope=SCOPES[letter]), 404, "member_not_found")


def test_a_till_that_is_also_a_member_still_serves_everyone(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    token = {"scope": f"{MEMBER} {STOREFRONT}", "member_id": ada}
    assert shop.get(f"/v1/members/{grace}/account", **token).body["member_id"] == grace
    assert shop.get("/v1/members/me/account", **token).body["member_id"] == ada


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/members"),
        ("PUT", "/v1/members/{ada}"),
        ("GET", "/v1/members/{ada}/"),
        ("GET", "/v1/members/{ada}/accounts"),
        ("POST", "/v1/members/{ada}/redemptions/x/capture/y"),
        ("POST", "/v1/members/{ada}/redemptions/x/lapse"),
        ("DELETE", "/v1/rewards"),
        ("PATCH", "/v1/program"),
        ("HEAD", "/v1/program"),
        ("OPTIONS", "/v1/program"),
        ("POST", "/v1/earn/quotes"),
    ],
)
def test_a_path_that_is_not_of_the_contract_is_not_found(shop: Shop, method: str, path: str) -> None:
    ada = shop.enroll("ada")
    with shop.writing_nothing():
        assert_refused(shop.call(method, path.format(ada=ada)), 404, "route_not_found")
