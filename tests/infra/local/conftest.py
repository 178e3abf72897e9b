"""What the tests of the local server share: a home of their own, a signing key, and a real HTTP server."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.local.tokens import Issuer

SERVE_SECONDS_MAX = 10

Serve = Callable[[ASGIApp], str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that is nobody's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer(rsa.generate_private_key(public_exponent=65537, key_size=2048))


class Stage:
    """An application that is whichever was put on last."""

    def __init__(self) -> None:
        self.plays: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.plays is not None
        await self.plays(scope, receive, send)


@pytest.fixture(scope="session")
def _stage() -> Iterator[tuple[str, Stage]]:
    """One HTTP server for all tests, and what it serves."""
    stage = Stage()
    server = uvicorn.Server(uvicorn.Config(stage, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + SERVE_SECONDS_MAX
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}", stage
    server.should_exit = True
    thread.join(SERVE_SECONDS_MAX)


@pytest.fixture
def serve(_stage: tuple[str, Stage]) -> Serve:
    """Serves an application over real HTTP; gives its address."""
    url, stage = _stage

    def serving(application: ASGIApp) -> str:
        stage.plays = application
        return url

    return serving
