"""Every question is one text: DuckDB is asked it here, and Athena from the same file."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from infra.analytics import lake, lake_queries
from infra.analytics.columns import TABLES
from infra.errors import UsageError
from tests.functions.shop import Shop
from tests.whole_tables import write_lake

AT = datetime(2026, 12, 1, 5, tzinfo=UTC)
VALUES: dict[str, lake_queries.Value] = {
    "from_at": datetime(2026, 11, 1, 4, tzinfo=UTC),
    "to_at": AT,
    "at": AT,
    "first_day": date(2024, 12, 1),
    "first_open_day": date(2026, 12, 1),
    "month_from": date(2026, 11, 1),
    "active_from": date(2026, 9, 1),
    "lapsing_from": date(2026, 6, 1),
    "year_from": date(2025, 12, 1),
    "last_day": date(2026, 12, 1),
}
QUESTIONS = pytest.mark.parametrize("name", lake_queries.names())


def asked_of(name: str) -> dict[str, lake_queries.Value]:
    return {key: VALUES[key] for key in sorted(set(re.findall(r"\$(\w+)", lake_queries.text(name))))}


@QUESTIONS
def test_each_question_stands_above_its_text(name: str) -> None:
    first, *_ = lake_queries.text(name).splitlines()
    assert first.startswith("-- ")
    assert first.endswith("?")


@QUESTIONS
def test_athena_is_asked_the_same_and_answers_alike(name: str, shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10_000)
    shop.spend(ada, 50, 1_000)
    write_lake(tmp_path / "lake", shop.now)
    for_athena = lake_queries.for_athena(name, **asked_of(name))
    assert not list(sqlglot.parse_one(for_athena, read="athena").find_all(exp.Parameter, exp.Placeholder))
    back = sqlglot.transpile(for_athena, read="athena", write="duckdb")[0]
    with lake_queries.opened(tmp_path / "lake") as found:
        answer = found.ask(name, **asked_of(name))
    with duckdb.connect() as database:
        for table in TABLES:
            database.execute(f"CREATE VIEW {table} AS FROM '{tmp_path}/lake/{table}/*.parquet'")
        done = database.execute(back)
        columns = [column[0] for column in done.description or ()]
        assert [dict(zip(columns, row, strict=True)) for row in done.fetchall()] == answer


@QUESTIONS
def test_athena_gets_no_question_without_its_values(name: str) -> None:
    if asked_of(name):
        with pytest.raises(UsageError, match="needs the value"):
            lake_queries.for_athena(name)


def test_a_lake_without_entries_answers_too(shop: Shop, tmp_path: Path) -> None:
    write_lake(tmp_path / "lake", shop.now)
    with lake_queries.opened(tmp_path / "lake") as found:
        for name in lake_queries.names():
            found.ask(name, **asked_of(name))
        assert found.ask("statement_lines", from_at=AT, to_at=AT) == []


def test_the_document_lists_every_question() -> None:
    text = Path(lake.__file__).with_name("README.md").read_text(encoding="utf-8")
    table = text.split("## Questions in files")[1].split("\n## ")[0]
    assert (
        sorted(
            name
            for line in table.splitlines()
            for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
        )
        == lake_queries.names()
    )
