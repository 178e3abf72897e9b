"""An exchange with an endpoint has one deadline, however the endpoint stretches it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import Webhook
from shared.messaging import webhook_requests
from shared.tables import webhooks

NOW = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)
SECONDS, SLACK_SECONDS = 1, 3
"""The deadline in these tests, and what a busy machine may add."""
EVENT = Event(
    event_id="e",
    type="points.earned",
    member_id="m",
    sequence=1,
    occurred_at=NOW,
    recorded_at=NOW,
    points=1,
    balance_after=1,
    program_version=1,
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_requests, "EXCHANGE_SECONDS", SECONDS)
    monkeypatch.setattr(webhook_requests, "body_of", lambda _: "{}")
    monkeypatch.setattr(webhooks, "secrets", lambda *_: ["whsec_" + "AA" * 16])
    monkeypatch.setenv("WEBHOOK_TARGETS", "anywhere")


@contextmanager
def _endpoint(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """An endpoint's port; it talks as it likes, and stops when nobody listens any more."""
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller, suppress(OSError):
                talk(caller)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ending.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _dripping(text: bytes) -> Callable[[socket.socket], None]:
    """Sends a byte every tenth of the deadline, for ever: each well within any time-out."""

    def talk(caller: socket.socket) -> None:
        for number in range(1000):
            caller.sendall(text[number : number + 1] or b"x")
            time.sleep(SECONDS / 10)

    return talk


def _silent(caller: socket.socket) -> None:
    while caller.recv(1000):
        pass


def _repeating(caller: socket.socket) -> None:
    while True:
        caller.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(SECONDS / 10)


def _post(url: str) -> tuple[Any, float]:
    started = time.monotonic()
    answer = webhook_requests.post(Webhook(webhook_id="w", url=url, created_at=NOW), EVENT, NOW)
    return answer, time.monotonic() - started


@pytest.mark.parametrize(
    "talk",
    [_dripping(b"HTTP/1.1 200 OK\r\nX-A: "), _dripping(b""), _silent, _repeating],
    ids=["a header for ever", "a status for ever", "nothing", "wait, and wait"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_endpoint_is_given_up_after_one_deadline_for_all(talk: Callable[[socket.socket], None], scheme: str) -> None:
    with _endpoint(talk) as port:
        answer, took = _post(f"{scheme}://127.0.0.1:{port}/hook")
    assert answer.status is None
    if scheme == "http":
        assert answer.problem == f"no answer within {SECONDS} seconds"
    assert took < SECONDS + SLACK_SECONDS


def test_a_receiver_that_drips_through_tls_is_given_up_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = _contexts(tmp_path)
    monkeypatch.setattr(ssl, "create_default_context", lambda: client)

    def talk(caller: socket.socket) -> None:
        with server.wrap_socket(caller, server_side=True) as wrapped:
            _dripping(b"HTTP/1.1 200 OK\r\nX-A: ")(wrapped)

    with _endpoint(talk) as port:
        answer, took = _post(f"https://localhost:{port}/hook")
    assert answer == (None, f"no answer within {SECONDS} seconds")
    assert took < SECONDS + SLACK_SECONDS


def test_an_answer_is_its_status_and_what_follows_is_not_waited_for() -> None:
    with _endpoint(_dripping_body) as port:
        answer, took = _post(f"http://127.0.0.1:{port}/hook")
    assert answer == (204, None)
    assert took < SECONDS


def _dripping_body(caller: socket.socket) -> None:
    caller.recv(10_000)
    caller.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    _dripping(b"")(caller)


def test_who_refuses_the_connection_is_told_from_who_is_slow() -> None:
    answer, _ = _post("http://127.0.0.1:9/hook")
    assert answer == (None, "NewConnectionError")


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS and that of a client who trusts it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), begins, begins + timedelta(9)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, private)
    return server, ssl.create_default_context(cafile=str(pem))
