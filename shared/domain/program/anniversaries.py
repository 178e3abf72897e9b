"""Points for days that come round every year: a member's birthday, and the day they joined."""

from typing import Annotated

from pydantic import Field

from shared.domain.fields import Day, Days, Points, PositivePoints, Stored, Text


class BirthdayTerms(Stored):
    """Points on a birthday that has been known for `notice_days`; otherwise the next one pays.

    After a change of birthday, none pays until `change_wait_days` after the last one that paid.
    """

    points: Points
    """0 where the program gives a voucher alone."""
    description: Text = "Happy birthday"
    notice_days: Annotated[Days, Field(le=366)] = 30
    change_wait_days: Annotated[Days, Field(le=730)] = 365


class AnniversaryTerms(Stored):
    """Points on each anniversary of joining from `starts_on` on: those before are not made up for."""

    points: PositivePoints
    starts_on: Day
    description: Text = "Thank you for another year"


class Celebrations(Stored):
    """Which of these days the program celebrates."""

    birthday: BirthdayTerms | None = None
    anniversary: AnniversaryTerms | None = None
