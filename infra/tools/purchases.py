"""Purchases from a file: CSV with a header, or the CDNOW text format.

CSV: `customer`, `order`, `date_time`, `amount` (in the currency's own units, 29.33), `currency`, and if the shop has
them `lines`, JSON as the API takes them. A time without an offset is read in the program's zone.

CDNOW (Fader and Hardie's data set): customer, in the sample also the sample's own number, then yyyymmdd, number of CDs,
dollars, separated by blanks. It has no order numbers and no times: a customer's purchases of one day are numbered, and
placed at noon.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from iso4217 import Currency

from infra.errors import LocalError, UsageError

_COLUMNS = ("customer", "order", "date_time", "amount", "currency")
_SPELLINGS = {"date-time": "date_time", "datetime": "date_time", "date time": "date_time"}
_CDNOW_FIELDS = (4, 5)
_CDNOW_CURRENCY = "USD"
_NOON = time(12)


class Purchase(NamedTuple):
    """One line: who bought what, when (UTC), for how much (minor units)."""

    line: int
    customer: str
    order_id: str
    placed_at: datetime
    amount: int
    currency: str
    lines: tuple[Mapping[str, Any], ...] = ()


class BadLine(NamedTuple):
    """A line that is not a purchase, and why."""

    line: int
    reason: str


def read(path: Path, zone: str) -> Iterator[Purchase | BadLine]:
    """Every line of the file, in its order. Raises LocalError if it cannot be read, or is of neither format."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError(f"{path} cannot be read: {error}") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise UsageError(f"{path} is empty")
    return _csv(text, zone) if "," in first else _cdnow(text, zone)


def _csv(text: str, zone: str) -> Iterator[Purchase | BadLine]:
    rows = csv.reader(io.StringIO(text))
    header = [_SPELLINGS.get(name.strip().lower(), name.strip().lower()) for name in next(rows)]
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise UsageError(
            f"the header lacks {', '.join(missing)}: it must name {', '.join(_COLUMNS)}, and may name lines"
        )
    for row in rows:
        if row:
            yield _parsed(rows.line_num, lambda row=row, line=rows.line_num: _csv_purchase(header, row, line, zone))


def _csv_purchase(header: list[str], row: list[str], line: int, zone: str) -> Purchase:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} fields where the header has {len(header)}")
    fields = {name: value.strip() for name, value in zip(header, row, strict=True)}
    empty = [name for name in _COLUMNS if not fields[name]]
    if empty:
        raise ValueError(f"{', '.join(empty)} is empty")
    amount = _minor_units(fields["amount"], fields["currency"])
    lines = _lines(fields["lines"]) if fields.get("lines") else ()
    placed_at = _instant(fields["date_time"], zone)
    return Purchase(line, fields["customer"], fields["order"], placed_at, amount, fields["currency"], lines)


def _cdnow(text: str, zone: str) -> Iterator[Purchase | BadLine]:
    number_on_day: Counter[tuple[str, str]] = Counter()
    for line, row in enumerate(text.splitlines(), start=1):
        fields = row.split()
        if not fields or fields[0] == "customer_id":
            continue
        yield _parsed(line, lambda fields=fields, line=line: _cdnow_purchase(fields, line, zone, number_on_day))


def _cdnow_purchase(fields: list[str], line: int, zone: str, number_on_day: Counter[tuple[str, str]]) -> Purchase:
    if len(fields) not in _CDNOW_FIELDS:
        raise ValueError(f"{len(fields)} fields, not {' or '.join(map(str, _CDNOW_FIELDS))}")
    customer, day, dollars = fields[0], fields[-3], fields[-1]
    placed_at = datetime.combine(datetime.strptime(day, "%Y%m%d"), _NOON, ZoneInfo(zone))  # noqa: DTZ007 - a day
    amount = _minor_units(dollars, _CDNOW_CURRENCY)
    number_on_day[customer, day] += 1
    order_id = f"cdnow-{customer}-{day}-{number_on_day[customer, day]}"
    return Purchase(line, customer, order_id, placed_at.astimezone(UTC), amount, _CDNOW_CURRENCY)


def _parsed(line: int, parse: Any) -> Purchase | BadLine:  # noqa: ANN401
    try:
        purchase: Purchase = parse()
    except ValueError as error:
        return BadLine(line, str(error))
    return purchase


def _instant(text: str, zone: str) -> datetime:
    instant = datetime.fromisoformat(text)
    local = instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def _minor_units(text: str, currency: str) -> int:
    try:
        exact = Decimal(text) * 10 ** (Currency(currency).exponent or 0)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount") from error
    if not exact.is_finite() or exact < 0 or exact != exact.to_integral_value():
        raise ValueError(f"{text!r} is not an amount in {currency}")
    return int(exact)


def _lines(text: str) -> tuple[Mapping[str, Any], ...]:
    lines = json.loads(text)
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise ValueError("lines must be a JSON list of objects")
    return tuple(lines)
