"""Works that processes do on parts, for the tests of parts: a spawned process imports them from here."""

import os
from pathlib import Path

from infra.errors import LocalError
from infra.tools.parts import Part, Tell


def squared(part: Part, tell: Tell) -> dict[str, int]:
    """A square; a file in `folder`, if one is given, notes each call."""
    if "folder" in part:
        with (Path(part["folder"]) / "calls").open("a", encoding="utf-8") as calls:
            calls.write(f"{part['number']}\n")
    tell(part["number"])
    return {"square": part["number"] ** 2, "process": os.getpid()}


def squared_but_a_broken_one(part: Part, tell: Tell) -> dict[str, int]:
    """A square, unless a file named as the part says what is to go wrong with it."""
    fault = Path(part["folder"]) / part["name"]
    if fault.exists():
        if fault.read_text(encoding="utf-8") == "dies":
            os._exit(9)
        raise LocalError("cannot be squared")
    return squared(part, tell)
