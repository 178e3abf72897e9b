"""`loyalty dev`: an engine, a server over it that follows changes of the code, and nothing left when it ends."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from watchfiles import PythonFilter, watch
from watchfiles.main import FileChange

from infra.errors import LocalError, UsageError
from infra.local.activity import Form
from infra.local.server_config import UNANNOUNCED, UNSEEDED, ServerConfig
from infra.machine import engine, environment, folders, server_registry, supervised_process
from infra.machine.engine import LOOPBACK, Engine

_LOOK_MS = 500
_BACKLOG = 512
_KILLS_MAX = 50
_SOURCES = ("functions", "infra", "shared")


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    Without `port` a free one is taken; without `data` nothing is kept; new tables get example members, or `is_empty`.
    """

    port: int = 0
    start: datetime | None = None
    data: Path | None = None
    kind: engine.Kind = "ministack"
    endpoint: str | None = None
    is_empty: bool = False
    form: Form = "lines"
    is_verbose: bool = False


def dev(options: Options) -> None:
    """Serve until SIGINT or SIGTERM. Raises LocalError if it cannot serve."""
    if options.data and options.kind == "moto" and not options.endpoint:
        raise UsageError("moto keeps nothing between starts: leave out --data, or use the engine ministack")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(options.data))
        listener = stack.enter_context(_listener(options.port))
        used = stack.enter_context(_engine(options, folder))
        if engine.create_missing_tables(used.endpoint) and not options.is_empty:
            (folder / UNSEEDED).touch()
        # The key belongs to the data: to what is kept here, or to an endpoint that keeps it.
        variables = environment.variables(used.endpoint, options.data or folders.state_folder())
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        stack.enter_context(
            server_registry.announced(server_registry.Server(os.getpid(), url, used.endpoint, variables))
        )
        config = ServerConfig(
            pid=os.getpid(),
            url=url,
            descriptor=listener.fileno(),
            endpoint=used.endpoint,
            folder=folder,
            start=options.start,
            form=options.form,
            is_verbose=options.is_verbose,
        )
        (folder / UNANNOUNCED).touch()
        _Supervisor(used, config, variables).run(stopping)


class _Supervisor:
    """Keeps one server running, and starts it anew when the code changes or somebody has killed it.

    `watchfiles.run_process` would not do: it notices changes, but not that a server or an engine has ended, and a
    process that it starts inherits neither the listening socket nor the engine's leash.
    """

    def __init__(self, used: Engine, config: ServerConfig, variables: dict[str, str]) -> None:
        self._engine = used
        self._config = config
        self._variables = variables

    def run(self, stopping: threading.Event) -> None:
        """Until `stopping` is set. Raises LocalError when the engine ends, or the server before any change."""
        server = self._start()
        is_first, is_up, kills = True, True, 0
        try:
            for changes in _changes(stopping):
                if self._engine.ended():
                    raise LocalError("the engine ended by itself: start again")
                if changes:
                    print(f"{_named(changes)} changed: starting again", flush=True)
                    supervised_process.stop(server)
                    server = self._start()
                    is_first, is_up = False, True
                elif is_up and (status := server.poll()) is not None:
                    kills += status < 0
                    if status < 0 and kills <= _KILLS_MAX:
                        print("the server was killed: starting again", flush=True)
                        server = self._start()
                        is_first = False
                        continue
                    if is_first:
                        raise LocalError("the server ended: it says why above")
                    print("the server ended: it starts again when the code changes", flush=True)
                    is_up = False
            print("stopping", flush=True)
        finally:
            supervised_process.stop(server)

    def _start(self) -> subprocess.Popen[bytes]:
        return supervised_process.start(
            "infra.local.server",
            self._config.model_dump(mode="json"),
            environment=self._variables,
            # With an end of the engine's leash in its hand: the engine outlives the server, whatever happens to us.
            descriptors=(self._config.descriptor, *self._engine.descriptors),
        )


def _named(changes: set[FileChange]) -> str:
    """The first of the files that changed, and how many more there are."""
    root = Path(__file__).resolve().parents[2]
    first, *others = sorted(str(Path(path).relative_to(root)) for _, path in changes)
    return f"{first} and {len(others)} more" if others else first


def _changes(stopping: threading.Event) -> Iterator[set[FileChange]]:
    """What changed in the code, every _LOOK_MS: often nothing. Ends when `stopping` is set."""
    root = Path(__file__).resolve().parents[2]
    return watch(
        *(root / source for source in _SOURCES),
        watch_filter=PythonFilter(),
        stop_event=stopping,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
    )


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is None:
        with tempfile.TemporaryDirectory(prefix="loyalty-") as folder:
            yield Path(folder)
    else:
        with folders.held(folders.private_folder(data.resolve())):
            yield data.resolve()


@contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            raise LocalError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from error
        listener.listen(_BACKLOG)
        yield listener


@contextmanager
def _engine(options: Options, folder: Path) -> Iterator[Engine]:
    if options.endpoint:
        yield Engine(options.endpoint)
    else:
        with engine.running(options.kind, folder, keep=options.data is not None) as started:
            yield started
