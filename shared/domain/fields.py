"""Field types that programs, requests and records share, with their bounds stated once.

Numbers and dates are strict: a string is not a number, a number is not a date, and a time must have an offset.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    WrapValidator,
)

POINTS_MAX = 1_000_000_000
AMOUNT_MAX = 1_000_000_000_000
DAYS_MAX = 3650
YEAR_MIN, YEAR_MAX = 1970, 2199

_REFERENCE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,128}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SCRIPT_LETTERS = 4
_TIME_WORDS = "must be an RFC 3339 time with its offset, such as 2026-11-20T18:03:00+01:00"
_DAY_WORDS = "must be a day, such as 2026-11-20"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _instant(value: object) -> object:
    return _within_years(value, datetime, _RFC3339, _TIME_WORDS)


def _day(value: object) -> object:
    return _within_years(value, date, _DAY, _DAY_WORDS)


def _within_years(value: object, native: type[date], form: re.Pattern[str], words: str) -> object:
    if isinstance(value, native):
        return value
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(words)
    if not YEAR_MIN <= int(value[:4]) <= YEAR_MAX:
        raise ValueError(f"the year must lie between {YEAR_MIN} and {YEAR_MAX}")
    return value


def _utc(instant: datetime) -> datetime:
    # However its offset was written, one instant is one value.
    return instant.astimezone(UTC)


def as_bcp_47(locale: str) -> str:
    """A locale in BCP 47's recommended case (RFC 5646, 2.1.1): zh-Hant-TW."""
    language, *rest = locale.replace("_", "-").split("-")
    more = (part.title() if len(part) == _SCRIPT_LETTERS else part.upper() for part in rest)
    return "-".join([language.lower(), *more])


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from error
    return name


Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_utc)]
Day = Annotated[date, BeforeValidator(_day)]
Points = Annotated[int, Field(strict=True, ge=0, le=POINTS_MAX)]
PositivePoints = Annotated[int, Field(strict=True, gt=0, le=POINTS_MAX)]
SignedPoints = Annotated[int, Field(strict=True, ge=-POINTS_MAX, le=POINTS_MAX)]
Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX, description="integer minor units")]
PositiveAmount = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MAX, description="integer minor units")]
Count = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
PositiveCount = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MAX)]
Flag = Annotated[bool, Field(strict=True)]
Days = Annotated[int, Field(strict=True, ge=0, le=DAYS_MAX)]
Currency = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{3}$")]
# The caller's own ids: anything printable, without the control characters that logs and keys cannot carry.
Reference = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")
]


def is_reference(text: str) -> bool:
    """Whether a text can be a caller's own id: 1 to 128 printable characters."""
    return _REFERENCE.fullmatch(text) is not None


Slug = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Text = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")
]


LOCALE_PATTERN = r"^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$"
Locale = Annotated[
    str,
    StringConstraints(strict=True, pattern=LOCALE_PATTERN),
    AfterValidator(as_bcp_47),
]
"""A language, perhaps a script, perhaps a region, taken in any case, with `-` or `_`; kept as BCP 47 writes it."""
TimeZone = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64), AfterValidator(_known_zone)]


class Record(BaseModel):
    """An immutable value that knows all its fields: an unknown one is refused, never ignored.

    What is wrong is never shown in an error's text: it may be personal, and errors are logged.
    """

    # A validator is made when first used, under pydantic's lock: no function uses all of them, and a record inside
    # another needs none of its own.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def require_exactly_one(record: Record, names: Sequence[str]) -> None:
    """Raises ValueError unless a record gives exactly one of the fields."""
    if sum(getattr(record, name) is not None for name in names) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}")


class Stored(Record):
    """A record that a table keeps, or a part of one. It keeps fields that it does not know: a newer release has them.

    So an older release that reads and writes it loses nothing. Whoever asks for one is held to the fields that are
    known all the same: see Requested.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})


class _Requested:
    def __get_pydantic_core_schema__(self, source: type[Stored], handler: GetCoreSchemaHandler) -> Any:  # noqa: ANN401
        def known(value: object, _: object) -> Stored:
            return source.model_validate(value, extra="forbid")

        return WrapValidator(known).__get_pydantic_core_schema__(source, handler)


_Kept = TypeVar("_Kept", bound=Stored)
Requested = Annotated[_Kept, _Requested()]
"""A stored record as a request brings it: a field that is not known is refused, in whatever is part of it too."""


def build_all() -> None:
    """Make every validator that is still to be made."""
    waiting: list[type[BaseModel]] = [Record]
    for model in waiting:
        model.model_rebuild()
        waiting += model.__subclasses__()
