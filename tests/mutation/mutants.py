"""What mutmut made of the sources and what became of it, read from its folder."""

import ast
import difflib
import json
import re
import textwrap
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

UNTESTED = 33
KILLED = {1, 3}
"""A test failed, or could not even run."""
TIMED_OUT = {24, -24, 36, 152, 255}
_WORDS = re.compile(r"[A-Za-z] [A-Za-z]")
_EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True)
class Change:
    """One line, or a few: how they are written, and how they were broken. `module` is a path."""

    module: str
    before: str
    after: str


def verdicts(folder: Path) -> dict[str, int | None]:
    """What became of each mutant, by name: pytest's exit code, or one of mutmut's own; None before it has run."""
    found: dict[str, int | None] = {}
    for file in sorted((folder / "mutants").rglob("*.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def change_of(name: str, folder: Path) -> Change:
    """The lines that a mutant changes, without their indentation."""
    before, after = _texts(name, folder)
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    removed = (line[1:].strip() for line in lines if line.startswith("-"))
    added = (line[1:].strip() for line in lines if line.startswith("+"))
    return Change(_module(name), " ".join(removed), " ".join(added))


def is_wording(name: str, folder: Path) -> bool:
    """Whether it changes nothing but words for people.

    What a rule compares, stores or names is one word; a sentence has more. The store's expressions have more too.
    """
    if not name.startswith("shared.domain."):
        return False
    before, after = (ast.parse(textwrap.dedent(text)) for text in _texts(name, folder))
    pairs = list(zip_longest(ast.walk(before), ast.walk(after)))
    changed = [
        one.value
        for one, other in pairs
        if isinstance(one, ast.Constant) and isinstance(other, ast.Constant) and one.value != other.value
    ]
    same_shape = all(type(one) is type(other) for one, other in pairs)
    return same_shape and bool(changed) and all(isinstance(value, str) and _WORDS.search(value) for value in changed)


def equivalents() -> dict[Change, str]:
    """Changes that no test can notice because nothing changes, each with the reason."""
    listed: Sequence[dict[str, str]] = tomllib.loads(_EQUIVALENT.read_text(encoding="utf-8")).get("change", [])
    return {Change(each["module"], each["before"], each["after"]): each["why"] for each in listed}


def unnoticed(names: Collection[str], codes: dict[str, int | None]) -> list[str]:
    """Those of `names` that no test failed for, sorted."""
    return sorted(name for name in names if codes[name] not in KILLED | TIMED_OUT)


def _texts(name: str, folder: Path) -> tuple[str, str]:
    """The function as it is written, and as it was broken; both under its own name."""
    file = folder / "mutants" / _module(name)
    spans = json.loads(file.with_name(f"{file.name}.spans").read_text(encoding="utf-8"))["spans"]
    lines = file.read_text(encoding="utf-8").splitlines()
    broken = name.rsplit(".", 1)[1]
    function = broken.rsplit("__mutmut_", 1)[0]

    def text(variant: str) -> str:
        first, last = spans[variant]
        return "\n".join(lines[first - 1 : last]).replace(variant, function)

    return text(f"{function}__mutmut_orig"), text(broken)


def _module(name: str) -> str:
    return name.rsplit(".", 1)[0].replace(".", "/") + ".py"
