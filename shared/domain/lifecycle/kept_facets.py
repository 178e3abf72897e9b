"""What a member would be had they only ever bought what they have kept: tier, challenges, badges, and the last order.

It is worked out afresh from the member's entries: each order counts with what is kept of it, where it was booked. What
time has booked stays as it was booked. A change of an order is told by the difference of two such histories, before it
and after it; so a program that has changed since, or an order without lines, changes nothing that the order did not.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day, period_begins_on
from shared.domain.earning.challenges import Deed, action_deed, advanced, merged_badges, merged_progress, order_deed
from shared.domain.earning.kept_orders import Sale, kept, returned_of, uses_kept
from shared.domain.entry import Entry
from shared.domain.facets import NO_DAY, Badge, Progress, TierStatus, Use
from shared.domain.ledger import qualifying_after, uses_together
from shared.domain.points.tiers import raised
from shared.domain.program.program import Program
from shared.domain.spending.merges import higher_tier

Histories = Mapping[str, Sequence[Entry]]
"""All entries of a member and of those who were merged into them, the oldest first, by whose they are.

Of others there may be some beside them."""
Sales = Mapping[str, Sale]
"""Orders by their ids, each as it stands. One that another member has claimed is not among them."""
CREDITS_ORDER = frozenset({"earn", "claim_in"})
"""The types of entries at whose place in the ledger an order counts."""
_DERIVED = frozenset({"badge", "badge_lost", "refund", "refund_reversal", "amend", "claim_out"})
"""The types of entries that book what is worked out here."""
_CARRIES = _DERIVED | {"merge_in"}
"""The types of entries whose uses of limits are those of orders, or of entries in another ledger of the member's."""


class Change(NamedTuple):
    """What a change of an order does to a member beside its own points.

    `badges` says how many of each are gained, or with a minus lost, as far as they are held. `tier`
    is None if it stays, `last_order_on` too.
    """

    progress: Mapping[str, Progress]
    badges: Mapping[str, int]
    tier: TierStatus | None
    last_order_on: date | None


class _Lives(NamedTuple):
    """A member by what was kept of their orders, before a change of one and after it."""

    was: Account
    will_be: Account


def sales_of(histories: Histories) -> dict[str, Sale]:
    """Every order that the members' entries credit, as it stands by these entries.

    Entries of one order may be in ledgers whose clocks differ, so what came last is told by their own count.
    """
    of_orders: dict[str, list[Entry]] = {}
    for entry in (one for each in histories.values() for one in each):
        if "order_id" in entry.source:
            of_orders.setdefault(entry.source["order_id"], []).append(entry)
    sales = ((order_id, _sale_of(entries)) for order_id, entries in of_orders.items())
    return {order_id: sale for order_id, sale in sales if sale is not None}


def _sale_of(entries: Sequence[Entry]) -> Sale | None:
    """An order as its entries leave it; None if another member has claimed it."""
    credited = [one for one in entries if one.order is not None and one.type in CREDITS_ORDER]
    if len(credited) <= sum(one.type == "claim_out" for one in entries):
        return None
    credit = max(credited, key=_changes)
    latest = max((one for one in entries if one is credit or one.refunded is not None), key=_changes)
    amendments = [one for one in entries if one.type == "amend" and one.returns > credit.returns]
    return Sale(credit, returned_of(latest), max(amendments, key=_changes, default=None))


def _changes(entry: Entry) -> int:
    return entry.returns


def change_of(
    account: Account, program: Program, in_force: Program, histories: Histories, before: Sales, after: Sales
) -> Change:
    """What becomes of a member whose orders were as `before` and are as `after`. `account` is theirs as it is.

    It is told by the program that the order was credited by. Where that does not lead to the tier or the progress that
    the account has, because the shop has changed thresholds or goals since, the one `in_force` tells that.
    """

    def lives(by: Program) -> _Lives:
        return _Lives(*(facets(account.member_id, by, histories, sales) for sales in (before, after)))

    was, will_be = known = lives(program)
    told = [known]
    if program.version != in_force.version and not _leads_to(was, account):
        told.append(lives(in_force))
    gained = {
        one.challenge_id: _times(will_be, one.challenge_id) - _times(was, one.challenge_id)
        for one in program.challenges
    }
    by_tier = next((one for one in told if _has_tier_of(one.was, account)), None)
    tier = by_tier.will_be.tier if by_tier and by_tier.was.tier != by_tier.will_be.tier else None
    ordered_on = None
    if account.last_order_on == was.last_order_on != will_be.last_order_on:
        ordered_on = will_be.last_order_on or NO_DAY
    progress: dict[str, Progress] = {}
    for one in reversed(told):
        progress |= _changed_progress(account, one)
    return Change(progress, {name: times for name, times in gained.items() if times}, tier, ordered_on)


def _leads_to(state: Account, account: Account) -> bool:
    """Whether a history leads to the tier and the progress that the account has."""
    names = {*state.progress, *account.progress}
    return _has_tier_of(state, account) and all(_progress(state, one) == _progress(account, one) for one in names)


def _has_tier_of(state: Account, account: Account) -> bool:
    return state.tier is not None and account.tier is not None and state.tier.tier_id == account.tier.tier_id


def _changed_progress(account: Account, lives: _Lives) -> dict[str, Progress]:
    """The progress that is another, of what a history leads to as the account has it."""
    was, will_be = lives
    names = [
        one for one in sorted({*was.progress, *will_be.progress}) if _progress(was, one) == _progress(account, one)
    ]
    return {one: _progress(will_be, one) for one in names if _progress(will_be, one) != _progress(was, one)}


def _progress(state: Account, name: str) -> Progress:
    return state.progress.get(name, Progress())


def uses_on(account: Account, histories: Histories, day: date) -> dict[str, Use]:
    """What limits had counted in the periods of a day, by what is kept of orders.

    An account knows only the latest period of each limit. What has counted in one that it has left behind is added up.
    """
    then = {name: use for name, use in account.uses.items() if period_begins_on(use.period) <= day}
    left_behind = account.uses.keys() - then.keys()
    if not left_behind:
        return then
    own = {name: histories.get(name, ()) for name in account.ids}
    of_orders = [uses_kept(sale, kept(sale)) for sale in sales_of(own).values()]
    of_others = [one.uses for each in own.values() for one in each if one.order is None and one.type not in _CARRIES]
    for uses in (*of_orders, *of_others):
        begun = {name: use for name, use in uses.items() if period_begins_on(use.period) <= day}
        then = uses_together(then, {name: use for name, use in begun.items() if name in left_behind}, day)
    return then


def facets(member_id: str, program: Program, histories: Histories, sales: Sales) -> Account:
    """An account of which only tier, progress, badges and what counts toward tiers are filled, by what is kept."""
    state = Account(member_id=member_id)
    for entry in histories[member_id]:
        state = _after(state, program, entry, histories, sales)
    return state


def _after(state: Account, program: Program, entry: Entry, histories: Histories, sales: Sales) -> Account:
    """The state after one more entry."""
    day = local_day(entry.recorded_at, program.time_zone)
    if entry.type == "merge_in":
        return _merged(state, program, facets(entry.source["from"], program, histories, sales), day)
    if entry.order is not None:
        sale = sales.get(entry.source["order_id"])
        is_counted = sale is not None and entry.entry_id == sale.entry.entry_id
        return _bought(state, program, sale, day) if sale and is_counted else state
    if entry.type in {"earn", "approve"}:
        state = _counted(state, program, entry.qualifying, 0, day)
        deed = action_deed(program, entry)
        return _did(state, program, deed, day) if deed else state
    if entry.type in _DERIVED:
        return state
    update = {"badges": {**state.badges, **entry.badges}, "tier": entry.tier or state.tier}
    return _counted(state.model_copy(update=update), program, entry.qualifying, entry.qualifying_before, day)


def _bought(state: Account, program: Program, sale: Sale, day: date) -> Account:
    """The state after an order, of which a part may have come back."""
    if sale.is_gone:
        return state
    earned, order = kept(sale), sale.order
    counts = earned.points if order.measure == "points" else sale.amount_kept
    state = _counted(state, program, {order.month: counts} if sale.counts_toward("tiers") else {}, 0, day)
    placed_on = local_day(min(sale.entry.occurred_at, sale.entry.recorded_at), program.time_zone)
    if sale.entry.activity and (state.last_order_on is None or state.last_order_on < placed_on):
        state = state.model_copy(update={"last_order_on": placed_on})
    if not sale.counts_toward("challenges"):
        return state
    return _did(state, program, order_deed(program, sale, earned.points), day)


def _counted(state: Account, program: Program, months: Mapping[str, int], before: int, day: date) -> Account:
    """The state with more that counts toward tiers, and the tier that this reaches."""
    if months or before:
        ever = max(0, state.qualifying_ever + sum(months.values()) + before)
        update = {"qualifying": qualifying_after(state.qualifying, months), "qualifying_ever": ever}
        state = state.model_copy(update=update)
    higher = raised(state, program.tiers, day) if state.tier else None
    return state.model_copy(update={"tier": higher}) if higher else state


def _did(state: Account, program: Program, deed: Deed, day: date) -> Account:
    """The state after what an order or action is to challenges."""
    progress, badges = dict(state.progress), dict(state.badges)
    for challenge in program.challenges:
        name = challenge.challenge_id
        before = state.progress.get(name, Progress())
        after, is_reached = advanced(challenge, state, before, deed)
        if after != before:
            progress[name] = after
        if is_reached:
            held = state.badges.get(name, Badge(on=day, times=0))
            badges[name] = held.model_copy(update={"times": held.times + 1})
    return state.model_copy(update={"progress": progress, "badges": badges})


def _merged(state: Account, program: Program, gone: Account, day: date) -> Account:
    """The state after somebody else's was added to it."""
    update = {
        "progress": {**state.progress, **merged_progress(gone, state)},
        "badges": {**state.badges, **merged_badges(gone, state)},
        "last_order_on": max((one for one in (state.last_order_on, gone.last_order_on) if one), default=None),
        "tier": higher_tier(gone, state, program) or state.tier,
    }
    earlier = max(0, gone.qualifying_ever - sum(gone.qualifying.values()))
    return _counted(state.model_copy(update=update), program, gone.qualifying, earlier, day)


def _times(state: Account, badge_id: str) -> int:
    badge = state.badges.get(badge_id)
    return badge.times if badge else 0
