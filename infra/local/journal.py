"""A list that survives a restart."""

import json
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

KEPT_MAX = 10_000


class Journal:
    """Records in the order they came, one line of JSON each in `path`; the last KEPT_MAX of them in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._records: deque[dict[str, Any]] = deque(map(json.loads, _whole_lines(path)), maxlen=KEPT_MAX)

    def append(self, record: Mapping[str, Any]) -> None:
        """Keep a record of JSON values; it is in the file when this returns."""
        line = json.dumps(record) + "\n"
        with self._lock, self._path.open("a") as file:
            file.write(line)
            self._records.append(json.loads(line))

    def records(self) -> list[dict[str, Any]]:
        """All that are kept, the newest last."""
        with self._lock:
            return list(self._records)


def _whole_lines(path: Path) -> list[str]:
    """The lines of the file; one that a crash cut off is removed from it."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    os.truncate(path, len(whole))
    return whole.decode().splitlines()
