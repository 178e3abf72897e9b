"""How long points or credit live."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.calendar import DayEnds
from shared.domain.fields import Days, Stored
from shared.domain.program.common import Months


class Term(Stored):
    """Points live so many months or days from when they can be spent, to the end of the unit which that day lies in."""

    kind: Literal["term"]
    months: Months | None = None
    days: Annotated[Days, Field(ge=1)] | None = None
    ends: DayEnds = "day"

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.months is None) == (self.days is None):
            raise ValueError("give either months or days")
        return self


class Inactivity(Stored):
    """All points live so many months from the member's last order, action or redemption."""

    kind: Literal["inactivity"]
    months: Months


class CalendarDate(Stored):
    """All points end on one day of the year, but never sooner than `minimum_days` after they were earned."""

    kind: Literal["calendar_date"]
    month: Annotated[int, Field(strict=True, ge=1, le=12)]
    day: Annotated[int, Field(strict=True, ge=1, le=31)]
    minimum_days: Days = 0

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            date(2024, self.month, self.day)  # a leap year
        except ValueError as error:
            raise ValueError(f"no year has a day {self.day} in month {self.month}") from error
        return self


class Never(Stored):
    """Points do not expire."""

    kind: Literal["never"]


Expiry = Annotated[Term | Inactivity | CalendarDate | Never, Field(discriminator="kind")]
