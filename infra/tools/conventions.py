"""How people write days, times, numbers and amounts, as `import` and `replay` take them.

What can be read in one way is read. A column of days that can be read in two is refused, with a question: nobody's
points live a month longer because of a guess.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal, NamedTuple

from infra.errors import UsageError
from infra.tools.import_rows import NO, YES

DayOrder = Literal["dmy", "mdy"]

_DAY = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[T, ]+(\d.*))?")
_DAY_OF_A_YEAR = re.compile(r"(\d{1,2})([./])(\d{1,2})\.?")
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)? ?([AaPp][Mm])?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d))?")
_YEAR_DIGITS = 4
_MONTHS = 12
_NOON = 12
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([.,'\u2019\u00a0\u202f ])\d{3})(?:\1\d{3})*")
_NO_REST = re.compile(r"([+-]?\d+)[.,]0+")
_AROUND_AMOUNT = re.compile(r"^[^\d(+.,-]+|[^\d).,]+$")
_MARKS = ".,"
_YES = YES | {"subscribed", "accepted", "opted in", "ja", "oui", "sí", "si", "evet"}
_NO = NO | {"unsubscribed", "not subscribed", "never subscribed", "nein", "non"}


class Days(NamedTuple):
    """In which order a column writes day and month, by what stands between them."""

    orders: Mapping[str, DayOrder]

    def day(self, text: str) -> str:
        """A day, or a moment, as 2026-11-20 or 2026-11-20T18:03:00+01:00; what is neither stays as it is."""
        found = _DAY.fullmatch(text.strip())
        if found is None:
            return text
        first, mark, middle, last, time = found.groups()
        moment = _time(time) if time else ""
        if len(first) == _YEAR_DIGITS:
            day = _iso(first, middle, last)
        elif len(last) == _YEAR_DIGITS:
            day = _iso(last, *self._month_and_day(first, mark, middle))
        else:
            return text
        return text if day is None or moment is None else day + moment

    def birthday(self, text: str) -> str:
        """A birthday as 11-20: the year is left away."""
        found = _DAY_OF_A_YEAR.fullmatch(text.strip())
        if found is not None:
            month, day = self._month_and_day(*found.groups())
            return f"{int(month):02}-{int(day):02}"
        whole = self.day(text)
        return whole[5:10] if whole != text or re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text

    def _month_and_day(self, first: str, mark: str, second: str) -> tuple[str, str]:
        return (second, first) if self.orders.get(mark) == "dmy" else (first, second)


def days(column: str, lines: Iterable[tuple[int, str]], given: DayOrder | None) -> Days:
    """How a column writes its days; `lines` are its cells, by the number of the line.

    Raises UsageError if all of them can be read in two ways, and `given` does not say which is meant, or if two of them
    can only be read in different ways.
    """
    only: dict[str, dict[DayOrder, int]] = {}
    open_at: dict[str, tuple[int, str]] = {}
    for number, text in lines:
        found = _DAY.fullmatch(text.strip()) or _DAY_OF_A_YEAR.fullmatch(text.strip())
        if found is None or len(found[1]) == _YEAR_DIGITS:
            continue
        first, mark, second = int(found[1]), found[2], int(found[3])
        if first > _MONTHS >= second:
            only.setdefault(mark, {}).setdefault("dmy", number)
        elif second > _MONTHS >= first:
            only.setdefault(mark, {}).setdefault("mdy", number)
        elif first != second:
            open_at.setdefault(mark, (number, text))
    return Days({mark: _order(column, mark, only.get(mark, {}), open_at.get(mark), given) for mark in "./-"})


def _order(
    column: str, mark: str, only: Mapping[DayOrder, int], open_at: tuple[int, str] | None, given: DayOrder | None
) -> DayOrder:
    if len(only) > 1:
        raise UsageError(
            f"the column {column!r} writes the day first on line {only['dmy']}, and the month first on line "
            f"{only['mdy']}: write all days in one way"
        )
    if given is not None and only and given not in only:
        ((found, number),) = only.items()
        raise UsageError(f"the column {column!r} cannot be {given}: on line {number} it is {found}")
    known = given or next(iter(only), None) or ("dmy" if mark == "." else None)  # with dots, the day stands first
    if known is None and open_at is not None:
        number, text = open_at
        raise UsageError(
            f"the column {column!r} can be read in two ways, {text!r} on line {number} for example: "
            "add --dates dmy if the day stands first, --dates mdy if the month does"
        )
    return known or "dmy"


def _iso(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def _time(text: str) -> str | None:
    """A time of day as it stands in an instant; None if it is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second, half, offset = found.groups()
    hours = int(hour)
    if half:
        hours = hours % _NOON + (_NOON if half.lower() == "pm" else 0)
    zone = {"Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00", None: ""}.get(offset)
    if zone is None:
        zone = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    return f"T{hours:02}:{minute}:{second or '00'}{zone}"


def whole_number(text: str) -> str:
    """A whole number without what groups its digits; what is none stays as it is."""
    bare = text.strip()
    if _GROUPED.fullmatch(bare):
        return re.sub(r"[^\d+-]", "", bare).removeprefix("+")
    rest = _NO_REST.fullmatch(bare)
    return rest[1].removeprefix("+") if rest else bare


def amount(text: str) -> str:
    """An amount with a point before its decimals and nothing else: 1234.50, -29.33; what is none stays as it is.

    Three digits after a single mark may be decimals or not, and stay as they are.
    """
    bare = text.strip().replace("\u2212", "-")
    is_negative = bare.startswith("-") or (bare.startswith("(") and bare.endswith(")"))
    bare = _AROUND_AMOUNT.sub("", bare.strip("()-+ ")).strip("()-+ ")
    bare = re.sub("[ '\u2019\u00a0\u202f]", "", bare)
    at = max(bare.rfind(mark) for mark in _MARKS)
    whole, decimals = (bare[:at], bare[at + 1 :]) if at >= 0 else (bare, "")
    others = [mark for mark in _MARKS if mark in whole]
    if at >= 0 and len(decimals) == len("000") and not others:
        return text
    if others and not _GROUPED.fullmatch(whole):
        return text
    digits = re.sub(r"[.,]", "", whole)
    if not digits.isdigit() or not (decimals.isdigit() or not decimals):
        return text
    return f"{'-' if is_negative else ''}{digits}{'.' if decimals else ''}{decimals}"


def flag(text: str) -> str:
    """Yes or no, by any of their words; what is neither stays as it is."""
    word = text.strip().lower()
    if word in _YES:
        return "yes"
    return "no" if word in _NO else text
