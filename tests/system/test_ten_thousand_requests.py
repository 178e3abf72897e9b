"""Ten thousand requests that schemathesis makes of the OpenAPI document, every one answered as it says.

`pytest -m long -s tests/system/test_ten_thousand_requests.py` prints how many; SEED=n makes others.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from infra import openapi, tools
from tests.functions.test_contract import SETTINGS
from tests.system.conftest import Server, serving

SEED = int(os.environ.get("SEED", "20261122"))
CASES_MIN = 10_000
EXAMPLES = 20
SECONDS_MAX = 1200
OWN_SCOPES = ("loyalty/storefront", "loyalty/operator", "loyalty/member")
CALLERS = {"the shop, its operator and a member": OWN_SCOPES, "a member": OWN_SCOPES[2:], "a partner": ()}
PARTNER = "corner-cafe"
PROGRAM = Path(tools.__file__).with_name("example_program.json")


@pytest.mark.long
def test_ten_thousand_requests_are_answered_as_documented(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        members = {caller: server.enroll(f"member-{number}") for number, caller in enumerate(CALLERS)}
        printed: list[str] = []
        threading.Thread(target=lambda: printed.extend(server.process.stdout or ()), daemon=True).start()
        assert server.command("program", "put", str(PROGRAM)).returncode == 0
        runs = {caller: requests(server, scopes, members[caller], tmp_path) for caller, scopes in CALLERS.items()}
        assert server.is_sound()
    assert not [line for line in printed if "Traceback" in line], "".join(printed)
    for caller, run in runs.items():
        found = {failure["title"]: failure["operations"] for failure in run["failures"]}
        print(f"{caller}: {run['test_cases']['generated']} cases, seed {run['seed']}, {found or 'nothing found'}")
        assert not found
        assert not run["errors"]
    total = sum(run["test_cases"]["generated"] for run in runs.values())
    print(f"{total} cases in {len(runs)} runs, no 5xx and no undocumented answer")
    assert total >= CASES_MIN


def requests(server: Server, scopes: tuple[str, ...], member_id: str, folder: Path) -> dict[str, Any]:
    """What schemathesis reports of the requests that a caller with these scopes may make, and of those they may not."""
    token = server.command("token", *_claims(scopes, member_id)).stdout.strip()
    report = folder / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run"]
    command += [f"{server.url}{openapi.DOCUMENT_PATH}", "--header", f"Authorization: Bearer {token}"]
    # One worker: parsing in two threads at once, which Hypothesis does, fails on early versions of Python 3.11.
    command += [
        "--workers",
        "1",
        "--seed",
        str(SEED),
        "--max-examples",
        str(EXAMPLES),
        "--continue-on-failure",
        "--no-color",
    ]
    command += ["--suppress-health-check", "all", "--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, cwd=folder)
    (folder / "report.txt").write_text(done.stdout.replace(token, "..."))
    if done.returncode:
        print(done.stdout.replace(token, "...")[-20_000:], done.stderr[-2000:])
    made: dict[str, Any] = json.loads(report.read_text())
    return made


def _claims(scopes: tuple[str, ...], member_id: str) -> list[str]:
    if not scopes:
        return ["--scope", "loyalty/partner", "--partner-id", PARTNER]
    return [*(part for scope in scopes for part in ("--scope", scope)), "--member", member_id]
