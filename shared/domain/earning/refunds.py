"""What a refund takes back of what an order has earned, points or store credit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.account import Account
from shared.domain.earning.kept_orders import Kept, Returned, Sale, kept, line_names, lines_left, together, uses_kept
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, RefundExceedsOrderError
from shared.domain.facets import Activity, Use
from shared.domain.fields import Amount, Count, Record, Reference
from shared.domain.ledger import combined, draft, negative, take, uses_that_count
from shared.domain.lots import NO_LOTS, UNTIL_APPROVED, Lots
from shared.domain.points.activity import without_activity
from shared.domain.points.expiry import lot_day
from shared.domain.points.forgiveness import noted
from shared.domain.points.partner_funding import is_of_partner
from shared.domain.program.program import Program


class ReturnedLine(Record):
    """A line of an order that came back: so many pieces, for so many minor units.

    Of an SKU that has several lines in its order it is the one that it fits: the one of which that is all that is left,
    else one of that price, else the first that has as much, else what the first ones have.
    """

    sku: Reference
    quantity: Count
    amount: Amount


class TakenBack(NamedTuple):
    """Points taken back, those that are owed from now on included, and the effects of it on an account.

    `lapsed` of them had expired and `forgiven` were spent: those are not among `points`.
    """

    points: int
    effects: dict[str, Any]
    lapsed: Lots = NO_LOTS
    forgiven: int = 0
    forgiven_lots: Lots = NO_LOTS

    @property
    def fields(self) -> dict[str, Any]:
        """What an entry says of it."""
        told = {"lapsed": self.lapsed, "forgiven": self.forgiven, "forgiven_lots": self.forgiven_lots}
        return {"points": -self.points, **self.effects, **told}


def refund_order(
    account: Account,
    program: Program,
    sale: Sale,
    part: Returned,
    *,
    refund_id: str,
    refunded_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
    lapsed: Lots = NO_LOTS,
) -> Entry:
    """Take back what an order's returned part has earned.

    The member keeps what the order would have earned on what is kept of it, rounded once over all refunds. Points come
    from the order's own lot, then from those that expire soonest; what is not there becomes debt, or is forgiven.
    `lapsed` are those of its lot that have expired unspent: they count as taken back. An order that keeps no points has
    been no activity.
    """
    back = together(sale.returned, part)
    earn, after = sale.entry, sale._replace(returned=back)
    keeps, kept_before = kept(after), kept(sale)
    taken = taken_back(account, program, earn, kept_before.points - keeps.points, lapsed)
    of_partner = {"partner_id": earn.partner.partner_id} if earn.partner else {}
    entry = draft(
        account,
        "refund",
        occurred_at=refunded_at,
        recorded_at=now,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **taken.fields,
        earned=-taken.points,
        **counted_change(account, sale, after, kept_before, keeps),
        source={"order_id": earn.source["order_id"], "refund_id": refund_id, **of_partner},
        partner=earn.partner,
        budgets=budgets_change(sale, after, kept_before, keeps, taken.points, {}),
        **noted_return(back, part),
    )
    is_over = kept_before.points > 0 and not keeps.points
    return without_activity(account, program, entry, earn) if is_over else entry


def part_by_amount(sale: Sale, amount: int) -> Returned:
    """`amount` minor units of an order, of all its lines alike.

    Raises RefundExceedsOrderError if more would be returned than was paid.
    """
    total, before = sale.order.total, sale.returned.amount
    if amount > total - before:
        raise RefundExceedsOrderError(
            f"the order was {total} minor units, {before} are refunded, {total - before} can be; not {amount}"
        )
    return Returned(amount)


def part_by_lines(sale: Sale, lines: Sequence[ReturnedLine]) -> Returned:
    """Some lines of an order. One of an SKU that has several there is of the one that it fits.

    Raises InvalidRequestError for a line that the order does not have, and RefundExceedsOrderError if more of a line
    would be returned than was bought, or more of the order than was paid.
    """
    part = part_by_amount(sale, sum(line.amount for line in lines))
    for number, line in enumerate(lines):
        bought = [one for one in sale.order.lines if one.sku == line.sku]
        if not bought:
            known = ", ".join(sorted({one.sku for one in sale.order.lines}))
            detail = f"the order has the lines {known}" if known else "the order was booked without lines: send amount"
            raise InvalidRequestError(Fault(f"/lines/{number}/sku", detail))
        left = lines_left(sale.order.lines, together(sale.returned, part).lines)
        names = line_names(sale.order.lines)
        places = [(names[index], *left[index]) for index, one in enumerate(sale.order.lines) if one.sku == line.sku]
        if line.quantity > sum(pieces for _, pieces, _ in places) or line.amount > sum(paid for *_, paid in places):
            pieces, paid = sum(one.quantity for one in bought), sum(one.amount for one in bought)
            quantity = pieces - sum(pieces for _, pieces, _ in places) + line.quantity
            amount = paid - sum(paid for *_, paid in places) + line.amount
            raise RefundExceedsOrderError(
                f"of {line.sku}, {pieces} pieces for {paid} were bought; {quantity} for {amount} would have come back"
            )
        part = together(part, Returned(0, _taken_from(places, line)))
    return part


def _taken_from(places: Sequence[tuple[str, int, int]], line: ReturnedLine) -> dict[str, tuple[int, int]]:
    """From which of an SKU's lines a part comes, by name; `places` are those with the pieces and units left of each.

    It is the one of which that is all that is left, else one of that price, else one that has as much, else the first
    ones.
    """
    quantity, amount = line.quantity, line.amount
    holding = [one for one in places if quantity <= one[1] and amount <= one[2]]
    all_left = [one for one in holding if (quantity, amount) == one[1:]]
    of_price = [one for one in holding if amount * one[1] == quantity * one[2]]
    if fitting := [*all_left, *of_price, *holding]:
        return {fitting[0][0]: (quantity, amount)}
    taken = {}
    for name, pieces, paid in places:
        taken[name] = (min(quantity, pieces), min(amount, paid))
        quantity, amount = quantity - taken[name][0], amount - taken[name][1]
    return taken


def noted_return(back: Returned, part: Returned) -> dict[str, Any]:
    """What an entry says of an order's returns: all that has come back, and what of it by this entry."""
    return {
        "refunded": back.amount,
        "returned_lines": dict(back.lines),
        "part_amount": part.amount,
        "part_lines": dict(part.lines),
        "returns": back.changes,
    }


def counted_change(account: Account, before: Sale, after: Sale, kept_before: Kept, kept_after: Kept) -> dict[str, Any]:
    """The change of what an order counts for: tiers, segments' activity and limits, as an entry notes it."""
    earn, order = before.entry, before.order
    spent = after.amount_kept - before.amount_kept
    counted = kept_after.points - kept_before.points if order.measure == "points" else spent
    if not before.counts_toward("tiers"):
        counted = 0
    orders = before.is_gone - after.is_gone
    return {
        "qualifying": {order.month: counted} if counted else {},
        "activity": {month: Activity(orders=orders, amount=spent) for month in earn.activity},
        "uses": counting_now(account, _uses_change(before, after, kept_before, kept_after)),
    }


def counting_now(account: Account, uses: Mapping[str, Use]) -> dict[str, Use]:
    """What a limit has counted by now stays, whatever an order counts for in a period that is over."""
    counts = uses_that_count(uses, account.uses)
    return {name: counts.get(name, Use(period=use.period)) for name, use in uses.items()}


def taken_back(account: Account, program: Program, granted: Entry, points: int, lapsed: Lots = NO_LOTS) -> TakenBack:
    """Take back `points` of what an entry granted: its pending ones, then its lot, then what expires soonest.

    Those of its lot that have expired unspent, `lapsed`, count as taken back. What is not there becomes debt, or is
    forgiven, as the program says. Once a provisional member has agreed to the terms, what waited is among their other
    points; what waits then is for something else.
    """
    waited = UNTIL_APPROVED in granted.pending
    own = "" if waited else lot_day(granted.expires_on)
    pending_key = UNTIL_APPROVED if waited and account.status == "provisional" else f"{granted.available_on}/{own}"
    pending = min(points, account.pending.get(pending_key, 0))
    from_own = min(points - pending, account.lots.get(own, 0))
    gone = take(lapsed, min(points - pending - from_own, sum(lapsed.values())))
    points -= sum(gone.values())
    available = min(points - pending, account.balance)
    rest = take(combined(account.lots, {own: -from_own}), available - from_own)
    short = points - pending - available
    debt = short if program.refund_debt == "allowed" else 0
    lots = negative(combined(rest, {own: from_own}))
    effects = {"lots": lots, "pending": {pending_key: -pending} if pending else {}, "debt": debt}
    forgiven = short - debt
    forgiven_lots = noted(account, own, forgiven) if own else NO_LOTS
    return TakenBack(points - forgiven, effects, lapsed=gone, forgiven=forgiven, forgiven_lots=forgiven_lots)


def budgets_change(
    before: Sale,
    after: Sale,
    kept_before: Kept,
    kept_after: Kept,
    taken: int,
    caps: Mapping[str, int],
) -> dict[str, int]:
    """What a change of an order draws from budgets: campaigns' by what is kept, the partner's by what is `taken` back.

    A negative number gives back. So what an order has drawn from a campaign's budget is always what that pays for of
    what is kept, whatever is left of it. `caps` says what is left of budgets that are nearly used up: a partner's pays
    no more than that.
    """
    change = {name: min(-taken, caps.get(name, -taken)) for name in before.budgets if is_of_partner(name)}
    for name in {*before.budgets, *after.budgets} - change.keys():
        change[name] = kept_after.by_budget.get(name, 0) - kept_before.by_budget.get(name, 0)
    return {name: points for name, points in sorted(change.items()) if points}


def _uses_change(before: Sale, after: Sale, kept_before: Kept, kept_after: Kept) -> dict[str, Use]:
    was, is_now = uses_kept(before, kept_before), uses_kept(after, kept_after)
    change = {}
    for name, use in {**before.uses, **after.uses}.items():
        nothing = Use(period=use.period)
        old, new = was.get(name, nothing), is_now.get(name, nothing)
        times, points = new.times - old.times, new.points - old.points
        if times or points:
            change[name] = Use(period=use.period, times=times, points=points)
    return change
