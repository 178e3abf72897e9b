"""Which entries are written in one transaction on several accounts, so that none of them may stand alone."""

from shared.domain import entry_types
from shared.domain.entry import Entry
from shared.domain.entry_types import ENTRY_TYPES
from shared.domain.subaccounts import is_wallet, owner_of, pool_account_of
from shared.tables import keys
from shared.tables.client import Item, Key
from shared.tables.ledger import entry_of

_ACCOUNTS = frozenset({"from", "into"})
"""What of a merge's source are ids of accounts, so of wallets where wallets are merged."""


class Together:
    """Entries as they are found in a table, and those that were found `alone`: by the key of the one that is missing.

    Companions mostly stand under one partition key, which a scan reads in one go: so little is remembered. Where it
    does not, or others are writing, the missing one may stand all the same.
    """

    def __init__(self) -> None:
        self.alone: dict[Key, Entry] = {}
        self._here: set[Key] = set()

    def take(self, item: Item) -> None:
        """Take in an entry's item."""
        key = Key(item["pk"]["S"], item["sk"]["S"])
        if next(iter(self._here), key).pk != key.pk:
            self._here.clear()
        self._here.add(key)
        self.alone.pop(key, None)
        if may_have_companions(item):
            entry = entry_of(item)
            self.alone |= {missing: entry for missing in companions(entry) if missing not in self._here}


def may_have_companions(item: Item) -> bool:
    """Whether an entry is of a type that has any; of one that a newer release has booked nothing is known."""
    row = ENTRY_TYPES.get(item["type"]["S"])
    if row is None:
        return False
    is_of_credit = row.wallet_follows is not None and is_wallet(item["member_id"]["S"])
    return row.pair is not None or row.is_shared or is_of_credit


def companions(entry: Entry) -> list[Key]:
    """Where the entries stand without which an entry cannot have been written.

    What store credit earns or gives back comes with the points of the same order, but not the other way round.
    """
    row, found = entry_types.of(entry.type), list[Key]()
    if row.pair is not None:
        found.append(keys.of(row.pair, **entry.source))
    if row.wallet_follows is not None and is_wallet(entry.member_id):
        found.append(keys.of(row.wallet_follows, **_of_owners(entry)))
    if row.is_shared:
        both = (entry.source["by"], pool_account_of(entry.source["pool_id"]))
        shared = (keys.of(entry.type, **{**entry.source, "member_id": name}) for name in both)
        found += [key for key in shared if key != keys.entry_key(entry)]
    return found


def _of_owners(entry: Entry) -> dict[str, str]:
    """A wallet's entry's source, as that of its owner's points names the same cause."""
    return {name: owner_of(value) if name in _ACCOUNTS else value for name, value in entry.source.items()}
