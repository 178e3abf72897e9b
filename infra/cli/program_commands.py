"""What `loyalty program` prints."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from infra.errors import LocalError, UsageError
from infra.local.tokens import Issuer
from infra.machine import server_registry
from infra.tools import program_file
from shared.caller import OPERATOR

_SECONDS_MAX = 30


def run_check(path: Path, *, strict: bool) -> int:
    """Name every fault and all advice; the exit status, 1 for a fault, with `strict` for advice too."""
    text = program_file.load(path)
    faults = program_file.faults(text)
    for fault in faults:
        print(f"fault at {fault.pointer or 'the whole'}: {fault.detail}")
    if faults:
        print(f"{path}: {len(faults)} faults; advice comes once there are none")
        return 1
    unwise = program_file.counsel(text)
    for one in unwise:
        print(f"warning at {one.pointer}: {one.text}")
    print(f"{path}: no faults, {len(unwise)} warnings")
    return 1 if strict and unwise else 0


def run_put(path: Path) -> int:
    """Store a program on the running local server; the exit status, 1 if the server refuses it."""
    server = server_registry.find()
    if server is None:
        raise UsageError("no local server is running: start `loyalty dev`")
    text = program_file.load(path)
    url = f"{server.url}/v1/program"
    with urllib.request.urlopen(url, timeout=_SECONDS_MAX) as answer:  # noqa: S310 - a local server's own address
        version = answer.headers["ETag"]
    if isinstance(text, dict):
        text.pop("version", None)
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {Issuer.of_this_user().token([OPERATOR], None)}",
        "If-Match": version,
    }
    request = urllib.request.Request(url, json.dumps(text).encode(), headers, method="PUT")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_MAX) as answer:  # noqa: S310
            print(f"{server.url} has version {json.load(answer)['version']} of the program")
    except urllib.error.HTTPError as error:
        return _refused(json.load(error))
    except OSError as error:
        raise LocalError(f"{server.url} does not answer: {error}") from error
    return 0


def _refused(problem: dict[str, Any]) -> int:
    print(f"refused, {problem['code']}: {problem['detail']}", file=sys.stderr)
    for fault in problem.get("errors", ()):
        print(f"fault at {fault['pointer'] or 'the whole'}: {fault['detail']}", file=sys.stderr)
    return 1
