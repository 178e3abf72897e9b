"""The command of a fresh clone sets up once, and says what is missing."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from infra import run


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was installed and started, in a clone of nobody's."""
    steps: list[tuple[str, ...]] = []
    for name in ("pins", "project", "analytics"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(run, "PINS", tmp_path / "pins")
    monkeypatch.setattr(run, "PROJECT", tmp_path / "project")
    monkeypatch.setattr(run, "ANALYTICS", tmp_path / "analytics")
    monkeypatch.setattr(run, "_FOLDER", tmp_path)
    monkeypatch.setattr(run, "_SCRIPTS", tmp_path)
    monkeypatch.setattr(run, "_STAMP", tmp_path / "installed")
    monkeypatch.setattr(run, "_ANALYTICS_STAMP", tmp_path / "installed-analytics")
    monkeypatch.setattr(run, "_pip", lambda *arguments: steps.append(("pip", *arguments)))
    monkeypatch.setattr(run, "_become", lambda name, arguments: steps.append((name, *arguments)))
    monkeypatch.setattr(run, "_test", lambda arguments: steps.append(("pytest", *arguments)))
    monkeypatch.setattr(os, "chdir", lambda _folder: None)
    return steps


def test_an_older_python_is_told_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or later is needed"):
        run.main(["dev"])


def test_a_platform_on_which_nothing_runs_is_told_where_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.run.os.name", "nt")
    with pytest.raises(SystemExit, match="Linux or macOS is needed"):
        run.main(["dev"])


def test_pins_are_installed_by_their_hashes_and_nothing_else(done: list[tuple[str, ...]]) -> None:
    run.main(["dev", "--port", "1"])
    pins, project, started = done
    assert "--require-hashes" in pins
    assert {"--no-deps", "--no-build-isolation"} < set(project)
    assert started == ("loyalty", "dev", "--port", "1")


def test_what_is_installed_is_installed_again_only_when_the_pins_change(done: list[tuple[str, ...]]) -> None:
    run.main(["verify"])
    done.clear()
    run.main(["verify"])
    assert done == [("loyalty", "verify")]
    run.PINS.write_text("others")
    run.main(["test", "-k", "points"])
    assert [step[0] for step in done] == ["loyalty", "pip", "pip", "pip", "pytest"]
    assert done[-1] == ("pytest", "-n", "2", "-k", "points")


def test_what_reports_need_is_installed_for_the_tests_once_and_for_no_command(done: list[tuple[str, ...]]) -> None:
    run.main(["dev"])
    assert not [step for step in done if str(run.ANALYTICS) in step]
    for _ in range(2):
        run.main(["test"])
    [installed] = [step for step in done if str(run.ANALYTICS) in step]
    assert "--require-hashes" in installed


def test_without_a_command_it_says_which_there_are() -> None:
    with pytest.raises(SystemExit, match=r"infra/run\.py dev"):
        run.main([])


def test_ctrl_c_ends_the_tests_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, script = tmp_path / "started", tmp_path / "pytest"
    script.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 20\n")
    script.chmod(0o755)
    monkeypatch.setattr(run, "_SCRIPTS", tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            run._test(["-n", "2"])  # noqa: SLF001 - what `test` ends in
    finally:
        signal.signal(signal.SIGINT, before)
    assert started.exists()
