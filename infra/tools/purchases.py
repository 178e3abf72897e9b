"""Purchases and returns from a file: CSV with a header, or the CDNOW text format.

CSV: `customer`, `order`, `date_time`, `amount` (in the currency's own units, 29.33), `currency`, and if the shop has
them `lines`, JSON as the API takes them. A time without an offset is read in the program's zone. A negative amount is
what was returned of the order that the line names; its `lines` say nothing more.

CDNOW (Fader and Hardie's data set): customer, in the sample also the sample's own number, then yyyymmdd, number of CDs,
dollars, separated by blanks. It has no order numbers and no times: a customer's purchases of one day are numbered, and
placed at noon. So it has no returns either.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from infra.errors import UsageError
from infra.tools import conventions, sheets
from infra.tools.conventions import DayOrder, Days
from infra.tools.csv_files import Line
from infra.tools.money import minor_units
from infra.tools.sheets import Sheet

COLUMNS = ("customer", "order", "date_time", "amount", "currency")
_SPELLINGS = {"date-time": "date_time", "datetime": "date_time", "date time": "date_time"}
_CDNOW_FIELDS = (4, 5)
_CDNOW_CURRENCY = "USD"
_NOON = time(12)


class Purchase(NamedTuple):
    """One line: who bought what, when (UTC), for how much (minor units)."""

    line: int
    customer: str
    order_id: str
    at: datetime
    amount: int
    currency: str
    lines: tuple[Mapping[str, Any], ...] = ()


class Return(NamedTuple):
    """One line: what came back of which order, when (UTC), for how much (minor units, more than 0).

    `refund_id` is the same whenever a file names that return: it says when, how much, and which of equal ones.
    """

    line: int
    customer: str
    order_id: str
    refund_id: str
    at: datetime
    amount: int
    currency: str


class BadLine(NamedTuple):
    """A line that cannot be booked, and why."""

    line: int
    reason: str


class History(NamedTuple):
    """What can be booked of a file, the earliest first and each return after its order; and what cannot."""

    lines: list[Purchase | Return]
    bad_lines: list[BadLine]


def history(lines: Iterable[Purchase | Return | BadLine], now: datetime, currency: str) -> History:
    """Put the lines of a file in order.

    What has not come yet is a bad line, and so is an order's second one, and one of another currency.
    """
    good, bad_lines, orders = list[Purchase | Return](), list[BadLine](), dict[str, Purchase]()
    for line in lines:
        if isinstance(line, BadLine):
            bad_lines.append(line)
        elif line.at > now:
            bad_lines.append(BadLine(line.line, f"{line.at:%Y-%m-%d %H:%M:%SZ} has not come yet: put the date right"))
        elif isinstance(line, Purchase) and orders.setdefault(line.order_id, line) is not line:
            bad_lines.append(BadLine(line.line, _claimed(line, orders[line.order_id])))
        else:
            good.append(line)
    in_order: list[tuple[datetime, bool, Purchase | Return]] = []
    for line in good:
        order = orders.get(line.order_id)
        if order is not None and order.customer != line.customer:
            bad_lines.append(BadLine(line.line, _claimed(line, order)))
        elif line.currency != currency:
            bad_lines.append(BadLine(line.line, f"must be {currency}, the program's currency"))
        else:
            is_return = isinstance(line, Return)
            at = max(line.at, order.at) if order is not None else line.at
            in_order.append((at, is_return, line._replace(at=at)))
    in_order.sort(key=lambda placed: (placed[0], placed[1], placed[2].line))
    return History([line for *_, line in in_order], sorted(bad_lines))


def read(path: Path, zone: str, dates: DayOrder | None = None) -> Iterator[Purchase | Return | BadLine]:
    """Every line of the file, in its order.

    Raises LocalError if it cannot be read, UsageError if it is of neither format, or if its days can be read in two
    ways and `dates` does not say which is meant.
    """
    sheet = sheets.read(path)
    is_cdnow = len(sheet.header) == 1 and not sheet.is_workbook
    return _cdnow(sheet, zone) if is_cdnow else _csv(sheet, zone, dates)


def _claimed(line: Purchase | Return, first: Purchase) -> str:
    by = "" if line.customer == first.customer else f", of customer {first.customer}"
    what = "an order is booked once" if isinstance(line, Purchase) else "whoever returns it must have bought it"
    return f"order {line.order_id} is on line {first.line} already{by}: {what}"


def _csv(sheet: Sheet, zone: str, dates: DayOrder | None) -> Iterator[Purchase | Return | BadLine]:
    equal_ones: Counter[str] = Counter()
    header = [_SPELLINGS.get(name.lower(), name.lower()) for name in sheet.header]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UsageError(
            f"the header lacks {', '.join(missing)}: it must name {', '.join(COLUMNS)}, and may name lines"
        )
    place = header.index("date_time")
    moments = ((line.number, line.cells[place]) for line in sheet.lines() if place < len(line.cells))
    days = conventions.days(sheet.header[place], moments, dates)
    for line in sheet.lines():
        yield _parsed(line.number, partial(_csv_line, header, line, days, zone, equal_ones))


def _csv_line(header: list[str], line: Line, days: Days, zone: str, equal_ones: Counter[str]) -> Purchase | Return:
    if len(line.cells) != len(header):
        raise ValueError(f"{len(line.cells)} fields where the header has {len(header)}")
    fields = dict(zip(header, line.cells, strict=True))
    empty = [name for name in COLUMNS if not fields[name]]
    if empty:
        raise ValueError(f"{', '.join(empty)} is empty")
    amount = minor_units(conventions.amount(fields["amount"]), fields["currency"])
    at, customer, order_id = _instant(days.day(fields["date_time"]), zone), fields["customer"], fields["order"]
    if amount < 0:
        what = f"{at:%Y%m%dT%H%M%SZ}-{-amount}"
        equal_ones[f"{order_id} {what}"] += 1
        refund_id = f"replay-{what}-{equal_ones[f'{order_id} {what}']}"
        return Return(line.number, customer, order_id, refund_id, at, -amount, fields["currency"])
    lines = _lines(fields["lines"]) if fields.get("lines") else ()
    return Purchase(line.number, customer, order_id, at, amount, fields["currency"], lines)


def _cdnow(sheet: Sheet, zone: str) -> Iterator[Purchase | Return | BadLine]:
    number_on_day: Counter[tuple[str, str]] = Counter()
    for line, row in enumerate(sheet.text().splitlines(), start=1):
        fields = row.split()
        if not fields or fields[0] == "customer_id":
            continue
        yield _parsed(line, partial(_cdnow_purchase, fields, line, zone, number_on_day))


def _cdnow_purchase(fields: list[str], line: int, zone: str, number_on_day: Counter[tuple[str, str]]) -> Purchase:
    if len(fields) not in _CDNOW_FIELDS:
        raise ValueError(f"{len(fields)} fields, not {' or '.join(map(str, _CDNOW_FIELDS))}")
    customer, day, dollars = fields[0], fields[-3], fields[-1]
    at = datetime.combine(datetime.strptime(day, "%Y%m%d"), _NOON, ZoneInfo(zone))  # noqa: DTZ007 - a day
    amount = minor_units(dollars, _CDNOW_CURRENCY)
    if amount < 0:
        raise ValueError(f"{dollars} is a return, and says of no order: write it as CSV, with its order's number")
    number_on_day[customer, day] += 1
    order_id = f"cdnow-{customer}-{day}-{number_on_day[customer, day]}"
    return Purchase(line, customer, order_id, at.astimezone(UTC), amount, _CDNOW_CURRENCY)


def _parsed(line: int, parse: Callable[[], Purchase | Return]) -> Purchase | Return | BadLine:
    try:
        return parse()
    except (ValueError, OverflowError) as error:
        return BadLine(line, str(error))


def _instant(text: str, zone: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no moment: write it as 2026-11-20 18:03") from error
    local = instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def _lines(text: str) -> tuple[Mapping[str, Any], ...]:
    lines = json.loads(text)
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise ValueError("lines must be a JSON list of objects")
    return tuple(lines)
