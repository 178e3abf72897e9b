"""A month's statement as a file: CSV for programs, XLSX for people who work with spreadsheets."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from infra.analytics.statement import Statement
from infra.errors import LocalError
from infra.tools import csv_files
from infra.tools.money import whole_units

COLUMNS = ("section", "subject", "line", "units", "amount", "currency", "query", "debit", "credit")
"""`units` are points, or minor units for store credit; `amount` is in whole units of the currency."""
_WIDE, _USUAL = 44, 16


def write_csv(statement: Statement, path: Path) -> None:
    """Every number of the statement, a line each. Raises LocalError if the file cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv_files.write(file, [COLUMNS])
            csv_files.write(file, _rows(statement))
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from error


def write_xlsx(statement: Statement, path: Path) -> None:
    """A sheet for each section. Raises LocalError if the file cannot be written."""
    import xlsxwriter  # noqa: PLC0415 - an extra
    from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    bold, number, money = book.add_format({"bold": True}), book.add_format(), book.add_format()
    number.set_num_format("#,##0")
    money.set_num_format("#,##0.00")
    kept, journal = list(COLUMNS[1:7]), ["line", "amount", "currency", "debit", "credit"]
    for section in dict.fromkeys(line[0] for line in _rows(statement)):
        columns = journal if section == "journal" else kept
        sheet = book.add_worksheet(section.capitalize())
        sheet.write(0, 0, f"{statement.month}: {statement.state}", bold)
        for place, name in enumerate(columns):
            sheet.write(1, place, name, bold)
            sheet.set_column(place, place, _USUAL if name in {"units", "amount", "currency"} else _WIDE)
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in _rows(statement) if row[0] == section]
        for line, row in enumerate(rows, start=2):
            for place, name in enumerate(columns):
                is_number = name in {"units", "amount"} and row[name]
                value = float(Decimal(row[name])) if is_number else row[name]
                sheet.write(line, place, value, {"units": number, "amount": money}.get(name))
    try:
        book.close()
    except FileCreateError as error:
        raise LocalError(f"{path} cannot be written: {error}") from error


def _rows(statement: Statement) -> Iterator[Sequence[str]]:
    currency = statement.currency
    for line in statement.lines:
        units = "" if line.units is None else str(line.units)
        amount = "" if line.amount is None else whole_units(line.amount, currency)
        yield (line.section, line.subject, line.what, units, amount, currency, line.query, "", "")
    for one in statement.journal:
        amount = whole_units(one.amount, currency)
        yield ("journal", "", one.text, "", amount, currency, "", one.debit, one.credit)
