"""What reports need is installed when the first of them is called, and never again."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from infra.analytics import packages
from infra.cli import main
from infra.errors import LocalError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip is asked for; a package that nobody has is needed."""
    made: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> SimpleNamespace:
        assert not check
        made.append(command)
        return SimpleNamespace(returncode=len(made) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(packages, "NAMES", ("json", "a_package_that_nobody_has"))
    return made


def test_what_is_missing_is_installed_by_its_hashes(calls: list[list[str]]) -> None:
    packages.require()
    [command] = calls
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-3:] == ["--require-hashes", "--requirement", str(packages.PINS)]
    assert packages.PINS.exists()


def test_what_cannot_be_installed_is_said(calls: list[list[str]]) -> None:
    calls.append([])
    with pytest.raises(LocalError, match="could not be installed"):
        packages.require()


def test_what_is_there_is_not_installed_again(calls: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "NAMES", ("json",))
    packages.require()
    assert calls == []


def test_commands_without_reports_load_none_of_it() -> None:
    program = f"""
import sys
from importlib import import_module
for name in {sorted({module for module, _, _ in main.COMMANDS})}:
    import_module(f"infra.cli.{{name}}")
print(sorted({set(packages.NAMES)} & set(sys.modules)))
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr
