"""CSV as people make it: with Excel, in another country, on another system. And cells that no spreadsheet runs."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from infra.errors import LocalError, UsageError

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """A line of the file, by the number that an editor shows, and its cells."""

    number: int
    cells: list[str]


def escaped(cell: str) -> str:
    """A cell that spreadsheets take for text: an apostrophe goes before what they would run as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def plain(cell: str) -> str:
    """What a cell says, without the apostrophe of `escaped` and the blanks around it."""
    stripped = cell.strip()
    return stripped[1:] if _ESCAPED.match(stripped) else stripped


def header(path: Path) -> list[str]:
    """The names of the columns, in lower case. Raises LocalError if the file is not such a file."""
    for _, cells in _lines(path):
        return _checked_header(path, [cell.strip().lower() for cell in cells])
    raise UsageError(f"{path} is empty")


def lines(path: Path) -> Iterator[Line]:
    """Every line after the header but empty ones, read as they are asked for. Raises LocalError."""
    rows = _lines(path)
    next(rows, None)
    return (Line(number, [plain(cell) for cell in cells]) for number, cells in rows if any(map(str.strip, cells)))


def write(file: IO[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows whose cells no spreadsheet runs."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([escaped(cell) for cell in row] for row in rows)


def _lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            if file.read(2) in _UTF16:
                raise UsageError(f"{path} is UTF-16: save it as CSV UTF-8")
        # "utf-8-sig" takes away the mark that Excel puts first; newline="" leaves line ends to the reader.
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            number = 1
            try:
                for cells in reader:
                    yield Line(number, cells)
                    number = reader.line_num + 1
            except csv.Error as error:
                raise UsageError(f"{path}: line {number} is not valid CSV: {error}") from error
            except UnicodeDecodeError as error:
                raise UsageError(f"{path} is not UTF-8, from about line {number} on: save it as CSV UTF-8") from error
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error


def _checked_header(path: Path, names: list[str]) -> list[str]:
    if len(names) == 1:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise UsageError(
                    f"{path} separates its columns by {called}, as Excel does in many countries: "
                    "save it with commas between them"
                )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path}: the header names {', '.join(twice)} twice")
    return names
