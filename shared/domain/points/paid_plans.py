"""Paid memberships: bought, renewed, cancelled, and ended by the clock when nobody pays on."""

from datetime import date, datetime, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, local_day, start_of_day
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.facets import Membership
from shared.domain.fields import Currency, Instant, PositiveAmount, Record, Reference, Slug
from shared.domain.ledger import draft
from shared.domain.program.paid_plans import Plan
from shared.domain.program.program import Program


class Payment(Record):
    """A membership that was paid for, first or again; `amount` in minor units."""

    plan_id: Slug
    reference: Reference
    amount: PositiveAmount
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

    Raises InvalidRequestError if the plan or currency is not the program's, InvalidStateError if another plan runs or
    it is too early to renew.
    """
    plan = program.plan(payment.plan_id)
    faults = []
    if plan is None:
        known = ", ".join(one.plan_id for one in program.memberships) or "none"
        faults.append(Fault("/plan_id", f"{payment.plan_id!r} is not a plan of the program: {known}"))
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
        amount=payment.amount,
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


def cancel(account: Account, program: Program, reference: str, *, now: datetime, actor: str, fingerprint: str) -> Entry:
    """End the running membership today; the entry's source says what is to be paid back, in minor units.

    Raises InvalidStateError if none runs.
    """
    running = current(account)
    if running is None:
        raise InvalidStateError("no membership is paid")
    today = local_day(now, program.time_zone)
    amount = refundable(running, program.plan(running.plan_id), today)
    return draft(
        account,
        "membership_cancel",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        membership=running.model_copy(update={"state": "ended", "paid_through": today}),
        source={"reference": reference, "plan_id": running.plan_id, "refund_amount": str(amount)},
    )


def refundable(membership: Membership, plan: Plan | None, today: date) -> int:
    """What cancelling today gives back of the term last paid: all of it, a share for the days left, or nothing.

    The share is rounded down to the minor unit. A plan that the program has no more is refunded by the day.
    """
    if plan is not None and today <= membership.paid_on + timedelta(days=plan.refund_days):
        return membership.amount
    how = plan.refund if plan else "prorated"
    if how == "full":
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
    return start_of_day(membership.paid_through + timedelta(days=1), program.time_zone)


def _require_renewable(running: Membership, plan: Plan, today: date) -> None:
    if running.plan_id != plan.plan_id:
        raise InvalidStateError(f"the plan {running.plan_id!r} is paid through {running.paid_through}; cancel it first")
    from_on = running.paid_through - timedelta(days=plan.renew_within_days)
    if today < from_on:
        raise InvalidStateError(f"paid through {running.paid_through}; it can be renewed from {from_on} on")
