"""How much memory each function needs, and which size is the cheapest: `python -m infra.bench.memory`.

Every function as deployed, with its layer, in Lambda's own runtime client on the runtime's Python, works against an
emulator through realistic calls. Measured are its peak of resident memory and its processor time; what it then takes
and costs at each size follows from the processor's share that Lambda gives to that size
(`infra.cloud.costs.milliseconds`).
"""

import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple
from uuid import uuid4

from infra.bench.cold_start import MACHINE, Bench
from infra.bench.everyday_calls import EVERYDAY_CALLS, FIRST_WHILE_FEW_ARE_DUE, begin
from infra.bench.resources import make_resources, note_runs
from infra.bench.world import World
from infra.cloud import costs
from infra.cloud.build.bytecode import RUNTIME, runtime_python
from infra.cloud.build.function_code import function_names
from infra.cloud.build.layer import layer_folder
from infra.cloud.permissions import NEEDS, WORKER_SECONDS_MAX
from infra.machine import engine, environment
from shared import runtime

SIZES_MB = (128, 256, 512, 1024, 1769)
CALLS = 60
RESERVE_MB = 80
"""Beyond what the process takes here: Lambda's own runtime, some 35, and two of DynamoDB's largest pages as objects."""
WARM_MS_MAX = 100
FIRST_MS_MAX = 1000
"""The first call of an environment: where its start is not in a snapshot, it makes its validators."""
_ANSWER_SECONDS_MAX = 60
_IN_SNAPSHOT = """\
from shared.domain.fields import build_all
build_all()
"""
_HANDLER = """\
import sys
from shared.start import handler as work
asked = 0

def count():
    session = sys.modules.get("botocore.httpsession")
    if session is None or getattr(session, "counted", False):
        return
    session.counted, send = True, session.URLLib3Session.send
    def counted(self, request):
        global asked
        asked += 1
        return send(self, request)
    session.URLLib3Session.send = counted

def handler(event, context):
    count()
    before = asked
    return {"answer": work(event, context), "requests": asked - before}
"""


class Measured(NamedTuple):
    """Memory in MB, processor time in milliseconds; `requests` to AWS for a call once warm."""

    started_mb: float
    peak_mb: float
    first_ms: float
    warm_ms: float
    requests: float


class Function:
    """A function's process, handed one event after the other."""

    def __init__(self, bench: Bench, name: str, settings: Mapping[str, str]) -> None:
        self._name = name
        self._events, self._answers = Queue[bytes](), Queue[bytes]()
        self._asked = threading.Event()
        self._server = HTTPServer(("127.0.0.1", 0), self._api())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        handler = _HANDLER + (_IN_SNAPSHOT if NEEDS[name].is_snapshot else "")
        task = bench.task(handler, name)
        self._process = bench.spawn(task, name, self._server.server_port, settings)
        if not self._asked.wait(_ANSWER_SECONDS_MAX):
            raise RuntimeError(f"{name} did not ask for work")
        self._started_mb, self._started_ms = self._peak_mb(), self._processor_ms()
        self._first_ms, self._calls, self._requests = 0.0, 0, 0

    def invoke(self, event: Any) -> Any:
        """The answer to an event."""
        self._events.put(json.dumps(event).encode())
        done = json.loads(self._answers.get(timeout=_ANSWER_SECONDS_MAX))
        if "answer" not in done:
            raise RuntimeError(str(done))
        if self._calls == 0:
            self._first_ms = self._processor_ms() - self._started_ms
        else:
            self._requests += done["requests"]
        self._calls += 1
        return done["answer"]

    def measured(self) -> Measured:
        """What its calls so far took; the second and later ones are the warm ones."""
        if self._calls <= 1:
            raise RuntimeError(f"{self._name} was hardly called: let _calls call it")
        warm_ms = self._processor_ms() - self._started_ms - self._first_ms
        warm = self._calls - 1
        return Measured(self._started_mb, self._peak_mb(), self._first_ms, warm_ms / warm, self._requests / warm)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _peak_mb(self) -> float:
        # Not `ru_maxrss`: that counts what this process held when it made the other.
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(peak) / 1024

    def _processor_ms(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def _api(self) -> type[BaseHTTPRequestHandler]:
        events, answers, asked = self._events, self._answers, self._asked

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.set()
                event = events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", uuid4().hex)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 900_000))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:bench")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                answers.put(self.rfile.read(int(self.headers["Content-Length"])))
                asked.set()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Api


class Deployed(World):
    """A world in which every function is a process of its own."""

    def __init__(self, endpoint: str, functions: Mapping[str, Function]) -> None:
        super().__init__(endpoint)
        self._functions = functions

    def invoke(self, function: str, event: Any) -> Any:
        return self._functions[function].invoke(event)


def main() -> int:
    """Print what was measured and what each size makes of it; 1 if a declared size is not the one to choose."""
    measured = measure()
    print(f"{'':<12}{'start':>7}{'peak':>7}{'first':>8}{'warm':>8}{'asks':>6}   ms, dollars for a million calls at MB")
    print(f"{'':<12}{'MB':>7}{'MB':>7}{'ms':>8}{'ms':>8}{'':>6}" + "".join(f"{size:>16}" for size in SIZES_MB))
    wrong = []
    for name, found in measured.items():
        figures = "".join(f"{_figure(found, size):>16}" for size in SIZES_MB)
        taken = f"{found.started_mb:7.0f}{found.peak_mb:7.0f}{found.first_ms:8.0f}{found.warm_ms:8.1f}"
        chosen, declared = choose(found, waited_for=is_waited_for(name)), NEEDS[name].memory_mb
        print(f"{name:<12}{taken}{found.requests:6.1f}{figures}   choose {chosen}, declared {declared}")
        wrong += [name] if chosen != declared else []
    print(
        f"chosen: the cheapest that holds the peak and {RESERVE_MB} MB; where somebody waits, "
        f"a first call takes at most {FIRST_MS_MAX} ms and a later one {WARM_MS_MAX}"
    )
    return int(bool(wrong))


def choose(found: Measured, *, waited_for: bool) -> int:
    """The cheapest size that holds a function, and is quick enough where somebody waits; the largest if none is."""
    fit = [size for size in SIZES_MB if found.peak_mb + RESERVE_MB <= size]
    quick = [
        size
        for size in fit
        if not waited_for
        or (
            costs.milliseconds(found.warm_ms, found.requests, size) <= WARM_MS_MAX
            and costs.milliseconds(found.first_ms, found.requests, size) <= FIRST_MS_MAX
        )
    ]
    return min(quick, key=lambda size: _dollars(found, size), default=SIZES_MB[-1])


def is_waited_for(name: str) -> bool:
    """Whether somebody waits for a function: schedules, queues and the stream do not."""
    return NEEDS[name].seconds_max < WORKER_SECONDS_MAX


def measure() -> dict[str, Measured]:
    """Every function after CALLS calls of the kind that it mostly gets."""
    python = runtime_python()
    if python is None:
        sys.exit(f"Python {RUNTIME} is needed: what another one takes says nothing about Lambda")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        emulator = stack.enter_context(engine.running("ministack", folder, keep=False, services=None))
        stack.enter_context(environment.restored())
        environment.forget_the_shell()
        os.environ.update(environment.variables(emulator.endpoint, folder))
        engine.create_missing_tables(emulator.endpoint)
        key = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        settings = {"AWS_ENDPOINT_URL": emulator.endpoint, **key, **make_resources()}
        os.environ.update(settings)
        runtime.reset()
        note_runs(datetime.now(UTC))
        bench = Bench(python, layer_folder(MACHINE), folder)
        functions: dict[str, Function] = {}
        for name in function_names():
            functions[name] = Function(bench, name, settings)
            stack.callback(functions[name].stop)
        address = stack.enter_context(_listener())
        everyday = begin(Deployed(emulator.endpoint, functions), address)
        for name in FIRST_WHILE_FEW_ARE_DUE + tuple(sorted(set(EVERYDAY_CALLS) - {*FIRST_WHILE_FEW_ARE_DUE})):
            for _ in range(CALLS):
                EVERYDAY_CALLS[name](everyday)
        return {name: function.measured() for name, function in functions.items()}


@contextmanager
def _listener() -> Iterator[str]:
    """An endpoint that takes every delivery."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def _figure(found: Measured, size: int) -> str:
    if found.peak_mb + RESERVE_MB > size:
        return "full"
    took = costs.milliseconds(found.warm_ms, found.requests, size)
    return f"{math.ceil(took)}, {_dollars(found, size):.2f}"


def _dollars(found: Measured, size: int) -> float:
    return costs.dollars_per_million(costs.milliseconds(found.warm_ms, found.requests, size), size)


if __name__ == "__main__":
    sys.exit(main())
