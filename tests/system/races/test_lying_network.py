"""A network that hangs, cuts, resets and lies between the functions and their engine: answered in time, booked once.

`tests/functions/test_silent_database.py` has more answers, without an engine; here botocore meets real sockets.
"""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from infra.machine import engine
from infra.tools import verify
from shared import runtime, settings
from shared.aws import session
from shared.tables import client
from tests.functions.conftest import ENVIRONMENT
from tests.functions.shop import Reply, Shop

pytestmark = pytest.mark.process

FUNCTION_SECONDS = 5.0
READ_SECONDS, ANSWER_SECONDS = 0.5, 2.5
"""Shorter than in the cloud while the network is bad, as a function's time is; else an engine has all that it needs."""
HANGS_SECONDS = 3 * READ_SECONDS
TRIES_MAX = 20
FAULTS = ("hangs", "answer hangs", "cuts", "resets", "answers with a page", "lies", "carries out and lies")
PAGE = b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
FOR_EVER = 10**6


class Network(ThreadingHTTPServer):
    """Stands before an engine, and strikes while it is told to."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.engine = endpoint.removeprefix("http://")
        self.met = 0
        self._fault, self._left = "", 0
        self._counting = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @contextmanager
    def bad(self, fault: str, times: int) -> Iterator[None]:
        """Within the block, so many requests meet a fault, and a function has no more than `FUNCTION_SECONDS`."""
        self._fault, self._left, self.met = fault, times, 0
        with pytest.MonkeyPatch.context() as patch:
            for name in ("CONNECT_SECONDS", "READ_SECONDS"):
                patch.setattr(session, name, READ_SECONDS)
            patch.setattr(session, "ANSWER_SECONDS", ANSWER_SECONDS)
            runtime.forget()  # clients keep the seconds that they were made with
            client.client()  # making one takes a while, and none of the function's time
            try:
                with runtime.within(FUNCTION_SECONDS):
                    yield
            finally:
                self._left = 0
                runtime.forget()

    def fault(self) -> str:
        """What happens to the next request; nothing, mostly."""
        with self._counting:
            if not self._left:
                return ""
            self._left -= 1
            self.met += 1
            return self._fault


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
        # The engine answers to its own name alone.
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"connection", "host"}}
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


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder: Path = tmp_path_factory.mktemp("engine")
    with pytest.MonkeyPatch.context() as monkeypatch, engine.running("ministack", folder, keep=False) as started:
        engine.create_missing_tables(started.endpoint)
        made = Network(started.endpoint)
        keys = engine.credentials(started.endpoint)
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
        runtime.reset()
        yield made
        made.shutdown()
        made.server_close()
    runtime.reset()


@pytest.fixture(scope="module")
def shop(network: Network) -> Shop:
    assert not network.met  # it is good still
    return Shop()


@pytest.fixture(scope="module")
def ada(shop: Shop) -> str:
    return shop.enroll("ada")


NUMBERS = count()


def ordered(shop: Shop, member_id: str, order_id: str) -> Reply:
    """The answer to an order: it is booked, or 503 says to try again."""
    reply = shop.order(member_id, order_id, 100)
    if reply.status != 201 and not reply.replayed:
        assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "try_again", "1")
    return reply


def booked_in_the_end(shop: Shop, member_id: str, order_id: str) -> None:
    for _ in range(TRIES_MAX):
        if ordered(shop, member_id, order_id).status < 300:
            return
    pytest.fail(f"{order_id} was never booked")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "lasting"])
def test_whatever_the_network_does_the_answer_is_in_time_and_an_order_is_booked_once(
    network: Network, shop: Shop, ada: str, fault: str, times: int
) -> None:
    before, order_id = shop.balance(ada), f"A-{next(NUMBERS)}"
    with network.bad(fault, times):
        began = time.monotonic()
        reply = ordered(shop, ada, order_id)
        assert time.monotonic() - began < FUNCTION_SECONDS
        assert network.met
    if times == FOR_EVER:
        assert reply.status == 503
    booked_in_the_end(shop, ada, order_id)
    assert shop.balance(ada) == before + 1
    assert verify.check(client.client(), settings.loyalty_table()).violations == []
