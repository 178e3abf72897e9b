"""Ids in paths, with the characters that no path can carry, and months.

API Gateway decodes a path before it looks for the route. A `/` in an id, encoded once, is a part of the path then, and
`?` cuts it off. So callers encode an id that has `/`, `?`, `#` or `%` twice: what reaches a function is encoded once.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from shared.api.answers import Answer
from shared.domain.errors import Fault, InvalidRequestError

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_RESERVED = re.compile("%(?:2F|3F|23|25)", re.IGNORECASE)
"""`/`, `?`, `#` and `%`. Whatever else is encoded comes decoded, and is not touched."""


def with_whole_ids(app: APIGatewayHttpResolver, next_middleware: Callable[[APIGatewayHttpResolver], Answer]) -> Answer:
    """Gives the route its ids as their callers mean them."""
    arguments, ids = app.context["_route_args"], app.context["_route"].dependant.path_params
    decoded = {one.name: _RESERVED.sub(_decoded, arguments[one.name]) for one in ids}
    app.context["_route_args"] = {**arguments, **decoded}
    return next_middleware(app)


def parsed_month(month: str, pointer: str = "") -> str:
    """A month as it was given. Raises InvalidRequestError unless it looks like 2026-11."""
    if not _MONTH.fullmatch(month):
        raise InvalidRequestError(Fault(pointer, "the month must look like 2026-11"))
    return month


def _decoded(match: re.Match[str]) -> str:
    return unquote(match.group())
