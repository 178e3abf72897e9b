"""What a cold start costs: `python -m infra.bench.cold_start`.

Lambda's own runtime client on the runtime's Python, asking a runtime API on loopback for work: processor time from the
start of the process until it asks, which is all that a start does, and hardly differs on a busy machine. Functions are
taken as they are deployed, with their DynamoDB client; they are compared with a handler that has nothing but a
client of boto3 and a resolver. Both have the same layer.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType

from infra.cloud.build.bytecode import RUNTIME, runtime_python
from infra.cloud.build.function_code import function_folder, function_names
from infra.cloud.build.layer import layer_folder

RUNS = 15
RATIO_MAX = 1.3
SECONDS_MAX = 30
RUNTIME_CLIENT = "awslambdaric==4.2.2"
MACHINE = f"manylinux2014_{os.uname().machine}"
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
EVERYDAY = ("account", "earn", "enroll", "redeem")
"""The functions that somebody at a till waits for."""
_NOTHING = "def handler(event, context): pass\n"
_CLIENT = """\
import boto3
client = boto3.client("dynamodb")
def handler(event, context): pass
"""
_BARE = """\
import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
app = APIGatewayHttpResolver()
client = boto3.client("dynamodb")
def handler(event, context): pass
"""
_FUNCTION = "from shared.start import handler\n"


def main() -> int:
    """Print milliseconds for each function; 1 if any is over RATIO_MAX times the bare one."""
    nothing = "nothing"
    took = measure(function_names())
    ratios = {name: milliseconds / took["bare"] for name, milliseconds in took.items() if name != nothing}
    print(f"{nothing:<10}{took[nothing]:6.0f} ms; the others beyond that")
    for name, ratio in ratios.items():
        print(f"{name:<10}{took[name]:6.0f} ms   {ratio:.2f}")
    highest = max(ratios[name] for name in function_names())
    print(f"the highest is {highest:.2f} times the bare one; {RATIO_MAX} is allowed")
    return int(highest > RATIO_MAX)


def measure(functions: Sequence[str] = EVERYDAY) -> dict[str, float]:
    """Milliseconds of processor time of functions, and of what they are compared with, all beyond `nothing`."""
    python = runtime_python()
    if python is None:
        sys.exit(f"Python {RUNTIME} is needed: what another one takes says nothing about Lambda")
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(python, layer_folder(MACHINE), Path(temporary))
        handlers: dict[str, tuple[str, str | None]] = {
            "nothing": (_NOTHING, None),
            "client": (_CLIENT, None),
            "bare": (_BARE, None),
            "validating": (_BARE.replace("Resolver()", "Resolver(enable_validation=True)"), None),
            **{name: (_FUNCTION, name) for name in functions},
        }
        took = bench.medians(handlers)
    nothing = took.pop("nothing")
    return {"nothing": nothing, **{name: milliseconds - nothing for name, milliseconds in took.items()}}


class Bench:
    """Starts handlers as Lambda does."""

    def __init__(self, python: str, layer: Path, folder: Path) -> None:
        self._python = python
        self._layer = layer
        self._folder = folder
        self._client = folder / "client"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command += ["--target", str(self._client), "--platform", MACHINE, "--python-version", RUNTIME]
        subprocess.run([*command, "--only-binary=:all:", RUNTIME_CLIENT], check=True)
        subprocess.run([python, "-m", "compileall", "-q", str(self._client)], check=True)

    def medians(self, handlers: Mapping[str, tuple[str, str | None]]) -> dict[str, float]:
        """Milliseconds of processor time until each handler is ready for work, in the middle of RUNS.

        They take turns, so that a machine which is busy for a while slows all of them alike.
        """
        tasks = {name: (self.task(handler, function), function) for name, (handler, function) in handlers.items()}
        rounds = [{name: self._start(*task) for name, task in tasks.items()} for _ in range(RUNS + 1)]
        # The first round fills the machine's file cache.
        return {name: statistics.median(each[name] for each in rounds[1:]) for name in tasks}

    def task(self, handler: str, function: str | None) -> Path:
        """A folder with `measured.handler`, compiled."""
        task = self._folder / f"task-{function}-{hash(handler)}"
        task.mkdir(exist_ok=True)
        (task / "measured.py").write_text(handler)
        subprocess.run([self._python, "-m", "compileall", "-q", str(task)], check=True)
        return task

    def spawn(
        self, task: Path, function: str | None, port: int, settings: Mapping[str, str] = _NO_SETTINGS
    ) -> "subprocess.Popen[bytes]":
        """The runtime client, which asks the runtime API on a port of loopback for a task's work."""
        code = [*([function_folder(function)] if function else []), self._layer / "python"]
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "_HANDLER": "measured.handler",
            "LAMBDA_TASK_ROOT": str(task),
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
            "FUNCTION": str(function),
            "PYTHONPATH": os.pathsep.join(map(str, [*code, self._client])),
            **settings,
        }
        command = [self._python, "-m", "awslambdaric", "measured.handler"]
        return subprocess.Popen(command, cwd=task, env=environment, stdout=subprocess.DEVNULL)

    def _start(self, task: Path, function: str | None) -> float:
        asked, failures = threading.Event(), list[str]()

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.set()
                time.sleep(SECONDS_MAX)

            def do_POST(self) -> None:
                failures.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                asked.set()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = self.spawn(task, function, server.server_port)
        try:
            if not asked.wait(SECONDS_MAX) or failures:
                raise RuntimeError(f"the runtime client did not ask for work: {failures}")
        finally:
            process.kill()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            threading.Thread(target=server.shutdown, daemon=True).start()
        return (usage.ru_utime + usage.ru_stime) * 1000


if __name__ == "__main__":
    sys.exit(main())
