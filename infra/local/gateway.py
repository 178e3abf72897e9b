"""The HTTP gateway of one machine: what API Gateway does for the functions in the cloud, and nothing more.

It finds the route, checks the token against the route's scopes, makes an event of the request, calls the function,
and makes a response of its answer.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from infra import unrouted
from infra.local import payload
from infra.local.activity import CALLER, Activity, Told
from infra.local.invoke import Context, Handler
from infra.local.tokens import Issuer, require_scope
from infra.openapi import ANY, Route
from shared import correlation
from shared.api.problems import problem
from shared.domain.errors import ForbiddenError, LoyaltyError, TooManyRequestsError
from shared.messaging import address_notices, unsubscribe

_LOG = logging.getLogger("loyalty")

LINKS = (unsubscribe.PATH, address_notices.PATH)
PAGE_METHODS = frozenset({"GET", "POST"})
"""What browsers send of their own accord."""
READ_BY_PAGES = ("/v1/", "/.well-known/")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOPBACK_ORIGIN = r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
HANDLERS_AT_ONCE_MAX = 16
HANDLERS_WAITING_MAX = 256


class Gateway:
    """Answers `routes` by `handlers`, which are given by the function's name."""

    def __init__(
        self,
        routes: Sequence[Route],
        handlers: Mapping[str, Handler],
        issuer: Issuer,
        content: unrouted.Content | None = None,
        activity: Activity | None = None,
    ) -> None:
        self._activity = activity or Activity()
        self._routes = routes
        listed = [(route.method, route.path) for route in routes]
        self._content = content or unrouted.Content(document="{}", routes=listed, pages={})
        self._handlers = handlers
        self._issuer = issuer
        self._threads = CapacityLimiter(HANDLERS_AT_ONCE_MAX)
        self._in_hand = 0

    def application(self, others: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """The gateway with `others` beside its own routes."""
        keys = HttpRoute("/.well-known/jwks.json", self._key_set)
        application = Starlette(
            routes=[*others, keys, *map(self._http_route, sorted(self._routes, key=_literal_first))],
            exception_handlers={
                LoyaltyError: _problem,
                HTTPException: self._unrouted,
                Exception: _internal_server_error,
            },
            lifespan=lifespan,
            middleware=[
                Middleware(Told, activity=self._activity),
                Middleware(_OnThisMachine),
                # A page of this machine, on whatever port; in the cloud the option allowed_origins names pages.
                Middleware(
                    _ForPagesOfThisMachine,
                    allow_origin_regex=_LOOPBACK_ORIGIN,
                    allow_methods=sorted({route.method for route in self._routes} - {ANY}),
                    allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match"],
                    expose_headers=["ETag", "Idempotency-Replayed", correlation.HEADER, "Retry-After"],
                ),
            ],
        )
        # A path that ends in a slash is another path.
        application.router.redirect_slashes = False
        return application

    def _http_route(self, route: Route) -> HttpRoute:
        async def answer(request: Request) -> Response:
            return await self._answer(request, route)

        methods = PAGE_METHODS if route.method == ANY else {route.method}
        made = HttpRoute(route.path.replace("+}", ":path}"), answer, methods=sorted(methods))
        # Starlette adds HEAD wherever there is GET; API Gateway does not.
        made.methods = set(methods)
        return made

    async def _unrouted(self, request: Request, error: Exception) -> Response:
        """The answer to what no route takes. A path beside the functions' own says itself what it takes."""
        own = cast("HTTPException", error).headers or {}
        beside = [(method, request.url.path) for method in own.get("Allow", "").split(", ") if method]
        content = {**self._content, "routes": [*self._content["routes"], *beside]}
        answer = unrouted.answer(
            cast("unrouted.Content", content), request.method, request.scope["path"], correlation.request_id()
        )
        return payload.response(answer)

    async def _key_set(self, _request: Request) -> Response:
        return JSONResponse(self._issuer.key_set())

    async def _answer(self, request: Request, route: Route) -> Response:
        claims = None
        if route.scopes:
            claims = self._issuer.claims(request.headers.get("authorization"))
            request.scope[CALLER] = claims
            require_scope(claims, route.scopes)
        event = payload.event(request, route, await payload.body(request), claims)
        try:
            return payload.response(await self._call(route.function, event))
        except LoyaltyError:
            raise
        except Exception:
            _LOG.exception("%s failed over %s %s", route.function, request.method, request.scope["path"])
            return _internal_server_error(request, None)

    async def _call(self, function: str, event: payload.Event) -> Mapping[str, Any]:
        # Counted here: the limiter learns only later of who comes at the same moment.
        if self._in_hand >= HANDLERS_AT_ONCE_MAX + HANDLERS_WAITING_MAX:
            raise TooManyRequestsError("more is being asked at once than this server can answer")
        handler = self._handlers[function]
        self._in_hand += 1
        try:
            answer: Mapping[str, Any] = await to_thread.run_sync(
                handler, event, Context(function), limiter=self._threads
            )
        finally:
            self._in_hand -= 1
        return answer


class _ForPagesOfThisMachine(CORSMiddleware):
    """Lets pages of this machine read what the API answers, and nothing else: neither controls nor members' pages."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(READ_BY_PAGES):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class _OnThisMachine:
    """Lets through what is asked on this machine: by a program, or by a page that was served here, on whatever port.

    Pages of the web reach the server through their visitor's browser, under their own name for this address or from
    their own origin. A link in a mail opens a page that hides where it came from, and the link is all that it needs.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := _foreign(Headers(scope=scope), scope["path"])):
            await _problem(Request(scope), ForbiddenError(why))(scope, receive, send)
        else:
            await self._application(scope, receive, send)


def _foreign(headers: Headers, path: str) -> str | None:
    """Why a request is not of this machine; None if it is."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or hostname(f"//{hosts[0]}") not in LOOPBACK:
        return "the local server answers to loopback addresses only"
    own = {"null"} if path.startswith(LINKS) else set()
    if any(origin not in own and hostname(origin) not in LOOPBACK for origin in headers.getlist("origin")):
        return "the local server does not answer to pages of other sites"
    return None


def hostname(address: str) -> str | None:
    """Whose address it is; None for what is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _literal_first(route: Route) -> list[bool]:
    """Sorts `/members/lookup` before `/members/{member_id}`: the more particular path wins, as in the cloud."""
    return [segment.startswith("{") for segment in route.path.split("/")]


def _problem(_request: Request, error: Exception) -> Response:
    answer = problem(cast("LoyaltyError", error))
    return Response(answer.body, answer.status_code, {name: str(value) for name, value in answer.headers.items()})


def _internal_server_error(_request: Request, _error: Exception | None) -> Response:
    # The log has the trace.
    return JSONResponse({"message": "Internal Server Error"}, 500)
