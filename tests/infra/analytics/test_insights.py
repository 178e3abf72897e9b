"""What a marketer reads: figures that can be counted by hand, each with its question."""

import re
from pathlib import Path

import pytest

from infra.analytics import lake_queries
from infra.analytics.insights import Insights, Table, insights, store
from infra.cli import main
from tests.functions.shop import OPERATOR, Shop, assert_refused
from tests.whole_tables import opened_lake, write_lake


def made(shop: Shop, folder: Path) -> Insights:
    with opened_lake(folder, shop.now) as found:
        return insights(found)


def figures(found: Insights, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in table(found, query).rows}


def table(found: Insights, query: str) -> Table:
    return next(one for one in found.tables if one.query == query)


@pytest.fixture
def year(shop: Shop) -> dict[str, str]:
    """Ada keeps ordering, Bob did once, Cleo's only order came back, Dan joins today."""
    members = {name: shop.enroll(name) for name in ("ada", "bob", "cleo")}
    shop.order(members["ada"], "A-1", 3_000)
    shop.order(members["bob"], "B-1", 5_000)
    shop.order(members["cleo"], "C-1", 9_000)
    shop.refund(members["cleo"], 9_000, "C-1")
    shop.pass_time(days=100)
    shop.order(members["ada"], "A-2", 4_000)
    shop.refund(members["ada"], 1_000, "A-2", "R-2")
    shop.move(members["ada"], shop.redeem(members["ada"]).body["redemption_id"], "capture")
    members["dan"] = shop.enroll("dan")
    return members


@pytest.mark.usefixtures("year")
def test_members_are_counted_by_their_last_order(shop: Shop, tmp_path: Path) -> None:
    assert list(figures(made(shop, tmp_path / "lake"), "insights_members").values()) == ["4", "1", "1", "1", "0", "2"]


@pytest.mark.usefixtures("year")
def test_orders_count_for_what_was_kept_of_them(shop: Shop, tmp_path: Path) -> None:
    assert figures(made(shop, tmp_path / "lake"), "insights_orders") == {
        "members who ordered": "2",
        "repeat rate": "50.0 %",
        "orders": "3",
        "orders a member": "1.50",
        "average order": "36.66 USD",
    }


def test_points_spent_are_a_share_of_those_earned(shop: Shop, year: dict[str, str], tmp_path: Path) -> None:
    entries = [entry for member in year.values() for entry in shop.entries(member)]
    earned = sum(max(0, entry["points"]) for entry in entries)
    spent = -sum(entry["points"] for entry in entries if entry["type"] == "reserve")
    found = figures(made(shop, tmp_path / "lake"), "insights_redemption")
    assert (found["points earned"], found["points spent"]) == (f"{earned:,}", f"{spent:,}")
    assert found["redemption rate"] == f"{100 * spent / earned:.1f} %"
    assert found["members who spent, of those who earned"] == "25.0 %"


@pytest.mark.usefixtures("year")
def test_cohorts_are_by_month_of_joining(shop: Shop, tmp_path: Path) -> None:
    rows = table(made(shop, tmp_path / "lake"), "insights_cohorts").rows
    assert [tuple(row[:6]) for row in rows] == [
        ("2026-11", "3", "66.7 %", "0.0 %", "0.0 %", "33.3 %"),
        ("2027-02", "1", "0.0 %", "", "", ""),
    ]


def test_those_who_joined_long_ago_and_those_who_never_ordered_are_cohorts_too(shop: Shop, tmp_path: Path) -> None:
    shop.enroll("ada")
    shop.pass_time(days=500)
    shop.enroll("bob")
    rows = table(made(shop, tmp_path / "lake"), "insights_cohorts").rows
    assert [(row[0], row[1], *set(row[2:])) for row in rows] == [
        ("2026-11", "1", "0.0 %"),
        ("2028-04", "1", *{"0.0 %", ""}),
    ]


@pytest.mark.usefixtures("year")
def test_recency_and_frequency_are_of_kept_orders(shop: Shop, tmp_path: Path) -> None:
    rows = table(made(shop, tmp_path / "lake"), "insights_rfm").rows
    assert rows == [("within 30 days", "2", "1", "60.00 USD"), ("within 180 days", "1", "1", "50.00 USD")]


@pytest.mark.usefixtures("year")
def test_a_forecast_of_a_few_is_refused_in_words(shop: Shop, tmp_path: Path) -> None:
    forecast = table(made(shop, tmp_path / "lake"), "purchase_histories")
    assert forecast.rows == ()
    assert "2 members have ordered: a forecast takes 100" in forecast.note


def test_each_table_names_its_question_and_an_empty_shop_has_answers(shop: Shop, tmp_path: Path) -> None:
    found = made(shop, tmp_path / "lake")
    assert {one.query for one in found.tables} <= set(lake_queries.names())
    assert figures(found, "insights_members")["members"] == "0"
    assert figures(found, "insights_orders")["average order"] == "-"


@pytest.mark.usefixtures("year")
def test_the_page_opens_without_a_network_and_runs_no_text(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lake(tmp_path / "lake", shop.now)
    page = tmp_path / "insights.html"
    assert main.main(["insights", "--html", str(page), "--lake", str(tmp_path / "lake")]) == 0
    printed = capsys.readouterr().out
    assert "Cohorts" in printed
    assert f"as of {shop.now:%Y-%m-%d %H:%M} UTC" in printed
    assert "2 members have ordered: a forecast takes 100" in printed, "a note is not squeezed into a table"
    text = page.read_text(encoding="utf-8")
    assert "36.66 USD" in text
    assert not re.search(r"(src|href)=|url\(|<script", text)
    assert text.count("<h2>") == 6


@pytest.mark.usefixtures("year")
def test_the_api_answers_with_what_was_stored_last(shop: Shop, tmp_path: Path) -> None:
    assert_refused(shop.get("/v1/insights/members", scope=OPERATOR), 404, "report_not_found")
    before = made(shop, tmp_path / "before")
    store(before._replace(tables=[*before.tables, before.tables[0]._replace(name="of_before")]))
    assert shop.get("/v1/insights/of_before", scope=OPERATOR).status == 200
    found = made(shop, tmp_path / "lake")
    store(found)
    for one in found.tables:
        reply = shop.get(f"/v1/insights/{one.name}", scope=OPERATOR)
        assert reply.status == 200
        assert reply.body["rows"] == [list(row) for row in one.rows]
        assert (reply.body["title"], reply.body["query"], reply.body["note"]) == (one.title, one.query, one.note)
        assert reply.body["as_of"] == shop.now.isoformat().replace("+00:00", "Z")
    assert_refused(shop.get("/v1/insights/of_before", scope=OPERATOR), 404, "report_not_found")
    assert_refused(shop.get("/v1/insights/members"), 403, "forbidden")
