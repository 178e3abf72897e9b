"""The table of the OWASP API Security Top 10 names tests that there are."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.findall(r"^\| API(\d+) [^|]+\|[^|]+\| (.+) \|$", (TESTS / "security.md").read_text(), re.MULTILINE)


def test_every_risk_has_its_row_and_its_tests() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 11))
    assert all(re.findall(r"`[^`]+`", tests) for _, tests in ROWS)


def test_every_test_in_the_table_exists() -> None:
    named = [name for _, tests in ROWS for name in re.findall(r"`([^`]+)`", tests)]
    assert [name for name in named if not _exists(*name.split("::"))] == []


def _exists(file: str, *names: str) -> bool:
    path = TESTS / file
    if not names or not path.is_file():
        return False
    body: list[ast.stmt] = ast.parse(path.read_text()).body
    for name in names:
        found = [one for one in body if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name == name]
        if not found:
            return False
        body = found[0].body
    return names[-1].startswith("test_")
