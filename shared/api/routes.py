"""What a route declares, from which its part of the OpenAPI document is made: who may call it, and what it answers."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Route

from shared.api.answers import JSON_TYPE
from shared.api.problems import PROBLEM_TYPE, Problem
from shared.caller import MEMBER, OPERATOR, STOREFRONT

SECURITY_SCHEME = "oauth2"
HTML_TYPE = "text/html"
ANY_ROUTE_REFUSES = (400, 413, 415, 422, 429, 503)
"""Statuses of a body that cannot be read, of what breaks a rule, of haste and of trouble."""


def open_to(*scopes: str) -> list[dict[str, list[str]]]:
    """A route's `security`: a token with any of the scopes may call it."""
    return [{SECURITY_SCHEME: [scope]} for scope in scopes]


MEMBER_OR_SHOP = open_to(STOREFRONT, MEMBER, OPERATOR)
"""The `security` of what members may do for themselves, and the shop for them."""


def json_responses(statuses: Mapping[int, Any], *refusals: int) -> dict[int, Any]:
    """A route's `responses`: for each status the shape of its body, and which refusals to expect."""
    shapes = {
        status: {"description": HTTPStatus(status).phrase, "content": {JSON_TYPE: {"model": model}}}
        for status, model in statuses.items()
    }
    return {**shapes, **_problems({*refusals, 401, 403, *ANY_ROUTE_REFUSES})}


def html_responses(*refusals: int) -> dict[int, Any]:
    """A route's `responses` where it answers with a page, for which no token is needed."""
    ok = {"description": HTTPStatus.OK.phrase, "content": {HTML_TYPE: {"schema": {"type": "string"}}}}
    return {200: ok, **_problems({*refusals, *ANY_ROUTE_REFUSES})}


def answers_json(route: Route) -> bool:
    """Whether a route declares that it answers with JSON: no page does, nor what stands for a path without a route."""
    return any(JSON_TYPE in response.get("content", {}) for response in (route.responses or {}).values())


def _problems(statuses: Iterable[int]) -> dict[int, Any]:
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM_TYPE: {"model": Problem}}}
        for status in sorted(statuses)
    }
