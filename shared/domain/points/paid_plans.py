"""Paid memberships: bought, renewed, cancelled, and ended by the clock when nobody pays on."""

from datetime import date, datetime, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, end_of_day, local_day
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.facets import Membership, Use
from shared.domain.fields import Currency, Instant, PositiveAmount, Record, Reference, Slug
from shared.domain.ledger import draft
from shared.domain.program.paid_plans import Plan
from shared.domain.program.program import Program

_WITHDRAWN = "membership:withdrawn"
"""Notes the day on which a whole price was last given back, where a share would have been less."""
_WITHDRAWAL_MONTHS = 12


class Payment(Record):
    """A membership that was paid for, first or again; `amount`, in minor units, can only be the plan's price."""

    plan_id: Slug
    reference: Reference
    amount: PositiveAmount | None = None
    currency: Currency
    paid_at: Instant


def current(account: Account) -> Membership | None:
    """The membership that is paid, as of the last entry."""
    membership = account.membership
    return membership if membership is not None and membership.state == "paid" else None


def current_plan(account: Account, program: Program) -> Plan | None:
    """The plan of the membership that is paid, unless the program has it no more."""
    membership = current(account)
    return program.plan(membership.plan_id) if membership else None


def pay(account: Account, program: Program, payment: Payment, *, now: datetime, actor: str, fingerprint: str) -> Entry:
    """Begin a membership, or prolong the one that runs by another term from the day after its last.

    Raises InvalidRequestError if the plan, its price or the currency is not the program's, InvalidStateError if another
    plan runs or it is too early to renew.
    """
    plan = program.plan(payment.plan_id)
    faults = []
    if plan is None:
        known = ", ".join(one.plan_id for one in program.memberships) or "none"
        faults.append(Fault("/plan_id", f"{payment.plan_id!r} is not a plan of the program: {known}"))
    elif payment.amount not in {None, plan.price}:
        faults.append(Fault("/amount", f"must be {plan.price}, the price of the plan {plan.plan_id!r}, or left out"))
    if payment.currency != program.currency:
        faults.append(Fault("/currency", f"must be {program.currency}, the program's currency"))
    if faults or plan is None:
        raise InvalidRequestError(*faults)
    today = local_day(now, program.time_zone)
    running = current(account)
    since, begins_on = today, today
    if running is not None:
        _require_renewable(running, plan, today)
        since, begins_on = running.since, running.paid_through + timedelta(days=1)
    membership = Membership(
        plan_id=plan.plan_id,
        since=since,
        paid_through=add_months(begins_on, plan.months) - timedelta(days=1),
        tier_id=plan.tier_id,
        term_began_on=begins_on,
        paid_on=today,
        amount=plan.price,
    )
    return draft(
        account,
        "membership",
        occurred_at=payment.paid_at,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        membership=membership,
        source={"reference": payment.reference, "plan_id": plan.plan_id, "renewed": "yes" if running else "no"},
    )


def cancel(
    account: Account,
    program: Program,
    reference: str,
    *,
    points_brought: int,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """End the running membership today; the entry's source says what is to be paid back, in minor units.

    Of one that was renewed early the term that has not begun ends alone: the days before it were paid, and run on.
    `points_brought` are those that the plan has brought in the term: the source says them, and what is taken off for
    them if the plan takes anything off. Raises InvalidStateError if none runs.
    """
    running = current(account)
    if running is None:
        raise InvalidStateError("no membership is paid")
    today, plan = local_day(now, program.time_zone), program.plan(running.plan_id)
    may_withdraw = not _has_withdrawn(account, today)
    amount = refundable(running, plan, today, may_withdraw=may_withdraw)
    is_withdrawal = amount > refundable(running, plan, today, may_withdraw=False)
    deducted = min(amount, _worth(points_brought, program)) if plan is not None and plan.deducts_used else None
    source = {
        "reference": reference,
        "plan_id": running.plan_id,
        "refund_amount": str(amount - (deducted or 0)),
        "points_brought": str(points_brought),
    }
    return draft(
        account,
        "membership_cancel",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        membership=_without_term(running, today),
        uses={_WITHDRAWN: Use(period=today.isoformat(), times=1)} if is_withdrawal else {},
        source=source if deducted is None else {**source, "deducted_amount": str(deducted)},
    )


def refundable(membership: Membership, plan: Plan | None, today: date, *, may_withdraw: bool = True) -> int:
    """What cancelling today gives back of the term last paid: all of it, a share for the days left, or nothing.

    Who may not withdraw gets no more than the share. It is rounded down to the minor unit. A plan that the program has
    no more is refunded by the day.
    """
    how = plan.refund if plan else "prorated"
    is_early = plan is not None and today <= membership.paid_on + timedelta(days=plan.refund_days)
    if may_withdraw and (is_early or how == "full"):
        return membership.amount
    if how == "none":
        return 0
    days = (membership.paid_through - membership.term_began_on).days + 1
    left = max(0, min(days, (membership.paid_through - today).days))
    return membership.amount * left // days


def end(account: Account, program: Program, now: datetime) -> Entry:
    """The membership's end by the clock, after its last day."""
    running = current(account)
    if running is None:
        raise AssertionError(f"{account.member_id} has no membership that could end")
    return draft(
        account,
        "membership_end",
        occurred_at=ends_at(running, program),
        recorded_at=now,
        points=0,
        program_version=program.version,
        membership=running.model_copy(update={"state": "ended"}),
        source={"on": running.paid_through.isoformat(), "plan_id": running.plan_id},
    )


def ends_at(membership: Membership, program: Program) -> datetime:
    """The first instant after the last day that is paid."""
    return end_of_day(membership.paid_through, program.time_zone)


def _without_term(running: Membership, today: date) -> Membership:
    """What is left of a membership once the term last paid is cancelled: nothing, or what was paid before it began."""
    if running.term_began_on <= today:
        return running.model_copy(update={"state": "ended", "paid_through": today})
    paid_through = running.term_began_on - timedelta(days=1)
    earlier = {"paid_through": paid_through, "term_began_on": min(running.since, paid_through), "amount": 0}
    return running.model_copy(update=earlier)


def _has_withdrawn(account: Account, today: date) -> bool:
    """Whether a whole price was given back within the last year: to the person, also on an account that has ended."""
    use = account.uses.get(_WITHDRAWN)
    return use is not None and today < add_months(date.fromisoformat(use.period), _WITHDRAWAL_MONTHS)


def _worth(points: int, program: Program) -> int:
    """What points are worth as money, in minor units, rounded down."""
    rate = program.redeeming.points_as_money
    return points * rate.amount // rate.points if rate else 0


def _require_renewable(running: Membership, plan: Plan, today: date) -> None:
    if running.plan_id != plan.plan_id:
        raise InvalidStateError(f"the plan {running.plan_id!r} is paid through {running.paid_through}; cancel it first")
    from_on = running.paid_through - timedelta(days=plan.renew_within_days)
    if today < from_on:
        raise InvalidStateError(f"paid through {running.paid_through}; it can be renewed from {from_on} on")
