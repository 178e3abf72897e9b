"""What anybody may call without a token: whatever a stranger sends, the answer is quick, and never a failure."""

import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from functions import anybody
from infra import openapi
from infra.cloud.functions import ANYBODY
from infra.openapi import Route
from shared import runtime
from shared.api import bodies
from shared.messaging import address_notices, unsubscribe
from shared.messaging.unsubscribe import Link
from tests.functions.shop import Shop
from tests.shared.wire import Wire

OPEN = [route for route in openapi.routes() if not route.scopes]
FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
LARGE = 250_000
SECONDS_MAX = 0.25
"""Processor time of one answer, whatever is sent: a hundred times what one takes."""


def _nested(depth: int) -> str:
    """Parts within parts: each says that it holds others."""
    opening = "".join(f'--{n}\r\nContent-Type: multipart/mixed; boundary="{n + 1}"\r\n\r\n' for n in range(depth))
    return opening + "".join(f"--{n}--\r\n" for n in reversed(range(depth)))


GARBAGE: Mapping[str, tuple[str, bytes]] = {
    "nothing": ("", b""),
    "no type": ("", b"x"),
    "noise": (JSON, bytes(range(256)) * 40),
    "json of another kind": (JSON, b"[1]"),
    "deep json": (JSON, b"[" * 100_000),
    "many names": (JSON, b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}"),
    "a long number": (JSON, b'{"List-Unsubscribe":' + b"9" * 10_000 + b"}"),
    "a large form": (FORM, b"a=b&" * (LARGE // 4)),
    "a form of half a letter": (FORM, b"List-Unsubscribe=%ED%A0%80&=%&&&=%ff"),
    "parts within parts": (f"{MULTIPART}; boundary=0", _nested(200).encode()),
    "small parts within parts": (f"{MULTIPART}; boundary=0", _nested(40).encode()),
    "many parts": (f"{MULTIPART}; boundary=b", b"--b\r\n\r\n" * (LARGE // 8)),
    "many lines": (f"{MULTIPART}; boundary=b", b"\r\n" * (LARGE // 2)),
    "few lines": (f"{MULTIPART}; boundary=b", b"\r\n" * 2_000),
    "parts without a boundary": (MULTIPART, b"--\r\n\r\n"),
    "a boundary of everything": (f'{MULTIPART}; boundary="{"-" * 5000}"', b"-" * 4_000),
    "a part without a name": (f"{MULTIPART}; boundary=b", b'--b\r\nContent-Disposition: form-data; name="\r\n\r\nx'),
    "another type": ("image/png; charset=\xff", b"\x89PNG"),
    "a type of ten thousand letters": (";" * 10_000, b"x"),
}
TOKENS = ("x", "%00", "ä", "A" * 8_000, "=" * 100, "bWFya2V0aW5nOm06eA", "../../program", "a/b", "")
QUERIES: tuple[dict[str, str], ...] = ({}, {"q": "x" * 8_000}, {f"a{n}": "\x00" for n in range(500)})


def _event(method: str, path: str, content_type: str, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "queryStringParameters": dict(query) or None,
        "headers": {"content-type": content_type} if content_type else {},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "body": b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def _paths(route: Route) -> Iterator[str]:
    if "{" not in route.path:
        yield route.path
        return
    good = unsubscribe.token_for(Link("nobody", "marketing"))
    undoes = address_notices.token_for(address_notices.Link("nobody", "X"))
    for token in (*TOKENS, good, undoes):
        yield route.path.partition("{")[0] + token


def test_one_function_answers_all_that_asks_for_no_token() -> None:
    assert {route.function for route in OPEN} == {ANYBODY}
    assert {route for route in openapi.routes() if route.function == ANYBODY} == set(OPEN)


@pytest.mark.parametrize("sent", GARBAGE)
@pytest.mark.parametrize("route", OPEN, ids=lambda route: f"{route.method} {route.path}")
def test_whatever_a_stranger_sends_is_answered_soon_and_is_no_failure(shop: Shop, route: Route, sent: str) -> None:
    content_type, body = GARBAGE[sent]
    assert shop.get("/v1/program", scope=None).status == 200
    anybody.handler(
        _event(route.method, next(iter(_paths(route))), "", b"", {}), None
    )  # imports what the first one does
    for path in _paths(route):
        for query in QUERIES:
            for event in (_event(route.method, path, content_type, body, query), _event("PUT", path, "", body, query)):
                started = time.process_time()
                answer = anybody.handler(event, None)
                took = time.process_time() - started
                assert answer["statusCode"] < 500, (path, answer)
                assert took < SECONDS_MAX, (path, took)


def test_a_link_is_looked_at_before_anything_that_comes_with_it(
    shop: Shop, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.get("/v1/program", scope=None)

    def read(*_: object) -> None:
        raise AssertionError("the body was read")

    monkeypatch.setattr(bodies, "_text", read)
    runtime.forget()
    wire.requests.clear()
    answer = anybody.handler(_event("POST", "/v1/unsubscribe/x", FORM, b"List-Unsubscribe=One-Click", {}), None)
    assert answer["statusCode"] == 404
    assert wire.requests == []


@pytest.mark.parametrize("content_type", [FORM, JSON, f"{MULTIPART}; boundary=b"])
def test_of_a_form_so_much_is_read_and_no_more(shop: Shop, content_type: str) -> None:
    ada = shop.enroll("ada", email="ada@example.org")
    path = f"/v1/unsubscribe/{unsubscribe.token_for(Link(ada, 'marketing'))}"
    for size, expected in ((bodies.FORM_BYTES_MAX, {400, 422}), (bodies.FORM_BYTES_MAX + 1, {413}), (LARGE, {413})):
        answer = anybody.handler(_event("POST", path, content_type, b"a" * size, {}), None)
        assert answer["statusCode"] in expected


def test_only_the_first_parts_of_a_form_count(shop: Shop) -> None:
    ada = shop.enroll("ada", email="ada@example.org")
    path = f"/v1/unsubscribe/{unsubscribe.token_for(Link(ada, 'marketing'))}"
    said = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
    for before, expected in ((bodies.PARTS_MAX - 1, 200), (bodies.PARTS_MAX, 422)):
        text = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' * before + said + "--b--\r\n"
        answer = anybody.handler(_event("POST", path, f"{MULTIPART}; boundary=b", text.encode(), {}), None)
        assert answer["statusCode"] == expected


def test_a_path_that_nobody_knows_is_quoted_nowhere(shop: Shop) -> None:
    assert shop.get("/v1/program", scope=None).status == 200
    path = "/v1/" + quote("<script>" * 500)
    answer = anybody.handler(_event("GET", path, "", b"", {}), None)
    assert answer["statusCode"] == 404
    assert "script" not in answer["body"]
