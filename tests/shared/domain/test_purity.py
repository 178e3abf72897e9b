"""The rules are pure: nothing of AWS, no clock, no chance, no environment."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared.domain

FOLDER = Path(shared.domain.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
LIBRARIES = {"jinja2", "pydantic", "iso4217", "email_validator", "phonenumbers"}
REACHES_OUT = {"os", "io", "pathlib", "socket", "ssl", "http", "urllib.request", "subprocess", "threading", "logging"}
CHANCE = {"time", "random", "uuid"}
CLOCKS = {"now", "utcnow", "today"}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_rule_imports_nothing_that_reaches_outside(module: Path) -> None:
    for name in imported(ast.parse(module.read_text())):
        top = name.split(".")[0]
        if top == "shared":
            assert name.startswith("shared.domain."), name
        else:
            assert top in LIBRARIES or top in sys.stdlib_module_names, name
            assert not {top, name} & (REACHES_OUT | CHANCE), name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_rule_is_told_the_time_and_never_asks_for_it(module: Path) -> None:
    calls = (node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    asked = {call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS}
    assert asked == set()
