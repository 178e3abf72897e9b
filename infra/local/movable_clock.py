"""The clock of one server. It runs as fast as the machine's, can be moved forward, and never runs backwards."""

import json
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from infra.machine import folders


class MovableClock:
    """Starts at `start`, or with the machine's clock, but never before the position last saved to `path`."""

    def __init__(self, path: Path, start: datetime | None) -> None:
        machine = datetime.now(UTC)
        wanted = start.astimezone(UTC) if start else machine
        self._path = path
        self._lock = Lock()
        self.resumed_from = _saved(path) or wanted
        self._latest = max(wanted, self.resumed_from)
        self._ahead = self._latest - machine

    def now(self) -> datetime:
        """The instant on this clock, in UTC. It stands still rather than follow the machine's clock backwards."""
        with self._lock:
            self._latest = max(self._latest, datetime.now(UTC) + self._ahead)
            return self._latest

    def move(self, instant: datetime) -> None:
        """Go on from `instant`; stay where it is when it has passed that already."""
        now = self.now()
        with self._lock:
            if instant > now:
                self._latest = instant.astimezone(UTC)
                self._ahead = instant - datetime.now(UTC)

    def save(self) -> None:
        """Keep the position, for the next start."""
        folders.replace(self._path, json.dumps({"now": self.now().isoformat()}))


def _saved(path: Path) -> datetime | None:
    if not path.exists():
        return None
    return datetime.fromisoformat(json.loads(path.read_text())["now"])
