"""Days, times, numbers and amounts as people write them: read where one reading fits, asked about where two do."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import UsageError
from infra.tools import conventions
from infra.tools.conventions import DayOrder

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))


def read(*cells: str, given: DayOrder | None = None) -> list[str]:
    """Cells of a column from line 2 on, as they are understood."""
    days = conventions.days("joined", enumerate(cells, start=2), given)
    return [days.day(cell) for cell in cells]


@given(st.lists(DAYS, min_size=1), st.sampled_from(["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y-%m-%d"]))
def test_a_column_is_read_as_it_was_written_or_not_at_all(days: list[date], written: str) -> None:
    cells = [f"{day:{written}}" for day in days]
    try:
        assert read(*cells) == [day.isoformat() for day in days]
    except UsageError as error:
        assert written in {"%d/%m/%Y", "%m/%d/%Y"}
        assert max(day.day for day in days) <= 12
        assert "--dates dmy" in str(error)  # noqa: PT017 - it is the reading that is tried
        order: DayOrder = "dmy" if written.startswith("%d") else "mdy"
        assert read(*cells, given=order) == [day.isoformat() for day in days]


def test_what_is_the_same_in_both_orders_is_no_question() -> None:
    assert read("03/03/2024") == ["2024-03-03"]


def test_one_line_tells_how_the_others_are_meant() -> None:
    assert read("03/04/2024", "20/04/2024") == ["2024-04-03", "2024-04-20"]
    assert read("03/04/2024", "04/20/2024") == ["2024-03-04", "2024-04-20"]


def test_a_column_that_contradicts_itself_is_refused_with_both_lines() -> None:
    with pytest.raises(UsageError, match=r"first on line 2, and the month first on line 3"):
        read("20/04/2024", "04/20/2024")


def test_the_file_wins_over_what_the_command_says() -> None:
    with pytest.raises(UsageError, match=r"cannot be mdy: on line 2 it is dmy"):
        read("20/04/2024", given="mdy")


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("10/20/2026 18:03", "2026-10-20T18:03:00"),
        ("20.10.2026, 6:03 PM", "2026-10-20T18:03:00"),
        ("20.10.2026 12:00 am", "2026-10-20T00:00:00"),
        ("2026-10-20 18:03:00 -0400", "2026-10-20T18:03:00-04:00"),
        ("2026-10-20T18:03:00Z", "2026-10-20T18:03:00+00:00"),
        ("2026/10/20 18:03:09 UTC", "2026-10-20T18:03:09+00:00"),
    ],
)
def test_a_time_keeps_its_offset(cell: str, moment: str) -> None:
    assert read(cell) == [moment]
    assert datetime.fromisoformat(moment).day == 20


@pytest.mark.parametrize("cell", ["yesterday", "31.02.2026", "20.10.26", "45950.75", "2026-13-01", "20.10.2026 25 h"])
def test_what_is_no_day_stays_to_be_refused_by_its_line(cell: str) -> None:
    assert read(cell) == [cell]


@pytest.mark.parametrize(
    ("cell", "birthday"),
    [
        ("29.02.", "02-29"),
        ("29.02.1992", "02-29"),
        ("1992-02-29", "02-29"),
        ("02/29/1992", "02-29"),
        ("12-10", "12-10"),
    ],
)
def test_a_birthday_has_no_year(cell: str, birthday: str) -> None:
    assert conventions.days("birthday", [(2, cell)], None).birthday(cell) == birthday


@given(st.integers(-(10**12), 10**12), st.sampled_from([",", ".", " ", "'", "\u00a0"]))
def test_groups_of_digits_are_one_number(number: int, mark: str) -> None:
    assert conventions.whole_number(f"{number:,}".replace(",", mark)) == str(number)


@pytest.mark.parametrize("cell", ["12.5", "1,24", "1.240,5", "x", "1,2,3"])
def test_what_is_no_whole_number_stays_as_it_is(cell: str) -> None:
    assert conventions.whole_number(cell) == cell


@given(
    st.integers(-(10**11), 10**11), st.sampled_from([",.", ".,", " ,", "'."]), st.sampled_from(["{}", "${}", "{} €"])
)
def test_an_amount_is_read_whatever_marks_its_decimals(cents: int, marks: str, written: str) -> None:
    text = f"{abs(cents) // 100:,}".replace(",", marks[0]) + f"{marks[1]}{abs(cents) % 100:02}"
    sign = "-" if cents < 0 else ""
    exact = f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"
    assert conventions.amount(sign + written.format(text)) == exact
    assert conventions.amount(exact) == exact


@pytest.mark.parametrize("cell", ["1.240", "1,240", "1.2.3", "a lot", ""])
def test_what_may_be_two_amounts_stays_to_be_refused(cell: str) -> None:
    assert conventions.amount(cell) == cell


def test_an_amount_in_brackets_is_taken_back() -> None:
    assert conventions.amount("(29.33)") == "-29.33"
