"""Commands find the server that runs, and no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from infra.errors import UsageError
from infra.machine import server_registry
from infra.machine.server_registry import Server
from tests.infra.local.conftest import Serve


@pytest.fixture
def url(serve: Serve) -> str:
    return serve(Starlette(routes=[Route("/_local", lambda _request: JSONResponse({"pid": os.getpid()}))]))


def server(pid: int, url: str) -> Server:
    return Server(pid, url, "http://127.0.0.1:9", {"LOYALTY_TABLE": "loyalty"})


def notes(home: Path) -> list[Path]:
    return list((home / "loyalty-functions" / "servers").iterdir())


def test_a_running_server_is_found_until_it_ends(url: str, home: Path) -> None:
    with server_registry.announced(server(os.getpid(), url)):
        assert server_registry.find() == server(os.getpid(), url)
        assert [note.stat().st_mode & 0o777 for note in notes(home)] == [0o600]
    assert server_registry.find() is None
    assert notes(home) == []


def test_the_note_of_a_server_that_was_killed_is_cleared_away(url: str, home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    note = server_registry.announced(server(gone.pid, url))
    note.__enter__()
    assert server_registry.find() is None
    assert notes(home) == []


def test_another_server_on_the_same_port_is_not_mistaken_for_it(url: str, home: Path) -> None:
    with server_registry.announced(server(os.getppid(), url)):
        assert server_registry.find() is None
        assert len(notes(home)) == 1


def test_of_several_servers_none_is_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = server(1, "http://127.0.0.1:1"), server(2, "http://127.0.0.1:2")
    monkeypatch.setattr(server_registry, "running", lambda: [second, first])
    with pytest.raises(UsageError, match=r"2 local servers run, .*:2, .*:1: name one"):
        server_registry.find()
    assert server_registry.find("http://127.0.0.1:1/") == first
    monkeypatch.setenv(server_registry.URL_VARIABLE, "http://127.0.0.1:2")
    assert server_registry.find() == second
    assert server_registry.find("http://127.0.0.1:1") == first
    with pytest.raises(UsageError, match=r"no local server answers at http://127\.0\.0\.1:3"):
        server_registry.find("http://127.0.0.1:3")


def test_a_command_that_needs_a_server_says_how_to_start_one() -> None:
    with pytest.raises(UsageError, match="start `loyalty dev`"):
        server_registry.require()
