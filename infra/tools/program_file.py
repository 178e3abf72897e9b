"""`loyalty program check`: every fault of a program's file with its place, and advice on what is legal but unwise.

Checks across sections run only once every section is sound by itself, and each stops at its first fault. So what is
faulty is taken out of a copy, and the rest is checked again, until nothing more is found.
"""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infra.errors import UsageError
from shared.api.wording import Place, in_words
from shared.domain.calendar import local_day
from shared.domain.errors import Fault
from shared.domain.lifecycle.program_lint import Advice, advice
from shared.domain.program.defaults import default_program
from shared.domain.program.program import Program
from shared.domain.telling.templates import template_faults

ROUNDS_MAX = 200
_REQUIRED = frozenset({"name", "currency", "country", "time_zone", "earning", "redeeming", "messages"})
_NAMED = re.compile(r"(?:a |an )?(?P<what>[a-z]+?)(?P<twice>_id)? '(?P<name>[^']+)'")
_SHARED_NAMES = frozenset({"tiers", "segments"})
"""Sections whose names others use: without one of their items, others would be blamed."""


def load(path: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What a file holds. Raises UsageError if it cannot be read, is not JSON, or lists a name twice."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def faults(text: Any) -> list[Fault]:  # noqa: ANN401
    """Every fault of a program, each with its place as a JSON pointer."""
    found: list[Fault] = []
    rest = copy.deepcopy(text)
    for _ in range(ROUNDS_MAX):
        try:
            program = Program.model_validate(rest, extra="forbid")
        except ValidationError as error:
            paths = [_path(detail, rest) for detail in error.errors()]
            found += [
                Fault(pointer(_path_in(path, rest, text)), _words(detail, path, rest))
                for path, detail in zip(paths, error.errors(), strict=True)
            ]
            if not _without(rest, paths):
                break
        else:
            found += _of_templates(program, rest, text)
            break
    return list(dict.fromkeys(found))


def counsel(text: Any, now: datetime | None = None) -> list[Advice]:  # noqa: ANN401
    """Advice on a program without faults, as of today in its own zone."""
    program = Program.model_validate(text, extra="forbid")
    return advice(program, local_day(now or datetime.now(UTC), program.time_zone))


def pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _of_templates(program: Program, rest: Any, text: Any) -> Iterator[Fault]:  # noqa: ANN401
    for fault in template_faults(program.messages):
        path = [int(part) if part.isdigit() else part for part in fault.pointer.split("/")[1:]]
        yield Fault(pointer(_path_in(path, rest, text)), fault.detail)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} is listed twice in one object")
    return dict(pairs)


def _words(detail: ErrorDetails, path: Sequence[str | int], rest: Any) -> str:  # noqa: ANN401
    """What to do about an error at a path of what is checked."""
    if detail["type"].startswith("union_tag"):
        path = [*path, detail["ctx"]["discriminator"].strip("'")]
    return in_words(detail, path, _shape(), rest)


@cache
def _shape() -> Place:
    return Place.of(Program.model_json_schema())


def _message(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _path(detail: ErrorDetails, body: Any) -> list[str | int]:  # noqa: ANN401
    """Where an error is: pydantic's place without the names of alternatives, which no body has.

    What two sections make wrong together is where the thing stands that the message names.
    """
    path: list[str | int] = []
    at = body
    *way, last = detail["loc"] or ("",)
    for part in way:
        if _has(at, part):
            path.append(part)
            at = at[part]
    if detail["loc"] and (_has(at, last) or detail["type"] == "missing"):
        path.append(last)
    return path or _named_in(_message(detail), body)


def _has(at: Any, part: str | int) -> bool:  # noqa: ANN401
    if isinstance(at, dict):
        return part in at
    return isinstance(at, list) and isinstance(part, int) and part < len(at)


def _named_in(message: str, body: Any) -> list[str | int]:  # noqa: ANN401
    named = _NAMED.match(message)
    if named is None:
        return []
    places = list(_items(body, f"{named['what']}_id", named["name"]))
    return places[-1 if named["twice"] else 0] if places else []


def _items(at: Any, id_name: str, value: str, path: tuple[str | int, ...] = ()) -> Iterator[list[str | int]]:  # noqa: ANN401
    """The places of list items with an id."""
    parts: Any = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
    for part, inner in parts:
        if isinstance(part, int) and isinstance(inner, dict) and inner.get(id_name) == value:
            yield [*path, part]
        else:
            yield from _items(inner, id_name, value, (*path, part))


def _path_in(path: Sequence[str | int], rest: Any, text: Any) -> list[str | int]:  # noqa: ANN401
    """A place in what is left, as it is in the whole: items are counted with those that were taken out."""
    there: list[str | int] = []
    for part in path:
        if isinstance(part, int) and isinstance(rest, list) and part < len(rest):
            mark = rest[part]
            number = _number(mark, rest, text, part)
            there.append(number)
            rest, text = mark, text[number]
        else:
            there.append(part)
            rest = rest[part] if _has(rest, part) else None
            text = text[part] if _has(text, part) else None
    return there


def _number(mark: Any, rest: list[Any], text: Any, part: int) -> int:  # noqa: ANN401
    """Which of the whole list's items an item is: of equal ones, as many before it as here."""
    before = sum(other == mark for other in rest[:part])
    same = [number for number, other in enumerate(text) if other == mark]
    return same[min(before, len(same) - 1)] if same else part


def _without(rest: Any, paths: Sequence[Sequence[str | int]]) -> bool:  # noqa: ANN401
    """Take what is faulty out, or put what the default program says in its place; whether that could be done."""
    if any(not path or path[0] in _SHARED_NAMES for path in paths):
        return False
    cuts = {_cut(path) for path in paths}
    # From the end, so that the places of the others stay what they are.
    for *way, last in sorted(cuts, key=lambda cut: [(isinstance(part, int), part) for part in cut], reverse=True):
        at: Any = rest
        instead: Any = json.loads(default_program().model_dump_json())
        for part in way:
            at = at[part] if _has(at, part) else None
            instead = instead[part] if _has(instead, part) else None
        if isinstance(last, str) and isinstance(at, dict) and _has(instead, last):
            at[last] = instead[last]
        elif _has(at, last):
            del at[last]
        else:
            return False
    return True


def _cut(path: Sequence[str | int]) -> tuple[str | int, ...]:
    """How much goes with a fault: the whole item of a list, else the value alone."""
    lists = [place for place, part in enumerate(path) if isinstance(part, int)]
    if lists:
        return tuple(path[: lists[0] + 1])
    return tuple(path) if path[0] in _REQUIRED else tuple(path[:1])
