"""What no function of the service answers: the document, a page for each code of a refusal, and else 404 or 405.

In the cloud this very file is a function of its own, with CONTENT beside it. So it needs the standard library alone.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypedDict

CONTENT = "content.json"
DOCUMENT_PATH = "/v1/openapi.json"
PROBLEMS_PATH = "/v1/problems/"
REQUEST_ID = "Request-Id"
"""The header that names the request."""

_PROBLEM, _JSON, _HTML = "application/problem+json", "application/json", "text/html; charset=utf-8"
_NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Content(TypedDict):
    """The document as text, every route as method and path, and the pages by their codes."""

    document: str
    routes: list[tuple[str, str]]
    pages: dict[str, str]


def answer(content: Content, method: str, path: str, request_id: str | None) -> dict[str, Any]:
    """The answer, as a function gives it, to what no route takes."""
    page = content["pages"].get(path.removeprefix(PROBLEMS_PATH)) if path.startswith(PROBLEMS_PATH) else None
    found = (_JSON, content["document"]) if path == DOCUMENT_PATH else (_HTML, page)
    if method == "GET" and found[1] is not None:
        headers = {"Content-Security-Policy": _NO_SCRIPTS} if found[0] == _HTML else {}
        return _made(HTTPStatus.OK, found[0], found[1], headers, request_id)
    allowed = ["GET"] if found[1] is not None else methods_of(content["routes"], path)
    if allowed:
        detail = f"{method} is not there: {path} takes {', '.join(allowed)}"
        code, headers = "method_not_allowed", {"Allow": ", ".join(allowed)}
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, code, detail, headers, request_id)
    return _problem(HTTPStatus.NOT_FOUND, "route_not_found", _no_path(content["routes"], path), {}, request_id)


def methods_of(routes: Iterable[tuple[str, str]], path: str) -> list[str]:
    """The methods that a path takes: none, if there is no such path."""
    return sorted({method for method, route in routes if _pattern(route).fullmatch(path)})


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer one HTTP request."""
    context = event["requestContext"]
    return answer(_content(), context["http"]["method"], event["rawPath"], context.get("requestId"))


@cache
def _content() -> Content:
    content: Content = json.loads((Path(__file__).parent / CONTENT).read_text())
    return content


@cache
def _pattern(route: str) -> re.Pattern[str]:
    parts = ("[^/]+" if part.startswith("{") else re.escape(part) for part in route.split("/"))
    return re.compile("/".join(parts))


def _no_path(routes: Iterable[tuple[str, str]], path: str) -> str:
    """That there is no such path; and which one was meant, if it lacks `/v1` or has slashes too many."""
    plain = re.sub("/+", "/", f"/{path}").rstrip("/")
    for near in (plain, f"/v1{plain}"):
        if near != path and methods_of(routes, near):
            return f"there is no path {path}; did you mean {near}?"
    return f"there is no such path; GET {DOCUMENT_PATH} lists all there are"


def _problem(
    status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str], request_id: str | None
) -> dict[str, Any]:
    # As shared/api/problems.py makes them.
    body = {
        "type": f"{PROBLEMS_PATH}{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        **({"request_id": request_id} if request_id else {}),
    }
    return _made(status, _PROBLEM, json.dumps(body), {"Cache-Control": "no-store", **headers}, request_id)


def _made(
    status: HTTPStatus, media_type: str, body: str, headers: Mapping[str, str], request_id: str | None
) -> dict[str, Any]:
    named = {REQUEST_ID: request_id} if request_id else {}
    return {"statusCode": int(status), "headers": {"Content-Type": media_type, **headers, **named}, "body": body}
