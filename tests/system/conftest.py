"""`loyalty dev` as a developer runs it: a process of its own, spoken to over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local.tokens import Issuer
from shared.caller import MEMBER, OPERATOR, STOREFRONT
from tests.system.contract import assert_documented

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START_SECONDS_MAX = 40
STOP_SECONDS_MAX = 20
LOYALTY = Path(sys.executable).with_name("loyalty")


class Server:
    """A running `loyalty dev`, what it printed, and calls to it."""

    def __init__(self, process: subprocess.Popen[str], printed: str, home: Path) -> None:
        self.process = process
        self.printed = printed
        self.home = home
        found = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert found, printed
        self.url = found[0]
        key = (home / "loyalty-functions" / "signing-key.pem").read_bytes()
        signing = serialization.load_pem_private_key(key, password=None)
        assert isinstance(signing, rsa.RSAPrivateKey)
        issuer, sample = Issuer(signing), httpx.get(f"{self.url}/_local").json()["sample_member"]
        self.tokens = {"storefront": issuer.token([STOREFRONT]), "operator": issuer.token([OPERATOR])}
        if sample:
            self.tokens["member"] = issuer.token([MEMBER], sample)
        self.http = httpx.Client(base_url=self.url, timeout=60, event_hooks={"response": [assert_documented]})

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str = "storefront",
        key: str | None = None,
        **more: Any,
    ) -> httpx.Response:
        """A request with the token of a scope."""
        headers = {"Authorization": f"Bearer {self.tokens[scope]}", **more.pop("headers", {})}
        if key:
            headers["Idempotency-Key"] = key
        return self.http.request(method, path, json=body, headers=headers, **more)

    def post(self, path: str, body: Any = None, key: str | None = None, **more: Any) -> httpx.Response:
        """A POST request."""
        return self.call("POST", path, body, key=key, **more)

    def enroll(self, name: str) -> str:
        """A new member's id."""
        answer = self.post("/v1/members", {"external_id": name, "email": f"{name}@example.org"}, key=f"join-{name}")
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["member_id"])

    def order(self, member_id: str, order_id: str, total: int) -> httpx.Response:
        """Credit an order placed now, by the server's clock."""
        now = self.http.get("/_local/clock").json()["now"]
        body = {"type": "order", "order_id": order_id, "placed_at": now, "currency": "USD", "total": total}
        return self.post(f"/v1/members/{member_id}/earn", body)

    def account(self, member_id: str) -> dict[str, Any]:
        """The account as the storefront reads it."""
        answer = self.call("GET", f"/v1/members/{member_id}/account")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def change_program(self, **sections: Any) -> None:
        """Put sections of the program in place of what they were."""
        whole = self.call("GET", "/v1/program/whole", scope="operator").json()
        version = {"If-Match": f'"{whole["version"]}"'}
        answer = self.call("PUT", "/v1/program", {**whole, **sections}, scope="operator", headers=version)
        assert answer.status_code == 200, answer.text

    def is_sound(self) -> bool:
        """Whether no invariant is broken anywhere."""
        report = self.http.get("/_local/verify").json()
        return bool(report["accounts"]) and not report["violations"]

    def database(self) -> "DynamoDBClient":
        """A client of the database behind it, by what the server has noted for other commands."""
        note = json.loads((self.home / "loyalty-functions" / "servers" / f"{self.process.pid}.json").read_text())
        given = note["environment"]
        return boto3.client(
            "dynamodb",
            endpoint_url=note["endpoint"],
            region_name=given["AWS_REGION"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `loyalty` command of the same user."""
        return run_loyalty(self.home, *arguments)


def run_loyalty(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `loyalty` command, and what it printed."""
    environment = {**os.environ, "XDG_STATE_HOME": str(home)}
    return subprocess.run(
        [LOYALTY, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def children(parent: int, word: str) -> list[int]:
    """The processes that `parent` has started, of those with a word in their command."""
    columns = ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="]
    listed = subprocess.run(columns, capture_output=True, text=True, check=True).stdout
    found = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, of, command in found if int(of) == parent and word in command]


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[Server]:
    """`loyalty dev` with these arguments; stopped as Ctrl-C would, and gone when the block ends."""
    process = subprocess.Popen(
        # Nobody reads what it would say of each request, and a full pipe would hold it up.
        [LOYALTY, "dev", "--quiet", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        printed, deadline = "", time.monotonic() + START_SECONDS_MAX
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, printed
            assert time.monotonic() < deadline, printed
            printed += line
        server = Server(process, printed, home)
        with server.http:
            yield server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.stdout.close()
            process.kill()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests that need no other."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as running:
        yield running
