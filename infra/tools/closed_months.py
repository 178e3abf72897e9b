"""Closed months: what their entries come to as a hash, and which of them were changed since.

The fingerprint of a month is MuHash3072, as in Bitcoin Core: the product of its entries' hashes in a group in which
logarithms are hard. So parts of a table are multiplied in any order, and nobody finds other entries with the same
product. A product does not say what has changed. Sums do: an entry's digest is added to one of LOCATORS sums, and to
another multiplied by the entry's number, a hash of its account and sequence. Where one entry was changed, the second
differs by the number times what the first differs by: divided by that, in a prime field, it names the entry.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b, sha256, shake_256
from typing import Any, NamedTuple

from shared.domain import entry_types
from shared.domain.entry import Entry
from shared.tables import reports
from shared.tables.client import Item
from shared.tables.reports import ClosedMonth

_GROUP, _GROUP_BYTES = 2**3072 - 1103717, 384
_FIELD, _FIELD_BYTES = 2**127 - 1, 15
LOCATORS = 64
"""So many changed entries are named at most."""
_COVERED = {"month", "from_at", "to_at", "as_of", "entries", "fingerprint", "locators", "statement", "previous"}
"""What a month's hash covers, whatever else later releases keep of it."""


class Bounds(NamedTuple):
    """A month that is closed: its name, until when entries count in it, and by when they had to be booked."""

    month: str
    to_at: datetime
    as_of: datetime


class Closings:
    """The months that are closed, the first one first."""

    def __init__(self, bounds: Iterable[Bounds]) -> None:
        self._bounds = sorted(bounds, key=lambda one: one.to_at)
        self._ends = [one.to_at for one in self._bounds]
        self._known_by = [one.as_of for one in self._bounds]

    def counted_at(self, entries: Iterable[Entry]) -> Iterator[datetime]:
        """When each entry of an account counts, the oldest first: once it was booked, or when time caused it.

        Never before the entry before it, so every instant cuts a ledger in two; and not in a month that was closed
        when it was booked.
        """
        latest: datetime | None = None
        for entry in entries:
            at = entry.occurred_at if entry_types.of(entry.type).made_by == "time" else entry.recorded_at
            place = bisect_left(self._known_by, entry.recorded_at)
            closed = self._ends[:place][-1:]
            latest = max([at, *closed, *([latest] if latest else [])])
            yield latest

    def month_at(self, counted_at: datetime) -> str | None:
        """The closed month in which an instant counts; the first has all before it. None: it is in none of them."""
        place = bisect_right(self._ends, counted_at)
        return self._bounds[place].month if place < len(self._bounds) else None

    def as_json(self) -> list[tuple[str, str, str]]:
        """For a part."""
        return [(one.month, one.to_at.isoformat(), one.as_of.isoformat()) for one in self._bounds]


def closings_of(found: Iterable[Sequence[str]]) -> Closings:
    """The months that a part names."""
    return Closings(Bounds(name, *map(datetime.fromisoformat, instants)) for name, *instants in found)


def bounds_of(month: ClosedMonth) -> Bounds:
    """Of a closed month."""
    return Bounds(month.month, month.to_at, month.as_of)


class Sums:
    """What the entries of a month come to, or of a part of it."""

    def __init__(self) -> None:
        self.entries = 0
        self._product = 1
        self._located = [(0, 0)] * LOCATORS

    def take(self, item: Item) -> None:
        """Take in an entry as it is stored."""
        text = json.dumps(item, sort_keys=True, separators=(",", ":")).encode()
        number, digest = number_of(item), int.from_bytes(blake2b(text, digest_size=_FIELD_BYTES).digest())
        self.entries += 1
        self._product = self._product * int.from_bytes(shake_256(text).digest(_GROUP_BYTES)) % _GROUP
        self._locate(number % LOCATORS, digest, number * digest)

    def as_json(self) -> Any:  # noqa: ANN401 - JSON
        """For `add` of another."""
        return [self.entries, f"{self._product:x}", self.locators]

    def add(self, found: Any) -> None:  # noqa: ANN401 - JSON
        """Take in what `as_json` of another part says."""
        entries, product, locators = found
        self.entries += entries
        self._product = self._product * int(product, 16) % _GROUP
        for place, (first, second) in enumerate(map(_pair, locators)):
            self._locate(place, first, second)

    @property
    def fingerprint(self) -> str:
        """The hash of the product."""
        return sha256(self._product.to_bytes(_GROUP_BYTES)).hexdigest()

    @property
    def locators(self) -> tuple[str, ...]:
        """The sums by which a changed entry is found."""
        return tuple(f"{first:032x}{second:032x}" for first, second in self._located)

    def _locate(self, place: int, first: int, second: int) -> None:
        before = self._located[place]
        self._located[place] = (before[0] + first) % _FIELD, (before[1] + second) % _FIELD


def number_of(item: Item) -> int:
    """The number of an entry, which its digest has nothing to do with."""
    text = f"{item['member_id']['S']}\n{item['sequence']['N']}"
    return int.from_bytes(blake2b(text.encode(), digest_size=_FIELD_BYTES).digest()) or 1


def by_month(items: Sequence[Item], entries: Sequence[Entry], closings: Closings) -> Iterator[tuple[str, Item]]:
    """The entries of an account that count in closed months, the oldest first, each with its month."""
    for item, at in zip(items, closings.counted_at(entries), strict=True):
        month = closings.month_at(at)
        if month is None:
            return
        yield month, item


def with_hash(month: ClosedMonth) -> ClosedMonth:
    """The same month with the hash that covers it."""
    covered = month.model_dump(mode="json", include=_COVERED)
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    return month.model_copy(update={"hash": sha256(text.encode()).hexdigest()})


class Proof:
    """The closed months of a table, and the statements that are stored, as they are found."""

    def __init__(self) -> None:
        self.months: list[ClosedMonth] = []
        self._digests: list[tuple[str, str]] = []

    def take(self, item: Item) -> None:
        """Take in any item of the table."""
        name, _, month = item["pk"]["S"].partition("#")
        if name == reports.STATEMENTS:
            self._digests.append((month or item["sk"]["S"], reports.digest(item)))
            found = reports.closed_of(item)
            if found is not None:
                self.months.append(found)

    def as_json(self) -> Any:  # noqa: ANN401 - JSON
        """For `add` of another."""
        return {"months": [one.model_dump(mode="json") for one in self.months], "digests": self._digests}

    def add(self, found: Any) -> None:  # noqa: ANN401 - JSON
        """Take in what `as_json` of another part says."""
        self.months += map(ClosedMonth.model_validate, found["months"])
        self._digests += map(tuple, found["digests"])

    def closings(self) -> Closings:
        """Which months are closed."""
        return Closings(map(bounds_of, self.months))

    def changed(self, sums: Mapping[str, Sums]) -> tuple[list[str], dict[str, str]]:
        """What is wrong, in words, and the numbers of entries that were changed since, each with its month."""
        wrong: list[str] = []
        numbers: dict[str, str] = {}
        before = ""
        for month in sorted(self.months, key=lambda one: one.to_at):
            name, found = month.month, sums.get(month.month, Sums())
            if month.previous != before:
                wrong.append(f"{name} was closed after another month than the one before it")
            if with_hash(month).hash != month.hash:
                wrong.append(f"what says how {name} was closed is not what its hash covers")
            if month.statement != reports.whole_digest(digest for of, digest in self._digests if of == name):
                wrong.append(f"the stored statement of {name} is not the one that it was closed with")
            if (found.entries, found.fingerprint) != (month.entries, month.fingerprint):
                wrong.append(f"{name} was closed with {month.entries} entries, and has {found.entries}, or others")
                numbers |= dict.fromkeys(_changed(month.locators, found.locators), name)
            before = month.hash
        return wrong, numbers


def _changed(closed_with: Iterable[str], now: Iterable[str]) -> Iterator[str]:
    """The number of the changed entry in each place where one was."""
    for then, found in zip(map(_pair, closed_with), map(_pair, now), strict=True):
        first, second = ((one - other) % _FIELD for one, other in zip(then, found, strict=True))
        if first:
            yield str(second * pow(first, -1, _FIELD) % _FIELD)


def _pair(text: str) -> tuple[int, int]:
    return int(text[:32], 16), int(text[32:], 16)


def add_all(sums: dict[str, Sums], found: Mapping[str, Any]) -> None:
    """Add what was found in a part of the table to the sums of each month."""
    for month, one in found.items():
        sums.setdefault(month, Sums()).add(one)
