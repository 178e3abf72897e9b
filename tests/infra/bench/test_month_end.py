"""A month's end, worked out: what bounds it, and that the README says what the command prints."""

from pathlib import Path

import pytest

from infra import bench
from infra.bench import lots, month_end
from infra.bench.month_end import DUE, SIZES
from infra.cloud import options

LARGE = SIZES[-1]
HOUR = 3600


def test_three_million_accounts_are_booked_in_an_hour_by_a_hundred_workers() -> None:
    booked = month_end.book(DUE, SIZES[1])
    assert SIZES[1].expiry_workers == 100
    assert booked.seconds < HOUR
    assert booked.seconds == pytest.approx(DUE / booked.per_second)


def test_reminders_go_out_at_the_rate_of_the_mail_service_where_there_are_workers_for_it() -> None:
    for size in SIZES:
        assert month_end.remind(DUE, size).per_second == size.mail_per_second
    few = LARGE._replace(reminder_workers=2)
    assert month_end.remind(DUE, few).bound_by == "workers"


@pytest.mark.parametrize(
    ("changed", "bound_by", "per_second"),
    [
        ({"warm_table_writes": 0}, "the table's writes", 1000),
        ({"warm_index_writes": 0}, "the index's writes", 2000),
        ({"due_shards": 1}, "shards", 1000),
    ],
)
def test_what_there_is_too_little_of_is_named(changed: dict[str, int], bound_by: str, per_second: float) -> None:
    booked = month_end.book(DUE, LARGE._replace(**changed))
    assert (booked.bound_by, booked.per_second) == (bound_by, per_second)


def test_a_day_costs_what_its_accounts_and_their_pages_do() -> None:
    once, twice = month_end.book(1000, LARGE), month_end.book(2000, LARGE)
    assert twice.dollars == pytest.approx(2 * once.dollars)
    # A unit read, seven written, 18 thousandths of a gigabyte-second; ten pages: sent, received, deleted, called for.
    by_hand = 1000 * (0.125e-6 + 7 * 0.625e-6 + 0.01796 * 0.0000133334) + (1 + 20) * 0.4e-6 + 10 * 0.2e-6
    assert once.dollars == pytest.approx(by_hand, rel=0.01)
    assert month_end.remind(1000, LARGE).dollars > 1000 * 0.0001, "e-mails"


def test_the_readme_says_what_the_command_prints() -> None:
    said = Path(bench.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert "\n".join(month_end.lines(DUE)) in said


def test_options_are_those_of_a_deployment_and_in_its_ranges() -> None:
    for size in SIZES:
        assert options.Options(**size._asdict())


def test_an_account_with_many_lots_is_measured_beside_one_with_few() -> None:
    few, many = lots.measure().values()
    assert many.bytes_ms > few.bytes_ms > 0
    assert few.rules_ms > 0
