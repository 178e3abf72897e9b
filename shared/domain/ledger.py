"""Booking: the one way from an account and an entry to the next state of the account."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from shared.domain import entry_types
from shared.domain.account import Account, Totals
from shared.domain.actors import CLOCK
from shared.domain.calendar import add_months, is_in_period, month_of, period_begins_on
from shared.domain.entry import Entry
from shared.domain.entry_types import EntryType
from shared.domain.facets import NO_DAY, NO_TIER_BY_HAND, Activity, TierByHand, Use
from shared.domain.lots import GRACED, LotDay, Lots, Prolonged
from shared.domain.vouchers import vouchers_after

QUALIFYING_MONTHS_KEPT = 17
"""Thirteen months of a rolling year, and the four that the longest grace reaches into."""

ACTIVITY_MONTHS_KEPT = 13

FORGIVEN_KEPT = 100
"""Of so many notes of forgiven points, those of the lots that end last, it is known what they went for."""

PROLONGED_DAYS_KEPT = 100
"""Of so many days on which somebody was active, the newest ones, it is known what each has prolonged."""

_REPLACED = (
    "tier",
    "frozen",
    "traits",
    "membership",
    "pool_id",
    "pool_members",
    "provisional_until",
)

_Counted = TypeVar("_Counted")


class BrokenLedgerError(AssertionError):
    """An entry that no rule can have made. A defect in the code, never the caller's doing."""


def draft(account: Account, type_: str, *, occurred_at: datetime, recorded_at: datetime, **rest: Any) -> Entry:  # noqa: ANN401
    """The account's next entry, numbered and with the balance it leaves."""
    lots: Lots = rest.get("lots", {})
    return Entry(
        member_id=account.member_id,
        sequence=account.sequence + 1,
        type=type_,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        balance_after=account.balance + sum(lots.values()),
        **rest,
    )


def next_entry_id(account: Account) -> str:
    """The id of the entry that is drafted next for the account."""
    return f"{account.member_id}-{account.sequence + 1}"


def book(account: Account, entry: Entry) -> Account:
    """The account after the entry.

    Raises BrokenLedgerError if the entry does not follow the account's last one, would leave anything negative, or is
    of a type that this release does not know.
    """
    row = _row_of(entry)
    if (entry.member_id, entry.sequence) != (account.member_id, account.sequence + 1):
        raise BrokenLedgerError(f"entry {entry.entry_id} does not follow {account.member_id}-{account.sequence}")
    holds = {key: hold for key, hold in account.holds.items() if key not in entry.closed} | dict(entry.opened)
    if set(entry.closed) - set(account.holds):
        raise BrokenLedgerError(f"entry {entry.entry_id} closes a hold that is not open")
    after = account.model_copy(
        update={
            "sequence": entry.sequence,
            "status": row.status_after or account.status,
            "lots": added(account.lots, entry.lots),
            "pending": added(account.pending, entry.pending),
            "holds": dict(sorted(holds.items())),
            "debt": account.debt + entry.debt,
            "forgiven": _forgiven_after(account.forgiven, entry.forgiven_lots),
            "stakes": added(account.stakes, entry.stakes) if entry.stakes else account.stakes,
            "prolonged": _prolonged_after(account.prolonged, entry),
            "vouchers": vouchers_after(account.vouchers, entry.vouchers),
            "earned": account.earned + entry.earned,
            "totals": _totals_after(account.totals, entry, row),
            **{name: value for name in _REPLACED if (value := getattr(entry, name)) is not None},
            "tier_by_hand": _tier_by_hand_after(account.tier_by_hand, entry.tier_by_hand),
            **_referrals_after(account, entry),
            "progress": {**account.progress, **entry.progress} if entry.progress else account.progress,
            "badges": {**account.badges, **entry.badges} if entry.badges else account.badges,
            "activity": _activity_after(account.activity, entry.activity),
            "last_order_on": _last_order_after(account.last_order_on, entry.last_order_on, row),
            "qualifying": qualifying_after(account.qualifying, entry.qualifying),
            "qualifying_ever": max(
                0, account.qualifying_ever + sum(entry.qualifying.values()) + entry.qualifying_before
            ),
            "uses": uses_after(account.uses, entry.uses),
            "matured_through": _latest(
                account.matured_through, entry.available_on if entry.type == "maturity" else None
            ),
            "expired_through": _latest(account.expired_through, _expired_on(entry)),
            "merged_from": account.merged_from + entry.merged_from,
            "merged_into": entry.source["into"] if entry.type == "merge_out" else account.merged_into,
            "enrolled_at": account.enrolled_at or entry.occurred_at,
            "booked_at": entry.recorded_at,
            "idle_since": _idle_after(account, entry),
        }
    )
    if after.debt < 0 or after.balance != entry.balance_after:
        raise BrokenLedgerError(f"entry {entry.entry_id} leaves the debt {after.debt}, the balance {after.balance}")
    if any(not 0 < voucher.left <= voucher.of for voucher in after.vouchers.values()):
        raise BrokenLedgerError(f"entry {entry.entry_id} leaves less than nothing of a voucher, or more than all")
    return after


def book_all(account: Account, entries: Iterable[Entry]) -> Account:
    """The account after each entry in turn; from a new account, what the ledger says it must be."""
    for entry in entries:
        account = book(account, entry)
    return account


def added(lots: Lots, change: Lots) -> dict[LotDay, int]:
    """Lots after a signed change, without empty ones, the soonest to expire first.

    Raises BrokenLedgerError if one would fall below zero.
    """
    after = combined(lots, change)
    for day, points in after.items():
        if points < 0:
            raise BrokenLedgerError(f"the lot {day} would hold {points} points")
    return after


def combined(*changes: Lots) -> dict[LotDay, int]:
    """Signed changes of lots put together, without those that cancel out."""
    total: dict[LotDay, int] = {}
    for change in changes:
        for day, points in change.items():
            total[day] = total.get(day, 0) + points
    return {day: points for day, points in sorted(total.items()) if points}


def take(lots: Lots, points: int) -> dict[LotDay, int]:
    """`points` from lots, those that expire soonest first. The caller has checked that there are so many."""
    taken: dict[LotDay, int] = {}
    for day, held in sorted(lots.items()):
        if points == 0:
            break
        taken[day] = min(points, held)
        points -= taken[day]
    if points:
        raise BrokenLedgerError(f"the lots are {points} points short")
    return taken


def give(account: Account, lots: Lots) -> dict[str, Any]:
    """The effects `lots` and `debt` of points that become available: what is owed is settled from them first."""
    owed = take(lots, min(account.debt, sum(lots.values())))
    kept = {day: points - owed.get(day, 0) for day, points in lots.items()}
    return {"lots": {day: points for day, points in kept.items() if points}, "debt": -sum(owed.values())}


def negative(lots: Lots) -> dict[LotDay, int]:
    """The same lots, taken away."""
    return {day: -points for day, points in lots.items()}


def concerns_others(entry: Entry) -> bool:
    """Whether something follows from it elsewhere: for another account, or for what is kept about a person."""
    pays_or_not = entry.referred is not None and entry.referred.state in {"rewarded", "reversed"}
    return pays_or_not or entry.owed > 0 or entry_types.of(entry.type).concerns_others


def _row_of(entry: Entry) -> EntryType:
    try:
        return entry_types.of(entry.type)
    except entry_types.UnknownEntryTypeError as error:
        raise BrokenLedgerError(f"entry {entry.entry_id} cannot be booked: {error}") from error


def _totals_after(totals: Totals, entry: Entry, row: EntryType) -> Totals:
    if entry.expired:
        totals = totals.model_copy(update={"expired": totals.expired + entry.expired_points})
    net = entry.net_effect + entry.expired_points
    if entry.type == "reverse":  # what another account captured before it was merged into this one is new here
        forgiven = -sum(entry.forgiven_lots.values())
        came = net + forgiven
        back = min(came, totals.captured)
        update = {"captured": totals.captured - back, "granted": totals.granted + came - back}
        return totals.model_copy(update={**update, "taken_back": totals.taken_back + forgiven})
    if entry.type == "gift_out":  # what of the gift was forgiven goes nowhere
        forgiven = -sum(entry.forgiven_lots.values())
        totals, net = totals.model_copy(update={"taken_back": totals.taken_back + forgiven}), net + forgiven
    if net == 0:
        return totals
    name = "granted" if net > 0 else row.leaves_as
    if name is None:
        raise BrokenLedgerError(f"entry {entry.entry_id} of type {entry.type} loses {-net} points")
    return totals.model_copy(update={name: getattr(totals, name) + abs(net)})


def qualifying_after(months: Mapping[str, int], change: Mapping[str, int]) -> Mapping[str, int]:
    """What counts toward tiers by month after a signed change; only months that a tier may still look at are kept."""
    if not change:
        return months
    after = dict(months)
    for month, amount in change.items():
        after[month] = max(0, after.get(month, 0) + amount)
    return {month: amount for month, amount in _kept(after, QUALIFYING_MONTHS_KEPT).items() if amount}


def _activity_after(months: Mapping[str, Activity], change: Mapping[str, Activity]) -> Mapping[str, Activity]:
    if not change:
        return months
    after = dict(months)
    for month, more in change.items():
        known = after.get(month, Activity())
        orders, amount = max(0, known.orders + more.orders), max(0, known.amount + more.amount)
        after[month] = known.model_copy(update={"orders": orders, "amount": amount})
    return {month: one for month, one in _kept(after, ACTIVITY_MONTHS_KEPT).items() if one.orders or one.amount}


def _kept(months: Mapping[str, _Counted], count: int) -> dict[str, _Counted]:
    """The newest months, so many of them."""
    oldest = month_of(add_months(date.fromisoformat(f"{max(months)}-01"), 1 - count))
    return {month: counted for month, counted in sorted(months.items()) if month >= oldest}


def uses_after(uses: Mapping[str, Use], change: Mapping[str, Use]) -> Mapping[str, Use]:
    """What limits have counted after a signed change; less of a period that is over changes nothing."""
    after = dict(uses)
    for name, use in change.items():
        known = after.get(name)
        if known is not None and known.period == use.period:
            times, points = max(0, known.times + use.times), max(0, known.points + use.points)
            after[name] = known.model_copy(update={"times": times, "points": points})
        elif use.times > 0 or use.points > 0:
            after[name] = use
    return dict(sorted(after.items()))


def uses_that_count(uses: Mapping[str, Use], known: Mapping[str, Use]) -> dict[str, Use]:
    """Of what limits have counted, that of periods which `known` has not left behind."""
    return {name: use for name, use in uses.items() if name not in known or not _begins_before(use, known[name])}


def uses_brought(uses: Mapping[str, Use], known: Mapping[str, Use], today: date) -> dict[str, Use]:
    """The change by which limits that have counted `known` count beside it what they have counted elsewhere.

    A limit may have been one of another period meanwhile. Of two periods the later one holds both, unless the earlier
    one is over today: so no limit begins anew.
    """
    changes: dict[str, Use] = {}
    for name, use in uses.items():
        before = known.get(name)
        if before is None or before.period == use.period:
            changes[name] = use
        elif _begins_before(before, use):
            changes[name] = _sum(use, before) if is_in_period(today, before.period) else use
        elif is_in_period(today, use.period) or not _begins_before(use, before):
            changes[name] = use.model_copy(update={"period": before.period})
    return changes


def uses_together(uses: Mapping[str, Use], more: Mapping[str, Use], today: date) -> dict[str, Use]:
    """What limits have counted here and elsewhere."""
    together = dict(uses)
    for name, use in uses_brought(more, uses, today).items():
        known = uses.get(name)
        together[name] = _sum(use, known) if known is not None and known.period == use.period else use
    return together


def uses_given_back(uses: Mapping[str, Use]) -> dict[str, Use]:
    """The change by which limits count as much less."""
    return {name: use.model_copy(update={"times": -use.times, "points": -use.points}) for name, use in uses.items()}


def _sum(use: Use, other: Use) -> Use:
    return use.model_copy(update={"times": use.times + other.times, "points": use.points + other.points})


def _begins_before(use: Use, other: Use) -> bool:
    return period_begins_on(use.period) < period_begins_on(other.period)


def _forgiven_after(known: Lots, change: Lots) -> Lots:
    if not change:
        return known
    after = added(known, change)
    return {key: after[key] for key in sorted(after)[-FORGIVEN_KEPT:]}


def _referrals_after(account: Account, entry: Entry) -> dict[str, Any]:
    """What a member's own referral and those of merged members have become."""
    others, changed = {**account.also_referred, **entry.also_referred}, entry.referred
    if changed is None:
        return {"also_referred": others}
    if changed.friend in account.also_referred:
        return {"also_referred": {**others, str(changed.friend): changed}}
    return {"also_referred": others, "referred": changed}


def _prolonged_after(known: Mapping[LotDay, Prolonged], entry: Entry) -> Mapping[LotDay, Prolonged]:
    """What activity has done, after an entry. Days that have passed everywhere are left out, and the oldest of many."""
    if not entry.prolonged:
        return known
    after = dict(known)
    for day, change in entry.prolonged.items():
        before = after.get(day, Prolonged())
        lots = {lot: points for lot, points in combined(before.lots, change.lots).items() if points > 0}
        after[day] = Prolonged(by=max(0, before.by + change.by), lots=lots)
    oldest = (entry.recorded_at.date() - timedelta(days=1)).isoformat()
    return {day: after[day] for day in sorted(after)[-PROLONGED_DAYS_KEPT:] if day >= oldest}


def _idle_after(account: Account, entry: Entry) -> datetime | None:
    """Since when nothing but time has done anything; None: it was somebody's doing now."""
    return (account.idle_since or account.booked_at or account.enrolled_at) if entry.actor == CLOCK else None


def _tier_by_hand_after(before: TierByHand | None, change: TierByHand | None) -> TierByHand | None:
    after = before if change is None else change
    return None if after == NO_TIER_BY_HAND else after


def _last_order_after(before: date | None, change: date | None, row: EntryType) -> date | None:
    if row.counts_anew and change is not None:
        return None if change == NO_DAY else change
    return _latest(before, change)


def _expired_on(entry: Entry) -> date | None:
    """The last day of points that an entry books as expired; None: it books none."""
    days = (date.fromisoformat(day.removesuffix(GRACED)) for day in entry.expired)
    return _latest(*days, entry.expires_on if entry.type == "expiry" else None)


def _latest(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)
