"""Processes that never outlive the one that started them.

A child reads its configuration, one line of JSON, from its standard input, and stops when that input ends. The parent
keeps the other end open; the kernel closes it however the parent goes, `kill -9` included.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

_STDIN = 0
_READ_BYTES = 65536
STOP_SECONDS_MAX = 30
SAVE_SECONDS_MAX = 600
"""The same for a process that saves its state before it ends: some ten seconds for a hundred thousand items."""


def start(
    module: str,
    config: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    output: BinaryIO | None = None,
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Run `module` in its own process with `config`; what it prints goes to `output`, or where ours goes.

    `descriptors` stay open in the child. It gets a session of its own: a Ctrl-C reaches the parent alone, which
    then stops its children in order.
    """
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=dict(environment),
        pass_fds=descriptors,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.write(json.dumps(config).encode() + b"\n")
    process.stdin.flush()
    return process


def stop(process: subprocess.Popen[bytes], seconds_max: float = STOP_SECONDS_MAX) -> None:
    """End a child: politely, and for good when it has not ended so many seconds later."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin:
            process.stdin.close()


def read_config(stop_seconds_max: float = STOP_SECONDS_MAX) -> dict[str, Any]:
    """In the child: its configuration. From here on it ends when its parent does, at most so many seconds later."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(_STDIN, _READ_BYTES)
        if not chunk:
            raise EOFError("the parent ended before it gave a configuration")
        line += chunk
    threading.Thread(target=_end_with_parent, args=(stop_seconds_max,), name="leash", daemon=True).start()
    config: dict[str, Any] = json.loads(line)
    return config


def _end_with_parent(seconds_max: float) -> None:
    while os.read(_STDIN, _READ_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(seconds_max)
    os.kill(os.getpid(), signal.SIGKILL)
