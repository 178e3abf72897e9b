"""Which entries are written in one transaction on several accounts, so that none of them may stand alone."""

from shared.domain.account import Entry
from shared.domain.subaccounts import is_wallet, member_of, pool_account_of
from shared.tables import keys
from shared.tables.client import Item, Key
from shared.tables.ledger import entry_of

_HALVES = {"OUT": "IN", "IN": "OUT"}
_MOVES = frozenset(
    {"transfer_out", "transfer_in", "gift_out", "gift_in", "pool_out", "pool_in", "merge_out", "merge_in"}
)
_SHARING = {"pool_join": "JOIN", "pool_leave": "LEAVE"}
_OF_CREDIT = frozenset({"earn", "refund"})


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
    """Whether an entry is of a type that has any."""
    type_, member_id = item["type"]["S"], item["member_id"]["S"]
    return type_ in _MOVES or type_ in _SHARING or (type_ in _OF_CREDIT and is_wallet(member_id))


def companions(entry: Entry) -> list[Key]:
    """Where the entries stand without which an entry cannot have been written.

    What store credit earns or gives back comes with the points of the same order, but not the other way round.
    """
    own = keys.entry_key(entry)
    if entry.type in _MOVES:
        found = [own._replace(sk=_HALVES[own.sk])]
        if is_wallet(entry.member_id) and entry.type in {"merge_out", "merge_in"}:
            found.append(keys.merge_key(*(str(member_of(entry.source[end])) for end in ("from", "into"))))
        return found
    if entry.type in _SHARING:
        both = (entry.source["by"], pool_account_of(entry.source["pool_id"]))
        shared = (keys.pool_key(entry.source["change_id"], _SHARING[entry.type], name) for name in both)
        return [key for key in shared if key != own]
    if is_wallet(entry.member_id) and entry.type == "earn":
        return [keys.earn_key(entry.source)]
    if is_wallet(entry.member_id) and entry.type == "refund":
        return [keys.refund_key(entry.source["order_id"], entry.source["refund_id"])]
    return []
