"""The accountant's month: it adds up, it ties to the ledger at any instant, and says where each number is from."""

import csv
import re
import zipfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.analytics import lake_queries
from infra.analytics.journal import LIABILITY
from infra.analytics.statement import Statement, month_statement
from infra.cli import main
from infra.errors import UsageError
from infra.simulation import seams
from infra.tables import LOYALTY
from infra.tools.verify import check
from shared import runtime, settings
from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import book_all
from shared.domain.lifecycle.passing_of_time import settle, up_to_date
from shared.domain.points.expiry import date_of
from shared.domain.subaccounts import is_wallet
from shared.tables import accounts, client, programs
from shared.tables.ledger import entry_of, load_history_to
from tests.functions.shop import OPERATOR, Shop
from tests.infra.simulation.test_restore_drill import Recorded
from tests.whole_tables import opened_lake, write_lake

WELCOME = 100
"""Points for joining."""
WORLDS = (1, 6, 10)
"""Between them, everything happens that moves points."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def numbers(statement: Statement, section: str, subject: str) -> dict[str, tuple[int | None, int | None]]:
    lines = (line for line in statement.lines if (line.section, line.subject) == (section, subject))
    return {line.what: (line.units, line.amount) for line in lines}


def test_a_month_goes_from_its_opening_to_its_closing_in_points_and_money(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 50_000)
    shop.pass_time(days=15)  # December
    shop.order(ada, "A-2", 10_000)
    shop.refund(ada, 4_000, "A-2")
    redemption = shop.spend(ada, 200, 10_000).body["redemption_id"]
    shop.move(ada, redemption, "capture")
    shop.post(f"/v1/members/{ada}/redemptions/{redemption}/reverse", {"reversal_id": "back-1", "points": 50})
    with opened_lake(tmp_path / "lake", shop.now) as found:
        november, december = month_statement(found, "2026-11"), month_statement(found, "2026-12")
    assert numbers(november, "statement", "points")["closing"] == (WELCOME + 500, 600)
    of = numbers(december, "statement", "points")
    assert of["opening"] == (600, 600)
    assert of["earned"] == (120, 120), "silver brings a fifth more"
    assert of["taken back"] == (-48, -48)
    assert of["spent"] == (-200, -200)
    assert of["given back"] == (50, 50)
    assert of["closing"] == (522, 522)
    assert (november.provisional, december.provisional != "") == ("", True)


def test_what_time_causes_counts_when_it_does_whoever_books_it_later(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(expiry={"kind": "term", "days": 20})
    ada = shop.enroll("ada")  # until 10 December
    shop.pass_time(days=60)
    with opened_lake(tmp_path / "before", shop.now) as found:
        assert numbers(month_statement(found, "2026-12"), "statement", "points")["expired"][0] == -WELCOME
        assert "1 entries" in month_statement(found, "2026-12").provisional
        assert month_statement(found, "2026-11").provisional == ""
    shop.order(ada, "A-1", 100)  # books it, in January
    with opened_lake(tmp_path / "after", shop.now) as found:
        assert numbers(month_statement(found, "2026-12"), "statement", "points")["expired"][0] == -WELCOME
        assert month_statement(found, "2026-12").provisional == ""
        assert numbers(month_statement(found, "2027-01"), "statement", "points")["expired"][0] == 0


def test_a_new_worth_of_points_is_a_line_of_its_own(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll("ada")
    shop.pass_time(days=15)
    shop.change_program(redeeming={"points_as_money": {"points": 1, "amount": 3}})
    shop.order(ada, "A-1", 10_000)
    with opened_lake(tmp_path / "lake", shop.now) as found:
        of = numbers(month_statement(found, "2026-12"), "statement", "points")
    assert (of["opening"], of["revalued"], of["earned"], of["closing"]) == (
        (100, 100),
        (0, 200),
        (100, 300),
        (200, 600),
    )


def test_points_without_a_price_are_counted_in_units_alone(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(redeeming={"points_as_money": None})
    shop.enroll()
    with opened_lake(tmp_path / "lake", shop.now) as found:
        statement = month_statement(found, "2026-11")
    assert numbers(statement, "statement", "points")["closing"] == (WELCOME, None)
    assert numbers(statement, "deferred revenue", "points")["deferred"] == (WELCOME, None)
    assert statement.journal == []


def test_the_journal_posts_what_the_liabilities_have_changed_by(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(
        redeeming={"points_as_money": {"points": 3, "amount": 2}},
        cashback={"amount": 5, "per_amount": 100, "expiry": {"kind": "term", "months": 1}},
    )
    for number in range(7):
        member = shop.enroll(f"member-{number}")
        shop.order(member, f"A-{number}", 1_234 * number + 100)
        shop.refund(member, 77, f"A-{number}", f"R-{number}")
    shop.pass_time(days=15)
    shop.move(member, shop.spend(member, 99, 10_000).body["redemption_id"], "capture")
    changes = []
    with opened_lake(tmp_path / "lake", shop.now) as found:
        for month in ("2026-11", "2026-12"):
            statement = month_statement(found, month)
            for unit, account in LIABILITY.items():
                of = numbers(statement, "statement", unit)
                debited = sum(one.amount for one in statement.journal if one.debit == account)
                credited = sum(one.amount for one in statement.journal if one.credit == account)
                changed = (of["closing"][1] or 0) - (of["opening"][1] or 0)
                assert credited - debited == changed
                changes.append(changed)
            assert all(one.amount > 0 for one in statement.journal)
    assert sum(change != 0 for change in changes) == 3


def test_a_partners_month_is_that_of_its_settlement(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(
        partners=[
            {
                "partner_id": "bakery",
                "name": "Bakery",
                "may_redeem": True,
                "point_cost": {"points": 3, "amount": 2},
            }
        ]
    )
    ada = shop.enroll("ada")
    shop.order(ada, "B-1", 10_000, partner_id="bakery")
    shop.pass_time(days=15)
    shop.order(ada, "B-2", 5_000, partner_id="bakery")
    shop.refund(ada, 1_100, "B-2")
    with opened_lake(tmp_path / "lake", shop.now) as found:
        of = numbers(month_statement(found, "2026-12"), "statement", "partner bakery")
    settlement = shop.get("/v1/partners/bakery/settlements/2026-12", scope=OPERATOR)
    assert settlement.status == 200, settlement.body
    assert of["opening"] == (100, 67)
    moved = {one["movement"]: one["points"] for one in settlement.body["movements"]}
    assert (of["issued"][0], of["taken back"][0]) == (moved["issued"], -moved["taken_back"]) == (50, -11)
    assert of["closing"] == (139, 93)


def test_each_number_names_its_question(shop: Shop, tmp_path: Path) -> None:
    shop.order(shop.enroll(), "A-1")
    with opened_lake(tmp_path / "lake", shop.now) as found:
        statement = month_statement(found, "2026-11")
    assert {line.query for line in statement.lines} <= set(lake_queries.names())
    assert len({line.section for line in statement.lines}) == 3


@pytest.mark.parametrize("month", ["2026-13", "november", "2026-11-01", "2027-01"])
def test_what_is_no_month_or_has_not_begun_has_no_statement(shop: Shop, tmp_path: Path, month: str) -> None:
    shop.enroll()
    with opened_lake(tmp_path / "lake", shop.now) as found, pytest.raises(UsageError, match=month):
        month_statement(found, month)


def test_it_closes_with_what_verify_adds_up(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100, "expiry": {"kind": "never"}})
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10_000)
    shop.spend(ada, 150, 1_000)
    shop.refund(ada, 10_000, "A-1")  # of which 50 are owed
    program = programs.load_program()
    report = check(client.client(), settings.loyalty_table(), view=lambda one: up_to_date(one, program, shop.now))
    with opened_lake(tmp_path / "lake", shop.now) as found:
        statement = month_statement(found, "2026-11")
    points, credit = (numbers(statement, "statement", unit) for unit in ("points", "credit"))
    assert (points["closing"][0] or 0) - (points["of which owed"][0] or 0) == report.outstanding
    assert (credit["closing"][0] or 0) - (credit["of which owed"][0] or 0) == report.credit


class TestAnyHistory:
    """Shops with every feature, under faults, with clocks that differ: whatever has happened ties, at any instant."""

    @pytest.mark.parametrize("number", WORLDS)
    def test_every_instant_cuts_the_ledger_where_the_accounts_stood(self, number: int, tmp_path: Path) -> None:
        world, random = played(number), Random(number)  # noqa: S311
        table: Any = world.restored_to(world.commits, 0, random)
        with seams.in_place_of_the_world(world), runtime.use(database=lambda: table):
            write_lake(tmp_path / "lake", world.now)
            ledgers = [whole_ledger(item, world.now) for _, item in table.everything(LOYALTY.name) if is_account(item)]
            partners = [entry_of(item) for _, item in table.everything(LOYALTY.name) if "partner_pk" in item]
        moments = sorted({entry.recorded_at for _, entries in ledgers for entry in entries})
        instants = [*random.sample(moments, 12), world.now + timedelta(days=9999)]
        instants += [moment + timedelta(microseconds=1) for moment in random.sample(moments, 6)]
        with lake_queries.opened(tmp_path / "lake") as found:
            for instant in instants:
                check_tie(found, ledgers, instant)
            assert found.ask("statement_partners", from_at=LONG_AGO, to_at=instants[12]) or not partners

    def test_they_try_whatever_moves_points(self) -> None:
        """In a shop where nothing happens, anything ties."""
        types = {item["type"]["S"] for number in WORLDS for _, item in table_of(played(number)) if "type" in item}
        assert types >= {"expiry", "capture", "reverse", "refund", "pool_in", "pool_out", "merge_in", "erase", "payout"}


@cache
def played(number: int) -> Recorded:
    """A world in which much has happened."""
    world = Recorded(1907, number)
    world.run(500)
    return world


def table_of(world: Recorded) -> list[tuple[Any, Any]]:
    return world.database.everything(LOYALTY.name)


def is_account(item: Any) -> bool:
    return bool(item["sk"]["S"] == "ACCOUNT")


def whole_ledger(item: Any, now: datetime) -> tuple[str, list[Entry]]:
    """An account's entries, with those that time has caused since."""
    account, program = accounts.account_of(item), programs.load_program()
    entries = load_history_to(account.member_id, account.sequence)
    assert entries is not None
    return account.member_id, [*entries, *settle(account, program, account.present(now)).entries]


def before(entries: list[Entry], instant: datetime) -> list[Entry]:
    """The entries that count before an instant: all until the first that does not."""
    counted = []
    for entry in entries:
        is_of_time = entry_types.of(entry.type).made_by == "time"
        if (entry.occurred_at if is_of_time else entry.recorded_at) >= instant:
            break
        counted.append(entry)
    return counted


def check_tie(found: lake_queries.Lake, ledgers: list[tuple[str, list[Entry]]], instant: datetime) -> None:
    """Everything since the beginning, against accounts that are booked afresh up to the instant."""
    rows = {row["unit"]: row for row in found.ask("statement_lines", from_at=LONG_AGO, to_at=instant)}
    ages = found.ask("ageing", to_at=instant)
    for unit in ("points", "credit"):
        held = [
            book_all(Account(member_id=name), before(entries, instant))
            for name, entries in ledgers
            if is_wallet(name) == (unit == "credit")
        ]
        if unit not in rows:
            assert not any(one.sequence for one in held)
            continue
        row, totals = rows[unit], sums_of(held)
        assert row["opening"] == 0
        assert row["closing"] == sum(one.balance + one.pending_points + one.held_points - one.debt for one in held)
        assert row["owed"] == sum(one.debt for one in held)
        assert (row["expired"], row["forfeited"]) == (totals["expired"], totals["forfeited"])
        assert row["moved_in"] == row["moved_out"]
        came = row["earned"] + row["given_back"] - row["spent"]
        gone = totals["granted"] - totals["transferred_out"] - totals["captured"]
        assert came - row["taken_back"] == gone - totals["taken_back"]
        by_month = {str(age["ends_in"] or "never")[:7]: age["units"] for age in ages if age["unit"] == unit}
        assert by_month == outstanding_by_month(held)


def sums_of(held: list[Account]) -> dict[str, int]:
    names = ("granted", "captured", "expired", "taken_back", "transferred_out", "forfeited")
    return {name: sum(getattr(one.totals, name) for one in held) for name in names}


def outstanding_by_month(held: list[Account]) -> dict[str, int]:
    months: dict[str, int] = {}
    for account in held:
        lots = [*account.lots.items(), *((key.rpartition("/")[2], units) for key, units in account.pending.items())]
        lots += [lot for hold in account.holds.values() for lot in hold.lots.items()]
        for day, units in lots:
            name = str(date_of(day) or "never")[:7]
            months[name] = months.get(name, 0) + units
    return {name: units for name, units in months.items() if units}


class TestFiles:
    def test_a_command_prints_it_and_writes_every_number_to_files(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.order(shop.enroll(), "A-1", 10_000)
        with opened_lake(tmp_path / "lake", shop.now) as found:
            statement = month_statement(found, "2026-11")
        csv_file, xlsx_file = tmp_path / "month.csv", tmp_path / "month.xlsx"
        names = ["--csv", str(csv_file), "--xlsx", str(xlsx_file), "--lake", str(tmp_path / "lake")]
        assert main.main(["statement", "2026-11", *names]) == 0
        assert "2026-11: provisional: the month is not over" in capsys.readouterr().out
        with csv_file.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["section"] != "journal"]
        assert [(row["subject"], row["line"], int(row["units"])) for row in rows] == [
            (line.subject, line.what, line.units) for line in statement.lines
        ]
        [closing] = [row for row in rows if (row["section"], row["line"]) == ("statement", "closing")]
        assert (closing["units"], closing["amount"], closing["currency"]) == ("200", "2.00", "USD")
        with zipfile.ZipFile(xlsx_file) as book:
            sheets = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
            words = book.read("xl/sharedStrings.xml").decode()
        assert sheets == ["Statement", "Ageing", "Deferred revenue", "Journal"]
        assert all(f"<t>{line.query}</t>" in words for line in statement.lines)

    def test_where_no_file_can_be_is_said_in_one_line(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.enroll()
        write_lake(tmp_path / "lake", shop.now)
        for option in ("--csv", "--xlsx"):
            nowhere = str(tmp_path / "nowhere" / "file")
            assert main.main(["statement", "2026-11", option, nowhere, "--lake", str(tmp_path / "lake")]) == 1
            assert f"{nowhere} cannot be written" in capsys.readouterr().err

    def test_where_no_lake_is_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main.main(["statement", "2026-11", "--lake", str(tmp_path)]) == 2
        assert f"there is no lake in {tmp_path}" in capsys.readouterr().err
