"""Budgets of points that many spend at once and never overspend: campaigns' (`campaign:<id>`), partners' prepaid ones.

A budget's unleased points are in one item, the leased ones in slices. An entry's `budgets` are drawn from the slice
of its member in the transaction that books it, on condition that there is enough; only a slice that runs short asks
for more, so a budget costs no request of its own in the normal case and no item takes every write.

A member who keeps an order after all has its points again, and they are drawn even from a budget that others have used
up since: the slice then owes them. All slices of such a budget are marked, all at once, and nothing else is drawn from
a marked one. Who meets the mark pays back what is owed with what has come back, and takes the marks off once all is.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shared import runtime, settings
from shared.domain.earning.campaigns import budget_name, budget_total
from shared.domain.entry import Entry
from shared.domain.errors import TryAgainError
from shared.domain.points.budgets import SLICES, UNLEASED, Budget, Moves, lease, repaid, resized
from shared.domain.points.partner_funding import is_of_partner
from shared.domain.program.program import Program
from shared.tables import client, keys
from shared.tables.client import CancelledError, Item, Key, Write

ATTEMPTS_MAX = 12
USED_UP_SECONDS = 30
"""For how long a campaign's budget is remembered to be used up: what a raised one takes to be seen everywhere."""

_KEPT_AFTER_ALL = frozenset({"refund", "refund_reversal"})
"""The types of entries that draw what is kept of an order although nothing may be left: its points are there again."""

_used_up: dict[str, float] = {}
runtime.on_forget(_used_up.clear)


class Draw(NamedTuple):
    """What the entries of one transaction together draw from a budget: of whose slice, and whether it may owe them."""

    name: str
    member_id: str
    points: int
    may_owe: bool

    @property
    def key(self) -> Key:
        """The slice's key."""
        return keys.budget_slice_key(self.name, _slice_of(self.member_id))


class _Stored(NamedTuple):
    """A budget as read; `version` is the program's that set its total (0: deposits did); whether it is there at all.

    `is_marked` if it was overdrawn, and nobody has seen since that all is paid back.
    """

    budget: Budget
    version: int
    exists: bool
    is_marked: bool


def load(name: str) -> Budget:
    """A budget now: total, left and spent points; all of them 0 if it does not exist."""
    return _load(name).budget


def deposit(name: str, points: int) -> Write:
    """A write that puts points into a prepaid budget, for the transaction that books what was paid for them."""
    values = {":points": {"N": str(points)}}
    return _update(keys.budget_key(name), "ADD budgeted :points, remaining :points", values)


def apply(program: Program) -> None:
    """Give each campaign's budget the total that the program names, but never less than is spent.

    Raises TryAgainError if others kept drawing on one that is lowered; the next operation to run short then lowers it.
    """
    for campaign in program.campaigns:
        if campaign.budget is not None:
            _resize(budget_name(campaign), campaign.budget.total, program.version)


def used_up() -> dict[str, int]:
    """The campaigns' budgets that were found used up a moment ago, as caps: an order need not try them again."""
    oldest = runtime.monotonic() - USED_UP_SECONDS
    return {name: 0 for name, found_at in list(_used_up.items()) if found_at > oldest}


def forget() -> None:
    """Try every budget again."""
    _used_up.clear()


def draws(entries: Sequence[Entry]) -> list[Write]:
    """What takes the entries' points from their members' slices; a negative number gives points back."""
    return [_draw(one) for one in _draws_of(entries) if one.points]


def short(cancelled: CancelledError, entries: Sequence[Entry]) -> list[Draw]:
    """What the entries draw from budgets whose slices did not hold it."""
    return [one for one in _draws_of(entries) if one.key in cancelled.keys]


def refill(needs: Sequence[Draw], program: Program) -> dict[str, int]:
    """Lease what is needed. Where all that is left is less, it is in the member's slice then, and is the name's cap."""
    caps = {}
    for need in needs:
        left = _refill(need, program)
        if left < need.points:
            caps[need.name] = left
    return caps


def _draws_of(entries: Sequence[Entry]) -> list[Draw]:
    """By budget: of an order that changes hands, the one member gives back what the other draws."""
    sums: dict[str, Draw] = {}
    for entry in entries:
        for name, points in entry.budgets.items():
            before = sums.get(name, Draw(name, entry.member_id, 0, may_owe=False))
            may_owe = before.may_owe or (entry.type in _KEPT_AFTER_ALL and not is_of_partner(name))
            sums[name] = before._replace(points=before.points + points, may_owe=may_owe)
    return list(sums.values())


def _refill(need: Draw, program: Program) -> int:
    name, slice_number, total = need.name, _slice_of(need.member_id), budget_total(program, need.name)
    for attempt in range(ATTEMPTS_MAX):
        stored = _load(name)
        if total is not None and stored.version < program.version:
            _resize(name, total, program.version)
            continue
        budget, is_marked = stored.budget, stored.is_marked
        moves = repaid(budget) if is_marked else lease(budget, slice_number, need.points)
        after = budget.after(moves)
        left = 0 if is_marked else after.slices.get(slice_number, 0)
        try:
            if is_marked and not after.owes:
                client.transact(_without_marks(name, moves))
                continue
            if moves:
                client.transact(_writes(name, moves))
            if need.may_owe and left < need.points:
                client.transact(_marks(name))
        except CancelledError:
            client.back_off(attempt)
            continue
        if after.left == 0 and total is not None and not is_of_partner(name):
            _used_up[name] = runtime.monotonic()
        return left
    raise TryAgainError(f"the budget {name} is being drawn on by others; the same request may be sent again")


def _resize(name: str, total: int, version: int) -> None:
    """Raise or lower a budget's total to the one that a program's version names; an older version changes nothing."""
    for attempt in range(ATTEMPTS_MAX):
        stored = _load(name)
        if stored.version >= version:
            return
        moves = dict(resized(stored.budget, total))
        unleased = moves.pop(UNLEASED, 0)
        values = {
            ":total": {"N": str(stored.budget.after(resized(stored.budget, total)).total)},
            ":unleased": {"N": str(unleased)},
            ":version": {"N": str(version)},
            ":least": {"N": str(max(0, -unleased))},
            ":before": {"N": str(stored.version)},
        }
        as_read = "version = :before AND remaining >= :least" if stored.exists else "attribute_not_exists(pk)"
        if not stored.exists:
            values = {key: value for key, value in values.items() if key not in {":least", ":before"}}
        change = "SET budgeted = :total, version = :version ADD remaining :unleased"
        try:
            client.transact([_update(keys.budget_key(name), change, values, as_read), *_writes(name, moves)])
        except CancelledError:
            client.back_off(attempt)
        else:
            _used_up.pop(name, None)
            return
    raise TryAgainError(f"the budget {name} is being drawn on by others; the same request may be sent again")


def _load(name: str) -> _Stored:
    wanted = [keys.budget_key(name), *(keys.budget_slice_key(name, number) for number in range(SLICES))]
    of_total, *of_slices = client.get_together(settings.loyalty_table(), wanted)
    slices = {number: _number(item, "remaining") for number, item in enumerate(of_slices) if item}
    budget = Budget(_number(of_total, "budgeted"), _number(of_total, "remaining"), slices)
    is_marked = any(item is not None and "overdrawn" in item for item in of_slices)
    return _Stored(budget, _number(of_total, "version"), exists=of_total is not None, is_marked=is_marked)


def _number(item: Item | None, name: str) -> int:
    return int(item[name]["N"]) if item and name in item else 0


def _writes(name: str, moves: Moves) -> list[Write]:
    places: Iterable[tuple[Key, int]] = (
        (keys.budget_key(name) if place == UNLEASED else keys.budget_slice_key(name, place), points)
        for place, points in moves.items()
    )
    return [_add(key, points) for key, points in places]


def _draw(draw: Draw) -> Write:
    """What takes points from a slice that holds them, or gives them back; what may be owed from a marked one, too."""
    if draw.points < 0:
        return _add(draw.key, -draw.points)
    values = {":points": {"N": str(-draw.points)}, ":least": {"N": str(draw.points)}}
    if draw.may_owe:
        condition = "remaining >= :least OR attribute_exists(overdrawn)"
    else:
        condition = "remaining >= :least AND attribute_not_exists(overdrawn)"
    return _update(draw.key, "ADD remaining :points", values, condition)


def _marks(name: str) -> list[Write]:
    """What says at each slice of a budget that one of them may owe points."""
    values = {":nothing": {"N": "0"}, ":true": {"BOOL": True}}
    slices = (keys.budget_slice_key(name, number) for number in range(SLICES))
    return [_update(key, "SET overdrawn = :true ADD remaining :nothing", values) for key in slices]


def _without_marks(name: str, moves: Moves) -> list[Write]:
    """What moves points and takes the marks off all slices, on condition that none owes anything then."""
    writes = _writes(name, {place: points for place, points in moves.items() if place == UNLEASED})
    for number in range(SLICES):
        points = moves.get(number, 0)
        values = {":points": {"N": str(points)}, ":least": {"N": str(-points)}}
        change, key = "ADD remaining :points REMOVE overdrawn", keys.budget_slice_key(name, number)
        writes.append(_update(key, change, values, "remaining >= :least"))
    return writes


def _add(key: Key, points: int) -> Write:
    """Points that come to an item, or go if it has as many."""
    values = {":points": {"N": str(points)}}
    if points >= 0:
        return _update(key, "ADD remaining :points", values)
    return _update(key, "ADD remaining :points", {**values, ":least": {"N": str(-points)}}, "remaining >= :least")


def _update(key: Key, change: str, values: Mapping[str, Any], condition: str | None = None) -> Write:
    update: dict[str, Any] = {
        "TableName": settings.loyalty_table(),
        "Key": client.key_of(key),
        "UpdateExpression": change,
        "ExpressionAttributeValues": values,
    }
    return {"Update": update if condition is None else {**update, "ConditionExpression": condition}}


def _slice_of(member_id: str) -> int:
    return zlib.crc32(member_id.encode()) % SLICES
