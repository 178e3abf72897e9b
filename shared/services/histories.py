"""Lists that a member has with the members merged into them: one list after the other, page by page."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import foreign_cursor
from shared.tables import ledger

_Item = TypeVar("_Item")
_Mark = TypeVar("_Mark", int, str)


class Place(NamedTuple, Generic[_Mark]):
    """Where a page begins: in the list of which of the account's ids, by its number, and before which item of it."""

    list_number: int
    before: _Mark


class Page(NamedTuple, Generic[_Item, _Mark]):
    """A page of such lists, and where the next page begins; None: this is the last one."""

    items: Sequence[_Item]
    next_place: Place[_Mark] | None


def read_page(
    account: Account,
    place: Place[_Mark],
    read: Callable[[str, _Mark], tuple[Sequence[_Item], _Mark | None]],
    *,
    start: _Mark,
) -> Page[_Item, _Mark]:
    """One page. `read` takes an id and where to begin, and gives items and where the next ones of that id begin.

    `start` is where every list but the first begins. Raises InvalidRequestError for a place that the lists do not have.
    """
    number, before = place
    if not 0 <= number < len(account.ids):
        raise foreign_cursor()
    items, following = read(account.ids[number], before)
    if following is not None:
        return Page(items, Place(number, following))
    is_last = number + 1 == len(account.ids)
    return Page(items, None if is_last else Place(number + 1, start))


def read_entries(account: Account, limit: int, place: Place[int] | None) -> Page[Entry, int]:
    """At most `limit` of an account's entries, the newest first; after them come those of the accounts merged into it.

    Raises InvalidRequestError.
    """
    place = place or Place(0, account.sequence + 1)
    if not 0 < place.before <= ledger.SEQUENCE_MAX:
        raise foreign_cursor()

    def read(member_id: str, before: int) -> tuple[Sequence[Entry], int | None]:
        entries = ledger.load_history(member_id, limit, before)
        return entries, entries[-1].sequence if entries and entries[-1].sequence > 1 else None

    return read_page(account, place, read, start=ledger.SEQUENCE_MAX)
