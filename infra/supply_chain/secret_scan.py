"""Looks for secrets in everything that was ever committed: `python -m infra.supply_chain.secret_scan`.

Every line of every blob of the history, and of every commit's message, goes through the detectors of detect-secrets:
formats of known services, private keys, tokens, passwords by the names that they are given, and quoted strings that
look random. What has been looked at and is none, stands in KNOWN with the reason.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = "(message)"

_PINS = "--hash=sha256:"
"""Begins the digests of pinned packages, which are random and public."""
_NO_SECRETS = frozenset({"Public IP (ipv4)"})
"""What detectors report besides secrets."""

KNOWN = {
    value: reason
    for reason, values in {
        "names what the stack makes": ("identity-secret", "the name of the secret that the stack makes"),
        "what emulators take": ("00", "bench", "local", "test", "x"),
        "stands in addresses and requests that are refused": ("p", "pass", "whsec_x"),
        "a number that is no phone's": ("12345678901234567890",),
        "the letters of referral codes": ("23456789ABCDEFGHJKMNPQRSTUVWXYZ",),
        "the letters of voucher codes": ("23456789ABCDEFGHJKMNPQRSTVWXYZ",),
    }.items()
    for value in values
}


class Finding(NamedTuple):
    """A line that looks as if it held a secret: where it was first committed, and what it looks like."""

    path: str
    kind: str
    line: str


def lines_of_history(root: Path) -> Iterator[tuple[str, str]]:
    """Every different line that was ever committed, with the path that it stood under. Binary files are left out."""
    listed = _git(root, "rev-list", "--objects", "--all").decode().splitlines()
    paths = {name: path for name, _, path in (one.partition(" ") for one in listed) if path}
    content = _git(root, "cat-file", "--batch", given="\n".join(paths).encode() + b"\n")
    seen: set[str] = set()
    place = 0
    for path in paths.values():
        header, _, _ = content[place : place + 200].partition(b"\n")
        _, kind, size = header.split()
        start = place + len(header) + 1
        place = start + int(size) + 1
        if kind == b"blob":
            yield from ((path, line) for line in _new_lines(content[start : place - 1], seen))
    yield from ((MESSAGE, line) for line in _new_lines(_git(root, "log", "--all", "--format=%B"), seen))


def findings(lines: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """The lines that look as if they held a secret, but for those in KNOWN."""
    kinds: Iterable[type[BasePlugin]] = get_mapping_from_secret_type_to_class().values()
    detectors = [kind() for kind in kinds]
    for path, line in lines:
        for detector in detectors:
            for secret in detector.analyze_line(filename=path, line=line):
                if secret.type not in _NO_SECRETS and secret.secret_value not in KNOWN:
                    yield Finding(path, secret.type, line.strip())


def main() -> int:
    """Print what was found, and how much was looked at; 1 if anything was found."""
    if _git(ROOT, "rev-parse", "--is-shallow-repository").strip() == b"true":
        print("this clone has not the whole history: nothing can be said about what was committed")
        return 1
    lines = list(lines_of_history(ROOT))
    found = list(findings(lines))
    for one in found:
        # Not the line: what is printed in CI is kept, too.
        print(f"{one.path}: {one.kind}")
    print(f"{len(lines)} different lines of the whole history, {len(found)} of which look like secrets")
    return 1 if found else 0


def _new_lines(content: bytes, seen: set[str]) -> Iterator[str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    for line in text.splitlines():
        if line not in seen and _PINS not in line:
            seen.add(line)
            yield line


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
