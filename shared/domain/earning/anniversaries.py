"""Points on a member's birthday and on the anniversary of their joining.

A birthday is personal data, so a run finds whose it is; an anniversary is caused by the clock alone.
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import add_months, local_day, start_of_day
from shared.domain.entry import Entry, Piece
from shared.domain.facets import Use
from shared.domain.ledger import draft
from shared.domain.points.eligibility import is_excluded, points_for
from shared.domain.points.grants import granted_now
from shared.domain.program.program import Program
from shared.domain.subaccounts import member_of

BIRTHDAY, ANNIVERSARY = "birthday", "anniversary"
"""Under which names an account notes the day that was last celebrated."""
_MONTHS_A_YEAR = 12
_LEAP_DAY, _BEFORE_LEAP_DAY = "02-29", "02-28"


class Occurrence(NamedTuple):
    """A birthday of a year: the day, and since when it has been known as that."""

    day: date
    known_since: datetime


def birthdays_on(day: date) -> tuple[str, ...]:
    """The birthdays, month and day, that are celebrated on a day: 29 February on the 28th where it does not exist."""
    own = day.strftime("%m-%d")
    is_leap_year = add_months(date(day.year, 1, 31), 1).day == 29  # noqa: PLR2004 - the length of a leap February
    return (own, _LEAP_DAY) if own == _BEFORE_LEAP_DAY and not is_leap_year else (own,)


def birthday_pays(account: Account, program: Program, birthday: Occurrence) -> bool:
    """Whether the birthday pays: the program celebrates it, it was known in time, none has paid in its year, and the
    member is not excluded from earning.

    A birthday that was changed after one paid waits for the program's days.
    """
    terms = program.celebrations.birthday if program.celebrations else None
    if terms is None or account.status != "active" or is_excluded(account, program):
        return False
    known_on = local_day(birthday.known_since, program.time_zone)
    if birthday.day - known_on < timedelta(days=terms.notice_days):
        return False
    paid_on = last_celebrated(account, BIRTHDAY)
    if paid_on is None:
        return True
    waits = known_on >= paid_on and birthday.day - paid_on < timedelta(days=terms.change_wait_days)
    return birthday.day.year > paid_on.year and not waits


def celebrate_birthday(account: Account, program: Program, birthday: Occurrence, *, now: datetime) -> Entry:
    """Book the points of a birthday. The caller has asked whether it pays."""
    terms = program.celebrations.birthday if program.celebrations else None
    if terms is None:
        raise AssertionError("the program celebrates no birthdays")
    effects = granted_now(account, program, terms.points, local_day(now, program.time_zone))
    return draft(
        account,
        "birthday",
        occurred_at=start_of_day(birthday.day, program.time_zone),
        recorded_at=now,
        points=terms.points,
        program_version=program.version,
        **effects,
        earned=terms.points,
        uses=_noted(BIRTHDAY, birthday.day),
        source={"year": str(birthday.day.year)},
        breakdown=(Piece(rule_id=BIRTHDAY, points=terms.points, description=terms.description),)
        if terms.points
        else (),
    )


def next_anniversary(account: Account, program: Program) -> date | None:
    """The first anniversary of joining that the program celebrates and that is not booked yet; None: none ever."""
    terms = program.celebrations.anniversary if program.celebrations else None
    is_own = member_of(account.member_id) == account.member_id  # no wallet or pool, which nobody joined
    is_member = account.tier is not None and account.status == "active" and is_own
    if terms is None or account.enrolled_at is None or not is_member:
        return None
    joined_on = local_day(account.enrolled_at, program.time_zone)
    after = last_celebrated(account, ANNIVERSARY) or joined_on
    years = max(1, max(after, terms.starts_on).year - joined_on.year)
    day = add_months(joined_on, years * _MONTHS_A_YEAR)
    is_too_early = day <= after or day < terms.starts_on
    return add_months(joined_on, (years + 1) * _MONTHS_A_YEAR) if is_too_early else day


def celebrate_anniversary(account: Account, program: Program, day: date, now: datetime) -> Entry:
    """Book the points of an anniversary, none for somebody excluded. The caller has found the day."""
    terms = program.celebrations.anniversary if program.celebrations else None
    if terms is None or account.enrolled_at is None:
        raise AssertionError("the program celebrates no anniversaries")
    points = points_for(account, program, terms.points)
    return draft(
        account,
        "anniversary",
        occurred_at=start_of_day(day, program.time_zone),
        recorded_at=now,
        points=points,
        program_version=program.version,
        **granted_now(account, program, points, day),
        earned=points,
        uses=_noted(ANNIVERSARY, day),
        source={"year": str(day.year), "on": day.isoformat()},
        breakdown=(Piece(rule_id=ANNIVERSARY, points=points, description=terms.description),) if points else (),
    )


def celebrated_through(day: date) -> dict[str, Use]:
    """What notes that no anniversary up to and including a day is to be celebrated any more."""
    return _noted(ANNIVERSARY, day)


def last_celebrated(account: Account, name: str) -> date | None:
    """The day that was last celebrated under a name."""
    use = account.uses.get(name)
    return date.fromisoformat(use.period) if use else None


def _noted(name: str, day: date) -> dict[str, Use]:
    return {name: Use(period=day.isoformat(), times=1)}
