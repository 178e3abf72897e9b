"""The layer: the packages that functions import, as pip installs them at the hashed pins. Built without Docker.

Nothing is left out or rewritten, so that what runs in Lambda is what was hashed and audited, and Amazon Inspector finds
each package's version. What could be saved is a tenth of a cold start and 21 of the 250 MB that Lambda takes.
"""

import subprocess
import sys
from pathlib import Path

from infra.cloud.build.asset_folder import ROOT, asset_folder
from infra.cloud.build.bytecode import RUNTIME, compile_folder, runtime_python
from infra.errors import LocalError

PINS = ROOT / "infra" / "requirements.txt"
LAMBDA_PLATFORM = "manylinux2014_aarch64"

_PIP_SECONDS_MAX = 300


def layer_folder(platform: str = LAMBDA_PLATFORM) -> Path:
    """A folder with everything that functions import, for a platform. Raises LocalError if pip cannot install it."""

    def fill(folder: Path) -> None:
        _install(folder / "python", platform)
        compile_folder(folder, "/opt")

    return asset_folder(f"layer-{platform}", fill, PINS.read_text(), platform, str(runtime_python()))


def _install(folder: Path, platform: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(folder), "--platform", platform, "--python-version", RUNTIME]
    command += ["--implementation", "cp", "--only-binary=:all:", "--require-hashes", "--requirement", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PIP_SECONDS_MAX)  # noqa: S603
    if done.returncode != 0:
        raise LocalError(f"the layer cannot be built; pip says:\n{done.stderr.strip()}")
