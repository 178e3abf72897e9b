"""The packages of reports on the whole ledger: an extra, installed by the first command that makes one."""

import subprocess
import sys
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from infra.errors import LocalError
from infra.machine import environment

PINS = Path(__file__).parents[1] / "requirements-analytics.txt"
NAMES = ("duckdb", "scipy", "sqlglot", "xlsxwriter")
"""What the reports import."""


def require() -> None:
    """Install the extra's pinned packages beside this one, unless they are there. Raises LocalError if pip cannot."""
    if all(find_spec(name) for name in NAMES):
        return
    print("installing what reports need: half a minute, the first time", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--requirement", str(PINS)]
    with environment.restored():
        environment.recall_the_shell()  # pip needs its proxies
        status = subprocess.run(command, check=False).returncode  # noqa: S603
    if status:
        raise LocalError("the packages for reports could not be installed: pip says why above")
    invalidate_caches()
