"""CSV as people make it: with Excel, in another country, on another system. And cells that no spreadsheet runs."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from infra.errors import LocalError, UsageError

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
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


def refuse_twice(path: Path, names: Sequence[str]) -> None:
    """Raises UsageError if the header of a file has a name twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path}: the header names {', '.join(twice)} twice")


class Stretch(NamedTuple):
    """Lines that follow one another: from which byte of the file to which, the number of the first, how many lines."""

    start: int
    end: int
    number: int
    lines: int


def header(path: Path) -> list[str]:
    """The names of the columns, in lower case. Raises LocalError if the file is not such a file."""
    for (_, cells), _ in _lines(path):
        return _checked_header(path, [cell.strip().lower() for cell in cells])
    raise UsageError(f"{path} is empty")


def stretches(path: Path, lines_max: int) -> Iterator[Stretch]:
    """The lines after the header, so many at a time. Raises LocalError where the file is not such a file."""
    rows = _lines(path)
    _, start = next(rows, (None, 0))
    while some := [(line.number, end) for line, end in islice(rows, lines_max)]:
        end = some[-1][1]
        yield Stretch(start, end, some[0][0], len(some))
        start = end


def lines(path: Path, stretch: Stretch) -> Iterator[Line]:
    """The lines of a stretch but empty ones. Raises LocalError."""
    try:
        with path.open("rb") as file:
            file.seek(stretch.start)
            text = file.read(stretch.end - stretch.start).decode()
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    reader, number = csv.reader(io.StringIO(text, newline=""), strict=True), stretch.number
    for cells in reader:
        if any(map(str.strip, cells)):
            yield Line(number, [plain(cell) for cell in cells])
        number = stretch.number + reader.line_num


def write(file: IO[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows whose cells no spreadsheet runs."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([escaped(cell) for cell in row] for row in rows)


def _lines(path: Path) -> Iterator[tuple[Line, int]]:
    """Every line, with the byte at which it ends."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(codecs.BOM_UTF8))
        if begin[:2] in _UTF16:
            raise UsageError(f"{path} is UTF-16: save it as CSV UTF-8")
        # "utf-8-sig" takes away the mark that Excel puts first; newline="" leaves line ends to the reader.
        with path.open(encoding="utf-8-sig", newline="") as text:
            end = len(begin) if begin == codecs.BOM_UTF8 else 0

            def counted() -> Iterator[str]:
                nonlocal end
                for line in text:
                    end += len(line.encode())
                    yield line

            reader = csv.reader(counted(), strict=True)
            number = 1
            try:
                for cells in reader:
                    yield Line(number, cells), end
                    number = reader.line_num + 1
            except csv.Error as error:
                raise UsageError(f"{path}: line {number} is not valid CSV: {error}") from error
            except UnicodeDecodeError as error:
                raise UsageError(f"{path} is not UTF-8, from about line {number} on: save it as CSV UTF-8") from error
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error


def _checked_header(path: Path, names: list[str]) -> list[str]:
    if len(names) == 1:
        for separator, called in OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise UsageError(
                    f"{path} separates its columns by {called}, as Excel does in many countries: "
                    "save it with commas between them"
                )
    refuse_twice(path, names)
    return names
