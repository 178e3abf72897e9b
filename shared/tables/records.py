"""Records as items hold them: JSON in one attribute, the number of its schema in another."""

from typing import Any, TypeVar

from shared.domain.errors import TryAgainError
from shared.domain.fields import Stored
from shared.tables.client import Item

SCHEMA = 1
"""What this release writes, and the highest that it reads. An item without a number is of schema 1.

A new field needs no new number: a release that does not know it keeps it. The number rises where a release that does
not know of the change must keep its hands off, because a field means something else, or has values of a new kind.
"""

_Kept = TypeVar("_Kept", bound=Stored)


def attributes(record: Stored, name: str = "body") -> dict[str, Any]:
    """The attributes that hold a record."""
    return {name: {"S": record.model_dump_json(exclude_defaults=True)}, "schema": {"N": str(SCHEMA)}}


def read(type_: type[_Kept], item: Item, name: str = "body") -> _Kept:
    """The record that an item holds. Raises TryAgainError if only a newer release can read it: one is on its way."""
    if "schema" in item and int(item["schema"]["N"]) > SCHEMA:
        raise TryAgainError("a newer release wrote this; the same request may be sent again")
    return type_.model_validate_json(item[name]["S"])
