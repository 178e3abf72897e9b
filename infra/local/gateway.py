"""The HTTP gateway of one machine: what API Gateway does for the functions in the cloud, and nothing more.

It finds the route, checks the token against the route's scopes, makes an event of the request, calls the function,
and makes a response of its answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from infra.local import payload
from infra.local.invoke import Context, Handler
from infra.local.tokens import Issuer, require_scope
from infra.openapi import ANY, Route
from shared.api.problems import problem
from shared.domain.errors import ForbiddenError, LoyaltyError, RouteNotFoundError, TooManyRequestsError
from shared.messaging import address_notices, unsubscribe

LINKS = (unsubscribe.PATH, address_notices.PATH)
PAGE_METHODS = frozenset({"GET", "POST"})
"""What browsers send of their own accord."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
HANDLERS_AT_ONCE_MAX = 16
HANDLERS_WAITING_MAX = 256


class Gateway:
    """Answers `routes` by `handlers`, which are given by the function's name."""

    def __init__(self, routes: Sequence[Route], handlers: Mapping[str, Handler], issuer: Issuer) -> None:
        self._routes = routes
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
                HTTPException: _route_not_found,
                Exception: _internal_server_error,
            },
            lifespan=lifespan,
            middleware=[Middleware(_OnThisMachine)],
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

    async def _key_set(self, _request: Request) -> Response:
        return JSONResponse(self._issuer.key_set())

    async def _answer(self, request: Request, route: Route) -> Response:
        claims = None
        if route.scopes:
            claims = self._issuer.claims(request.headers.get("authorization"))
            require_scope(claims, route.scopes)
        event = payload.event(request, route, await payload.body(request), claims)
        return payload.response(await self._call(route.function, event))

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


def _route_not_found(request: Request, _error: Exception) -> Response:
    # A known path with another method too: an HTTP API has no 405.
    return _problem(request, RouteNotFoundError("there is no such path, or not with this method"))


def _internal_server_error(_request: Request, _error: Exception) -> Response:
    # The server prints the trace.
    return JSONResponse({"message": "Internal Server Error"}, 500)
