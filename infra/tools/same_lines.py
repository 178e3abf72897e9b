"""Which lines of a file say what a line before them says, found without holding what they say.

Each part of the file writes digests of what its lines say, sorted, to a file of its own. Then each part of all digests
is looked through by itself.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from infra.tools.parts import Part, Tell

LINES_A_BUCKET = 50_000
_DIGEST_BYTES = 12
_RECORD = Struct(f">{_DIGEST_BYTES}sQB")
"""A digest, the number of a line, and which of the line's digests it is. Sorted bytes are sorted digests and lines."""
_DIGESTS = 256**2


class Said(NamedTuple):
    """Something that only one line may say, on which line, and how many the line says before it."""

    what: str
    line: int
    place: int


def write(path: Path, said: Sequence[Said]) -> None:
    """Write the digests of what a part of a file says."""
    records = sorted(
        _RECORD.pack(hashlib.blake2b(one.what.encode(), digest_size=_DIGEST_BYTES).digest(), one.line, one.place)
        for one in said
    )
    path.write_bytes(b"".join(records))


def parts(paths: Sequence[str], lines: int) -> Iterator[Part]:
    """The parts of all digests in some files, of a file with so many lines."""
    count = lines // LINES_A_BUCKET + 1
    for number in range(count):
        first, end = (_DIGESTS * edge // count for edge in (number, number + 1))
        yield {"name": f"what lines say, {number + 1} of {count}", "paths": list(paths), "first": first, "end": end}


def find_part(part: Part, _: Tell) -> Any:  # noqa: ANN401 - JSON
    """The lines that say what a line before says: number, and place of what it says."""
    records = sorted(record for path in part["paths"] for record in _between(Path(path), part["first"], part["end"]))
    found = []
    for _digest, same in groupby(map(_RECORD.unpack, records), key=lambda record: record[0]):
        lines = [(line, place) for _, line, place in same]
        found += [one for one in lines if one[0] != lines[0][0]]
    return found


def _between(path: Path, first: int, end: int) -> Iterator[bytes]:
    """The records of a sorted file whose digests begin with these numbers, `end` not included."""
    whole = path.read_bytes()
    starts = range(0, len(whole), _RECORD.size)
    edges = (
        bisect_left(starts, edge, key=lambda start: int.from_bytes(whole[start : start + 2])) for edge in (first, end)
    )
    for start in starts[slice(*edges)]:
        yield whole[start : start + _RECORD.size]
