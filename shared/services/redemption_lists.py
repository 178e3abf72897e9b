"""A member's redemptions, of points and of store credit, the newest first; after them those of merged members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from shared import settings
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.entry_types import RedemptionState
from shared.domain.errors import foreign_cursor
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import as_captured, state_after
from shared.domain.subaccounts import is_wallet, wallet_of
from shared.services.redemptions import Standing
from shared.tables import accounts, client, keys, ledger, programs
from shared.tables.client import Item, Key

ENTRIES_OF_READ = 100
READS_MAX = 10
"""Reads of the ledgers for one page: who redeems seldom gets short pages, and the next one goes on from there."""


class Place(NamedTuple):
    """Where a page begins: with which of the member's ids, by its number, and before which of its entries.

    `before_credit` counts in the ledger of the store credit.
    """

    list_number: int
    before: int
    before_credit: int


class RedemptionPage(NamedTuple):
    """A page of redemptions, and where the next one begins; None: this is the last one."""

    items: Sequence[Standing]
    next_place: Place | None
    program: Program


class _Walk:
    """The reservations in a ledger, the newest first, read as far as they are needed."""

    def __init__(self, member_id: str, before: int) -> None:
        self.before = before
        """All reservations from here on are taken."""
        self._member_id = member_id
        self._read_to = before
        self._found: list[Entry] = []

    @property
    def needs_read(self) -> bool:
        """Whether it is not known yet what comes next."""
        return not self._found and self._read_to > 1

    @property
    def next_one(self) -> Entry | None:
        """The next reservation, if one is left."""
        return self._found[0] if self._found else None

    def read(self) -> None:
        """Read further back."""
        entries = ledger.load_history(self._member_id, ENTRIES_OF_READ, self._read_to)
        self._read_to = entries[-1].sequence if entries else 1
        self._found = [entry for entry in entries if entry.type == "reserve"]
        self._pass_over()

    def take(self) -> Entry:
        """The next reservation, which is then behind."""
        taken = self._found.pop(0)
        self.before = taken.sequence
        self._pass_over()
        return taken

    def _pass_over(self) -> None:
        """What was read and is no reservation need not be read again."""
        if not self._found:
            self.before = self._read_to


def list_redemptions(
    member_id: str, limit: int, place: Place | None, *, caller: Caller, now: datetime
) -> RedemptionPage:
    """A page of a member's redemptions as they stand. It may be shorter than `limit` while there are more.

    Raises MemberNotFoundError, MemberMergedError, InvalidRequestError for a place that the list does not have.
    """
    member_id = caller.authorized_member_id(member_id)
    member, wallet = accounts.load_accounts([member_id, wallet_of(member_id)])
    accounts.require_not_merged(member)
    place = place or Place(0, member.sequence + 1, wallet.sequence + 1)
    befores = (place.before, place.before_credit)
    if not 0 <= place.list_number < len(member.ids) or not all(0 < one <= ledger.SEQUENCE_MAX for one in befores):
        raise foreign_cursor()
    name = member.ids[place.list_number]
    walks = [_Walk(name, place.before), _Walk(wallet_of(name), place.before_credit)]
    reserved = _newest(walks, limit)
    return RedemptionPage(
        _standings(reserved, (member, wallet), now), _next(place, walks, member), programs.load_program()
    )


def _newest(walks: Sequence[_Walk], limit: int) -> list[Entry]:
    """The newest reservations of all ledgers, as many as are asked for or a few reads find."""
    found: list[Entry] = []
    reads = 0
    while len(found) < limit:
        for walk in walks:
            while walk.needs_read and reads < READS_MAX:
                walk.read()
                reads += 1
        # Without the next one of each ledger it cannot be told which of them is newer.
        if any(walk.needs_read for walk in walks):
            break
        nexts = [(entry.recorded_at, walk) for walk in walks if (entry := walk.next_one)]
        if not nexts:
            break
        found.append(max(nexts, key=lambda one: one[0])[1].take())
    return found


def _next(place: Place, walks: Sequence[_Walk], member: Account) -> Place | None:
    of_points, of_credit = walks
    if any(walk.needs_read or walk.next_one for walk in walks):
        return place._replace(before=of_points.before, before_credit=of_credit.before)
    is_last = place.list_number + 1 == len(member.ids)
    return None if is_last else Place(place.list_number + 1, ledger.SEQUENCE_MAX, ledger.SEQUENCE_MAX)


def _standings(reserved: Sequence[Entry], own: tuple[Account, Account], now: datetime) -> list[Standing]:
    """How redemptions stand, shown as whose they are now. What an account still holds needs no read."""
    member, wallet = own
    held = {*member.holds, *wallet.holds}
    wanted = [key for entry in reserved if _id_of(entry) not in held for key in _steps(_id_of(entry)).values()]
    items = _items(wanted)
    return [
        Standing(
            _with_code(entry, items).model_copy(
                update={"member_id": (wallet if is_wallet(entry.member_id) else member).member_id}
            ),
            *_state(entry, items, now),
        )
        for entry in reserved
    ]


def _with_code(reserved: Entry, items: Mapping[Key, Item]) -> Entry:
    captured = items.get(keys.of("capture", redemption_id=_id_of(reserved)))
    return as_captured(reserved, ledger.entry_of(captured) if captured else None)


def _state(reserved: Entry, items: Mapping[Key, Item], now: datetime) -> tuple[RedemptionState, int]:
    """The state of a redemption, and how much of it has come back. A hold that has timed out has lapsed."""
    [(redemption_id, hold)] = reserved.opened.items()
    found = {name: items[key] for name, key in _steps(redemption_id).items() if key in items}
    returned = int(found["returned"]["amount"]["N"]) if "returned" in found else 0
    if "reverse" in found or (returned and returned >= hold.points):
        return state_after("reverse"), hold.points
    for step in ("capture", "cancel"):
        if step in found:
            return state_after(step), returned
    return ("lapsed" if hold.expires_at <= now else "reserved"), 0


def _steps(redemption_id: str) -> dict[str, Key]:
    """The items that tell how a redemption stands, but for a hold that has lapsed."""
    steps = {type_: keys.of(type_, redemption_id=redemption_id) for type_ in ("capture", "cancel", "reverse")}
    return {**steps, "returned": keys.returned_key(redemption_id)}


def _items(wanted: Sequence[Key]) -> dict[Key, Item]:
    found: dict[Key, Item] = {}
    for start in range(0, len(wanted), client.READS_TOGETHER_MAX):
        some = wanted[start : start + client.READS_TOGETHER_MAX]
        items = client.get_together(settings.loyalty_table(), some)
        found |= {key: item for key, item in zip(some, items, strict=True) if item is not None}
    return found


def _id_of(reserved: Entry) -> str:
    return reserved.source["redemption_id"]
