"""Bytecode for what is uploaded: Lambda cannot write its files, so what is not compiled here is compiled at each start.

Made by the Lambda runtime's own minor version, and marked so that the runtime takes it without looking at the source's
date: CDK gives every file the same one, which voids dated bytecode.
"""

import logging
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

RUNTIME = "3.13"

_COMPILE_SECONDS_MAX = 300
_PROBE_SECONDS_MAX = 10
_PYTHON_PLACES = (".pyenv/versions/{}*/bin/python3", ".local/share/uv/python/cpython-{}*/bin/python3")

_log = logging.getLogger(__name__)


def compile_folder(folder: Path, unpacked_at: str) -> None:
    """Put bytecode beside the sources of a folder, whose traces name files as they lie in Lambda, at `unpacked_at`.

    Without an interpreter of the runtime's version the folder stays as it is.
    """
    python = runtime_python()
    if python is None:
        return
    command = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", unpacked_at, str(folder)]
    subprocess.run(command, check=True, timeout=_COMPILE_SECONDS_MAX)  # noqa: S603


@cache
def runtime_python() -> str | None:
    """An interpreter of the runtime's minor version: only that one makes bytecode which Lambda can use."""
    named = shutil.which(f"python{RUNTIME}")
    places = [path for place in _PYTHON_PLACES for path in sorted(Path.home().glob(place.format(RUNTIME)))]
    for candidate in (sys.executable, *filter(None, [named]), *map(str, places)):
        if _version_of(candidate) == RUNTIME:
            return candidate
    _log.warning(
        "no Python %s on this machine: functions are shipped as source only, and start about 0.6 seconds slower",
        RUNTIME,
    )
    return None


def _version_of(python: str) -> str:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603
            [python, "-c", script], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS_MAX
        )
    except OSError:
        return ""
    return done.stdout.strip()
