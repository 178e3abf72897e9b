"""When what is booked now may have happened: not ahead of the clock, and not longer ago than the program takes it."""

from datetime import datetime, timedelta

from shared.domain.errors import Fault, InTheFutureError, TooLateError
from shared.domain.program.program import Program

AHEAD_MINUTES_MAX = 10
"""Tills' clocks differ."""


def moment(told: datetime | None, pointer: str, program: Program, now: datetime) -> datetime:
    """When it happened: as `told` at a place of the request, or `now` if nothing is told.

    Asked only of what is not booked yet, so that a replay is one however late it comes. Raises InTheFutureError,
    TooLateError.
    """
    if told is None:
        return now
    if told > now + timedelta(minutes=AHEAD_MINUTES_MAX):
        detail = f"lies more than {AHEAD_MINUTES_MAX} minutes ahead of now, {now.isoformat(timespec='seconds')}"
        raise InTheFutureError(Fault(pointer, detail))
    if told < now - timedelta(days=program.earning.late_days):
        detail = f"lies more than {program.earning.late_days} days back, which is as late as the program takes it"
        raise TooLateError(Fault(pointer, detail))
    return told
