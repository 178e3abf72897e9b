"""The one command of a fresh clone: sets up what is needed in `.venv`, then runs the command it is given.

    python3 infra/run.py dev          the whole service on this machine
    python3 infra/run.py test         the tests
    python3 infra/run.py <command>    any other command of `loyalty`

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations  # an older Python must get as far as the message below

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "infra" / "requirements-dev.txt"
ANALYTICS = ROOT / "infra" / "requirements-analytics.txt"
"""What reports need beside: the tests have it from the start, a command installs it when it is called first."""
PROJECT = ROOT / "pyproject.toml"
PYTHON_MIN = (3, 11)
_INTERRUPTED = 130

_FOLDER = ROOT / ".venv"
_SCRIPTS = _FOLDER / "bin"
_STAMP = _FOLDER / "installed"
_ANALYTICS_STAMP = _FOLDER / "installed-analytics"


def main(arguments: list[str]) -> None:
    if sys.version_info < PYTHON_MIN:
        wanted = ".".join(map(str, PYTHON_MIN))
        sys.exit(f"Python {wanted} or later is needed, and this is {sys.version.split()[0]}: call a later one")
    if os.name != "posix":
        sys.exit("Linux or macOS is needed; on Windows this runs in the Windows Subsystem for Linux")
    if not arguments:
        sys.exit(__doc__)
    _install()
    if arguments[0] == "test":
        _install_analytics()
        # pytest finds its settings where it is started.
        os.chdir(ROOT)
        _test(["-n", "2", *arguments[1:]])
    else:
        _become("loyalty", arguments)


def _install() -> None:
    """Install the pinned packages and this one, unless that was done for these very pins."""
    wanted = hashlib.sha256(PINS.read_bytes() + PROJECT.read_bytes()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    print("setting up .venv: a minute, the first time", flush=True)
    if not _SCRIPTS.exists():
        _make_environment()
    _pip("--require-hashes", "-r", str(PINS))
    # Without dependencies and in this very environment: nothing that is not pinned is fetched.
    _pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    _STAMP.write_text(wanted)


def _install_analytics() -> None:
    wanted = hashlib.sha256(ANALYTICS.read_bytes()).hexdigest()
    if not _ANALYTICS_STAMP.exists() or _ANALYTICS_STAMP.read_text() != wanted:
        _pip("--require-hashes", "-r", str(ANALYTICS))
        _ANALYTICS_STAMP.write_text(wanted)


def _make_environment() -> None:
    try:
        venv.create(_FOLDER, with_pip=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(_FOLDER)
        sys.exit("this Python cannot make environments: on Debian and Ubuntu install the package python3-venv")


def _pip(*arguments: str) -> None:
    python = str(_SCRIPTS / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    if subprocess.run(install, check=False).returncode != 0:  # noqa: S603
        sys.exit("the packages could not be installed: pip says why above")


def _test(arguments: list[str]) -> None:
    """Run the tests. Ctrl-C ends them in one line: each of their processes would print where it was."""
    if any(one.startswith("--pdb") for one in arguments):
        _become("pytest", arguments)
    with subprocess.Popen([str(_SCRIPTS / "pytest"), *arguments], start_new_session=True) as tests:  # noqa: S603
        try:
            sys.exit(tests.wait())
        except KeyboardInterrupt:
            os.killpg(tests.pid, signal.SIGTERM)
            tests.wait()
            raise


def _become(name: str, arguments: list[str]) -> None:
    program = str(_SCRIPTS / name)
    # In our place, so that Ctrl-C and the exit status are its own.
    os.execv(program, [program, *arguments])  # noqa: S606


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\nstopped: the same command goes on", file=sys.stderr)
        sys.exit(_INTERRUPTED)
