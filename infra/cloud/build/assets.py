"""What is uploaded: for each function its one file and `shared/`, and beside them one layer of what they import.

Built here and without Docker. Bytecode is compiled by the Lambda runtime's own minor version, and marked so that the
runtime takes it without looking at the source's date: CDK gives every file the same one, which voids dated bytecode.
"""

import gzip
import hashlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from infra import openapi
from infra.cloud.build.lazy_packages import make_lazy

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS, SHARED = ROOT / "functions", ROOT / "shared"
PINS = ROOT / "infra" / "requirements.txt"
RUNTIME = "3.13"
LAYER_PLATFORM = "manylinux2014_aarch64"

AWS_SERVICES = ("dynamodb", "events", "secretsmanager", "sesv2", "sns", "sqs")
"""The services that functions call. boto3 brings the descriptions of over 400; the others stay out of the layer."""

LAZY_PACKAGES = ("aws_lambda_powertools/event_handler", "aws_lambda_powertools/utilities/data_classes")
"""What imports far more than functions use."""

HANDLER = "shared.start.handler"

_BUILD = ROOT / ".loyalty" / "assets"
_LAYER_RECIPE = "5"
"""Changed when the layer is built differently from the same pins."""
_SECONDS_MAX = 300
_PROBE_SECONDS_MAX = 10
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")
_PYTHON_PLACES = (".pyenv/versions/{}*/bin/python3", ".local/share/uv/python/cpython-{}*/bin/python3")

_log = logging.getLogger(__name__)


class BuildError(Exception):
    """An asset cannot be built; the message says why."""


def function_names() -> tuple[str, ...]:
    """Every function there is: one file each."""
    return tuple(sorted(path.stem for path in FUNCTIONS.glob("*.py") if path.stem != "__init__"))


def function_folder(name: str) -> Path:
    """A folder with the function's file, `shared/` and nothing else. HANDLER starts it."""

    def fill(folder: Path) -> None:
        shutil.copy(FUNCTIONS / f"{name}.py", folder)
        shutil.copytree(SHARED, folder / "shared", ignore=_NOT_SHIPPED)
        _compile(folder, "/var/task")

    sources = [FUNCTIONS / f"{name}.py", *sorted(SHARED.rglob("*.py"))]
    content = [f"{path.relative_to(ROOT)}\0{path.read_text()}" for path in sources]
    return _built(f"function-{name}", fill, *content, str(runtime_python()))


def document_folder() -> Path:
    """A folder with one file: a handler that answers every call with the OpenAPI document."""
    body = json.dumps(openapi.document(), separators=(",", ":"))
    answer = {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}
    text = f"ANSWER = {answer!r}\n\n\ndef handler(event, context):\n    return ANSWER\n"

    def fill(folder: Path) -> None:
        (folder / "document.py").write_text(text)
        _compile(folder, "/var/task")

    return _built("document", fill, text, str(runtime_python()))


def layer_folder(platform: str = LAYER_PLATFORM, *, trimmed: bool = True) -> Path:
    """A folder with everything that functions import, at the hashed pins, for a platform; or untrimmed, as pip does."""

    def fill(folder: Path) -> None:
        packages = folder / "python"
        _install(packages, platform)
        if trimmed:
            _trim(packages)
            _shorten_descriptions(packages / "botocore" / "data")
            for name in LAZY_PACKAGES:
                make_lazy(packages / name)
        _compile(folder, "/opt")

    recipe = [PINS.read_text(), *AWS_SERVICES, *LAZY_PACKAGES, _LAYER_RECIPE, platform, str(runtime_python())]
    return _built(f"layer-{platform}" if trimmed else f"packages-{platform}", fill, *recipe)


def _built(name: str, fill: Callable[[Path], None], *made_from: str) -> Path:
    """The folder made from these very texts: an earlier one if there is one, whole or not at all."""
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:16]
    folder = _BUILD / f"{name}-{digest}"
    if folder.exists():
        return folder
    _BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as temporary:
        made = Path(temporary) / name
        made.mkdir()
        fill(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():  # or somebody else was quicker
                raise
    return folder


def _install(folder: Path, platform: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(folder), "--platform", platform, "--python-version", RUNTIME]
    command += ["--implementation", "cp", "--only-binary=:all:", "--require-hashes", "--requirement", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS_MAX)  # noqa: S603
    if done.returncode != 0:
        raise BuildError(f"the layer cannot be built; pip says:\n{done.stderr.strip()}")


def _trim(packages: Path) -> None:
    """Leave out what no function reads: other services' descriptions, packages' papers, commands, a page's scripts."""
    described = packages / "botocore" / "data"
    unused = [path for path in described.iterdir() if path.is_dir() and path.name not in AWS_SERVICES]
    unused += packages.glob("*.dist-info")
    unused += [packages / "bin", packages / "boto3" / "examples"]
    unused += packages.glob("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*")
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _shorten_descriptions(described: Path) -> None:
    """Leave other services out of the list of endpoints, and prose out of the descriptions.

    botocore reads all of it whenever a client is made, a tenth of a cold start, and uses neither.
    """
    endpoints = described / "endpoints.json"
    listed = json.loads(endpoints.read_text())
    for partition in listed["partitions"]:
        partition["services"] = {name: at for name, at in partition["services"].items() if name in AWS_SERVICES}
    endpoints.write_text(json.dumps(listed))
    for description in described.rglob("service-2.json.gz"):
        short = _without_prose(json.loads(gzip.decompress(description.read_bytes())))
        description.write_bytes(gzip.compress(json.dumps(short).encode(), mtime=0))


def _without_prose(described: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(described, dict):
        # Text alone is prose; a shape has a member of that name, too.
        prose = "documentation" if isinstance(described.get("documentation"), str) else None
        return {name: _without_prose(value) for name, value in described.items() if name != prose}
    return [_without_prose(each) for each in described] if isinstance(described, list) else described


def _compile(folder: Path, unpacked_at: str) -> None:
    python = runtime_python()
    if python is None:
        return
    command = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # Traces name files as they lie in Lambda.
    command += ["-s", str(folder), "-p", unpacked_at, str(folder)]
    subprocess.run(command, check=True, timeout=_SECONDS_MAX)  # noqa: S603


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
