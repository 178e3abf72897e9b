"""What mutmut made of the sources, read from its folder."""

import ast
import difflib
import json
import re
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

_WORDS = re.compile(r"[A-Za-z] [A-Za-z]")
_EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True)
class Change:
    """One line, or a few: how they are written, and how they were broken. `module` is a path."""

    module: str
    before: str
    after: str


def mutants(folder: Path) -> list[str]:
    """The names of all, sorted."""
    metas = (folder / "mutants").rglob("*.meta")
    return sorted(name for file in metas for name in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"])


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
    """Changes that no test can notice because they change nothing, each with the reason."""
    listed: Sequence[dict[str, str]] = tomllib.loads(_EQUIVALENT.read_text(encoding="utf-8"))["change"]
    return {Change(each["module"], each["before"], each["after"]): each["why"] for each in listed}


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
