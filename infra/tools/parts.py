"""Work on a whole table or file, divided into parts that do not touch: `work(part, tell) -> result`.

A part and its result are JSON. `work` is a module's own function that takes its tables from the environment, so that
a process of this machine can call it, or a function in the cloud. Which parts are finished, and with what result, is
kept in a folder: a run that was stopped goes on from there, and results are read from there, not held in memory.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from infra.errors import LocalError

FAILURES_SHOWN_MAX = 10
_END_SECONDS_MAX = 5
_BEGAN, _FINISHED = "began", ".jsonl"
_ENCODING = json.JSONEncoder(separators=(",", ":"), sort_keys=True)

Part = Mapping[str, Any]
"""What is to be worked on, as JSON; `name` is what it is called where it fails."""
Tell = Callable[[int], None]
"""Is told how much more was done."""
Work = Callable[[Part, Tell], Any]


def nobody(_: int) -> None:
    """Tell nobody."""


class FailedPartsError(LocalError):
    """Parts that failed, with why; all others are finished, and kept."""

    def __init__(self, failures: list[tuple[str, str]], count: int) -> None:
        lines = [f"{len(failures)} of {count} parts failed, the others are finished:"]
        lines += [f"  {name}: {reason}" for name, reason in failures[:FAILURES_SHOWN_MAX]]
        if len(failures) > FAILURES_SHOWN_MAX:
            lines.append(f"  and {len(failures) - FAILURES_SHOWN_MAX} more")
        super().__init__("\n".join(lines))
        self.failures = failures


@dataclass(frozen=True)
class Run:
    """One run of a command: the instant that it is as of, where it keeps what is finished, and by how many processes.

    One worker is this process itself.
    """

    folder: Path
    now: datetime
    workers: int = 1
    tell: Tell = nobody
    crew: list["_Worker"] = field(default_factory=list)
    """The processes, once any was started: they stay until the run ends."""

    def telling(self, tell: Tell) -> "Run":
        """The same, which tells another."""
        return replace(self, tell=tell)

    def through(self, stage: str, work: Work, parts: Iterable[Part]) -> "Results":
        """Have every part worked on, but those that an earlier run has finished in this stage.

        Raises FailedPartsError once all others are finished. Where there is one part only, its own error is raised.
        """
        results = Results(self.folder / f"{stage}{_FINISHED}")
        finished, count = results.finished(), 0
        failures: list[tuple[str, str]] = []

        def unfinished() -> Iterator[Part]:
            nonlocal count
            for part in parts:
                count += 1
                if digest(part) in finished:
                    self.tell(finished[digest(part)])
                else:
                    yield part

        with results.opened() as keep:
            for done in self._done(work, unfinished()):
                if done.failure is not None:
                    failures.append((done.part["name"], done.failure))
                    if done.error is not None and count == 1:
                        raise done.error
                else:
                    keep(done.part, done.told, done.result)
        if failures:
            raise FailedPartsError(failures, count)
        return results

    def once(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """What `make` returned the first time in this run, before it was stopped perhaps."""
        from infra.machine import folders  # noqa: PLC0415 - a function in the cloud has none

        return json.loads(folders.create_once(self.folder / name, lambda: _ENCODING.encode(make()).encode()))

    def _done(self, work: Work, parts: Iterator[Part]) -> Iterator["_Done"]:
        """Parts as they are finished. No process is started for what a single part is enough for."""
        first = [part for _, part in zip(range(2), parts, strict=False)]
        everything = _chained(first, parts)
        if self.workers == 1 or len(first) < 2:  # noqa: PLR2004 - as one part is for one process
            return (_here(work, part, self.tell) for part in everything)
        while len(self.crew) < self.workers:
            self.crew.append(_Worker())
        return _by_processes(work, everything, self.crew, self.tell)

    def end(self) -> None:
        """End the processes, in the middle of their parts if they have any."""
        while self.crew:
            self.crew.pop().end()


class Results:
    """The file of a stage's finished parts: a line of JSON for each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Any]:
        """The results, in the order in which they were finished."""
        return (line["result"] for line in self._lines())

    def finished(self) -> dict[str, int]:
        """How much each finished part has told, by the part's digest."""
        return {line["part"]: line["told"] for line in self._lines()}

    @contextmanager
    def opened(self) -> Iterator[Callable[[Part, int, Any], None]]:
        """What keeps a finished part: it is on the disk when the call returns."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))  # what a killed run has not finished
            file.seek(0, os.SEEK_END)

            def keep(part: Part, told: int, result: Any) -> None:  # noqa: ANN401 - JSON
                line = _ENCODING.encode({"part": digest(part), "told": told, "result": result})
                file.write(f"{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())

            yield keep

    def _lines(self) -> Iterator[Any]:
        if self._path.exists():
            with self._path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield json.loads(line)


@contextmanager
def begun(
    name: str, of: Iterable[str], now: datetime, *, workers: int, resume: bool, tell: Tell = nobody
) -> Iterator[Run]:
    """A run by its command's name and what it works on, for as long as the block lasts. What it has kept goes with it,
    unless it ends by an error or is stopped.

    With `resume` it goes on from where the last run of that name was stopped, as of that run's instant. Raises
    LocalError while another process runs the same.
    """
    from infra.machine import folders  # noqa: PLC0415 - as above

    root = folders.private_folder(folders.state_folder() / "runs" / f"{name}-{sha256(_joined(of)).hexdigest()[:16]}")
    with ExitStack() as stack:
        try:
            stack.enter_context(folders.held(root))
        except LocalError as error:
            raise LocalError(f"loyalty {name} is running on the same already: wait for it, or stop it") from error
        folder = root / "finished"
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        folders.private_folder(folder)
        began = datetime.fromisoformat(
            folders.create_once(folder / _BEGAN, lambda: now.astimezone(UTC).isoformat().encode()).decode()
        )
        if resume:
            said = (
                f"goes on with the run as of {began.isoformat()}"
                if began != now
                else "no stopped run to go on with; starting anew"
            )
            print(f"loyalty {name}: {said}", file=sys.stderr)
        run = Run(folder, began, workers, tell)
        try:
            yield run
        except BaseException:
            if any(folder.glob(f"*{_FINISHED}")):
                print(f"loyalty {name}: what is finished is kept: --resume goes on from there", file=sys.stderr)
            raise
        finally:
            run.end()
        shutil.rmtree(folder)


@contextmanager
def unkept(now: datetime, tell: Tell = nobody, *, workers: int = 1) -> Iterator[Run]:
    """A run that nobody goes on with."""
    with tempfile.TemporaryDirectory(prefix="loyalty-") as folder:
        run = Run(Path(folder), now, workers, tell)
        try:
            yield run
        finally:
            run.end()


def processors() -> int:
    """How many workers there are unless somebody says how many."""
    return os.cpu_count() or 1


class _Done(NamedTuple):
    """A part that ended, how much it told, and with what: its result, or why it failed."""

    part: Part
    told: int
    result: Any = None
    failure: str | None = None
    error: Exception | None = None


def _here(work: Work, part: Part, tell: Tell) -> _Done:
    told = 0

    def also_count(more: int) -> None:
        nonlocal told
        told += more
        tell(more)

    try:
        result = _as_json(work(_as_json(part), also_count))
    except Exception as error:
        return _Done(part, told, failure=_reason(error), error=error)
    return _Done(part, told, result)


def _by_processes(work: Work, parts: Iterator[Part], crew: "Sequence[_Worker]", tell: Tell) -> Iterator[_Done]:
    """Parts as they are finished by the processes; one that dies fails its part, and is replaced."""
    for worker in crew:
        worker.begin(work, next(parts, None))
    while busy := [worker for worker in crew if worker.part is not None]:
        ready = wait([worker.connection for worker in busy])
        for worker in (worker for worker in busy if worker.connection in ready):
            done = worker.heard(tell)
            if done is not None:
                yield done
                worker.begin(work, next(parts, None))


class _Worker:
    """A process that works on one part after another, and which it has in hand."""

    def __init__(self) -> None:
        self._start()
        self.part: Part | None = None
        self._told = 0

    def begin(self, work: Work, part: Part | None) -> None:
        """Have the process begin with a part; None is no part."""
        self.part, self._told = part, 0
        if part is None:
            return
        if not self._process.is_alive():
            self._start()
        with suppress(BrokenPipeError):  # whoever listens to it hears that it died
            self.connection.send((work, _ENCODING.encode(part)))

    def heard(self, tell: Tell) -> _Done | None:
        """What the process has said; None unless its part has ended by that."""
        if self.part is None:
            raise AssertionError("nobody listens to a worker without a part")
        try:
            kind, said = json.loads(self.connection.recv_bytes())
        except (EOFError, ConnectionError):
            self._process.join()
            return _Done(self.part, self._told, failure=f"its process died, with status {self._process.exitcode}")
        if kind == "told":
            self._told += said
            tell(said)
            return None
        if kind == "done":
            return _Done(self.part, self._told, result=said)
        return _Done(self.part, self._told, failure=said)

    def end(self) -> None:
        """End the process, in the middle of its part if it has one."""
        if self.part is not None:
            self._process.terminate()
        self.connection.close()
        self._process.join(_END_SECONDS_MAX)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        # Not forked: threads and connections would be copied in whatever state they are in.
        spawned = multiprocessing.get_context("spawn")
        self.connection, other = spawned.Pipe()
        self._process: BaseProcess = spawned.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()


def _serve(connection: Connection) -> None:
    """Work on the parts that come, until nobody is there to send any. Ctrl-C is for the parent to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def say(kind: str, said: Any) -> None:  # noqa: ANN401 - JSON
        message = _ENCODING.encode([kind, said]).encode()
        try:
            connection.send_bytes(message)
        except OSError:
            sys.exit("loyalty: whoever started this process is gone")

    with suppress(EOFError, ConnectionError):
        while True:
            work, part = connection.recv()
            try:
                result = work(json.loads(part), lambda more: say("told", more))
            except Exception as error:
                say("failed", _reason(error))
            else:
                say("done", result)


def _reason(error: Exception) -> str:
    """What failed, for whoever runs the command; of what nobody foresaw, the trace goes to stderr."""
    if isinstance(error, LocalError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}"


def _chained(first: list[Part], others: Iterator[Part]) -> Iterator[Part]:
    yield from first
    yield from others


def _as_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    return json.loads(_ENCODING.encode(value))


def digest(part: Part) -> str:
    """What tells a part from others."""
    return sha256(_ENCODING.encode(part).encode()).hexdigest()[:32]


def _joined(of: Iterable[str]) -> bytes:
    return "\x1f".join(of).encode()
