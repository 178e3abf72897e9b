"""No page of the web, and nobody without its key, has an engine of this machine do anything."""

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from infra.machine import engine, engine_keys, folders
from infra.machine.engine import Kind
from infra.machine.guard import Guard
from infra.tables import PEOPLE

KEY, PORT = "0123456789abcdef0123456789abcdef", 4000
HOST = f"127.0.0.1:{PORT}"
SECRET_ITEM: Any = {"pk": {"S": "MEMBER#ada"}, "sk": {"S": "PROFILE"}}


def signed(key: str = KEY, service: str = "dynamodb") -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )


def _refused(guard: Guard, path: str = "/", query: str = "", **headers: str) -> bool:
    given = {"host": HOST, "authorization": signed(), **{name.replace("_", "-"): one for name, one in headers.items()}}
    return guard.refusal(path, query, [(name, one) for name, one in given.items() if one]) is not None


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}"])
def test_who_has_the_key_and_names_this_machine_is_let_through(host: str) -> None:
    assert not _refused(Guard(KEY, PORT), host=host)
    assert not _refused(Guard(KEY, PORT), host=host, origin=f"http://{host}", sec_fetch_site="same-origin")
    assert not _refused(Guard(KEY, PORT), authorization="", query=f"X-Amz-Credential={KEY}/20261120/x/dynamodb/y")


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", f"127.0.0.1:{PORT}@evil.example",
     "127.0.0.1", "127.0.0.1:80", f"0.0.0.0:{PORT}", f"LOCALHOST.evil:{PORT}"],
)  # fmt: skip
def test_another_name_for_this_machine_is_refused(host: str) -> None:
    assert _refused(Guard(KEY, PORT), host=host)


def test_two_hosts_are_none() -> None:
    headers = [("host", HOST), ("host", "evil.example"), ("authorization", signed())]
    assert Guard(KEY, PORT).refusal("/", "", headers) is not None


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:8080", f"https://{HOST}", f"http://localhost:{PORT}"]
)
def test_pages_of_other_sites_and_of_other_ports_are_refused(origin: str) -> None:
    assert _refused(Guard(KEY, PORT), origin=origin)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_for_which_browsers_send_no_origin_is_refused(site: str) -> None:
    assert _refused(Guard(KEY, PORT), sec_fetch_site=site)


@pytest.mark.parametrize(
    "authorization",
    ["", signed("test"), signed("local"), signed("000000000000"), signed(""), signed(KEY[:-1]), signed(KEY.upper()),
     signed("ASIA0123456789ABCDEF"), f"Bearer {KEY}", signed(service="lambda"), signed(service="s3")],
)  # fmt: skip
def test_who_has_no_key_or_asks_for_another_service_is_refused(authorization: str) -> None:
    assert _refused(Guard(KEY, PORT), authorization=authorization)


def test_two_credentials_are_none() -> None:
    assert _refused(Guard(KEY, PORT), query=f"X-Amz-Credential={KEY}/20261120/x/dynamodb/y")


@pytest.mark.parametrize(
    "path",
    ["/_ministack/reset", "/_ministack/config", "/_localstack/state/reset", "/moto-api/reset", "/moto-api/data.json"],
)
def test_nobody_empties_an_engine(path: str) -> None:
    assert _refused(Guard(KEY, PORT, None), path=path)
    assert _refused(Guard(KEY, PORT, None, pages=("/",)), path=path)


def test_what_is_opened_asks_no_key_and_pages_reach_no_more_than_is_theirs() -> None:
    guard = Guard(KEY, PORT, None, published=("/login",), pages=("/api/",), sessions="ASIA")
    foreign = "https://shop.example"
    assert not _refused(guard, path="/login", authorization="")
    assert _refused(guard, path="/login", authorization="", origin=foreign)
    assert not _refused(guard, path="/api/x", authorization="", origin=foreign)
    assert _refused(guard, path="/api/x", authorization="", origin=foreign, host="evil.example")
    assert _refused(guard, path="/", authorization="")
    assert not _refused(guard, path="/", authorization=signed("ASIA0123456789ABCDEF", "sqs"))
    assert _refused(guard, path="/", authorization=signed("test", "sqs"))


def test_a_guard_is_the_same_after_its_journey() -> None:
    guard = Guard(KEY, PORT, None, published=("/login",), pages=("/api/",), sessions="ASIA")
    assert Guard.of(json.loads(json.dumps(guard.__dict__))) == guard


class Running(NamedTuple):
    """An engine that has somebody's personal data."""

    kind: Kind
    endpoint: str

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> int:
        """The status of an answer to a caller who may send whatever headers they like."""
        connection = HTTPConnection(urlsplit(self.endpoint).netloc, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()

    def items(self) -> Any:
        """What its user finds in it."""
        return engine.client(self.endpoint).scan(TableName=PEOPLE.name)["Items"]


@pytest.fixture(scope="module", params=["ministack", "moto"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("engine")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(folder / "home"))
        started = stack.enter_context(engine.running(request.param, folder, keep=False))
        engine.create_missing_tables(started.endpoint)
        engine.client(started.endpoint).put_item(TableName=PEOPLE.name, Item=SECRET_ITEM)
        yield Running(request.param, started.endpoint)


SCAN = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("POST", "/", {**SCAN, "Authorization": signed("test")}, b'{"TableName": "people"}'),
        ("POST", "/", SCAN, b'{"TableName": "people"}'),
        ("POST", "/2015-03-31/functions", {"Content-Type": "text/plain"}, b"{}"),
        ("POST", "/2015-03-31/functions", {"Authorization": signed("test", "lambda")}, b"{}"),
        ("POST", "/_ministack/reset", {}, b""),
        ("POST", "/_ministack/config", {}, b"{}"),
        ("POST", "/moto-api/reset", {}, b""),
        ("GET", "/moto-api/data.json", {}, b""),
        ("GET", "/", {}, b""),
        ("OPTIONS", "/", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}, b""),
    ],
)
def test_an_engine_does_nothing_for_a_stranger(
    running: Running, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    assert running.ask(method, path, headers, body) == 403
    assert running.items() == [SECRET_ITEM]


def test_an_engine_does_nothing_for_a_page_of_another_site_even_with_the_key(running: Running) -> None:
    good = {**SCAN, "Authorization": signed(engine_keys.key_of(running.endpoint))}
    body = b'{"TableName": "people"}'
    assert running.ask("POST", "/", good, body) == 200
    for foreign in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert running.ask("POST", "/", {**good, **foreign}, body) == 403


def test_an_engine_has_tables_and_no_other_service(running: Running) -> None:
    key = engine_keys.key_of(running.endpoint)
    assert running.ask("GET", "/2015-03-31/functions", {"Authorization": signed(key, "lambda")}) == 403
    if running.kind == "ministack":
        # Behind the guard, too: a name for the service is all that a request has to change.
        assert running.ask("GET", "/2015-03-31/functions", {"Authorization": signed(key)}) in range(400, 600)


def test_each_start_has_a_key_of_its_own_which_its_user_alone_can_read(
    home: Path,  # noqa: ARG001 - set for the process
) -> None:
    endpoint, keys = "http://127.0.0.1:9", set()
    for _ in range(2):
        with engine_keys.made_for(endpoint) as key:
            keys.add(key)
            [note] = (folders.state_folder() / "engines").iterdir()
            assert note.read_text() == engine_keys.key_of(endpoint) == key
            assert stat.S_IMODE(note.stat().st_mode) & 0o077 == 0
        assert engine_keys.key_of(endpoint) == engine_keys.NOT_OURS
    assert len(keys) == 2
    assert all(len(key) * 4 >= 128 for key in keys)
