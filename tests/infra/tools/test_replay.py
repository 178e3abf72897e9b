"""What a replay books of a file, what it names instead, and what it leaves to the schedules of today."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import xlsxwriter

from functions import notify
from infra.errors import UsageError
from infra.tools import replay
from shared.tables import accounts, due_index
from tests.functions.run_queues import Queues
from tests.functions.shop import Shop, check_every_account

PURCHASES = """customer,order,date_time,amount,currency
early,E-1,2024-01-05T10:00,29.33,USD
late,L-1,2024-11-25T10:00,12.50,USD
"""
HEADER = "customer,order,date_time,amount,currency"
WELCOME = 100
"""Points for joining."""

Replay = Callable[..., replay.Result]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "THREADS", 1)  # moto loses writes of several


@pytest.fixture
def book(shop: Shop, tmp_path: Path) -> Replay:
    """Replay these lines; the header is line 1."""
    path = tmp_path / "lines.csv"

    def book(*lines: str) -> replay.Result:
        path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
        return replay.replay(path, shop.now, skips_bad=True, show_progress=False)

    return book


def member_of(shop: Shop, customer: str) -> str | None:
    found = shop.post("/v1/members/lookup", {"external_id": customer})
    return str(found.body["member_id"]) if found.status == 200 else None


def balance_of(shop: Shop, customer: str) -> int:
    member_id = member_of(shop, customer)
    assert member_id is not None
    return shop.balance(member_id)


def bad(result: replay.Result) -> Sequence[tuple[int, str]]:
    return [(one.line, one.reason) for one in result.bad_lines]


def test_who_should_have_been_reminded_on_the_way_is_reminded_after_it_and_then_left_alone(
    shop: Shop, tmp_path: Path, queues: Queues
) -> None:
    shop.change_program(messages={"reminder_days": [90]})
    file = tmp_path / "purchases.csv"
    file.write_text(PURCHASES, encoding="utf-8")
    replay.replay(file, shop.now, skips_bad=True, show_progress=False)
    last = date(2024, 11, 25)
    found = shop.post("/v1/members/lookup", {"external_id": "early"})
    member = found.body["member_id"]
    assert accounts.load_account(member).due_on == last, "in January it expires, in November it was to be announced"

    shop.now = shop.now.replace(year=2024, month=11, day=26)
    morning = {"time": shop.now.isoformat()}
    assert [(notify.handler(morning, None)["reminders"], queues.deliver()) for _ in range(2)] == [(1, []), (0, [])]
    due = accounts.load_account(member).due_on
    assert due is not None
    assert due - last > timedelta(days=60)


class TestReturns:
    def test_what_was_returned_of_an_order_is_taken_back_once_however_often_the_file_is_replayed(
        self, shop: Shop, book: Replay
    ) -> None:
        lines = ["ada,A-1,2026-10-05T10:00,42.50,USD", "ada,A-1,2026-10-09T10:00,-12.50,USD"]
        first, second = book(*lines), book(*lines)
        assert (first.orders, first.returns, bad(first)) == (1, 1, [])
        assert (second.orders, second.returns, second.orders_before, second.returns_before) == (0, 0, 1, 1)
        assert balance_of(shop, "ada") == WELCOME + 30
        check_every_account()

    def test_two_equal_returns_are_two(self, shop: Shop, book: Replay) -> None:
        book("ada,A-1,2026-10-05T10:00,40.00,USD", *["ada,A-1,2026-10-09T10:00,-10.00,USD"] * 2)
        assert balance_of(shop, "ada") == WELCOME + 20

    def test_a_later_file_returns_what_an_earlier_one_bought(self, shop: Shop, book: Replay) -> None:
        book("ada,A-1,2026-10-05T10:00,40.00,USD")
        assert book("ada,A-1,2026-10-09T10:00,-10.00,USD").returns == 1
        assert balance_of(shop, "ada") == WELCOME + 30

    def test_a_return_that_is_listed_and_dated_before_its_order_counts_as_made_with_it(
        self, shop: Shop, book: Replay
    ) -> None:
        result = book("ada,A-1,2026-10-04T10:00,-10.00,USD", "ada,A-1,2026-10-05T10:00Z,40.00,USD")
        assert (result.returns, bad(result)) == (1, [])
        [refund] = [entry for entry in shop.entries(str(member_of(shop, "ada"))) if entry["type"] == "refund"]
        assert datetime.fromisoformat(refund["occurred_at"]) == datetime(2026, 10, 5, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("ada,A-9,2026-10-09T10:00,-10.00,USD", "no order 'A-9' has earned points"),
            ("bob,A-9,2026-10-09T10:00,-10.00,USD", "no order 'A-9' of customer bob has earned points"),
            ("bob,A-1,2026-10-09T10:00,-10.00,USD", "order A-1 is on line 2 already, of customer ada"),
            ("ada,A-1,2026-10-09T10:00,-40.01,USD", "the order was 4000 minor units"),
            ("ada,A-1,2026-10-09T10:00,-10.00,EUR", "must be USD"),
        ],
    )
    def test_what_nobody_bought_is_not_returned(self, shop: Shop, book: Replay, line: str, reason: str) -> None:
        result = book("ada,A-1,2026-10-05T10:00,40.00,USD", line)
        [(number, said)] = bad(result)
        assert number == 3
        assert reason in said
        assert (result.orders, result.returns) == (1, 0)
        assert balance_of(shop, "ada") == WELCOME + 40
        assert member_of(shop, "bob") is None

    def test_a_file_without_order_numbers_has_no_returns(self, shop: Shop, tmp_path: Path) -> None:
        path = tmp_path / "cdnow.txt"
        path.write_text("00004 19970101 2 29.33\n00004 19970118 2 -29.33\n", encoding="utf-8")
        result = replay.replay(path, shop.now, skips_bad=True, show_progress=False)
        [(number, said)] = bad(result)
        assert (number, result.orders) == (2, 1)
        assert "-29.33 is a return" in said

    def test_it_may_be_in_another_encoding(self, shop: Shop, tmp_path: Path) -> None:
        path = tmp_path / "cdnow.txt"
        path.write_text("00004 19970101 2 29.33\n", encoding="utf-16")
        result = replay.replay(path, shop.now, skips_bad=False, show_progress=False)
        assert (result.orders, bad(result)) == (1, [])

    def test_a_workbook_of_one_column_is_of_neither_format(self, shop: Shop, tmp_path: Path) -> None:
        path = tmp_path / "orders.xlsx"
        with xlsxwriter.Workbook(path) as book:
            book.add_worksheet().write_column(0, 0, ["customer", "ada"])
        with pytest.raises(UsageError, match="the header lacks order, date_time, amount, currency"):
            replay.replay(path, shop.now, skips_bad=True, show_progress=False)


class TestNothingFromAfterNow:
    def test_a_mistyped_year_is_named_and_nobody_elses_points_expire(self, shop: Shop, book: Replay) -> None:
        bystander = shop.enroll("bystander")
        result = book("ada,A-1,2026-10-05T10:00,40.00,USD", "ada,A-2,2062-10-05T10:00Z,40.00,USD")
        assert (result.orders, [number for number, _ in bad(result)]) == (1, [3])
        assert "2062-10-05 10:00:00Z has not come yet" in bad(result)[0][1]
        assert shop.balance(bystander) == WELCOME
        assert [entry["type"] for entry in shop.entries(bystander)] == ["enroll"]
        assert due_index.load_day(due_index.EXPIRY_RUN) == date(2026, 10, 5)

    def test_a_file_of_nothing_but_the_future_changes_nothing(self, shop: Shop, book: Replay) -> None:
        shop.enroll("bystander")
        with shop.writing_nothing():
            book("ada,A-1,2026-11-20T18:03:01Z,40.00,USD", "ada,A-1,2062-01-01T10:00,-4.00,USD")

    def test_a_day_that_no_clock_shows_is_named(self, book: Replay) -> None:
        result = book("ada,A-1,9999-12-31T23:59,40.00,USD", "ada,A-2,0001-01-01T00:00,40.00,USD")
        assert [number for number, _ in bad(result)] == [2, 3]
        assert (result.orders, result.until) == (0, None)

    def test_what_is_placed_this_very_second_is_booked(self, shop: Shop, book: Replay) -> None:
        assert book(f"ada,A-1,{shop.now.isoformat()},40.00,USD").orders == 1
        assert balance_of(shop, "ada") == WELCOME + 40


class TestWhoIsEnrolled:
    def test_of_two_customers_who_claim_an_order_the_first_has_it_and_the_second_is_named(
        self, shop: Shop, book: Replay
    ) -> None:
        result = book("ada,A-1,2026-10-05T10:00,40.00,USD", "bob,A-1,2026-10-04T10:00,40.00,USD")
        assert bad(result) == [(3, "order A-1 is on line 2 already, of customer ada: an order is booked once")]
        assert balance_of(shop, "ada") == WELCOME + 40
        assert member_of(shop, "bob") is None

    def test_an_order_that_is_listed_twice_is_booked_once_and_named(self, shop: Shop, book: Replay) -> None:
        result = book("ada,A-1,2026-10-05T10:00,40.00,USD", "ada,A-1,2026-10-05T10:00,60.00,USD")
        assert bad(result) == [(3, "order A-1 is on line 2 already: an order is booked once")]
        assert balance_of(shop, "ada") == WELCOME + 40

    def test_nobody_is_enrolled_whose_order_is_refused(self, shop: Shop, book: Replay) -> None:
        shop.order(shop.enroll("ada"), "A-1", 4_000)
        with shop.writing_nothing():
            result = book("bob,A-1,2026-10-05T10:00,40.00,USD", "cid,A-2,2026-10-05T10:00,40.00,EUR")
        assert [number for number, _ in bad(result)] == [2, 3]
        assert "credited to another member" in bad(result)[0][1]
        assert "must be USD" in bad(result)[1][1]
        assert (result.enrolled, member_of(shop, "bob"), member_of(shop, "cid")) == (0, None, None)

    def test_whoever_has_an_order_refused_is_enrolled_with_the_next(self, shop: Shop, book: Replay) -> None:
        result = book("ada,A-1,2026-10-05T10:00,40.00,EUR", "ada,A-2,2026-10-06T10:00,40.00,USD")
        assert (result.enrolled, result.orders) == (1, 1)
        assert balance_of(shop, "ada") == WELCOME + 40

    def test_a_customer_who_is_a_member_already_is_not_enrolled_again(self, shop: Shop, book: Replay) -> None:
        ada = shop.enroll("ada")
        result = book("ada,A-1,2026-10-05T10:00,40.00,USD")
        assert (result.enrolled, result.orders) == (0, 1)
        assert shop.balance(ada) == WELCOME + 40
