"""Points that have expired unspent: they count as taken back when what brought them goes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import combined, negative, take
from shared.domain.lifecycle.kept_facets import Histories
from shared.domain.lots import NEVER, NO_LOTS, UNTIL_APPROVED, LotDay, Lots
from shared.domain.points.expiry import lot_day
from shared.domain.program.expiry import Expiry, Inactivity
from shared.domain.spending.stakes import lost_by
from shared.domain.subaccounts import pool_account_of


class _Grant(NamedTuple):
    """The entry that brought points, their own lot, and the lots that they can have been in, with how many.

    Where activity prolongs all lots, `lots` is None: they can have been in any.
    """

    entry: Entry
    own: LotDay
    lots: Lots | None


def ledgers_of_lapsed(accounts: Sequence[Account], policy: Expiry, granted: Entry, histories: Histories) -> list[str]:
    """Whose entries tell what of a grant has expired: the first account's, and those of all pools it ever shared in.

    Nobody's if nothing of it can have expired. The account's own entries say which pools: they come first, and once
    `histories` has them, the pools follow.
    """
    account = accounts[0]
    if not _may_have_lapsed(account, policy, granted):
        return []
    return [*account.ids, *_pools_of(_entries(histories, account.ids))]


def lapsed_unspent(account: Account, policy: Expiry, granted: Entry, histories: Histories) -> Lots:
    """Points of an entry's lot that have expired unspent, and that nothing has counted yet, by the lot they were in.

    They may have come back to a lot of a later day, and may have expired in a pool that the member shares in, or has
    left since. Where activity prolongs all lots, whatever has expired since was in one lot with the entry's.
    `histories` has the ledgers that `ledgers_of_lapsed` names; without them nothing has expired.
    """
    own = _own_day(granted, histories)
    if own == NEVER:
        return NO_LOTS
    ours = _entries(histories, account.ids)
    lots = None if isinstance(policy, Inactivity) else _lots_of(granted, own, ours)
    grant = _Grant(granted, own, lots)
    left = _of_grant(combined(_left(ours, grant), _lost_in_pools(account, grant, histories)), grant)
    return {day: points if not lots or day == own else min(points, lots[day]) for day, points in left.items()}


def _may_have_lapsed(account: Account, policy: Expiry, granted: Entry) -> bool:
    """An account does not know what has expired on those that were merged into it, or in pools."""
    own, waited = lot_day(granted.expires_on), UNTIL_APPROVED in granted.pending
    if own == NEVER and not waited:
        return False
    if account.merged_from or granted.lapsed or account.pool_id is not None:
        return True
    through = account.expired_through
    return through is not None and (waited or isinstance(policy, Inactivity) or own <= through.isoformat())


def _own_day(granted: Entry, histories: Histories) -> LotDay:
    """The lot of a grant. What waited for consent got one with it."""
    if UNTIL_APPROVED not in granted.pending:
        return lot_day(granted.expires_on)
    agreed = (one for one in histories.get(granted.member_id, ()) if one.type == "confirm")
    return next((lot_day(one.expires_on) for one in agreed if one.sequence > granted.sequence), NEVER)


def _lots_of(granted: Entry, own: LotDay, entries: Sequence[Entry]) -> dict[LotDay, int]:
    """The lots that points of a grant can have been in: its own, and the later ones that they moved to, with how many.

    They move when they come back once their own day has passed, from a redemption, a gift or as the order's own, and
    when activity prolongs them.
    """
    lots = {own: 0}
    for entry in entries:
        moved = _moved(entry)
        left = {day: -points for day, points in moved.items() if points < 0 and day in lots}
        came = sum(points if day == own else min(points, lots[day]) for day, points in left.items())
        if entry is not granted and entry.source.get("order_id", "") == granted.source.get("order_id"):
            came += max(0, entry.available_effect)
        for day, points in moved.items():
            if points > 0 and day > own:
                lots[day] = lots.get(day, 0) + min(points, came)
    return {day: points for day, points in lots.items() if points or day == own}


def _moved(entry: Entry) -> Lots:
    """By how much each lot is larger or smaller after an entry, with the points that are held of it or were captured.

    Points that are reserved or given back stay in their lots.
    """
    held = (hold.lots for hold in (*entry.closed.values(), *entry.reversed.values()))
    return combined(entry.lots, *(hold.lots for hold in entry.opened.values()), *map(negative, held))


def _left(entries: Iterable[Entry], grant: _Grant) -> Lots:
    """What has expired of a grant's lots, less what was counted as taken back: below 0 if more was than has expired."""
    return combined(*(change for entry in entries for change in (_gone(entry, grant), negative(entry.lapsed))))


def _of_grant(left: Lots, grant: _Grant) -> Lots:
    """What of some lots, as far as it is more than nothing, is in those that the grant can have been in."""
    return {day: points for day, points in left.items() if points > 0 and (grant.lots is None or day in grant.lots)}


def _gone(entry: Entry, grant: _Grant) -> Lots:
    """What an entry books as expired, by lots; what had been held is in the lot that it was taken from."""
    if grant.lots is not None:
        return negative(entry.lots) if entry.type == "expiry" else entry.expired
    if entry.type == "expiry":
        return negative(entry.lots) if entry.occurred_at > grant.entry.recorded_at else NO_LOTS
    return {day: points for day, points in entry.expired.items() if day >= grant.own}


def _lost_in_pools(account: Account, grant: _Grant, histories: Histories) -> Lots:
    """What of the member's stakes has expired in pools since the grant: what others had put in there is not theirs."""
    lost: Lots = {}
    for name in _pools_of(_entries(histories, account.ids)):
        for entry in histories.get(name, ()):
            if entry.type == "expiry" and entry.occurred_at > grant.entry.recorded_at:
                gone = negative(entry.lots)
                lost = combined(lost, take(gone, min(lost_by(entry.uses, account.ids), sum(gone.values()))))
    return lost


def _pools_of(entries: Iterable[Entry]) -> list[str]:
    """The accounts of the pools that a member has ever shared in."""
    joined = (pool_account_of(one.source["pool_id"]) for one in entries if one.type == "pool_join")
    return list(dict.fromkeys(joined))


def _entries(histories: Histories, ids: Sequence[str]) -> list[Entry]:
    """The entries of some accounts as they were booked."""
    found = [entry for name in ids for entry in histories.get(name, ())]
    return sorted(found, key=lambda one: (one.recorded_at, one.sequence))
