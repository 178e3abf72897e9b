"""How many pieces of a limited reward are gone, and which are on shelves to be taken: `shared.domain.spending.shelves`.

The item of the stock counts what is gone and what is on shelves. A reward of few pieces has that item alone, as every
reward had in releases before. A piece that comes back is put on its member's shelf, or in stock where there is none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared import settings
from shared.domain.entry import Entry
from shared.domain.errors import RewardUnavailableError, TryAgainError
from shared.domain.ledger import combined
from shared.domain.program.program import Program, Reward
from shared.domain.spending.shelves import SHELVES, Restocked, Shelf, Shelved, restocked, shelf_of
from shared.tables import client, keys
from shared.tables.client import CancelledError, Item, Key, Write

ATTEMPTS_MAX = 12


class Take(NamedTuple):
    """Pieces of a reward that a member could not take: from which shelf, or with None from stock."""

    reward_id: str
    pieces: int
    stock: int
    shelf: int | None
    is_shelved: bool
    """Whether pieces may be on shelves."""


def stock_taken(reward_ids: Iterable[str]) -> dict[str, int]:
    """How many pieces of each limited reward are gone."""
    names = list(reward_ids)
    taken: dict[str, int] = {}
    for start in range(0, len(names), client.READS_TOGETHER_MAX):
        some = names[start : start + client.READS_TOGETHER_MAX]
        items = client.get_together(settings.loyalty_table(), [keys.stock_key(name) for name in some])
        taken |= {
            name: _load(name).gone if _has_shelves(item) else _taken(item)
            for name, item in zip(some, items, strict=True)
        }
    return taken


def changes(entries: Sequence[Entry], program: Program) -> Iterator[Write]:
    """One write for each reward: what the entries together take of its pieces or put back."""
    for reward_id, change in combined(*(entry.stock for entry in entries)).items():
        reward, shelf = program.reward(reward_id), _shelf(reward_id, entries, program)
        if shelf is None:
            yield _of_stock(reward_id, change, reward)
            continue
        key, values = keys.shelf_key(reward_id, shelf), {":pieces": {"N": str(change)}}
        if change >= 0 or reward is None:
            yield _update(key, "ADD pieces :pieces", values)
        else:
            values |= {":least": {"N": str(-change)}, ":stock": {"N": str(reward.stock)}}
            yield _update(key, "ADD pieces :pieces", values, "pieces >= :least AND of_stock = :stock")


def missed(cancelled: CancelledError, entries: Sequence[Entry], program: Program) -> list[Take]:
    """What the entries take of rewards, and was not where it was looked for."""
    found = {Key(item["pk"]["S"], item["sk"]["S"]): item for item in cancelled.failed.values() if item}
    takes = []
    for reward_id, change in combined(*(entry.stock for entry in entries)).items():
        reward, shelf = program.reward(reward_id), _shelf(reward_id, entries, program)
        key = _place(reward_id, shelf)
        if change < 0 and reward is not None and reward.stock is not None and key in cancelled.keys:
            is_shelved = shelf is not None or _has_shelves(found.get(key))
            takes.append(Take(reward_id, -change, reward.stock, shelf, is_shelved))
    return takes


def restock(takes: Sequence[Take]) -> None:
    """Let the pieces lie where they are looked for.

    Raises RewardUnavailableError if none is left of one, TryAgainError if others keep taking some.
    """
    for take in takes:
        _restock(take)


def _restock(take: Take) -> None:
    name = take.reward_id
    for attempt in range(ATTEMPTS_MAX):
        before = _load(name) if take.is_shelved else Shelved(take.stock, {})
        after = restocked(before, take.stock, take.shelf, take.pieces)
        if after is None:
            raise RewardUnavailableError(f"{name}: none is left")
        try:
            if after.shelves:
                client.transact(_moved(name, before, after))
        except CancelledError:
            client.back_off(attempt)
        else:
            return
    raise TryAgainError(f"the reward {name} is being taken by others; the same request may be sent again")


def _moved(name: str, before: Shelved, after: Restocked) -> list[Write]:
    """What makes the pieces lie as they are to, on condition that each place is as it was."""
    values = {":after": {"N": str(after.taken)}, ":before": {"N": str(before.taken)}, ":true": {"BOOL": True}}
    unchanged = "taken = :before" if before.taken else "taken = :before OR attribute_not_exists(taken)"
    writes = [_update(keys.stock_key(name), "SET taken = :after, shelved = :true", values, unchanged)]
    for number, shelf in after.shelves.items():
        was = before.shelves.get(number)
        values = {":after": {"N": str(shelf.pieces)}}
        change = "SET pieces = :after REMOVE of_stock"
        if shelf.of_stock is not None:
            values[":stock"], change = {"N": str(shelf.of_stock)}, "SET pieces = :after, of_stock = :stock"
        unchanged = "attribute_not_exists(pk)"
        if was is not None:
            values[":before"], unchanged = {"N": str(was.pieces)}, "pieces = :before"
        writes.append(_update(keys.shelf_key(name, number), change, values, unchanged))
    return writes


def _load(reward_id: str) -> Shelved:
    wanted = [keys.stock_key(reward_id), *(keys.shelf_key(reward_id, number) for number in range(SHELVES))]
    of_stock, *of_shelves = client.get_together(settings.loyalty_table(), wanted)
    shelves = {number: shelf_in(item) for number, item in enumerate(of_shelves) if item}
    return Shelved(_taken(of_stock), shelves)


def shelf_in(item: Item) -> Shelf:
    """A shelf as its item says."""
    return Shelf(int(item["pieces"]["N"]), int(item["of_stock"]["N"]) if "of_stock" in item else None)


def _of_stock(reward_id: str, change: int, reward: Reward | None) -> Write:
    values = {":pieces": {"N": str(-change)}}
    key = keys.stock_key(reward_id)
    if change >= 0 or reward is None or reward.stock is None:
        return _update(key, "ADD taken :pieces", values)
    most_before = reward.stock + change
    untouched = "attribute_not_exists(taken) OR " if most_before >= 0 else ""
    values[":most"] = {"N": str(most_before)}
    update = _update(key, "ADD taken :pieces", values, f"{untouched}taken <= :most")
    # Whether pieces may be on shelves has not to be asked then.
    return {"Update": {**update["Update"], "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}


def _shelf(reward_id: str, entries: Sequence[Entry], program: Program) -> int | None:
    """The shelf of the first member whose entry takes a piece of a reward or puts one back."""
    member_id = next(entry.member_id for entry in entries if reward_id in entry.stock)
    return shelf_of(program.reward(reward_id), member_id)


def _place(reward_id: str, shelf: int | None) -> Key:
    return keys.stock_key(reward_id) if shelf is None else keys.shelf_key(reward_id, shelf)


def _has_shelves(item: Item | None) -> bool:
    return item is not None and "shelved" in item


def _taken(item: Item | None) -> int:
    return int(item["taken"]["N"]) if item else 0


def _update(key: Key, change: str, values: Mapping[str, Any], condition: str | None = None) -> Write:
    update: dict[str, Any] = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(key),
        "UpdateExpression": change,
        "ExpressionAttributeValues": values,
    }
    return {"Update": update if condition is None else {**update, "ConditionExpression": condition}}
