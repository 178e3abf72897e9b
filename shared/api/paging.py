"""Lists in pages: how long they are, and where the next one begins."""

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared.domain.errors import foreign_cursor
from shared.services.histories import Place

PAGE_DEFAULT, PAGE_MAX = 25, 100
CURSOR_LENGTH_MAX = 256

PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
PageCursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)]
_Listed = TypeVar("_Listed")
_Mark = TypeVar("_Mark", int, str)


def encode_cursor(*parts: str | int) -> str:
    """Where the next page begins, as callers see it."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *shape: type) -> list[Any]:
    """What `encode_cursor` was given. Raises InvalidRequestError for anything else."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(parts, ensure_ascii=False).encode()  # DynamoDB takes no lone surrogate
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(shape):
        raise foreign_cursor()
    return parts


def decode_start(cursor: str | None) -> int:
    """The number of the item that a page begins with. Raises InvalidRequestError."""
    start: int = decode_cursor(cursor, int)[0] if cursor else 0
    if start < 0:
        raise foreign_cursor()
    return start


def decode_place(cursor: str | None, mark: type[_Mark]) -> Place[_Mark] | None:
    """Where a page of a history begins; None: at the start. Raises InvalidRequestError."""
    return Place(*decode_cursor(cursor, int, mark)) if cursor else None


def encode_place(place: Place[Any] | None) -> str | None:
    """Where the next page of a history begins, as callers see it."""
    return encode_cursor(*place) if place else None


def page_of(items: Sequence[_Listed], limit: int, cursor: str | None) -> tuple[Sequence[_Listed], str | None]:
    """One page of a list that is at hand whole, and the next page's cursor."""
    start = decode_start(cursor)
    more = start + limit < len(items)
    return items[start : start + limit], encode_cursor(start + limit) if more else None
