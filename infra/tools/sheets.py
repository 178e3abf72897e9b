"""A table as people save it: CSV of any country and age, or a sheet of Excel. How it is written is found out, and said.

Nothing of what the cells mean is decided here; see `conventions` and `spellings`.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from infra.errors import LocalError, UsageError
from infra.tools.csv_files import OTHER_SEPARATORS, Line, plain, refuse_twice

_SEPARATORS: Mapping[str, str] = {",": "commas", **OTHER_SEPARATORS}
_MARKS: Mapping[bytes, str] = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})
_OLD_ENCODINGS = ("cp1252", "cp1250", "cp1254", "iso8859_15", "cp1251", "mac_roman")
"""What spreadsheets write where they do not write UTF-8."""
_ENOUGH_BYTES = 200_000
"""So many tell which encoding a file has."""


class Sheet(NamedTuple):
    """A table of text: its columns as they are named, and how its file is written.

    `separator` is None for a workbook. `has_hint`: a line `sep=;` stands before the header.
    """

    path: Path
    header: tuple[str, ...]
    encoding: str = "utf-8-sig"
    separator: str | None = ","
    has_hint: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is the CSV that `loyalty export` writes: UTF-8, with commas."""
        return (self.encoding, self.separator, self.has_hint) == ("utf-8-sig", ",", False)

    @property
    def is_workbook(self) -> bool:
        """Whether it is a sheet of Excel, or of the like."""
        return self.separator is None

    @property
    def written_as(self) -> str:
        """How the file is written, in words."""
        if self.separator is None:
            return "the first sheet of a workbook"
        encoding = "UTF-8" if self.encoding == "utf-8-sig" else self.encoding
        return f"{encoding}, {_SEPARATORS.get(self.separator, repr(self.separator))} between columns"

    def text(self) -> str:
        """All that a file of text says. Raises LocalError."""
        try:
            return self.path.read_text(encoding=self.encoding)
        except (OSError, UnicodeDecodeError) as error:
            raise LocalError(f"{self.path} cannot be read: {error}") from error

    def lines(self) -> Iterator[Line]:
        """The lines after the header but empty ones, by the number that an editor shows. Raises LocalError."""
        found = _filled(self)
        next(found, None)
        return found


def read(path: Path) -> Sheet:
    """Find out how a file is written, and what its columns are called.

    Raises LocalError if it cannot be read, UsageError if it is empty or names a column twice.
    """
    sheet = Sheet(path, (), separator=None) if path.suffix.lower() in _WORKBOOKS else _described(path)
    first = next(_filled(sheet), None)
    if first is None:
        raise UsageError(f"{path} is empty")
    refuse_twice(path, [name.lower() for name in first.cells if name])
    return sheet._replace(header=tuple(first.cells))


def _filled(sheet: Sheet) -> Iterator[Line]:
    """The lines that say anything, the header first."""
    rows = _of_workbook(sheet.path) if sheet.is_workbook else _of_text(sheet)
    return (line for line in rows if any(line.cells))


def _described(path: Path) -> Sheet:
    encoding = _encoding_of(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = next(file, "").strip("\r\n")
            hint = first[len("sep=") :][:1] if first.lower().startswith("sep=") else ""
            rest = (line for line in file if line.strip())
            header = first if first.strip() and not hint else next(rest, "")
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    return Sheet(path, (), encoding, hint or max(_SEPARATORS, key=lambda one: _width(header, one)), bool(hint))


def _width(header: str, separator: str) -> int:
    return len(next(csv.reader(StringIO(header), delimiter=separator), ()))


def _encoding_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            begin = file.read(_ENOUGH_BYTES)
        for mark, encoding in _MARKS.items():
            if begin.startswith(mark):
                return encoding
        with path.open(encoding="utf-8") as text:
            for _ in text:
                pass
    except UnicodeDecodeError as error:
        return _guessed(path, begin, error)
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    return "utf-8-sig"


def _guessed(path: Path, begin: bytes, error: UnicodeDecodeError) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - few files need it

    best = from_bytes(begin, cp_isolation=list(_OLD_ENCODINGS)).best()
    if best is None:
        raise UsageError(f"{path} is in an encoding that is not known: save it as CSV UTF-8") from error
    return best.encoding


def _of_text(sheet: Sheet) -> Iterator[Line]:
    try:
        with sheet.path.open(encoding=sheet.encoding, newline="") as file:
            skipped = int(sheet.has_hint)
            next(islice(file, skipped, skipped), None)
            reader = csv.reader(file, delimiter=sheet.separator or ",", strict=True)
            number = 1 + skipped
            try:
                for cells in reader:
                    yield Line(number, [plain(cell) for cell in cells])
                    number = reader.line_num + 1 + skipped
            except csv.Error as error:
                raise UsageError(f"{sheet.path}: line {number} is not valid CSV: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError(f"{sheet.path} cannot be read: {error}") from error


def _of_workbook(path: Path) -> Iterator[Line]:
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - few files need it

    try:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror or error}") from error
    except (CalamineError, IndexError) as error:
        raise LocalError(f"{path} is no workbook that can be read: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield Line(number, [plain(_text(cell)) for cell in row])


def _text(cell: object) -> str:
    """What a cell of a workbook says, as text."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)
