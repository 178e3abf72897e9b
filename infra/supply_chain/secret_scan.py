"""Looks for secrets in everything that was ever committed: `python -m infra.supply_chain.secret_scan`.

detect-secrets scans files; here it scans every line that any commit added, and every commit's message. What was looked
at and is not a secret is in KNOWN, with the reason.
"""

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = "(message)"

_ADDED = "\x01"
"""Begins an added line in a diff. The usual + also begins the line that names a file."""

KNOWN = {
    value: reason
    for reason, values in {
        "names what the stack makes": (
            "identity-secret",
            "the name of the secret that the stack makes",
            "IdentityKeyF50EF652",
            "LogicalResourceId/IdentityKeyF50EF652",
        ),
        "what emulators take": ("00", "bench", "identity", "local", "test", "x"),
        "a made-up key of a session in a test": ("ASIA0123456789ABCDEF",),
        "an operator's note in a test": ("looks like fraud",),
        "appears in addresses and requests that are refused": ("p", "pass", "whsec_x"),
        "not a phone number": ("12345678901234567890",),
        "pools in the data that releases have stored for tests": (
            "61bce3ed46be73e3984e3ebb02e84518",
            "c39c35b63a38faf5e7782b68c006c90d",
        ),
        "a made-up pool in a test": ("0123456789abcdef0123456789abcdef",),
        "pools and gifts in the examples of the document": (
            "1017b63658f022a2309b4a5a94f7bbb1",
            "bae432f838d0893ae1cefe7cf3363145",
            "91c01f56ed1d01dbcfa4f0e79023b035",
        ),
        "keys of webhooks in the examples of the document": (
            "whsec_LArKgL/HCnOeTyQXk2dcO6HSg18P/LWen7MStQjaZx4=",
            "whsec_iYVA+pfj+iwvrssAFY52H8TBYnFBAo8gqNJt8t9Yz+w=",
        ),
        "a token without a signature, which is refused": ("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4In0.",),
        "the name of a group of messages in a test": ("b",),
        "the digits at the end of what the CDK names": ("0123456789ABCDEF",),
        "the letters of referral codes": ("23456789ABCDEFGHJKMNPQRSTUVWXYZ",),
        "the letters of voucher codes": ("23456789ABCDEFGHJKMNPQRSTVWXYZ",),
        "the letters of invitations": ("0123456789ABCDEFGHJKMNPQRSTVWXYZ",),
    }.items()
    for value in values
}


class Finding(NamedTuple):
    """What looks like a secret: the path under which it was committed, and what it looks like."""

    path: str
    kind: str


def lines_of_history(root: Path) -> Mapping[str, Sequence[str]]:
    """The lines that were ever added to each path, and those of the messages. Binary files are left out."""
    lines = defaultdict(list, {MESSAGE: _git(root, "log", "--all", "--format=%B").split("\n")})
    diffs = ["--patch", "-m", "--unified=0", "--no-color", "--dst-prefix=", f"--output-indicator-new={_ADDED}"]
    path = ""
    for line in _git(root, "log", "--all", "--format=", *diffs).split("\n"):
        if line.startswith(_ADDED):
            lines[path].append(line.removeprefix(_ADDED))
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ")
    return lines


def findings(lines: Mapping[str, Sequence[str]]) -> set[Finding]:
    """What looks like a secret in the lines of each path, but for what is in KNOWN."""
    with tempfile.TemporaryDirectory() as folder, default_settings() as settings:
        settings.disable_plugins("IPPublicDetector")
        settings.configure_filters([{"path": f"{is_known.__module__}.{is_known.__name__}"}])
        found = SecretsCollection(folder)
        # A path may have been a file once, and a folder later: each has a folder of its own.
        for number, path in enumerate(lines):
            copy = Path(folder, str(number), path)
            copy.parent.mkdir(parents=True)
            copy.write_text("\n".join(lines[path]), encoding="utf-8")
            found.scan_file(f"{number}/{path}")
    return {Finding(name.partition("/")[2], secret.type) for name, secret in found}


def is_known(secret: str) -> bool:
    """Whether something that looks like a secret is in KNOWN: a filter of detect-secrets."""
    return secret in KNOWN


def main() -> int:
    """Print what was found, and how much was looked at; 1 if anything was found."""
    if _git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        print("this clone has not the whole history: nothing can be said about what was committed")
        return 1
    lines = lines_of_history(ROOT)
    found = findings(lines)
    for one in sorted(found):
        # Not the line: what is printed in CI is kept, too.
        print(f"{one.path}: {one.kind}")
    print(f"{sum(map(len, lines.values()))} lines of the whole history, {len(found)} places of which look like secrets")
    return 1 if found else 0


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
