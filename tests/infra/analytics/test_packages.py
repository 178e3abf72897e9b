"""What reports need is installed when the first of them is called, and never again."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.analytics import packages
from infra.cli import main
from infra.errors import LocalError

HERE = f"pytest=={version('pytest')} \\\n    --hash=sha256:00\n"
"""A pin that is met, as pip-tools and the like write it."""


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of pins, of which one is of a package that nobody has."""
    made = tmp_path / "requirements.txt"
    made.write_text(f"{HERE}a-package-that-nobody-has==1.0 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(packages, "PINS", made)
    return made


@pytest.fixture
def calls(pins: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip is asked for."""
    assert pins.exists()
    made: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> SimpleNamespace:
        assert not check
        made.append(command)
        return SimpleNamespace(returncode=len(made) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    return made


def test_what_is_missing_is_installed_by_its_hashes(calls: list[list[str]]) -> None:
    packages.require()
    [command] = calls
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-3:] == ["--require-hashes", "--requirement", str(packages.PINS)]


def test_a_pin_that_has_changed_is_installed(calls: list[list[str]], pins: Path) -> None:
    pins.write_text(HERE.replace("==", "==0."))
    packages.require()
    assert len(calls) == 1


def test_the_pins_name_what_reports_import() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", packages.PINS.read_text(), re.MULTILINE))
    assert set(packages.NAMES) <= set(pinned)


def test_what_cannot_be_installed_is_said(calls: list[list[str]]) -> None:
    calls.append([])
    with pytest.raises(LocalError, match="could not be installed"):
        packages.require()


def test_what_is_there_is_not_installed_again(calls: list[list[str]], pins: Path) -> None:
    pins.write_text(HERE)
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
