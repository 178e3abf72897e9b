"""Which part of a restored table hangs together: of each ledger so much that no transaction is there by halves.

A restore to a point in time takes every item as it was at about that time, so of a transaction some items may be
there and others not. What can be kept of a ledger is its entries 1, 2, 3 and so on up to the first that is missing; and
of those no entry whose companions (the other side of a transfer, say) are not kept in their ledgers either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from infra.tools.derived_items import Derived, name_of
from infra.tools.transaction_groups import companions, may_have_companions
from shared.tables import keys
from shared.tables.client import Item, Key
from shared.tables.ledger import entry_of

Find = Callable[[Key], Item | None]
"""From a key to the item that stands there."""


class Place(NamedTuple):
    """Where in which ledger an entry stands."""

    member_id: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.member_id}-{self.sequence}"


class Restored:
    """What a scan of the table has found. Memory grows with the number of entries: a number for each."""

    def __init__(self, items: Iterable[Item], find: Find) -> None:
        self.accounts: dict[str, Item] = {}
        self.sequences: dict[str, set[int]] = defaultdict(set)
        self.derived = Derived()
        self._found: dict[Key, Place] = {}
        self._needs: dict[Place, list[Key]] = {}
        for item in items:
            self._take(item)
        wanted = {key for needed in self._needs.values() for key in needed} - self._found.keys()
        self._found |= {key: _place(found) for key in wanted if (found := find(key)) is not None}

    @property
    def members(self) -> list[str]:
        """All who have an account or an entry."""
        return sorted({*self.accounts, *self.sequences})

    def standing_sequence(self, member_id: str) -> int:
        """The number of the last entry that the stored account has booked; 0 if there is none."""
        existing = self.accounts.get(member_id)
        return int(existing["sequence"]["N"]) if existing else 0

    def kept(self) -> tuple[dict[str, int], dict[str, str]]:
        """How many entries of each ledger hang together, and for those with more, why no more do."""
        kept = {member_id: _unbroken(self.sequences[member_id]) for member_id in self.members}
        why = {
            member_id: f"entry {Place(member_id, count + 1)} is missing"
            for member_id, count in kept.items()
            if count < max(self.sequences[member_id], default=0)
        }
        changed = True
        while changed:
            changed = False
            for place, needed in self._needs.items():
                alone = next((key for key in needed if not self._is_kept(key, kept)), None)
                if alone is not None and place.sequence <= kept[place.member_id]:
                    kept[place.member_id] = place.sequence - 1
                    why[place.member_id] = f"entry {place} was written with {name_of(alone)}, which cannot be kept"
                    changed = True
        return kept, why

    def _take(self, item: Item) -> None:
        if item["sk"]["S"] == "ACCOUNT":
            named = item["pk"]["S"].removeprefix(keys.account_key("").pk)
            self.accounts[named] = {name: value for name, value in item.items() if name != "state"}
        elif "type" not in item:
            self.derived.take(item)
        else:
            place = _place(item)
            self.sequences[place.member_id].add(place.sequence)
            if may_have_companions(item):
                self._found[Key(item["pk"]["S"], item["sk"]["S"])] = place
                self._needs[place] = companions(entry_of(item))

    def _is_kept(self, key: Key, kept: Mapping[str, int]) -> bool:
        place = self._found.get(key)
        return place is not None and place.sequence <= kept[place.member_id]


def _place(item: Item) -> Place:
    return Place(item["member_id"]["S"], int(item["sequence"]["N"]))


def _unbroken(sequences: set[int]) -> int:
    count = 0
    while count + 1 in sequences:
        count += 1
    return count
