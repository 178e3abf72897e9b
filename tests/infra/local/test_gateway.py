"""What API Gateway does for a function, done here, over real HTTP."""

import base64
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import httpx
import pytest

from infra.local import gateway, payload
from infra.local.gateway import Gateway
from infra.local.tokens import Issuer
from infra.openapi import Route
from tests.infra.local.conftest import Serve

STOREFRONT = frozenset({"loyalty/storefront"})
ROUTES = (
    Route("GET", "/v1/members/{member_id}", "members", frozenset()),
    Route("POST", "/v1/members/lookup", "lookup", frozenset()),
    Route("GET", "/v1/members/lookup", "lookup", frozenset()),
    Route("POST", "/v1/echo", "echo", frozenset()),
    Route("POST", "/v1/earn", "echo", STOREFRONT),
    Route("ANY", "/me", "echo", frozenset()),
    Route("ANY", "/me/{rest+}", "echo", frozenset()),
)


class Function:
    """Remembers what it was called with, and answers as it was told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Mapping[str, Any] = {"statusCode": 200, "body": "{}"}

    def __call__(self, event: dict[str, Any], _context: object) -> Mapping[str, Any]:
        self.events.append(event)
        return self.answer


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def shop(function: Function, serve: Serve, issuer: Issuer) -> str:
    handlers = dict.fromkeys(("members", "lookup", "echo"), function)
    return serve(Gateway(ROUTES, handlers, issuer).application([]))


def test_a_request_becomes_an_event_of_payload_format_2(shop: str, function: Function) -> None:
    httpx.post(f"{shop}/v1/echo?a=1&b=%20x", json={"total": 5}, headers={"X-Shop": "One", "Cookie": "k=v; l=w"})
    [event] = function.events
    context = event["requestContext"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == context["routeKey"] == "POST /v1/echo"
    assert event["rawPath"] == context["http"]["path"] == "/v1/echo"
    assert event["rawQueryString"] == "a=1&b=%20x"
    assert event["queryStringParameters"] == {"a": "1", "b": " x"}
    assert event["headers"]["x-shop"] == "One"
    assert event["cookies"] == ["k=v", "l=w"]
    assert json.loads(event["body"]) == {"total": 5}
    assert event["isBase64Encoded"] is False
    assert context["http"]["method"] == "POST"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["stage"] == "$default"
    assert "authorizer" not in context
    assert "pathParameters" not in event


def test_repeated_headers_and_parameters_are_joined_by_commas(shop: str, function: Function) -> None:
    httpx.post(f"{shop}/v1/echo?a=1&a=2", headers=[("X-Tag", "one"), ("X-Tag", "two")])
    [event] = function.events
    assert event["queryStringParameters"] == {"a": "1,2"}
    assert event["headers"]["x-tag"] == "one,two"
    assert "body" not in event


def test_path_parameters_arrive_decoded(shop: str, function: Function) -> None:
    httpx.get(f"{shop}/v1/members/a%20b%C3%A9")
    [event] = function.events
    assert event["pathParameters"] == {"member_id": "a bé"}
    assert event["rawPath"] == "/v1/members/a bé"


def test_what_is_encoded_twice_arrives_encoded_once(shop: str, function: Function) -> None:
    assert httpx.get(f"{shop}/v1/members/web%252F1").status_code == 200
    [event] = function.events
    assert event["rawPath"] == "/v1/members/web%2F1"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"\xff\xfe", "application/json"), (b"a=1", "application/x-www-form-urlencoded"), (b"{}", None)],
)
def test_a_body_that_is_no_text_travels_in_base64(
    shop: str, function: Function, content: bytes, content_type: str | None
) -> None:
    httpx.post(f"{shop}/v1/echo", content=content, headers={"Content-Type": content_type} if content_type else {})
    [event] = function.events
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == content


def test_an_answer_becomes_a_response(shop: str, function: Function) -> None:
    function.answer = {
        "statusCode": 201,
        "headers": {"Idempotency-Replayed": "true", "Content-Type": "application/octet-stream"},
        "cookies": ["a=1", "b=2"],
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    response = httpx.post(f"{shop}/v1/echo")
    assert response.status_code == 201
    assert response.headers["idempotency-replayed"] == "true"
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.content == b"\x00\xff"


def test_the_more_particular_path_wins(shop: str, function: Function) -> None:
    httpx.get(f"{shop}/v1/members/lookup")
    httpx.get(f"{shop}/v1/members/42")
    assert [event["routeKey"] for event in function.events] == ["GET /v1/members/lookup", "GET /v1/members/{member_id}"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/members/1"), ("POST", "/v1/echo/"), ("POST", "/echo")])
def test_a_path_that_is_not_there_is_not_found_and_the_one_that_was_meant_is_named(
    shop: str, method: str, path: str
) -> None:
    response = httpx.request(method, shop + path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "route_not_found"
    assert ("did you mean /v1/echo?" in response.json()["detail"]) == ("echo" in path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/v1/echo", "POST"), ("HEAD", "/v1/members/1", "GET"), ("PUT", "/v1/members/lookup", "GET, POST")],
)
def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_takes(
    shop: str, function: Function, method: str, path: str, allowed: str
) -> None:
    response = httpx.request(method, shop + path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        assert response.json()["code"] == "method_not_allowed"
    assert function.events == []


def test_every_answer_names_its_request_as_the_function_knows_it(shop: str, function: Function) -> None:
    answers = [httpx.post(f"{shop}/v1/echo"), httpx.get(f"{shop}/nowhere"), httpx.post(f"{shop}/v1/earn")]
    ids = [answer.headers["request-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert function.events[0]["requestContext"]["requestId"] == ids[0]
    assert [answer.json()["request_id"] for answer in answers[1:]] == ids[1:]
    function.answer = {"body": "without a status"}
    assert httpx.post(f"{shop}/v1/echo").headers["request-id"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "rest"), [("/me", None), ("/me/rewards", "rewards"), ("/me/vouchers/a-1", "vouchers/a-1")]
)
def test_a_greedy_route_takes_whatever_follows_by_any_method(
    shop: str, function: Function, method: str, path: str, rest: str | None
) -> None:
    function.answer = {"statusCode": 303, "headers": {"Location": "/me"}, "cookies": ["a=1; Path=/", "b=2"]}
    answer = httpx.request(method, f"{shop}{path}", headers={"Cookie": "a=0"})
    [event] = function.events
    assert event["routeKey"] == ("ANY /me/{rest+}" if rest else "ANY /me")
    assert event.get("pathParameters") == ({"rest": rest} if rest else None)
    assert event["cookies"] == ["a=0"]
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
    assert httpx.get(f"{shop}/meadow").status_code == 404


def test_a_function_that_fails_is_an_internal_error_as_in_the_cloud(shop: str, function: Function) -> None:
    function.answer = {"body": "without a status"}
    response = httpx.post(f"{shop}/v1/echo")
    assert response.status_code == 500
    assert response.json() == {"message": "Internal Server Error"}


def test_a_body_beyond_the_limit_never_reaches_the_function(
    shop: str, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "BODY_BYTES_MAX", 1000)
    declared = httpx.post(f"{shop}/v1/echo", content=b"x" * 1001)
    chunked = httpx.post(f"{shop}/v1/echo", content=iter([b"x" * 500] * 3))
    for response in (declared, chunked):
        assert response.status_code == 413
        assert response.json()["code"] == "body_too_large"
    assert function.events == []
    assert httpx.post(f"{shop}/v1/echo", content=b"x" * 1000).status_code == 200


def test_when_all_threads_are_taken_and_enough_wait_the_next_is_asked_to_come_again(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "HANDLERS_AT_ONCE_MAX", 1)
    monkeypatch.setattr(gateway, "HANDLERS_WAITING_MAX", 1)
    first_is_in, let_go = threading.Event(), threading.Event()

    def slow(_event: object, _context: object) -> dict[str, Any]:
        first_is_in.set()
        let_go.wait(60)
        return {"statusCode": 200, "body": "{}"}

    shop = serve(Gateway(ROUTES, {"echo": slow}, issuer).application([]))
    with ThreadPoolExecutor(4) as callers:
        first = callers.submit(httpx.post, f"{shop}/v1/echo")
        first_is_in.wait(60)
        others = [callers.submit(httpx.post, f"{shop}/v1/echo") for _ in range(3)]
        refused = list(islice(as_completed(others, timeout=60), 2))
        let_go.set()
        answers = [caller.result() for caller in (first, *others)]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
    assert refused[0].result().json()["code"] == "too_many_requests"
    assert refused[0].result().headers["retry-after"] == "1"


def test_a_route_with_scopes_asks_for_a_token(shop: str, function: Function) -> None:
    response = httpx.post(f"{shop}/v1/earn")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["code"] == "unauthenticated"
    assert function.events == []


def test_a_token_without_the_scope_is_forbidden(shop: str, function: Function, issuer: Issuer) -> None:
    response = httpx.post(f"{shop}/v1/earn", headers=_bearer(issuer.token(["loyalty/member"], "m-1")))
    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"
    assert function.events == []


def test_the_function_learns_whose_token_it_was(shop: str, function: Function, issuer: Issuer) -> None:
    token = issuer.token(["loyalty/storefront", "loyalty/member"], "m-1")
    assert httpx.post(f"{shop}/v1/earn", headers=_bearer(token)).status_code == 200
    [event] = function.events
    granted = event["requestContext"]["authorizer"]["jwt"]
    assert granted["scopes"] == ["loyalty/storefront", "loyalty/member"]
    assert granted["claims"]["member_id"] == "m-1"
    assert all(isinstance(claim, str) for claim in granted["claims"].values())


def test_the_keys_that_check_tokens_are_public(shop: str) -> None:
    [key] = httpx.get(f"{shop}/.well-known/jwks.json").json()["keys"]
    assert key["alg"] == "RS256"
    assert "d" not in key


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
def test_a_page_of_the_web_reaches_no_function(shop: str, function: Function, headers: dict[str, str]) -> None:
    for path in ("/v1/echo", "/v1/nothing", "/.well-known/jwks.json"):
        refused = httpx.post(f"{shop}{path}", content="{}", headers={"Content-Type": "text/plain", **headers})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert function.events == []


def test_pages_and_programs_of_this_machine_reach_the_functions(shop: str, function: Function) -> None:
    for headers in ({}, {"Origin": shop}, {"Origin": "http://localhost:3000"}, {"Host": "localhost"}):
        assert httpx.post(f"{shop}/v1/echo", json={}, headers=headers).status_code == 200
    assert len(function.events) == 4


def test_a_page_that_hides_where_it_came_from_may_follow_a_link_of_a_mail(
    function: Function, serve: Serve, issuer: Issuer
) -> None:
    link = Route("POST", "/v1/unsubscribe/{token}", "link", frozenset())
    shop = serve(Gateway([link], {"link": function}, issuer).application([]))
    assert httpx.post(f"{shop}/v1/unsubscribe/x", headers={"Origin": "null"}).status_code == 200
    assert httpx.post(f"{shop}/v1/unsubscribe/x", headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:18128", "http://[::1]:5173"])
def test_a_page_of_this_machine_may_call_from_a_browser(shop: str, function: Function, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    names = {"Access-Control-Request-Headers": "authorization,content-type,idempotency-key"}
    preflight = httpx.options(f"{shop}/v1/echo", headers={**asked, **names})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, origin)
    assert function.events == []
    answer = httpx.post(f"{shop}/v1/echo", headers={"Origin": origin})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
    assert "Request-Id" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null"])
def test_a_page_of_another_site_may_not(shop: str, function: Function, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (httpx.options(f"{shop}/v1/echo", headers=asked), httpx.post(f"{shop}/v1/echo", headers=asked)):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert function.events == []
