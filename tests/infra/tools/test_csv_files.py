"""CSV as spreadsheets make it, and cells that no spreadsheet runs."""

import codecs
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import UsageError
from infra.tools import csv_files


def lines(path: Path, lines_max: int = 1000) -> list[csv_files.Line]:
    """All lines of a file, read in stretches of so many."""
    stretches = csv_files.stretches(path, lines_max)
    return [line for stretch in stretches for line in csv_files.lines(path, stretch)]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1)))
def test_a_cell_comes_back_as_it_was_and_is_no_formula(values: list[str]) -> None:
    for value in values:
        assert csv_files.plain(csv_files.escaped(value)) == value
        assert csv_files.escaped(value)[0] not in "=+-@\t\r"


@pytest.mark.parametrize("cell", ["=1+1", "+44 20 7946 0958", "-2", "@SUM(A1)", "'=1", "''@"])
def test_what_a_spreadsheet_would_run_is_text(cell: str) -> None:
    file = io.StringIO()
    csv_files.write(file, [[cell]])
    assert file.getvalue() == f"'{cell}\n"
    assert csv_files.plain(file.getvalue()) == cell


def test_marks_line_ends_blank_lines_and_quoted_breaks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfEmail, Name \r\na@example.org,"Ada\r\nLovelace"\r\n\r\n,,\r\nb@example.org, Bob\r\n')
    assert csv_files.header(path) == ["email", "name"]
    assert [(line.number, line.cells[-1]) for line in lines(path)] == [(2, "Ada\r\nLovelace"), (6, "Bob")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"email;name\na;b\n", "by semicolons"),
        (b"email\tname\n", "by tabs"),
        ("email,name\n".encode("utf-16"), "UTF-16"),
        (b"", "is empty"),
        (b"email,email\n", "names email twice"),
        (b'email\n"a\n', "line 2 is not valid CSV"),
        (b"email\n" + "é".encode("latin-1") + b"\n", "is not UTF-8"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        print(csv_files.header(path), lines(path))


_CELLS = st.lists(st.text(st.sampled_from('aé,"\r\n €'), max_size=4), min_size=1, max_size=3)


@given(
    rows=st.lists(_CELLS, max_size=9),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    marked=st.booleans(),
    lines_max=st.integers(1, 5),
)
def test_stretches_of_a_file_have_every_line_once(
    rows: list[list[str]], line_end: str, lines_max: int, tmp_path_factory: pytest.TempPathFactory, *, marked: bool
) -> None:
    path = tmp_path_factory.mktemp("stretches") / "a.csv"
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([["a"], *rows])
    path.write_bytes((codecs.BOM_UTF8 if marked else b"") + text.getvalue().encode())

    stretches = list(csv_files.stretches(path, lines_max))

    edges = [stretch.end for stretch in stretches]
    assert [stretch.start for stretch in stretches[1:]] == edges[:-1]
    assert edges[-1:] in ([], [path.stat().st_size])
    assert all(stretch.lines <= lines_max for stretch in stretches)
    found = lines(path, lines_max)
    assert [line.cells for line in found] == [
        list(map(csv_files.plain, row)) for row in rows if any(map(str.strip, row))
    ]
    assert found == lines(path), "numbers included"
