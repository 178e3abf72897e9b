"""Which local servers are running: commands find them here, as the servers write it down."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.machine import folders

_ANSWER_SECONDS_MAX = 2


@dataclass(frozen=True)
class Server:
    """A running server: its address, the database behind it, and the environment its functions have."""

    pid: int
    url: str
    endpoint: str
    environment: dict[str, str]


@contextmanager
def announced(server: Server) -> Iterator[None]:
    """Let commands find the server for as long as the block lasts."""
    note = _folder() / f"{server.pid}.json"
    folders.replace(note, json.dumps(asdict(server)))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def find() -> Server | None:
    """The server started last of those that answer. Notes of servers that were killed are cleared away."""
    notes = sorted(_folder().glob("*.json"), key=lambda note: note.stat().st_mtime, reverse=True)
    return next((server for note in notes if (server := _answering(note))), None)


def _answering(note: Path) -> Server | None:
    server = Server(**json.loads(note.read_text()))
    try:
        with urllib.request.urlopen(f"{server.url}/_local", timeout=_ANSWER_SECONDS_MAX) as answer:  # noqa: S310
            # Its port may have gone to another server since.
            found = json.load(answer).get("pid") == server.pid
    except (OSError, ValueError):
        found = False
    if not found and not _alive(server.pid):
        note.unlink(missing_ok=True)
    return server if found else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _folder() -> Path:
    return folders.private_folder(folders.state_folder() / "servers")
