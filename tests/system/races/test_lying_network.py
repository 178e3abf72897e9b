"""A network that hangs, cuts, resets and lies between the functions and their engine: answered in time, booked once."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from infra.machine import engine
from infra.tools import verify
from shared import runtime, settings
from shared.aws import session
from shared.tables import client
from tests.functions.conftest import ENVIRONMENT
from tests.functions.shop import Shop

FUNCTION_SECONDS = 5.0
READ_SECONDS, ANSWER_SECONDS = 0.3, 2.5
"""Far shorter than in the cloud, as the function's time is; botocore waits as long as ever before it sends again."""
HANGS_SECONDS = 3 * READ_SECONDS
ORDERS, TRIES_MAX = 30, 40
FAULTS = ("hangs", "answer hangs", "cuts", "resets", "answers with a page", "lies", "carries out and lies")
PAGE = b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
PER_CENT = 40
"""How many of a hundred requests meet a fault."""


class Network(ThreadingHTTPServer):
    """Stands before an engine, and strikes while it is bad."""

    daemon_threads = True

    def __init__(self, endpoint: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.engine = endpoint.removeprefix("http://")
        self.is_bad = False
        self.met = Counter[str]()
        self._random = Random(seed)  # noqa: S311 - guards nothing
        self._drawing = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def fault(self) -> str:
        """What happens to the next request; nothing, mostly."""
        with self._drawing:
            if not self.is_bad or self._random.randrange(100) >= PER_CENT:
                return ""
            drawn = self._random.choice(FAULTS)
            self.met[drawn] += 1
            return drawn


class Passage(BaseHTTPRequestHandler):
    """One connection through it."""

    protocol_version = "HTTP/1.1"
    server: Network

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.fault()
        if fault in {"hangs", "resets", "answers with a page", "lies"}:
            self._fail(fault)
            return
        connection = http.client.HTTPConnection(self.server.engine, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if fault == "answer hangs":
            self._fail("hangs")
        elif fault == "carries out and lies":
            self._fail("lies")
        else:
            self._send(answer.status, text, dict(answer.getheaders()), half=fault == "cuts")

    def _fail(self, fault: str) -> None:
        if fault == "hangs":
            time.sleep(HANGS_SECONDS)
        elif fault != "resets":
            self._send(200 if fault == "lies" else 503, PAGE, {"Content-Type": "text/html"})
            return
        self.close_connection = True

    def _send(self, status: int, text: bytes, headers: dict[str, str], *, half: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2] if half else text)
        self.close_connection = half


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with engine.running("ministack", tmp_path, keep=False) as started:
        engine.create_missing_tables(started.endpoint)
        made = Network(started.endpoint, seed=11)
        keys = engine.credentials(started.endpoint)
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
        for name, seconds in (("CONNECT_SECONDS", READ_SECONDS), ("READ_SECONDS", READ_SECONDS)):
            monkeypatch.setattr(session, name, seconds)
        monkeypatch.setattr(session, "ANSWER_SECONDS", ANSWER_SECONDS)
        runtime.reset()
        yield made
        made.shutdown()
        made.server_close()
    runtime.reset()


@pytest.mark.process
def test_every_answer_is_in_time_and_everything_is_booked_once(network: Network) -> None:
    shop = Shop()
    ada = shop.enroll("ada")
    before = shop.balance(ada)
    network.is_bad = True
    asked_again = 0
    for number in range(ORDERS):
        for _ in range(TRIES_MAX):
            began = time.monotonic()
            with runtime.within(FUNCTION_SECONDS):
                reply = shop.order(ada, f"A-{number}", 100)
            assert time.monotonic() - began < FUNCTION_SECONDS
            if reply.status < 300:
                break
            assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "try_again", "1")
            asked_again += 1
        else:
            pytest.fail(f"order {number} was never booked")
    network.is_bad = False
    assert set(network.met) == set(FAULTS)
    assert asked_again
    assert shop.balance(ada) == before + ORDERS
    assert verify.check(client.client(), settings.loyalty_table()).violations == []
