"""What a careless or hostile client sends over HTTP: each gets its documented refusal, and nothing is written."""

import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local.tokens import Issuer
from tests.system.conftest import Server

ORDER = {"type": "order", "order_id": "H-1", "currency": "USD", "total": 100}
NESTED = "[" * 100_000


@pytest.fixture(scope="module")
def member(server: Server) -> str:
    return server.enroll("victim")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'{"type": "order", "total": NaN}', 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (NESTED.encode(), 400, "malformed_json"),
        (json.dumps({**ORDER, "order_id": "\ud800"}).encode(), 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'"order"', 422, "invalid_request"),
        (b"x" * (1024 * 1024), 413, "body_too_large"),
        (b"x" * (11 * 1024 * 1024), 413, "body_too_large"),
    ],
    ids=["cut off", "not a number", "not UTF-8", "deep", "half a character", "a list", "a string", "1 MiB", "11 MiB"],
)
def test_a_body_that_is_no_request_is_refused(
    server: Server, member: str, content: bytes, status: int, code: str
) -> None:
    before = _tables(server)
    answer = _send(server, f"/v1/members/{member}/earn", content)
    _assert_problem(answer, status, code)
    assert _tables(server) == before


@pytest.mark.parametrize(
    "change",
    [
        {"discount": 5},
        {"total": "100"},
        {"total": 10**30},
        {"total": -1},
        {"total": 1.5},
        {"total": True},
        {"currency": "XXX"},
        {"currency": "usd"},
        {"placed_at": "2026-11-20T18:00:00"},
        {"placed_at": 1_790_000_000},
        {"placed_at": "9999-12-31T23:59:59Z"},
        {"order_id": "x" * 129},
        {"order_id": ""},
        {"order_id": "a\nb"},
        {"channel": {"$ne": None}},
        {"lines": [{"sku": "A", "amount": 101}]},
        {"lines": "A"},
    ],
    ids=repr,
)
def test_an_order_with_a_fault_is_refused_with_its_place(server: Server, member: str, change: dict[str, Any]) -> None:
    before = _tables(server)
    answer = server.post(f"/v1/members/{member}/earn", {**ORDER, **change})
    _assert_problem(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{next(iter(change))}")
    assert _tables(server) == before


def test_tokens_that_the_issuer_did_not_make_are_refused(server: Server, member: str) -> None:
    stranger = Issuer(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    forged = stranger.token(["loyalty/storefront"])
    path = f"/v1/members/{member}/account"
    for header in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Bearer {forged}"},
        {"Authorization": "Basic eDp5"},
    ):
        answer = server.http.get(path, headers=header)
        _assert_problem(answer, 401, "unauthenticated")
    answer = server.post(f"/v1/members/{member}/adjustments", {"points": 1, "reason": "x", "reference": "x"})
    _assert_problem(answer, 403, "forbidden")


def test_an_unknown_path_is_not_found_and_a_wrong_method_not_allowed(server: Server) -> None:
    for method, path in (("GET", "/v1/nothing"), ("GET", "/v1/members/%00/account/x")):
        _assert_problem(server.call(method, path), 404, "route_not_found")
    answer = server.call("DELETE", "/v1/program")
    _assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, PUT"


def test_a_body_of_another_type_is_refused(server: Server, member: str) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = _send(server, f"/v1/members/{member}/earn", b"type=order", content_type)
        _assert_problem(answer, 415, "unsupported_media_type")


def _send(server: Server, path: str, content: bytes, content_type: str = "application/json") -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.tokens['storefront']}", "Content-Type": content_type}
    return server.http.post(path, content=content, headers=headers)


def _assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= set(answer.json())


def _tables(server: Server) -> list[Any]:
    client = server.database()
    pages = [client.get_paginator("scan").paginate(TableName=name) for name in ("loyalty", "people")]
    items = (item for table in pages for page in table for item in page["Items"])
    # An event and a message about an earlier request may still be on their way.
    return [item for item in items if not item["pk"]["S"].startswith(("ANNOUNCED#", "MESSAGE#"))]
