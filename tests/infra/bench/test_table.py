"""`loyalty bench`: which rows, what it prints, and when it fails."""

from collections.abc import Callable, Iterator

import pytest

from infra.bench import table
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
