"""What a request to a local engine must show before the engine looks at it.

An engine carries out whatever it is asked, and some can run code. It listens on loopback only, but so does every page
of the web that its user visits: a page reaches it under its own name (DNS rebinding), or from its own origin by a form
or an image, for which browsers ask nobody. So a request must name a loopback address, must not come from a page of
another site, and must be signed with the key that was made when the engine started.
"""

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
TABLES_ONLY = ("dynamodb",)
"""What requests to tables and to their streams are signed for."""
CONTROL = ("/_ministack/reset", "/_ministack/config", "/_localstack", "/moto-api")
"""By these an engine empties itself, or becomes another. Nobody here needs them."""
_CREDENTIAL = re.compile(r"Credential=([^/\s,]+)/[^/\s,]+/[^/\s,]+/([^/\s,]+)/")
_FOREIGN = frozenset({"cross-site", "same-site"})
"""As browsers say it: another port of this machine is another origin of the same site."""
_FORBIDDEN = 403

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Guard:
    """The door of one engine, which listens on `port`.

    `services` are those whose requests it takes; None: all. Paths that begin with any of `published` are for callers
    without a key, and of `pages` also for pages of other sites: what stands there asks for tokens of its own. Keys that
    begin with `sessions` are made by the engine itself, which then also checks them.
    """

    key: str
    port: int
    services: tuple[str, ...] | None = TABLES_ONLY
    published: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    sessions: str | None = None

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """A guard that was written as JSON, which has lists for tuples."""
        values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in written.items()}
        return cls(**values)

    def refusal(self, path: str, query: str, headers: Iterable[tuple[str, str]]) -> str | None:
        """Why a request is refused; None if it is not. Names of headers are in small letters."""
        given: dict[str, list[str]] = {}
        for name, value in headers:
            given.setdefault(name, []).append(value)
        if given.get("host") not in [[f"{name}:{self.port}"] for name in LOOPBACK_NAMES]:
            return "this answers to loopback addresses only"
        if not path.startswith(self.pages or ("\0",)) and _is_foreign(given):
            return "this does not answer to pages of other sites"
        if path.startswith(CONTROL):
            return "nobody may do this here"
        if path.startswith((*self.published, *self.pages)):
            return None
        return None if self._is_signed(given, query) else "this request needs the key of this engine"

    def _is_signed(self, headers: Mapping[str, list[str]], query: str) -> bool:
        presigned = parse_qs(query).get("X-Amz-Credential", [])
        given = [*headers.get("authorization", []), *(f"Credential={one}/" for one in presigned)]
        if len(given) != 1 or (found := _CREDENTIAL.search(given[0])) is None:
            return False
        key, service = found.groups()
        if self.services is not None and service not in self.services:
            return False
        is_session = self.sessions is not None and key.startswith(self.sessions)
        return is_session or hmac.compare_digest(key.encode(), self.key.encode())

    def asgi(self, application: Application) -> Application:
        """An ASGI application behind this door."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            why = None
            if scope["type"] != "lifespan":
                headers = [
                    (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
                ]
                why = self.refusal(scope["path"], scope["query_string"].decode("latin-1"), headers)
            if why is None:
                await application(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                plain = [(b"content-type", b"text/plain"), (b"connection", b"close")]
                await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": plain})
                await send({"type": "http.response.body", "body": why.encode()})

        return guarded

    def wsgi(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """A WSGI application behind this door."""

        def guarded(environ: Mapping[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
            headers = [
                (name.removeprefix("HTTP_").replace("_", "-").lower(), value)
                for name, value in environ.items()
                if name.startswith("HTTP_")
            ]
            why = self.refusal(environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""), headers)
            if why is None:
                return application(environ, start_response)
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [why.encode()]

        return guarded


def _is_foreign(headers: Mapping[str, list[str]]) -> bool:
    """Whether a browser says that another site's page asks."""
    [host] = headers["host"]
    origins = headers.get("origin", [])
    return any(one != f"http://{host}" for one in origins) or not _FOREIGN.isdisjoint(headers.get("sec-fetch-site", []))
