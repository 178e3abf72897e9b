"""The one OpenAPI document, and the routes that the gateway and the stack take from it."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, OpenAPI, SecurityScheme

import functions
from infra import problem_pages, unrouted
from infra.document.dress import dress
from infra.refusals import code_schema
from shared.api.idempotency import KEY_LENGTH_MAX
from shared.api.routes import SECURITY_SCHEME

_FUNCTIONS = tuple(sorted(module.name for module in iter_modules(functions.__path__)))
DOCUMENT_PATH = unrouted.DOCUMENT_PATH
ANY = "ANY"
"""Whatever method, as API Gateway calls it."""

_TITLE = "Loyalty Functions"
_VERSION = "2.0.0"
_KEY_HEADER = "idempotency-key"
_SECURITY_SCHEMES: dict[str, SecurityScheme] = {
    SECURITY_SCHEME: HTTPBearer(
        bearerFormat="JWT", description="An access token; each route names the scopes it takes."
    )
}
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@dataclass(frozen=True)
class Route:
    """One method on one path. Any one of `scopes` opens it; without scopes it is open to everybody."""

    method: str
    path: str
    function: str
    scopes: frozenset[str]


@cache
def http_functions() -> tuple[str, ...]:
    """The functions that answer HTTP requests: those with a resolver."""
    return tuple(name for name in _FUNCTIONS if hasattr(import_module(f"functions.{name}"), "app"))


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document over all HTTP functions, as JSON values.

    Raises OpenAPIMergeError when two functions declare the same method on the same path.
    """
    merge = OpenAPIMerge(title=_TITLE, version=_VERSION, security_schemes=_SECURITY_SCHEMES, on_conflict="error")
    for function in http_functions():
        merge.add_schema(_schema(function).model_dump(by_alias=True, exclude_none=True))
    merged: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    merged["components"]["schemas"]["Problem"]["properties"]["code"] = code_schema()
    for operation in (one for path in merged["paths"].values() for one in path.values()):
        for parameter in operation.get("parameters", ()):
            # Its absence has a refusal of its own, which a parameter that is required to the resolver would not get.
            if parameter["name"] == _KEY_HEADER:
                parameter |= {
                    "required": True,
                    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
                }
    dress(merged)
    return merged


@cache
def routes() -> tuple[Route, ...]:
    """Every route of the document with the function that answers it."""
    return tuple(route for function in http_functions() for route in _routes_of(function, _schema(function)))


@cache
def page_functions() -> tuple[str, ...]:
    """The functions that answer people with a browser: those with a site."""
    return tuple(name for name in _FUNCTIONS if hasattr(import_module(f"functions.{name}"), "site"))


@cache
def page_routes() -> tuple[Route, ...]:
    """The paths of pages, by whatever method. The document has none of them: HTML is nothing to write a client for.

    A function's own resolver knows which pages there are: a path for each would be a resource of the stack for each.
    """
    return tuple(
        Route(ANY, path, function, frozenset())
        for function in page_functions()
        for path in import_module(f"functions.{function}").site.entrances
    )


@cache
def unrouted_content() -> unrouted.Content:
    """What is answered beside the routes: see `infra/unrouted.py`."""
    return unrouted.Content(
        document=json.dumps(document(), separators=(",", ":")),
        routes=[(route.method, route.path) for route in routes()],
        pages=problem_pages.pages(),
    )


@cache
def _schema(function: str) -> OpenAPI:
    # Imported as the package that everybody else imports: OpenAPIMerge.add_file would load a second copy of each
    # function, and would only warn about one that cannot be loaded.
    resolver: APIGatewayHttpResolver = import_module(f"functions.{function}").app
    return resolver.get_openapi_schema(title=_TITLE, version=_VERSION, security_schemes=_SECURITY_SCHEMES)


def _routes_of(function: str, schema: OpenAPI) -> list[Route]:
    paths = schema.model_dump(by_alias=True, exclude_none=True).get("paths", {})
    return [
        Route(method.upper(), path, function, _scopes(operation))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in _METHODS
    ]


def _scopes(operation: dict[str, Any]) -> frozenset[str]:
    alternatives: list[dict[str, list[str]]] = operation.get("security", [])
    return frozenset(scope for alternative in alternatives for scopes in alternative.values() for scope in scopes)
