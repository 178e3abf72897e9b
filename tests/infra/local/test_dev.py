"""`loyalty dev` leaves nothing behind, however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

SECONDS_MAX = 40


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
@pytest.mark.process
def test_whatever_ends_it_ends_the_engine_and_the_server_too(
    number: signal.Signals, status: int, tmp_path: Path, home: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "infra.cli.main", "dev"], stdout=output, stderr=output)
    try:
        _await(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None)
        [url] = re.findall(r"at (http://127\.0\.0\.1:\d+)", log.read_text())
        assert httpx.get(f"{url}/_local").json()["pid"] == process.pid
        children = _children_of(process.pid)
        assert len(children) == 2
        if number == signal.SIGTERM:
            os.kill(children[-1], signal.SIGKILL)  # the server, started last, which is started again
            assert _await(lambda: "starting again" in log.read_text() and _answers(url))
            children = _children_of(process.pid)
        process.send_signal(number)
        assert process.wait(SECONDS_MAX) == status
        assert _await(lambda: not any(_exists(child) for child in children))
    finally:
        process.kill()
        process.wait()
    notes = list((home / "loyalty-functions" / "servers").iterdir())
    assert (notes == []) is (number != signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_local").is_success
    except httpx.HTTPError:
        return False


def _children_of(pid: int) -> list[int]:
    columns = ["ps", "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(columns, capture_output=True, text=True, check=True).stdout
    pairs = (map(int, line.split()) for line in listed.splitlines())
    return [child for child, parent in pairs if parent == pid]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _await(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
