"""The packages of reports on the whole ledger: an extra, installed by the first command that makes one."""

import re
import subprocess
import sys
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from infra.errors import LocalError
from infra.machine import environment

PINS = Path(__file__).parents[1] / "requirements-analytics.txt"
NAMES = ("duckdb", "scipy", "sqlglot", "xlsxwriter")
"""What the reports import."""
_PIN = re.compile(r"^([\w.-]+)==(\S+) \\$", flags=re.MULTILINE)
"""A package and its version, which every machine needs."""


def require() -> None:
    """Install the extra's pinned packages beside this one, unless these very ones are there.

    Raises LocalError if pip cannot.
    """
    if all(_installed(name) == pinned for name, pinned in _PIN.findall(PINS.read_text())):
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


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
