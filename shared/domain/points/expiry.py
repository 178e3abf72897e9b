"""How long points live: the day on which a lot that begins today ends."""

from datetime import date, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, end_of, next_occurrence
from shared.domain.ledger import combined
from shared.domain.lots import GRACED, NEVER, LotDay, Lots
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
    return None if day == NEVER else date.fromisoformat(day.removesuffix(GRACED))


def by_last_day(lots: Lots) -> dict[date | None, int]:
    """Points by the last day on which they can be spent, with grace or without; the soonest first, `None` last."""
    days: dict[date | None, int] = {}
    for lot, points in sorted(lots.items()):
        days[date_of(lot)] = days.get(date_of(lot), 0) + points
    return days


def arriving_day(account: Account, program: Program, day: LotDay, today: date) -> LotDay:
    """The lot of points that a member gets only today: their own, or if that day has passed, the grace days'."""
    opens = first_open_day(account, today)
    if day >= opens.isoformat():
        return day
    return lot_day(max(opens, today + timedelta(days=program.redeeming.returned_points_grace_days)))


def moved_lots(account: Account, lots: Lots, today: date) -> dict[LotDay, int]:
    """Lots that come from another account, where their day has not passed: they keep it.

    Those of a day that this account has booked as expired, because the program's time zone has moved since, live on
    through the next one, and have had their grace by that.
    """
    opens = lot_day(first_open_day(account, today))
    return combined(*({day if day >= opens else f"{opens}{GRACED}": points} for day, points in lots.items()))


def returned_lots(
    account: Account, program: Program, lots: Lots, today: date, *, has_grace: bool
) -> tuple[dict[LotDay, int], dict[LotDay, int]]:
    """Points that come back today, by the lot that they live on in; and those that have expired, by their own lot.

    A lot keeps its own last day. With `has_grace`, those that have passed it live on through the program's grace days,
    counted from that day. A lot that has had its grace gets no more.
    """
    opens, grace = first_open_day(account, today), timedelta(days=program.redeeming.returned_points_grace_days)
    living: dict[LotDay, int] = {}
    expired: dict[LotDay, int] = {}
    for day, points in lots.items():
        last_day = date_of(day)
        if last_day is None or last_day >= opens:
            living = combined(living, {day: points})
        elif has_grace and not day.endswith(GRACED) and last_day + grace >= opens:
            living = combined(living, {f"{last_day + grace}{GRACED}": points})
        else:
            expired[day] = points
    return living, expired


def first_open_day(account: Account, today: date) -> date:
    """A lot that was booked as expired never opens again, even if the program's time zone has moved since."""
    through = account.expired_through
    return today if through is None else max(today, through + timedelta(days=1))


def maturing_day(account: Account, day: date) -> date:
    """The day on which points due on `day` mature: a day whose maturity was already booked never has another, even if
    the program's time zone has moved since.
    """
    through = account.matured_through
    return day if through is None or day > through else through + timedelta(days=1)
