"""The lake that reports are timed on is one that they have something to say of."""

from pathlib import Path

from infra.analytics import lake_queries
from infra.analytics.insights import insights
from infra.analytics.statement import month_statement
from infra.bench import reports

MEMBERS, ENTRIES = 200, 4_000


def test_every_entry_counts_and_every_report_speaks(tmp_path: Path) -> None:
    reports.write(tmp_path, ENTRIES, MEMBERS)
    with lake_queries.opened(tmp_path) as lake:
        statement, found = month_statement(lake, reports.MONTH), insights(lake)
        assert lake.ask_one("month_entries", from_at=reports.BEGINS, to_at=reports.ENDS)["entries"] == ENTRIES
    assert {line.section for line in statement.lines} == {"statement", "ageing", "deferred revenue"}
    spoken = {table.name for table in found.tables if table.rows}
    assert spoken >= {"members", "orders", "points", "cohorts", "rfm", "forecast"}
