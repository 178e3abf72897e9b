"""Which local servers are running: commands find them here, as the servers write it down."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.errors import UsageError
from infra.machine import folders

_ANSWER_SECONDS_MAX = 2
URL_VARIABLE = "LOYALTY_URL"
"""Names the server that commands speak to, where several run."""


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


def running() -> list[Server]:
    """The servers that answer, the last started first. Notes of servers that were killed are cleared away."""
    notes = sorted(_folder().glob("*.json"), key=lambda note: note.stat().st_mtime, reverse=True)
    return [server for note in notes if (server := _answering(note))]


def at(endpoint: str) -> Server | None:
    """The server whose database has an endpoint."""
    return next((server for server in running() if server.endpoint == endpoint), None)


def find(url: str | None = None) -> Server | None:
    """The server at `url`, else at the address that `loyalty env` has given to the shell, else the only one.

    Raises UsageError if nothing answers at a named address, or if several servers run and none is named: a command
    never takes one for another.
    """
    servers, named = running(), (url or os.environ.get(URL_VARIABLE, "")).rstrip("/")
    if named:
        found = next((server for server in servers if server.url == named), None)
        if found is None:
            raise UsageError(f"no local server answers at {named}: start `loyalty dev`, or unset {URL_VARIABLE}")
        return found
    if len(servers) > 1:
        listed = ", ".join(server.url for server in servers)
        raise UsageError(f"{len(servers)} local servers run, {listed}: name one in {URL_VARIABLE}, or by --url")
    return servers[0] if servers else None


def require(url: str | None = None) -> Server:
    """As `find`. Raises UsageError if none runs."""
    server = find(url)
    if server is None:
        raise UsageError("no local server is running: start `loyalty dev`")
    return server


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
