"""API Gateway's payload format 2.0: a request as the event a function takes, and a function's answer as a response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from infra.local.tokens import Claims
from infra.openapi import Route
from shared import clock, correlation
from shared.domain.errors import BodyTooLargeError

BODY_BYTES_MAX = 10 * 1024 * 1024

Event = dict[str, Any]

_STAGE = "$default"
# Bodies of any other type travel in base64, like those that declare none.
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")


def event(request: Request, route: Route, content: bytes, claims: Claims | None) -> Event:
    """The event for a request that matched `route`. As in the cloud, what the request lacks is left out."""
    headers = [(name, value) for name, value in request.headers.items() if name != "cookie"]
    cookies = [cookie.strip() for value in request.headers.getlist("cookie") for cookie in value.split(";")]
    optional = {
        "cookies": cookies,
        "queryStringParameters": _joined(parse_qsl(request.url.query, keep_blank_values=True)),
        "pathParameters": dict(request.path_params),
    }
    return {
        "version": "2.0",
        "routeKey": _route_key(route),
        # HTTP APIs hand on the path decoded.
        "rawPath": request.scope["path"],
        "rawQueryString": request.url.query,
        "headers": _joined(headers),
        "requestContext": _context(request, route, claims),
        **{name: value for name, value in optional.items() if value},
        **_body(request.headers.get("content-type", ""), content),
    }


async def body(request: Request) -> bytes:
    """The request's body, of which never more than BODY_BYTES_MAX is held. Raises BodyTooLargeError beyond."""
    too_large = BodyTooLargeError(f"a body may hold {BODY_BYTES_MAX} bytes")
    if int(request.headers.get("content-length", 0)) > BODY_BYTES_MAX:
        raise too_large
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES_MAX:
            raise too_large
    return bytes(received)


def response(answer: Mapping[str, Any]) -> Response:
    """The response that a function's answer describes. Raises KeyError for an answer without a status."""
    text = answer.get("body") or ""
    content = base64.b64decode(text) if answer.get("isBase64Encoded") else text
    if isinstance(content, str) and content.startswith("{"):
        content += "\n"  # for terminals, whose prompt would stand behind it
    made = Response(content, status_code=answer["statusCode"], headers=answer.get("headers") or {})
    for cookie in answer.get("cookies") or ():
        made.headers.append("set-cookie", cookie)
    return made


def _route_key(route: Route) -> str:
    return f"{route.method} {route.path}"


def _context(request: Request, route: Route, claims: Claims | None) -> Event:
    now = clock.now()
    context: Event = {
        "accountId": "local",
        "apiId": "local",
        "domainName": request.headers.get("host", ""),
        "http": {
            "method": request.method,
            "path": request.scope["path"],
            "protocol": f"HTTP/{request.scope['http_version']}",
            "sourceIp": request.client.host if request.client else "",
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": correlation.request_id() or str(uuid4()),
        "routeKey": _route_key(route),
        "stage": _STAGE,
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }
    if claims is not None:
        # The cloud's authorizer makes a string of every claim.
        texts = {name: str(value) for name, value in claims.items()}
        context["authorizer"] = {"jwt": {"claims": texts, "scopes": texts.get("scope", "").split()}}
    return context


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value for each name: those of a repeated name are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(content_type: str, content: bytes) -> Event:
    if not content:
        return {"isBase64Encoded": False}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _TEXT_TYPES or media_type.startswith("text/"):
        try:
            return {"body": content.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(content).decode(), "isBase64Encoded": True}
