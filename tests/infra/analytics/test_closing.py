"""A month that is closed stays as it is: its statement, its entries, and the hashes that cover both."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.analytics import closing, lake, lake_queries
from infra.analytics.closing import Stored
from infra.analytics.statement import Statement, month_statement
from infra.cli import main
from infra.simulation import seams
from infra.tables import LOYALTY
from infra.tools import closed_months, parts
from infra.tools.verify import Report, check, check_by_parts
from shared import runtime, settings
from shared.domain.calendar import month_of
from shared.domain.entry import Entry
from shared.tables import client, reports
from shared.tables.ledger import entry_of, stored_history
from tests.functions.shop import OPERATOR, Shop, assert_refused
from tests.infra.analytics.test_statement import WORLDS, played
from tests.whole_tables import opened_lake, write_lake


def store(shop: Shop, folder: Path, month: str) -> list[Stored]:
    """Store what is open through a month, as of now."""
    write_lake(folder, shop.now)
    with lake_queries.opened(folder) as found, parts.unkept(shop.now) as run:
        return closing.store(found, client.client(), settings.loyalty_table(), run, month)


def verified(shop: Shop) -> Report:
    """What a check finds, by parts or at once."""
    with parts.unkept(shop.now) as run:
        by_parts = check_by_parts(client.client(), settings.loyalty_table(), run)
    assert by_parts.violations == check(client.client(), settings.loyalty_table()).violations
    return by_parts


def change(member_id: str, sequence: int, **values: str) -> None:
    """Change what an entry says, as nobody may."""
    table: Any = settings.loyalty_table()
    items = client.client().scan(TableName=table)["Items"]
    [item] = [
        one for one in items if one.get("member_id") == {"S": member_id} and one.get("sequence") == {"N": str(sequence)}
    ]
    body = {**json.loads(item["body"]["S"]), **values}
    client.client().put_item(TableName=table, Item={**item, "body": {"S": json.dumps(body)}})


def units(statement: Statement, what: str) -> int | None:
    """Points of a line of the statement."""
    [line] = [one for one in statement.lines if (one.section, one.subject, one.what) == ("statement", "points", what)]
    return line.units


def words(report: Report) -> list[str]:
    return [violation.detail for violation in report.violations]


@pytest.fixture
def two_months(shop: Shop) -> str:
    """A member with entries in November and in December; it is 15 December."""
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10_000)
    shop.order(shop.enroll("bob"), "B-1", 3_000)
    shop.pass_time(days=25)
    shop.order(ada, "A-2", 5_000)
    return ada


def test_a_month_that_is_over_closes_and_the_current_one_is_stored(shop: Shop, two_months: str, tmp_path: Path) -> None:
    november, december = store(shop, tmp_path / "lake", "2026-12")
    assert (november.month, december) == ("2026-11", Stored("2026-12", ""))
    [closed] = reports.closed_months()
    assert (closed.month, closed.hash, closed.previous, closed.entries) == ("2026-11", november.hash, "", 4)
    assert closed.as_of == shop.now
    with opened_lake(tmp_path / "after", shop.now) as found:
        assert month_statement(found, "2026-11").state == f"closed, hash {november.hash}"
    assert two_months
    assert verified(shop).violations == []


@pytest.mark.usefixtures("two_months")
def test_the_next_month_is_closed_upon_the_one_before_and_none_is_closed_again(shop: Shop, tmp_path: Path) -> None:
    first = store(shop, tmp_path / "first", "2026-12")[0]
    shop.pass_time(days=25)
    [december, january] = store(shop, tmp_path / "second", "2027-01")
    assert (december.month, january.hash) == ("2026-12", "")
    assert [closed.previous for closed in reports.closed_months()] == ["", first.hash]
    assert store(shop, tmp_path / "third", "2026-12") == []
    assert verified(shop).violations == []


def test_what_is_corrected_later_counts_in_the_next_month(shop: Shop, two_months: str, tmp_path: Path) -> None:
    store(shop, tmp_path / "first", "2026-12")
    with opened_lake(tmp_path / "before", shop.now) as found:
        before = month_statement(found, "2026-11").lines
    shop.refund(two_months, 10_000, "A-1")
    with opened_lake(tmp_path / "after", shop.now) as found:
        assert month_statement(found, "2026-11").lines == before
        assert units(month_statement(found, "2026-12"), "taken back") == -100
    assert verified(shop).violations == []


def test_what_turns_out_later_to_have_been_due_in_a_closed_month_counts_after_it() -> None:
    to_at, as_of = (datetime(2026, 12, day, tzinfo=UTC) for day in (1, 2))
    closings = closed_months.Closings([closed_months.Bounds("2026-11", to_at, as_of)])
    due = to_at - timedelta(days=9)

    def expiry(recorded_at: datetime, sequence: int = 1) -> Entry:
        return Entry(
            member_id="ada",
            sequence=sequence,
            type="expiry",
            points=0,
            occurred_at=due,
            recorded_at=recorded_at,
            program_version=1,
            balance_after=0,
        )

    before, after = expiry(as_of), expiry(as_of + timedelta(seconds=1), 2)
    assert list(closings.counted_at([before, after])) == [due, to_at]
    assert list(closings.counted_at([after, before])) == [to_at, to_at], "none counts before the one before it"
    assert [closings.month_at(at) for at in (due, to_at)] == ["2026-11", None]


def test_a_month_in_which_something_due_is_unbooked_stays_open_with_those_after_it(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(expiry={"kind": "term", "days": 5})
    ada = shop.enroll("ada")
    shop.pass_time(days=60)
    assert [one.hash for one in store(shop, tmp_path / "before", "2027-01")] == ["", "", ""]
    shop.order(ada, "A-1", 100)  # books it
    hashes = [one.hash for one in store(shop, tmp_path / "after", "2027-01")]
    assert [bool(one) for one in hashes] == [True, True, False]


def test_a_month_closes_only_once_it_has_been_over_for_a_while(shop: Shop, tmp_path: Path) -> None:
    shop.enroll("ada")
    with opened_lake(tmp_path / "lake", shop.now) as found:
        to_at = closing._open_periods(found, [], "2026-11")[0].to_at  # noqa: SLF001
    shop.now = to_at + closing.WAIT - timedelta(seconds=1)
    assert store(shop, tmp_path / "early", "2026-11") == [Stored("2026-11", "")]
    shop.now += timedelta(seconds=1)
    assert store(shop, tmp_path / "late", "2026-11")[0].hash


class TestProof:
    """`loyalty verify` says what of a closed month is not as it was, although nothing else shows it."""

    def test_it_names_a_changed_entry_of_a_closed_month(self, shop: Shop, two_months: str, tmp_path: Path) -> None:
        store(shop, tmp_path / "lake", "2026-12")
        change(two_months, 2, actor="operator:mallory")
        report = verified(shop)
        assert {violation.invariant for violation in report.violations} == {6}
        assert words(report) == [
            "2026-11 was closed with 4 entries, and has 4, or others",
            f"entry {two_months}-2 is not as it was when 2026-11 was closed",
        ]

    def test_a_changed_entry_of_an_open_month_is_nothing_to_it(
        self, shop: Shop, two_months: str, tmp_path: Path
    ) -> None:
        store(shop, tmp_path / "lake", "2026-12")
        change(two_months, 3, actor="operator:mallory")
        assert verified(shop).violations == []

    def test_it_names_an_entry_that_was_dated_back_into_a_closed_month(
        self, shop: Shop, two_months: str, tmp_path: Path
    ) -> None:
        store(shop, tmp_path / "lake", "2026-12")
        change(two_months, 3, recorded_at="2026-11-21T00:00:00Z")
        found = [violation for violation in verified(shop).violations if violation.invariant == 6]
        assert [violation.detail for violation in found] == [
            "2026-11 was closed with 4 entries, and has 5, or others",
            f"entry {two_months}-3 is not as it was when 2026-11 was closed",
        ]
        change(two_months, 3, recorded_at=shop.now.isoformat())  # as every test ends with sound accounts

    def test_a_statement_that_was_changed_is_named(self, shop: Shop, two_months: str, tmp_path: Path) -> None:
        store(shop, tmp_path / "lake", "2026-12")
        table: Any = settings.loyalty_table()
        [page, _] = [one for one in client.client().scan(TableName=table)["Items"] if "STATEMENTS#" in one["pk"]["S"]]
        assert page["pk"]["S"] == "STATEMENTS#2026-11"
        changed = page["body"]["S"].replace('"units":330', '"units":331')
        assert changed != page["body"]["S"]
        client.client().put_item(TableName=table, Item={**page, "body": {"S": changed}})
        assert two_months
        assert words(verified(shop)) == ["the stored statement of 2026-11 is not the one that it was closed with"]

    def test_a_month_that_was_closed_anew_does_not_fit_the_one_after(
        self, shop: Shop, two_months: str, tmp_path: Path
    ) -> None:
        shop.pass_time(days=31)
        store(shop, tmp_path / "lake", "2026-12")
        change(two_months, 2, actor="operator:mallory")
        november, december = reports.closed_months()
        sums = closed_months.Sums()
        items = [item for item in client.client().scan(TableName=settings.loyalty_table())["Items"] if "type" in item]
        closings = closed_months.Closings(map(closed_months.bounds_of, (november, december)))
        for member in {item["member_id"]["S"] for item in items}:
            of_member = sorted(
                (one for one in items if one["member_id"]["S"] == member), key=lambda one: int(one["sequence"]["N"])
            )
            for month, item in closed_months.by_month(of_member, list(map(entry_of, of_member)), closings):
                if month == "2026-11":
                    sums.take(item)
        update = {"fingerprint": sums.fingerprint, "locators": sums.locators}
        forged = closed_months.with_hash(november.model_copy(update=update))
        [head] = [
            one
            for one in client.client().scan(TableName=settings.loyalty_table())["Items"]
            if (one["pk"], one["sk"]) == ({"S": "STATEMENTS"}, {"S": "2026-11"})
        ]
        table: Any = settings.loyalty_table()
        client.client().put_item(TableName=table, Item={**head, "closed": {"S": forged.model_dump_json()}})
        assert words(verified(shop)) == ["2026-12 was closed after another month than the one before it"]

    def test_sums_are_the_same_in_any_order_and_of_any_parts(self) -> None:
        random = Random(15)  # noqa: S311
        items: list[Any] = [
            {"member_id": {"S": f"m{number % 7}"}, "sequence": {"N": str(number)}, "body": {"S": str(random.random())}}
            for number in range(50)
        ]
        whole = closed_months.Sums()
        for item in items:
            whole.take(item)
        random.shuffle(items)
        together = closed_months.Sums()
        for start in range(0, 50, 20):
            some = closed_months.Sums()
            for item in items[start : start + 20]:
                some.take(item)
            together.add(json.loads(json.dumps(some.as_json())))
        assert together.as_json() == whole.as_json()
        items[0] = {**items[0], "body": {"S": "another"}}
        other = closed_months.Sums()
        for item in items:
            other.take(item)
        assert other.fingerprint != whole.fingerprint


class TestRoute:
    def test_it_answers_with_the_statement_as_it_was_stored_page_by_page(
        self, shop: Shop, two_months: str, tmp_path: Path
    ) -> None:
        for month in ("2026-11", "2026-12"):
            assert_refused(shop.get(f"/v1/statements/{month}", scope=OPERATOR), 404, "report_not_found")
        [november, _] = store(shop, tmp_path / "lake", "2026-12")
        whole = shop.get("/v1/statements/2026-11", scope=OPERATOR, query={"limit": "100"}).body
        assert (whole["month"], whole["currency"], whole["provisional"]) == ("2026-11", "USD", None)
        assert whole["closed"]["hash"] == november.hash
        assert (whole["closed"]["previous_hash"], whole["closed"]["entries"]) == ("", 4)
        lines = [line for line in whole["items"] if line["section"] != "journal"]
        with lake_queries.opened(tmp_path / "lake") as found:
            statement = month_statement(found, "2026-11")
        assert [(line["subject"], line["line"], line["units"], line["amount"]) for line in lines] == [
            (line.subject, line.what, line.units, line.amount) for line in statement.lines
        ]
        journal = [(line["debit"], line["credit"], line["amount"]) for line in whole["items"][len(lines) :]]
        assert journal == [(one.debit, one.credit, one.amount) for one in statement.journal]
        assert shop.pages("/v1/statements/2026-11", 7, scope=OPERATOR) == whole["items"]
        december = shop.get("/v1/statements/2026-12", scope=OPERATOR).body
        assert "the month is not over" in december["provisional"]
        assert december["closed"] is None
        assert two_months

    def test_a_page_of_a_statement_that_was_replaced_is_refused(
        self, shop: Shop, two_months: str, tmp_path: Path
    ) -> None:
        store(shop, tmp_path / "first", "2026-12")
        path = "/v1/statements/2026-12"
        cursor = shop.get(path, scope=OPERATOR, query={"limit": "5"}).body["next_cursor"]
        assert shop.get(path, scope=OPERATOR, query={"cursor": cursor}).status == 200
        shop.pass_time(days=1)
        store(shop, tmp_path / "second", "2026-12")
        assert_refused(shop.get(path, scope=OPERATOR, query={"cursor": cursor}), 422, "invalid_request")
        assert two_months

    def test_it_is_for_operators(self, shop: Shop) -> None:
        assert_refused(shop.get("/v1/statements/2026-11"), 403, "forbidden")
        assert_refused(shop.get("/v1/statements/november", scope=OPERATOR), 422, "invalid_request")


class TestCommand:
    def test_store_says_what_is_closed_and_takes_no_lake_of_before(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.enroll()
        write_lake(tmp_path / "lake", shop.now)
        assert main.main(["statement", "2026-11", "--store", "--lake", str(tmp_path / "lake")]) == 2
        assert "leave --lake out" in capsys.readouterr().err


def test_a_shop_with_many_pools_has_pages_of_lines(shop: Shop, tmp_path: Path) -> None:
    head = reports.StatementHead(month="2026-11", currency="USD", as_of=shop.now, lines=250)
    lines = [reports.ReportLine(section="statement", line=str(number)) for number in range(250)]
    assert reports.store_statement(head, lines)
    assert reports.load_statement("2026-11") == (head, None)
    for first, limit in ((0, 25), (95, 10), (200, 100), (249, 1), (250, 25)):
        found = reports.load_lines(head, first, limit)
        assert found == lines[first : first + limit], first
    again = head.model_copy(update={"as_of": shop.now + timedelta(days=1), "lines": 1})
    assert reports.store_statement(again, lines[:1])
    assert reports.load_lines(head, 0, 25) is None, "a page of the one before"
    assert reports.load_lines(again, 0, 25) == lines[:1]
    assert tmp_path


class TestAnyHistory:
    """Shops with every feature, under faults: a closed month proves itself, and shows which of its entries changes."""

    @pytest.mark.parametrize("number", WORLDS)
    def test_an_entry_that_is_changed_is_named_and_nobody_else(self, number: int, tmp_path: Path) -> None:
        world, random = played(number), Random(number)  # noqa: S311
        table: Any = world.restored_to(world.commits, 0, random)
        now = world.now + timedelta(days=40)
        with seams.in_place_of_the_world(world), runtime.use(database=lambda: table), parts.unkept(now) as run:
            run.once("segments", lambda: 1)
            lake.write(table, LOYALTY.name, tmp_path / "lake", run)
            with lake_queries.opened(tmp_path / "lake") as found:
                stored = closing.store(found, table, LOYALTY.name, run, month_of(now.date()))
            assert sum(bool(one.hash) for one in stored) >= 1, stored
            assert check(table, LOYALTY.name).violations == []
            closings = closed_months.Closings(map(closed_months.bounds_of, reports.closed_months()))
            covered = [
                item
                for _, account in table.everything(LOYALTY.name)
                if account["sk"]["S"] == "ACCOUNT"
                for items in [list(stored_history(account["pk"]["S"].removeprefix("MEMBER#")))]
                for _, item in closed_months.by_month(items, list(map(entry_of, items)), closings)
            ]
            assert len(covered) > 100
            for item in random.sample(covered, 3):
                body = {**json.loads(item["body"]["S"]), "fingerprint": "another"}
                table.put_item(TableName=LOYALTY.name, Item={**item, "body": {"S": json.dumps(body)}})
                named = [one.member_id for one in check(table, LOYALTY.name).violations if one.invariant == 6]
                assert named == ["", item["member_id"]["S"]]
                table.put_item(TableName=LOYALTY.name, Item=item)
