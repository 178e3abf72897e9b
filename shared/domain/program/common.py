"""What the sections of a program have in common: days of validity, limits, filters, shares."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.calendar import Period
from shared.domain.fields import Day, PositivePoints, Reference, Stored

FILTERS_MAX = 200

Filter = Annotated[tuple[Reference, ...], Field(max_length=FILTERS_MAX)]
Months = Annotated[int, Field(strict=True, ge=1, le=120)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
TimeOfDay = Annotated[str, StringConstraints(strict=True, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Rounding = Literal["down", "nearest", "up"]


class Validity(Stored):
    """The days on which something applies; an end left out is open."""

    starts_on: Day | None = None
    ends_on: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} lies before starts_on {self.starts_on}")
        return self

    def covers(self, day: date) -> bool:
        """Whether `day` is one of them."""
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day <= self.ends_on)


class Limit(Stored):
    """How much one member may get of something in each period: so many times, so many points, or both."""

    times: PositivePoints | None = None
    points: PositivePoints | None = None
    per: Period

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.times is None and self.points is None:
            raise ValueError("give times, points, or both")
        return self


class Times(Stored):
    """How often one member may take something in each period."""

    times: PositivePoints
    per: Period


def require_unique(what: str, names: Iterable[str]) -> None:
    """Raises ValueError for the first name that is listed twice; `what` says what the names are."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} is listed twice")
        seen.add(name)
