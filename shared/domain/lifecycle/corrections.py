"""Putting an order right: a refund taken back, the order amended, or claimed for the member who made it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import amended_credit, earn_credit
from shared.domain.earning.enrolment import open_side
from shared.domain.earning.given_again import ended_on, given_again, own_day
from shared.domain.earning.kept_orders import (
    NOTHING_RETURNED,
    Returned,
    Sale,
    kept,
    returned_of,
    together,
    uses_kept,
)
from shared.domain.earning.order_points import amended_order
from shared.domain.earning.orders import Line, purchase_of
from shared.domain.earning.provisional import require_consent
from shared.domain.earning.referrals import marked
from shared.domain.earning.refunds import budgets_change, counted_change, counting_now, noted_return, taken_back
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.facets import Activity, Use
from shared.domain.ledger import book_all, combined, draft, negative, take
from shared.domain.lifecycle.changed_order import Background, BookedOrder, lapsed_of, with_all_that_follows
from shared.domain.lifecycle.kept_facets import uses_on
from shared.domain.lots import NO_LOTS, Lots
from shared.domain.points.activity import active_again, beside, inactive
from shared.domain.points.eligibility import is_excluded
from shared.domain.points.freezing import require_not_frozen
from shared.domain.points.operator_limits import agreed, counting
from shared.domain.points.partner_funding import is_of_partner
from shared.domain.program.program import Program

_CHANGES_ORDER = frozenset({"refund", "refund_reversal", "amend", "claim_out", "claim_in"})
"""The types of entries that take an order's points, or give them again."""


class Untaken(NamedTuple):
    """What of an order should have been taken from an account and could not: points that lapsed, and forgiven ones.

    `forgiven_lots` are those of the forgiven ones that have not come back with what they were spent on.
    """

    lapsed: Lots = NO_LOTS
    forgiven: int = 0
    forgiven_lots: Lots = NO_LOTS


class Cause(NamedTuple):
    """What caused a correction: when it happened, when it is booked, who asked for it, and the request's fingerprint.

    `caps` says what is left of budgets that are nearly used up, by name. With `requested_by`, that operator asked for
    it and `actor` approved it.
    """

    occurred_at: datetime
    now: datetime
    actor: str
    fingerprint: str
    caps: Mapping[str, int] = {}
    requested_by: str | None = None


def refund_reversed(
    accounts: Sequence[Account],
    order: BookedOrder,
    refunds: Sequence[Entry | None],
    background: Background,
    cause: Cause,
) -> list[Entry]:
    """Give back what a refund took: the goods were kept after all. Its own entry comes first.

    `accounts` are the member's and their wallet, `refunds` the refund's entries in both ledgers.
    Raises InvalidStateError for a refund that does not say what it returned.
    """
    [refund, of_credit] = refunds
    undone = refund.undone if refund else None
    if undone is not None and (undone.spent_points or undone.spent_credit):
        raise InvalidStateError("the refund gave back what was spent on the order; it cannot be reversed")
    if refund is None or not (refund.part_amount or refund.part_lines):
        raise InvalidStateError("the refund does not say what it returned: it is too old to be reversed")
    lines = {sku: (-quantity, -amount) for sku, (quantity, amount) in refund.part_lines.items()}
    part = Returned(-refund.part_amount, lines)
    back = together(order.sale.returned, part)
    before, after = order.sale, order.sale._replace(returned=back)
    source = {"order_id": refund.source["order_id"], "refund_id": refund.source["refund_id"]}
    entry = draft(
        accounts[0],
        "refund_reversal",
        **_by(background, cause),
        **_change(accounts[0], before, after, background, cause, taken=_own(refund, accounts[0])),
        **noted_return(back, part),
        source=source,
        partner=before.entry.partner,
    )
    entries = with_all_that_follows(accounts[0], entry, before, after, background)
    if order.credit is not None and of_credit is not None:
        was, is_now = order.credit, order.credit._replace(returned=back)
        change = _points(accounts[1], was, _more(was, is_now), background, cause, _own(of_credit, accounts[1]))
        by = _by(background, _beside(cause))
        entries.append(draft(accounts[1], "refund_reversal", **by, **change, source=source))
    return entries


def amended(
    accounts: Sequence[Account],
    order: BookedOrder,
    total: int,
    lines: Sequence[Line],
    background: Background,
    amendment_id: str,
    cause: Cause,
) -> list[Entry]:
    """Book an order as it now stands, on the terms that it was credited on. Its own entry comes first.

    Raises InvalidStateError while anything of it has been returned, and InvalidRequestError as `check_order` does.
    """
    before = order.sale
    if before.returned.amount or before.returned.lines:
        raise InvalidStateError("something of the order was returned: reverse the refund before you amend the order")
    account, wallet = accounts
    source = {"order_id": before.entry.source["order_id"], "amendment_id": amendment_id}
    day = before.booked_on(background.credited_by.time_zone)
    then = account.model_copy(update={"uses": uses_on(account, background.histories, day)})
    terms = amended_order(then, background.credited_by, before, total, lines, cause.caps)
    after = before._replace(amendment=before.entry.model_copy(update=terms))
    change = _change(account, before, after, background, cause)
    # Every limit and budget that the order counts for is named, be it with nothing: a later refund looks for them here.
    uses = {name: Use(period=use.period) for name, use in after.uses.items()}
    entry = draft(
        account,
        "amend",
        **_by(background, cause),
        **change,
        **noted_return(before.returned._replace(changes=before.returned.changes + 1), NOTHING_RETURNED),
        order=terms["order"],
        breakdown=terms["breakdown"],
        source=source,
        partner=before.entry.partner,
    )
    budgets = dict.fromkeys(after.budgets, 0) | dict(entry.budgets)
    entry = entry.model_copy(update={"uses": {**uses, **entry.uses}, "budgets": budgets})
    entries = with_all_that_follows(account, entry, before, before._replace(amendment=entry), background)
    return [*entries, *_amended_credit(account, wallet, order, total, lines, background, source, cause)]


def claimed(
    losing: Sequence[Account],
    gaining: Sequence[Account],
    order: BookedOrder,
    background: Background,
    source: Mapping[str, str],
    cause: Cause,
) -> list[Entry]:
    """Move an order, and all that comes of it, to the member who made it. The entry of the one who gains comes first.

    `losing` and `gaining` are each a member's account and their wallet. Raises MemberFrozenError if the one who loses
    is frozen, InvalidStateError if the one who gains earns nothing, TooMuchForOneError if one operator alone moves more
    points by it, of either member, than are left of the day, and ConsentRequiredError if the one who gains has not
    agreed to the terms and the order has brought store credit: no money waits for consent.
    """
    sale, program, source = order.sale, background.in_force, {**source, **agreed(cause.requested_by, cause.actor)}
    require_not_frozen(losing[0])
    if order.credit is not None:
        require_consent(gaining[0])
    if is_excluded(gaining[0], program):
        raise InvalidStateError("this customer is excluded from earning: no order can be theirs")
    out = draft(
        losing[0],
        "claim_out",
        **_by(background, _beside(cause)),
        **_change(losing[0], sale, _nothing_of(sale), background, cause),
        source=source,
        partner=sale.entry.partner,
    )
    leaving = with_all_that_follows(losing[0], out, sale, None, background)
    returns = noted_return(sale.returned._replace(changes=sale.returned.changes + 1), NOTHING_RETURNED)
    theirs = _as_earned_by(gaining[0], sale, background, cause.caps) if sale.is_excluded else sale
    entry = _claimed_sale(gaining[0], theirs, background, source, cause)
    drawn = _drawn(entry, out, sale, cause.caps)
    if theirs is not sale:
        drawn = budgets_change(sale, theirs, kept(sale), kept(theirs), -entry.points, cause.caps)
    entry = entry.model_copy(update={**returns, "budgets": drawn})
    entry = marked(gaining[0], program, entry)
    arriving = with_all_that_follows(gaining[0], entry, None, Sale(entry, returned_of(entry)), background)
    entries = _counted([*arriving, *leaving], (gaining[0], losing[0]), program, cause)
    if order.credit is not None:
        entries += _claimed_credit(losing[1], gaining[1], order.credit, background, source, cause)
    return entries


def _counted(entries: list[Entry], members: Sequence[Account], program: Program, cause: Cause) -> list[Entry]:
    """The entries, each member's first one counting toward what one operator may move of the member in a day."""
    today, by = local_day(cause.now, program.time_zone), cause.requested_by
    for member in members:
        own = [index for index, entry in enumerate(entries) if entry.member_id == member.member_id]
        points = sum(entries[index].points for index in own)
        entries[own[0]] = counting(entries[own[0]], member, program, points, today, requested_by=by)
    return entries


def _amended_credit(
    account: Account,
    wallet: Account,
    order: BookedOrder,
    total: int,
    lines: Sequence[Line],
    background: Background,
    source: Mapping[str, str],
    cause: Cause,
) -> list[Entry]:
    """What the amendment makes of the money that the order earned; none comes before the member has agreed."""
    if order.credit is None and account.status != "active":
        return []
    terms = amended_credit(account, background.credited_by, order.sale, order.credit, total, lines)
    if terms is None:
        return []
    if order.credit is None:
        purchase = purchase_of(order.sale, total, lines)
        return earn_credit(account, wallet, background.in_force, purchase, now=cause.now, actor=cause.actor)
    after = order.credit._replace(amendment=order.credit.entry.model_copy(update=terms))
    change = _points(wallet, order.credit, _more(order.credit, after), background, cause)
    return [draft(wallet, "amend", **_by(background, _beside(cause)), **change, **terms, source=dict(source))]


def _claimed_credit(
    losing: Account,
    gaining: Account,
    credit: Sale,
    background: Background,
    source: Mapping[str, str],
    cause: Cause,
) -> list[Entry]:
    change = _points(losing, credit, _more(credit, _nothing_of(credit)), background, cause)
    out = draft(losing, "claim_out", **_by(background, _beside(cause)), **change, source=dict(source))
    opening = open_side(gaining, background.in_force, now=cause.now, actor=cause.actor)
    gained = _claimed_sale(book_all(gaining, opening), credit, background, source, _beside(cause))
    return [*opening, gained, out]


def _claimed_sale(
    account: Account, sale: Sale, background: Background, source: Mapping[str, str], cause: Cause
) -> Entry:
    """The order's entry in another ledger: what is kept of it, with its own days. What has lapsed by then stays so.

    What of it was forgiven there when it was claimed away does not come back with it.
    """
    program = background.in_force
    earned, granted, order = kept(sale), sale.entry, sale.order
    today, placed_on = (
        local_day(one, program.time_zone) for one in (cause.now, min(granted.occurred_at, granted.recorded_at))
    )
    own = own_day(account, program, granted)
    has_lapsed, untaken = own < today.isoformat(), _untaken(account, sale, background)
    forgiven = min(earned.points, untaken.forgiven)
    came = earned.points - forgiven
    effects = given_again(account, program, granted, 0 if has_lapsed else came, today)
    counts = earned.points if order.measure == "points" else sale.amount_kept
    return draft(
        account,
        "claim_in",
        **_by(background, cause._replace(occurred_at=granted.occurred_at)),
        **effects,
        lapsed={own: -came} if has_lapsed and came else {},
        **_unforgiven(forgiven, untaken),
        earned=effects["points"],
        qualifying={order.month: counts} if counts and sale.counts_toward("tiers") else {},
        activity={month: Activity(orders=1 - sale.is_gone, amount=sale.amount_kept) for month in granted.activity},
        last_order_on=placed_on if granted.activity else None,
        uses=counting_now(account, uses_kept(sale, earned)),
        source={**granted.source, **source},
        breakdown=sale.breakdown,
        order=order.model_copy(
            update={"program": sale.program_version, "booked_on": sale.booked_on(background.credited_by.time_zone)}
        ),
        partner=granted.partner,
        available_on=granted.available_on,
        expires_on=ended_on(account, program, granted),
    )


def _as_earned_by(account: Account, sale: Sale, background: Background, caps: Mapping[str, int]) -> Sale:
    """An order that earned nothing because of whose it was, with what it earns for the one who made it.

    As after an amendment: on the terms it was credited on, within what limits have left of the day it was credited on.
    """
    lines = [Line.model_construct(**line._asdict()) for line in sale.order.lines]
    day = sale.booked_on(background.credited_by.time_zone)
    then = account.model_copy(update={"uses": uses_on(account, background.histories, day)})
    nothing = Sale(sale.entry.model_copy(update={"order": sale.order, "breakdown": ()}), sale.returned)
    terms = amended_order(then, background.credited_by, nothing, sale.order.total, lines, caps)
    return Sale(sale.entry.model_copy(update=terms), sale.returned)


def _drawn(entry: Entry, out: Entry, sale: Sale, caps: Mapping[str, int]) -> dict[str, int]:
    """What the order draws from budgets in another ledger: what it gives back in the one that it leaves by `out`.

    A partner pays for the points that come there, as far as its budget has them left with what it gets back.
    """
    back = {name: -out.budgets.get(name, 0) for name in sale.budgets}
    paid = {name: min(entry.points, caps.get(name, entry.points) + back[name]) for name in back if is_of_partner(name)}
    return back | paid


def _change(
    account: Account, before: Sale, after: Sale, background: Background, cause: Cause, taken: Entry | None = None
) -> dict[str, Any]:
    """The effects of a change of an order: its points, what it counts for, and budgets."""
    kept_before, kept_after = kept(before), kept(after)
    points = _points(account, before, kept_after.points - kept_before.points, background, cause, taken)
    budgets = budgets_change(before, after, kept_before, kept_after, -points["points"], cause.caps)
    counted = counted_change(account, before, after, kept_before, kept_after)
    return {**points, **counted, "budgets": budgets}


def _more(before: Sale, after: Sale) -> int:
    """How many more points, or units of credit, an order earns after a change; below 0 if it earns less."""
    return kept(after).points - kept(before).points


def _points(
    account: Account, sale: Sale, more: int, background: Background, cause: Cause, taken: Entry | None = None
) -> dict[str, Any]:
    """As `_own_points`, with what becomes of last days where the order has not been activity after all, or has."""
    effects = _own_points(account, sale, more, background, cause, taken)
    marks = sale.entry.prolonged
    if not marks or bool(before := kept(sale).points) == bool(before + more):
        return effects
    after = account.model_copy(update={"lots": combined(account.lots, effects["lots"])})
    today = local_day(cause.now, background.in_force.time_zone)
    is_activity, program = more > 0, background.in_force
    return beside(effects, active_again(after, marks, today) if is_activity else inactive(after, program, marks, today))


def _own_points(
    account: Account, sale: Sale, more: int, background: Background, cause: Cause, taken: Entry | None = None
) -> dict[str, Any]:
    """What a change of an order by `more` points, or credit, does: how many it books, where they go or come from.

    `taken` is the refund that is reversed, if one is. What of the order has expired unspent counts as taken back, and
    what could not be taken back is not given back.
    """
    program = background.in_force
    if more < 0:
        less = taken_back(account, program, sale.entry, -more, lapsed_of(account, sale, background))
        return {**less.fields, "earned": -less.points}
    untaken = _untaken(account, sale, background)
    forgiven = min(more, untaken.forgiven)
    gone = take(untaken.lapsed, min(more - forgiven, sum(untaken.lapsed.values())))
    points = more - forgiven - sum(gone.values())
    today = local_day(cause.now, program.time_zone)
    effects = given_again(account, program, sale.entry, points, today, taken)
    return {**effects, "earned": effects["points"], "lapsed": negative(gone), **_unforgiven(forgiven, untaken)}


def _unforgiven(points: int, untaken: Untaken) -> dict[str, Any]:
    """What an entry notes of points that were forgiven, and that the order brings again: they count as taken."""
    of_lots = take(untaken.forgiven_lots, min(points, sum(untaken.forgiven_lots.values())))
    return {"forgiven": -points, "forgiven_lots": negative(of_lots)}


def _untaken(account: Account, sale: Sale, background: Background) -> Untaken:
    """By all of the account's entries that have changed the order; what was given back again is out."""
    order_id = sale.entry.source["order_id"]
    entries = [one for name in account.ids for one in background.histories.get(name, ())]
    ours = [one for one in entries if one.source.get("order_id") == order_id and one.type in _CHANGES_ORDER]
    lost = combined(*(one.lapsed for one in ours if one.type != "claim_in"))
    lapsed = {day: points for day, points in lost.items() if points > 0}
    by_lot = combined(*(one.forgiven_lots for one in ours))
    still = {day: min(points, account.forgiven.get(day, 0)) for day, points in by_lot.items()}
    forgiven = sum(one.forgiven for one in ours) - sum(by_lot.values()) + sum(still.values())
    return Untaken(lapsed, max(0, forgiven), still)


def _own(refund: Entry, account: Account) -> Entry | None:
    """The refund, if it took from the account: by now its order may be another member's."""
    return refund if refund.member_id in account.ids else None


def _nothing_of(sale: Sale) -> Sale:
    """The order with nothing kept of it."""
    pieces = NOTHING_RETURNED
    for line in sale.order.lines:
        pieces = together(pieces, Returned(0, {line.sku: (line.quantity, line.amount)}))
    return sale._replace(returned=sale.returned._replace(amount=sale.order.total, lines=pieces.lines))


def _by(background: Background, cause: Cause) -> dict[str, Any]:
    return {
        "occurred_at": cause.occurred_at,
        "recorded_at": cause.now,
        "program_version": background.in_force.version,
        "actor": cause.actor,
        "fingerprint": cause.fingerprint,
    }


def _beside(cause: Cause) -> Cause:
    """The cause of an entry that goes with the one that was asked for."""
    return cause._replace(fingerprint="")
