"""The two tables, stated once: the local engine makes them from here, and the stack as well.

Whatever the cloud adds around a table (its key, its backups, its alarms) belongs to the stack.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Attribute:
    """A key attribute; `type` is DynamoDB's letter, S for a string and N for a number."""

    name: str
    type: Literal["S", "N"]


@dataclass(frozen=True)
class Index:
    """A global secondary index: sparse, because it leaves out items without its keys."""

    name: str
    hash_key: Attribute
    range_key: Attribute
    projection: Literal["ALL", "KEYS_ONLY"]


@dataclass(frozen=True)
class Table:
    """A table of items found by `pk` and `sk`, paid by the request; `stream` says what its stream carries.

    Items with the attribute `forget_at` (seconds since 1970) are removed some time after it.
    """

    name: str
    indexes: tuple[Index, ...] = ()
    stream: Literal["NEW_IMAGE"] | None = None
    forget_at: str | None = None
    hash_key: Attribute = Attribute("pk", "S")
    range_key: Attribute = Attribute("sk", "S")


# Pseudonymous: accounts, entries, the program.
LOYALTY = Table(
    name="loyalty",
    indexes=(
        Index("history", Attribute("member_id", "S"), Attribute("sequence", "N"), projection="ALL"),
        Index("due", Attribute("due_pk", "S"), Attribute("due_sk", "S"), projection="KEYS_ONLY"),
        Index("partner", Attribute("partner_pk", "S"), Attribute("partner_sk", "S"), projection="ALL"),
    ),
    stream="NEW_IMAGE",
    forget_at="forget_at",
)

# Personal data, kept apart so that it can be granted and erased apart.
PEOPLE = Table(name="people", forget_at="forget_at")
