"""What a page of the web can do to a developer's machine through a real browser: nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.system.browser import REBOUND, Attack, browser, look_at, visit
from tests.system.conftest import Server, serving

pytestmark = pytest.mark.process

SCAN = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0"}
KEY = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
ON_ENGINES = (
    Attack("functions", "POST", "/2015-03-31/functions", '{"FunctionName": "theirs"}', {}),
    Attack("invocation", "POST", "/2015-03-31/functions/theirs/invocations", "{}", {}),
    Attack("scan", "POST", "/", '{"TableName": "people"}', SCAN),
    Attack("signed scan", "POST", "/", '{"TableName": "people"}', {**SCAN, "Authorization": KEY}),
    Attack("ministack", "POST", "/_ministack/reset", "", {}),
    Attack("settings", "POST", "/_ministack/config", "{}", {}),
    Attack("moto", "POST", "/moto-api/reset", "", {}),
    Attack("data", "GET", "/moto-api/data.json", "", {}),
)
ON_SERVER = (
    Attack("clock", "POST", "/_local/clock", '{"now": "2030-01-01T00:00:00Z"}', {"Content-Type": "text/plain"}),
    Attack("mailbox", "GET", "/_local/mailbox", "", {}),
)


class Naive(BaseHTTPRequestHandler):
    """Answers whomever it is asked by, as an engine does that nobody guards."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_OPTIONS(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(200)
        for name in ("Origin", "Headers", "Methods"):
            self.send_header(f"Access-Control-Allow-{name}", "*" if name != "Headers" else "*, Authorization")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")


@contextmanager
def unguarded() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The address of a server without a guard, and what it was asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Naive) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def test_the_page_does_harm_where_nobody_guards(tmp_path: Path) -> None:
    with unguarded() as (target, asked):
        results = visit("localhost", [target], ON_ENGINES, tmp_path)
    assert {one.unasked for one in results} == {"sent"}
    assert {one.read for one in results} == {"200 secret"}
    assert {("POST", "/2015-03-31/functions"), ("POST", "/_ministack/reset"), ("GET", "/moto-api/reset")} <= set(asked)


@pytest.fixture(scope="module", params=["ministack", "moto"])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    browser()
    with serving(tmp_path_factory.mktemp("home"), "--engine", request.param, "--empty") as server:
        server.enroll("ada")
        yield server


@pytest.mark.parametrize("origin", ["localhost", REBOUND])
def test_a_page_in_a_browser_does_nothing_to_what_a_developer_runs(
    attacked: Server, origin: str, tmp_path: Path
) -> None:
    database = attacked.database()
    engine = str(database.meta.endpoint_url)
    before = _everything(database)
    assert before
    for url, attacks in ((engine, ON_ENGINES), (attacked.url, ON_SERVER)):
        targets = [url.replace("127.0.0.1", name) for name in ("127.0.0.1", "localhost", REBOUND)]
        for result in visit(origin, targets, attacks, tmp_path):
            assert result.read == "blocked", result
    assert _everything(database) == before
    assert attacked.http.get("/_local/clock").json()["now"] < "2030"


def test_a_name_of_their_own_shows_nothing_of_an_engine_or_a_server(attacked: Server, tmp_path: Path) -> None:
    for url in (str(attacked.database().meta.endpoint_url), attacked.url):
        for path in ("/", "/_local/mailbox", "/_ministack/health", "/moto-api/data.json", "/v1/program"):
            page = look_at(url.replace("127.0.0.1", REBOUND) + path, tmp_path)
            assert "loopback addresses only" in page, path


def _everything(database: Any) -> list[Any]:
    pages = [database.get_paginator("scan").paginate(TableName=name) for name in ("loyalty", "people")]
    items = [item for table in pages for page in table for item in page["Items"]]
    # Events and messages about the example members may still be on their way.
    kept = [item for item in items if not item["pk"]["S"].startswith(("ANNOUNCED#", "MESSAGE#", "SCHEDULE"))]
    return sorted(kept, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
