"""Forgiven points: what had brought them was returned when they were spent or held already.

They do not come back with what they went for. An account notes them by their lot and by when they were forgiven: only
what was out then has them, so whatever is reserved later comes back whole.
"""

from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.ledger import combined, negative, take
from shared.domain.lots import NO_LOTS, Hold, LotDay, Lots

_NOTED = "@"


class KeptBack(NamedTuple):
    """What of a hold's points does not come back, by their lots, and the change of what the account notes of that."""

    lots: Lots
    change: Lots


def noted(account: Account, own: LotDay, points: int) -> Lots:
    """What an entry notes of points of a lot that it forgives: by the lot, whose it is, and when that was.

    The second number says whom the account had taken in by then: so many of its ids.
    """
    return {f"{own}{_NOTED}{account.member_id}:{len(account.ids)}:{account.sequence + 1}": points} if points else {}


def lot_of(key: LotDay) -> LotDay:
    """The lot of forgiven points."""
    return key.partition(_NOTED)[0]


def kept_back(account: Account, hold: Hold, *, any_lot: bool) -> KeptBack:
    """What of the points of a hold that come back was forgiven while they were out, what was forgiven first before all.

    With `any_lot`, they may have got other days since.
    """
    liable = {key: points for key, points in account.forgiven.items() if _was_out(account, hold, key)}
    back, change = dict(hold.lots), NO_LOTS
    for key, points in sorted(liable.items(), key=lambda item: (lot_of(item[0]), _sequence(item[0]))):
        kept = min(points, back.get(lot_of(key), 0))
        change, back = combined(change, {key: -kept}), combined(back, {lot_of(key): -kept})
    if any_lot:
        others = combined(liable, change)
        points = min(sum(others.values()), sum(back.values()))
        change, back = combined(change, negative(take(others, points))), combined(back, negative(take(back, points)))
    return KeptBack(combined(hold.lots, negative(back)), change)


def _was_out(account: Account, hold: Hold, key: LotDay) -> bool:
    """Whether a hold was there when points were forgiven. What was stored without that counts as such."""
    _, separator, rest = key.partition(_NOTED)
    if not separator or hold.opened_by is None:
        return True
    member_id, ids, sequence = rest.rsplit(":", 2)
    owner, _, opened = hold.opened_by.rpartition("-")
    if owner == member_id:
        return int(opened) < int(sequence)
    first = account.ids.index(member_id) if member_id in account.ids else 0
    return owner in account.ids[first : first + int(ids)]


def _sequence(key: LotDay) -> int:
    _, separator, number = key.rpartition(":")
    return int(number) if separator else 0
