"""Asks whether a pinned package has a known vulnerability: `python -m infra.supply_chain.audit`.

It is pip-audit's answer, with one thing made plain: pip-audit takes a service that knows none of the packages for one
that knows of no vulnerability. Here what could not be asked is said, loudly; `--required` makes that a failure too.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PINS = tuple(f"infra/requirements{of}.txt" for of in ("", "-dev", "-analytics", "-checkov"))
SECONDS_MAX = 600


class Audit(NamedTuple):
    """What came of asking: the vulnerable packages with what is wrong with them, and how many others were looked up."""

    vulnerable: Sequence[str]
    sound: int
    unknown: int
    trouble: str = ""


def read(answer: Mapping[str, Any]) -> Audit:
    """What pip-audit's JSON says."""
    packages = answer["dependencies"]
    looked_up = [one for one in packages if "skip_reason" not in one]
    vulnerable = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in looked_up
        for flaw in one["vulns"]
    ]
    sound = sum(not one["vulns"] for one in looked_up)
    return Audit(vulnerable, sound, len(packages) - len(looked_up))


def ask(pins: Path) -> Audit:
    """Have pip-audit look up every pin."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--disable-pip", "--require-hashes", "--requirement", str(pins)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)  # noqa: S603
    try:
        return read(json.loads(done.stdout))
    except ValueError:
        return Audit((), 0, 0, done.stderr.strip().rpartition("\n")[2] or "pip-audit gave no answer")


def report(name: str, audit: Audit, *, is_required: bool) -> int:
    """Print what came of it; 1 if a package is vulnerable, or if `is_required` and some could not be looked up."""
    for one in audit.vulnerable:
        print(f"VULNERABLE {one}")
    print(f"{name}: {audit.sound} packages without a known vulnerability")
    if audit.trouble or audit.unknown or not audit.sound:
        why = audit.trouble or "the vulnerability service knows nothing of them"
        print(f"NOT AUDITED {name}: {audit.unknown or 'all'} packages could not be looked up: {why}")
        return 1 if audit.vulnerable or is_required else 0
    return 1 if audit.vulnerable else 0


def main(arguments: Sequence[str]) -> int:
    """Audit what ships and what it is built and tested with."""
    parser = argparse.ArgumentParser(prog="python -m infra.supply_chain.audit", description=__doc__)
    parser.add_argument("--required", action="store_true", help="fail, too, if a package could not be looked up")
    is_required = parser.parse_args(arguments).required
    return max([report(pins, ask(ROOT / pins), is_required=is_required) for pins in PINS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
