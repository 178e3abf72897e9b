"""Points that have expired unspent: they count as taken back when what brought them goes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import combined, negative
from shared.domain.lifecycle.kept_facets import Histories
from shared.domain.lots import NEVER, NO_LOTS, UNTIL_APPROVED, LotDay, Lots
from shared.domain.points.expiry import lot_day
from shared.domain.program.expiry import Expiry, Inactivity
from shared.domain.spending.pools import pool_among
from shared.domain.spending.stakes import members_ever
from shared.domain.subaccounts import pool_account_of


class _Grant(NamedTuple):
    """The entry that brought points, their own lot, and the lots that they can have been in, with how many.

    Where activity prolongs all lots, `lots` is None: they can have been in any.
    """

    entry: Entry
    own: LotDay
    lots: Lots | None


def ledgers_of_lapsed(accounts: Sequence[Account], policy: Expiry, granted: Entry) -> list[str]:
    """Whose entries tell what of a grant has expired: the first account's, its pool's, and those of all who shared it.

    Nobody's if nothing of it can have expired. `accounts` has the account's pool, if it shares in one.
    """
    account = accounts[0]
    pool = pool_among(account, accounts)
    if not _may_have_lapsed(account, pool, policy, granted):
        return []
    return list(dict.fromkeys([*account.ids, *((pool.member_id, *members_ever(pool)) if pool else ())]))


def lapsed_unspent(account: Account, policy: Expiry, granted: Entry, histories: Histories) -> Lots:
    """Points of an entry's lot that have expired unspent, and that nothing has counted yet, by the lot they were in.

    They may have come back to a lot of a later day, and may have expired in the member's pool. Where activity prolongs
    all lots, whatever has expired since was in one lot with the entry's. `histories` has the ledgers that
    `ledgers_of_lapsed` names; without them nothing has expired.
    """
    own = _own_day(granted, histories)
    if own == NEVER:
        return NO_LOTS
    ours = _entries(histories, account.ids)
    lots = None if isinstance(policy, Inactivity) else _lots_of(granted, own, ours)
    grant = _Grant(granted, own, lots)
    left = combined(_positive(_left(ours, grant)), _left_of_pool(account, grant, histories))
    return {day: points if not lots or day == own else min(points, lots[day]) for day, points in left.items()}


def _may_have_lapsed(account: Account, pool: Account | None, policy: Expiry, granted: Entry) -> bool:
    """An account does not know what has expired on those that were merged into it."""
    own, waited = lot_day(granted.expires_on), UNTIL_APPROVED in granted.pending
    if own == NEVER and not waited:
        return False
    if account.merged_from or granted.lapsed:
        return True
    through = [one.expired_through.isoformat() for one in (account, pool) if one and one.expired_through]
    return any(waited or isinstance(policy, Inactivity) or own <= day for day in through)


def _own_day(granted: Entry, histories: Histories) -> LotDay:
    """The lot of a grant. What waited for consent got one with it."""
    if UNTIL_APPROVED not in granted.pending:
        return lot_day(granted.expires_on)
    agreed = (one for one in histories.get(granted.member_id, ()) if one.type == "confirm")
    return next((lot_day(one.expires_on) for one in agreed if one.sequence > granted.sequence), NEVER)


def _lots_of(granted: Entry, own: LotDay, entries: Sequence[Entry]) -> dict[LotDay, int]:
    """The lots that points of a grant can have been in: its own, and those that they came back to, with how many did.

    They come back once their own day has passed: from a redemption or a gift, or as the order's own.
    """
    lots = {own: 0}
    for entry in entries:
        held = [hold.lots for hold in (*entry.closed.values(), *entry.reversed.values())]
        of_lots = [(day, points) for each in held for day, points in each.items() if day in lots]
        came = sum(points if day == own else min(points, lots[day]) for day, points in of_lots)
        if entry is not granted and entry.source.get("order_id", "") == granted.source.get("order_id"):
            came += max(0, entry.available_effect)
        for day, points in entry.lots.items():
            if points > 0 and day > own and not any(day in each for each in held):
                lots[day] = lots.get(day, 0) + min(points, came)
    return {day: points for day, points in lots.items() if points or day == own}


def _left(entries: Iterable[Entry], grant: _Grant) -> Lots:
    """What has expired of a grant's lots, less what was counted as taken back: below 0 if more was than has expired."""
    left = combined(*(change for entry in entries for change in (_gone(entry, grant), negative(entry.lapsed))))
    return {day: points for day, points in left.items() if grant.lots is None or day in grant.lots}


def _gone(entry: Entry, grant: _Grant) -> Lots:
    """What an entry books as expired, by lots; what had been held is in the lot that it was taken from."""
    if grant.lots is not None:
        return negative(entry.lots) if entry.type == "expiry" else entry.expired
    if entry.type == "expiry":
        return negative(entry.lots) if entry.occurred_at > grant.entry.recorded_at else NO_LOTS
    return {day: points for day, points in entry.expired.items() if day >= grant.own}


def _left_of_pool(account: Account, grant: _Grant, histories: Histories) -> Lots:
    """What has expired in the member's pool since they have shared it, less what was counted for any of its members."""
    name = pool_account_of(account.pool_id) if account.pool_id else ""
    pool = histories.get(name, ())
    joined = max((one.recorded_at for one in pool if _is_join(one, account)), default=grant.entry.recorded_at)
    since = max(joined, grant.entry.recorded_at)
    left = _left((one for one in pool if one.occurred_at > since), grant)
    if not left:
        return NO_LOTS
    others = [(one,) for one in histories if one not in account.ids and one != name]
    for ids in (account.ids, *others):
        more = {day: min(0, points) for day, points in _left(_entries(histories, ids), grant).items()}
        left = combined(left, more)
    return _positive(left)


def _is_join(entry: Entry, account: Account) -> bool:
    return entry.type == "pool_join" and entry.source["by"] in account.ids


def _entries(histories: Histories, ids: Sequence[str]) -> list[Entry]:
    """The entries of some accounts as they were booked."""
    found = [entry for name in ids for entry in histories.get(name, ())]
    return sorted(found, key=lambda one: (one.recorded_at, one.sequence))


def _positive(lots: Lots) -> Lots:
    return {day: points for day, points in lots.items() if points > 0}
