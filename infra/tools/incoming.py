"""From a file as people have it to files as `import` takes them, line for line.

What is found out about the file is said. Nothing is guessed that changes what somebody owns: since when somebody is a
member, and until when points live, is in the file or in the command.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from infra.errors import UsageError
from infra.tools import conventions, csv_files, sheets, spellings
from infra.tools.conventions import DayOrder, Days
from infra.tools.csv_files import Line
from infra.tools.import_rows import NEVER, OPTIONAL, REQUIRED, Kind, kind_of
from infra.tools.purchases import COLUMNS
from infra.tools.sheets import Sheet
from infra.tools.spellings import Columns
from shared.domain.members.members import IDENTIFIER_KINDS

OPENING_BALANCE = "opening balance"
"""The reference of points of which a file says nothing but how many somebody has."""
PREVIEW_LINES = 5

_OUR_MARKS = frozenset({"tier_id", "amount", "pool_id", "reference"})
"""Columns of files that no other system writes."""
_DAYS = frozenset({"enrolled_at", "earned_at", "expires_on", "available_on", "since", "review_on"})
_NUMBERS = frozenset({"points", "contributed", "spent", "qualifying_before", "earned_before"})
_FLAGS = frozenset({"marketing_email", "marketing_sms", "grace"})
_NO_TAG = re.compile(r"[^a-z0-9_.:-]+")


class Choices(NamedTuple):
    """What the command says of a file that the file does not say: days as 2026-11-20, or `never` for the last one."""

    dates: DayOrder | None = None
    as_of: str | None = None
    expires_on: str | None = None
    columns: Path | None = None


class Incoming(NamedTuple):
    """A file, what its columns are, and what is made of it: files of these kinds, in this order.

    `is_ours`: its header is one of `loyalty import`. `notes` tell how it is read.
    """

    sheet: Sheet
    columns: Columns
    kinds: tuple[Kind, ...]
    days: Mapping[str, Days]
    choices: Choices
    is_ours: bool

    @property
    def notes(self) -> Iterator[str]:
        """What was found out about the file, and what of it is left out."""
        if not self.sheet.is_plain or not self.is_ours:
            yield ", ".join(filter(None, (self.columns.system, self.sheet.written_as)))
        if not self.is_ours:
            named = (
                f"{name} from {' and '.join(self.sheet.header[place] for place in places)}"
                for name, places in sorted(self.columns.of.items())
            )
            yield f"read: {', '.join(named)}"
        if self.columns.passed_over:
            yield f"left out: {', '.join(self.columns.passed_over)}"

    def rows(self, kind: Kind) -> Iterator[tuple[Line, dict[str, str]]]:
        """What each line says of a kind, by our columns; no line that brings nothing."""
        names = _names(kind, self.columns, self.is_ours)
        for line in self.sheet.lines():
            row = {name: self._cell(name, line.cells) for name in names}
            if self.is_ours or kind != "points" or row["points"].strip("0 "):
                yield line, row

    def _cell(self, name: str, cells: Sequence[str]) -> str:
        text = self.columns.cell(name, cells)
        if not text:
            return self._given(name) or ""
        if name in self.days:
            days = self.days[name]
            return days.birthday(text) if name == "birthday" else days.day(text)
        return _CONVENTIONS.get(name, _as_it_is)(text)

    def _given(self, name: str) -> str | None:
        """What the command says of a column that says nothing itself."""
        if name == "expires_on":
            return self.choices.expires_on
        if name == "reference":
            return None if self.is_ours else OPENING_BALANCE
        return self.choices.as_of if name in {"enrolled_at", "earned_at"} else None


class Ready(NamedTuple):
    """A file that `import` takes, of one kind; `is_opening`: of people who may be members already."""

    kind: Kind
    path: Path
    is_opening: bool


def look(path: Path, choices: Choices) -> Incoming:
    """Find out what a file is.

    Raises LocalError if it cannot be read, UsageError if it cannot be told what it says, with what to add.
    """
    sheet = sheets.read(path)
    names = [name.lower() for name in sheet.header]
    columns = spellings.mapped(sheet.header, choices.columns) if choices.columns else spellings.recognised(sheet.header)
    is_ours = set(names) == set(columns.of) and (bool(_OUR_MARKS & set(names)) or _says_all(columns))
    kinds: tuple[Kind, ...]
    if is_ours:
        kinds = (kind_of(names),)
    elif not set(columns.of) & set(IDENTIFIER_KINDS):
        if set(names) >= set(COLUMNS):
            raise UsageError(f"{path} holds purchases: `loyalty replay` books them")
        raise UsageError(
            f"{path} names nobody: a column must be one of {', '.join(IDENTIFIER_KINDS)}. It has "
            f"{', '.join(filter(None, sheet.header))}; say with --map which of them is one"
        )
    else:
        kinds = ("members", "points") if "points" in columns.of else ("members",)
        _require(path, columns, kinds, choices)
    days = {
        name: conventions.days(sheet.header[places[0]], _cells(sheet, columns, name), choices.dates)
        for name, places in columns.of.items()
        if name in _DAYS or name == "birthday"
    }
    return Incoming(sheet, columns, kinds, days, choices, is_ours)


def ready(incoming: Incoming, folder: Path) -> list[Ready]:
    """The files that `import` takes: the file itself if it is one, else such as are written to a folder.

    A line has the number that it had, so that a fault is found where it is.
    """
    path = incoming.sheet.path
    if incoming.is_ours and incoming.sheet.is_plain and not _changes(incoming):
        return [Ready(incoming.kinds[0], path, is_opening=False)]
    is_opening = len(incoming.kinds) > 1
    files = []
    for kind in incoming.kinds:
        file = folder / f"{path.stem}-{kind}.csv"
        _write(file, _names(kind, incoming.columns, incoming.is_ours), incoming.rows(kind))
        files.append(Ready(kind, file, is_opening))
    return files


def _says_all(columns: Columns) -> bool:
    """Whether a file of members, or of points, has every column that `import` needs."""
    kind: Kind = "points" if "points" in columns.of else "members"
    return columns.of.keys() >= set(REQUIRED[kind])


def _require(path: Path, columns: Columns, kinds: Sequence[Kind], choices: Choices) -> None:
    if "enrolled_at" not in columns.of and choices.as_of is None:
        raise UsageError(f"{path} does not say since when they are members: add --as-of 2026-01-31, or another day")
    if "points" not in kinds:
        return
    if "earned_at" not in columns.of and choices.as_of is None:
        raise UsageError(f"{path} does not say when the points were earned: add --as-of 2026-01-31, or another day")
    if "expires_on" not in columns.of and choices.expires_on is None:
        raise UsageError(
            f"{path} does not say until when the points can be spent: add --expires-on 2027-12-31, or another day, "
            f"or --expires-on {NEVER}"
        )


def _names(kind: Kind, columns: Columns, is_ours: bool) -> list[str]:
    of_kind = (*IDENTIFIER_KINDS, *REQUIRED[kind], *OPTIONAL[kind])
    needed = () if is_ours else REQUIRED[kind]
    return [name for name in of_kind if name in columns.of or name in needed]


def _cells(sheet: Sheet, columns: Columns, name: str) -> Iterable[tuple[int, str]]:
    return ((line.number, columns.cell(name, line.cells)) for line in sheet.lines())


def _changes(incoming: Incoming) -> bool:
    """Whether any cell is written in another way than `import` takes it."""
    (kind,), columns = incoming.kinds, incoming.columns
    rows = incoming.rows(kind)
    return any(row != {name: columns.cell(name, line.cells) for name in row} for line, row in rows)


def _write(file: Path, names: Sequence[str], rows: Iterable[tuple[Line, Mapping[str, str]]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        csv_files.write(text, _in_their_lines(names, rows))


def _in_their_lines(names: Sequence[str], rows: Iterable[tuple[Line, Mapping[str, str]]]) -> Iterator[Sequence[str]]:
    """The header and the rows, each on the line that it had; between them there are empty ones."""
    yield names
    at = 2
    for line, row in rows:
        yield from repeat((), line.number - at)
        yield [" ".join(row[name].splitlines()) for name in names]
        at = line.number + 1


def _as_it_is(text: str) -> str:
    return text


def _tags(text: str) -> str:
    """Tags with blanks between them; elsewhere there are commas, and blanks in a tag."""
    if "," not in text:
        return text
    words = (_NO_TAG.sub("-", word.strip().lower()).strip("-") for word in text.split(","))
    return " ".join(filter(None, words))


def _number_as_text(text: str) -> str:
    """An identifier without the apostrophe by which a spreadsheet keeps it as text."""
    return text.removeprefix("'")


_CONVENTIONS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(_NUMBERS, conventions.whole_number),
    **dict.fromkeys(_FLAGS, conventions.flag),
    **dict.fromkeys(IDENTIFIER_KINDS, _number_as_text),
    "amount": conventions.amount,
    "tags": _tags,
}
