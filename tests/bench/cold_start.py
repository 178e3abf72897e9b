"""What a cold start costs: `python -m tests.bench.cold_start`.

Lambda's own runtime client on the runtime's Python, asking a runtime API on loopback for work: processor time from the
start of the process until it asks, which is all that a start does, and hardly differs on a busy machine. Functions are
taken as they are deployed, with their layer, and make their DynamoDB client; they are compared with a handler that has
nothing but that client and a resolver.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from infra.cloud import assets

RUNS = 9
RATIO_MAX = 1.3
SECONDS_MAX = 30
RUNTIME_CLIENT = "awslambdaric==4.2.2"
_MACHINE = f"manylinux2014_{os.uname().machine}"
_NOTHING = "def handler(event, context): pass\n"
_BARE = """\
import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
app = APIGatewayHttpResolver()
client = boto3.client("dynamodb")
def handler(event, context): pass
"""
_WITH_CLIENT = """\
from {name} import handler
from shared import dynamo
dynamo.client()
"""


def main() -> int:
    """Print milliseconds for each function; 1 if any is over RATIO_MAX times the bare one."""
    python = assets.runtime_python()
    if python is None:
        sys.exit(f"Python {assets.RUNTIME} is needed: what another one takes says nothing about Lambda")
    layer = assets.layer_folder(_MACHINE)
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(python, layer, Path(temporary))
        bench.median(_NOTHING, None)  # fills the machine's file cache
        nothing = bench.median(_NOTHING, None)
        bare = bench.median(_BARE, None)
        validating = bench.median(_BARE.replace("Resolver()", "Resolver(enable_validation=True)"), None)
        print(f"{'nothing':<10}{nothing:6.0f} ms\n{'bare':<10}{bare:6.0f} ms   1.00")
        print(f"{'validating':<10}{validating:6.0f} ms   {(validating - nothing) / (bare - nothing):.2f}")
        ratios = []
        for name in assets.function_names():
            took = bench.median(_WITH_CLIENT.format(name=name), name)
            ratios.append((took - nothing) / (bare - nothing))
            print(f"{name:<10}{took:6.0f} ms   {ratios[-1]:.2f}")
    print(f"the highest is {max(ratios):.2f} times the bare one, without what nothing takes; {RATIO_MAX} is allowed")
    return int(max(ratios) > RATIO_MAX)


class Bench:
    """Starts handlers as Lambda does."""

    def __init__(self, python: str, layer: Path, folder: Path) -> None:
        self._python = python
        self._layer = layer
        self._folder = folder
        self._client = folder / "client"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command += ["--target", str(self._client), "--platform", _MACHINE, "--python-version", assets.RUNTIME]
        subprocess.run([*command, "--only-binary=:all:", RUNTIME_CLIENT], check=True)
        subprocess.run([python, "-m", "compileall", "-q", str(self._client)], check=True)

    def median(self, handler: str, function: str | None) -> float:
        """Milliseconds of processor time until a handler is ready for work, in the middle of RUNS."""
        task = self._folder / f"task-{function}-{hash(handler)}"
        task.mkdir(exist_ok=True)
        (task / "measured.py").write_text(handler)
        subprocess.run([self._python, "-m", "compileall", "-q", str(task)], check=True)
        code = [str(assets.function_folder(function))] if function else []
        return statistics.median(self._start(task, code) for _ in range(RUNS))

    def _start(self, task: Path, code: list[str]) -> float:
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
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "_HANDLER": "measured.handler",
            "LAMBDA_TASK_ROOT": str(task),
            "POWERTOOLS_SERVICE_NAME": "loyalty",
            "POWERTOOLS_METRICS_NAMESPACE": "Loyalty",
            "PYTHONPATH": os.pathsep.join([*code, str(self._layer / "python"), str(self._client)]),
        }
        process = subprocess.Popen([self._python, "-m", "awslambdaric", "measured.handler"], cwd=task, env=environment)
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
