"""Birthdays: books the points of those since the last run.

Members are listed by their birthday in the table of personal data, written with their profiles. Work follows whose
birthday it is. A run that fails is run again, and finds what is booked.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from shared import telemetry
from shared.domain.calendar import local_day
from shared.domain.earning.anniversaries import Occurrence, birthday_pays, birthdays_on, celebrate_birthday
from shared.domain.errors import InvalidStateError, LoyaltyError, MemberNotActiveError
from shared.domain.program.program import Program
from shared.tables import accounts, due_index, keys, member_search, operation, programs
from shared.tables.operation import Decision, Situation

CATCH_UP_DAYS_MAX = 60
"""For how many missed days birthdays are made up for."""
RUN = "BIRTHDAYS"


class IncompleteError(Exception):
    """Some birthdays could not be booked: the day is not done, and is run again."""


def celebrate(now: datetime) -> int:
    """Book the birthdays of each day since the last run, today's included; how many. Raises IncompleteError."""
    program = programs.load_program()
    today = local_day(now, program.time_zone)
    last = due_index.load_day(RUN)
    celebrates = program.celebrations is not None and program.celebrations.birthday is not None
    booked = 0
    for day in _days(last, today):
        booked += _celebrate_day(day, program, now) if celebrates else 0
        due_index.note_day(RUN, day)
    return booked


def _celebrate_day(day: date, program: Program, now: datetime) -> int:
    booked, failed = 0, 0
    for birthday in birthdays_on(day):
        for member_id, since in member_search.born_on(birthday):
            try:
                booked += _celebrate_member(member_id, Occurrence(day, since), program, now)
            except MemberNotActiveError:
                continue
            except LoyaltyError as error:
                failed += 1
                telemetry.logger().warning(
                    "a birthday could not be booked", extra={"member_id": member_id, "code": error.code}
                )
    if failed:
        raise IncompleteError(f"{failed} birthdays of a day could not be booked")
    return booked


def _celebrate_member(member_id: str, birthday: Occurrence, program: Program, now: datetime) -> bool:
    """Whether the birthday was booked; it is not if it does not pay, or is booked."""
    if not birthday_pays(accounts.load_account(member_id).account, program, birthday):
        return False

    def congratulate(situation: Situation) -> Decision:
        if not birthday_pays(situation.account, situation.program, birthday):
            raise InvalidStateError("the birthday does not pay any more")
        return Decision([celebrate_birthday(situation.account, situation.program, birthday, now=situation.now)])

    key = keys.of("birthday", member_id=member_id, year=str(birthday.day.year))
    return not operation.run([member_id], congratulate, key=key, fingerprint="", now=now).replayed


def _days(last: date | None, today: date) -> Iterator[date]:
    """The days that no run has dealt with; the first run deals with today alone."""
    first = today if last is None else max(last + timedelta(days=1), today - timedelta(days=CATCH_UP_DAYS_MAX))
    return (first + timedelta(days=count) for count in range((today - first).days + 1))
