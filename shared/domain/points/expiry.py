"""How long points live: the day on which a lot that begins today ends."""

from datetime import date, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, end_of, next_occurrence
from shared.domain.ledger import negative
from shared.domain.lots import NEVER, LotDay
from shared.domain.points.eligibility import never_expires
from shared.domain.program.expiry import CalendarDate, Expiry, Inactivity, Term
from shared.domain.program.program import Program
from shared.domain.subaccounts import is_wallet


def expires_on(policy: Expiry, begins_on: date) -> date | None:
    """The last day on which points that become available on `begins_on` can be spent; None: they do not expire."""
    if isinstance(policy, Term):
        if policy.months is not None:
            return end_of(add_months(begins_on, policy.months), policy.ends)
        return end_of(begins_on + timedelta(days=policy.days or 0), policy.ends)
    if isinstance(policy, Inactivity):
        return add_months(begins_on, policy.months)
    if isinstance(policy, CalendarDate):
        return next_occurrence(policy.month, policy.day, begins_on + timedelta(days=policy.minimum_days))
    return None


def policy_of(account: Account, program: Program) -> Expiry:
    """How an account's points expire, or a wallet's credit."""
    return program.cashback.expiry if program.cashback and is_wallet(account.member_id) else program.expiry


def ends_on(member: Account | None, program: Program, policy: Expiry, begins_on: date) -> date | None:
    """As `expires_on`, for a member: where they live, neither points nor credit may be allowed to expire."""
    return None if never_expires(member, program) else expires_on(policy, begins_on)


def lot_day(day: date | None) -> LotDay:
    """A lot's key for its last day."""
    return NEVER if day is None else day.isoformat()


def date_of(day: LotDay) -> date | None:
    """The last day of a lot; None: never."""
    return None if day == NEVER else date.fromisoformat(day)


def live_day(account: Account, program: Program, day: LotDay, today: date) -> LotDay:
    """The lot that points belong in if they come (back) today: their own, or if that has passed, the grace days'.

    A lot that was already booked as expired never opens again, even if the program's time zone has moved since.
    """
    earliest = today
    if account.expired_through is not None:
        earliest = max(earliest, account.expired_through + timedelta(days=1))
    if day == NEVER or day >= earliest.isoformat():
        return day
    return lot_day(max(earliest, today + timedelta(days=program.redeeming.returned_points_grace_days)))


def maturing_day(account: Account, day: date) -> date:
    """The day on which points due on `day` mature: a day whose maturity was already booked never has another, even if
    the program's time zone has moved since.
    """
    through = account.matured_through
    return day if through is None or day > through else through + timedelta(days=1)


def prolonged(account: Account, policy: Expiry, active_on: date) -> dict[LotDay, int]:
    """The change of lots that activity brings about: where inactivity ends points, all get the new deadline."""
    if not isinstance(policy, Inactivity):
        return {}
    deadline = lot_day(expires_on(policy, active_on))
    early = {day: points for day, points in account.lots.items() if day < deadline}
    return {**negative(early), deadline: sum(early.values())} if early else {}
