"""Work divided into parts: each is worked on once, whoever stops, dies or fails meanwhile."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.errors import LocalError
from infra.tools import parts
from infra.tools.parts import FailedPartsError, Part, Run
from tests.infra.tools.part_works import squared, squared_but_a_broken_one

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SQUARES = [0, 1, 4, 9, 16]


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def numbers(folder: Path) -> list[Part]:
    return [{"name": f"number-{number}", "number": number, "folder": str(folder)} for number in range(5)]


def stopping(after: list[Part]) -> Iterator[Part]:
    """Parts, after which somebody stops the run."""
    yield from after
    raise KeyboardInterrupt


def squares(results: Iterator[Any] | parts.Results) -> list[int]:
    return sorted(result["square"] for result in results)


def calls(folder: Path) -> list[int]:
    return sorted(map(int, (folder / "calls").read_text(encoding="utf-8").split()))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_part_is_worked_on_once_by_however_many(workers: int, tmp_path: Path) -> None:
    told: list[int] = []
    with parts.unkept(NOW, told.append, workers=workers) as run:
        results = run.through("squares", squared, numbers(tmp_path))
        assert squares(results) == SQUARES
        assert {result["process"] for result in results} != set()
    assert calls(tmp_path) == sorted(told) == [0, 1, 2, 3, 4]


def test_two_workers_are_two_processes_and_neither_is_this_one(tmp_path: Path) -> None:
    with parts.unkept(NOW, workers=2) as run:
        processes = {result["process"] for result in run.through("squares", squared, numbers(tmp_path))}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


@pytest.mark.parametrize(
    ("workers", "fault", "reason"), [(1, "fails", "squared"), (2, "fails", "squared"), (2, "dies", "status 9")]
)
def test_a_part_that_fails_is_named_and_the_others_are_finished(
    workers: int, fault: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "number-2").write_text(fault, encoding="utf-8")
    with parts.unkept(NOW, workers=workers) as run:
        with pytest.raises(FailedPartsError, match=f"1 of 5 parts failed.*\n.*number-2: .*{reason}"):
            run.through("squares", squared_but_a_broken_one, numbers(tmp_path))
        (tmp_path / "number-2").unlink()
        assert squares(run.through("squares", squared_but_a_broken_one, numbers(tmp_path))) == SQUARES
    assert calls(tmp_path) == [0, 1, 2, 3, 4], "those that were finished are not done again"


def test_a_single_part_fails_as_the_work_itself(tmp_path: Path) -> None:
    (tmp_path / "number-0").write_text("fails", encoding="utf-8")
    with parts.unkept(NOW, workers=2) as run, pytest.raises(LocalError, match=r"^cannot be squared$"):
        run.through("squares", squared_but_a_broken_one, numbers(tmp_path)[:1])


def test_a_stopped_run_goes_on_as_of_its_instant_and_has_the_same_results(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), begun() as run:
        run.through("squares", squared, stopping(numbers(tmp_path)[:3]))
    done = calls(tmp_path)

    told: list[int] = []
    with begun(resume=True, now=datetime(2027, 1, 1, tzinfo=UTC)) as run:
        assert run.now == NOW
        assert squares(run.telling(told.append).through("squares", squared, numbers(tmp_path))) == SQUARES
    assert done
    assert calls(tmp_path) == sorted(told) == [0, 1, 2, 3, 4]


def test_a_run_that_ended_is_not_gone_on_with(tmp_path: Path) -> None:
    for resume in (False, True):
        with begun(resume=resume) as run:
            run.through("squares", squared, numbers(tmp_path))
    assert calls(tmp_path) == sorted(2 * [0, 1, 2, 3, 4])


def test_a_run_that_nobody_resumes_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), begun() as run:
            run.through("squares", squared, stopping(numbers(tmp_path)))
    assert calls(tmp_path) == sorted(2 * [0, 1, 2, 3, 4])


def test_a_result_that_was_written_by_half_is_worked_out_again(tmp_path: Path) -> None:
    with parts.unkept(NOW) as run:
        run.through("squares", squared, numbers(tmp_path)[:2])
        kept = run.folder / "squares.jsonl"
        kept.write_bytes(kept.read_bytes()[:-3])
        assert squares(run.through("squares", squared, numbers(tmp_path))) == SQUARES
    assert calls(tmp_path) == [0, 1, 1, 2, 3, 4]


def test_two_runs_of_the_same_do_not_meet() -> None:
    with begun(), pytest.raises(LocalError, match="running on the same already"), begun():
        pass
    with begun(), parts.begun("square", ["other numbers"], NOW, workers=1, resume=False):
        pass


def begun(*, resume: bool = False, now: datetime = NOW) -> Any:
    return parts.begun("square", ["numbers"], now, workers=1, resume=resume)


def test_what_was_once_found_stays_for_the_run(tmp_path: Path) -> None:
    found = iter([3, 4])
    run = Run(tmp_path, NOW)
    assert [run.once("segments", lambda: next(found)) for _ in range(2)] == [3, 3]
