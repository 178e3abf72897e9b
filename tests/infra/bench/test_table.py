"""`loyalty bench`: which rows, what it prints, and when it fails."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from infra.bench import expiry, lots, table
from infra.bench.counts import WRITE_UNITS_MAX
from infra.bench.table import Figure, Options
from infra.bench.world import World
from infra.cli import main


def _row(*, met: bool | None) -> Callable[[Callable[[], World], Options], Iterator[Figure]]:
    return lambda _world, _options: iter([Figure("what", "at most 2", "2", met)])


def test_a_missed_goal_fails_and_is_marked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(table, "ROWS", {"good": _row(met=True), "bad": _row(met=False), "none": _row(met=None)})
    assert main.main(["bench"]) == 1
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| what | at most 2 | 2 | met |",
        "| what | at most 2 | 2 | **not met** |",
        "| what | at most 2 | 2 |  |",
    ]
    assert main.main(["bench", "--only", "good,none"]) == 0


def test_a_row_that_there_is_not_is_a_call_that_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "--only", "wram"]) == 2
    assert "wram" in capsys.readouterr().err


def test_without_a_file_of_purchases_nothing_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "--only", "replay"]) == 0
    assert "--purchases" in capsys.readouterr().out


def test_an_expiry_run_and_an_account_of_many_lots_have_their_rows_and_the_readme_has_them_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = {among: expiry.Taken(Counter(Query=3_000 + among // 100_000), 0.1, 3.5) for among in expiry.AMONG}
    monkeypatch.setattr(table, "open_world", nullcontext)
    monkeypatch.setattr(expiry, "measure", lambda _: taken)
    monkeypatch.setattr(
        lots, "measure", lambda: dict(zip(lots.LOTS, (lots.Taken(0.1, 0.01), lots.Taken(0.3, 0.06)), strict=True))
    )
    assert main.main(["bench", "--only", "expiry,lots"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[2].split(" (")[0] for row in rows] == [
        "3,000 among 1,000, 3,000 among 10,000, 3,001 among 100,000",
        "**3.5 ms**",
        "**0.20 ms**",
    ]
    readme = Path(table.__file__).with_name("README.md").read_text()
    assert all(f"{row[0]} | {row[1]} | " in readme for row in rows)


def test_a_million_earns_cost_what_their_parts_do_before_any_time_is_spent() -> None:
    bill = table.million_earns(1, WRITE_UNITS_MAX, processor_ms=0)
    assert sum(dollars for part, dollars in bill.items() if part in table.UNAVOIDABLE) == pytest.approx(4.45)
    assert bill["Lambda time"] < table.million_earns(1, WRITE_UNITS_MAX, processor_ms=5)["Lambda time"]


def test_without_lambdas_python_cold_starts_are_not_measured_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "runtime_python", lambda: None)
    monkeypatch.setattr(table, "ROWS", {"cold": table.ROWS["cold"], "good": _row(met=True)})
    assert main.main(["bench"]) == 0
    cold, good = capsys.readouterr().out.splitlines()[2:]
    assert "not measured: there is no Python 3.13 on this machine" in cold
    assert good.endswith("| met |")
