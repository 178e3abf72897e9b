"""The code of a function: its one file and `shared/`, and beside them nothing that Lambda does not need."""

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from infra import openapi, unrouted
from infra.cloud.build.asset_folder import ROOT, asset_folder
from infra.cloud.build.bytecode import compile_folder, runtime_python

FUNCTIONS, SHARED, INFRA = ROOT / "functions", ROOT / "shared", ROOT / "infra"
HANDLER = "shared.start.handler"
WHOLE_TABLES_HANDLER = "infra.tools.cloud_run.handler"
WHOLE_TABLES = (
    "__init__.py",
    "errors.py",
    "tools/__init__.py",
    *(
        f"tools/{name}.py"
        for name in (
            "closed_months",
            "cloud_run",
            "derived_items",
            "parts",
            "publish_totals",
            "segments",
            "totals",
            "transaction_groups",
            "verify",
        )
    ),
)
"""What WHOLE_TABLES_HANDLER imports of `infra/`."""

_NOT_SHIPPED = {".md", ".pyc"}


def function_names() -> tuple[str, ...]:
    """Every function there is: one file each."""
    return tuple(sorted(path.stem for path in FUNCTIONS.glob("*.py") if path.stem != "__init__"))


def shared_files(shared: Path = SHARED) -> list[Path]:
    """What ships with every function, relative to `shared/`."""
    files = (path for path in shared.rglob("*") if path.is_file() and path.suffix not in _NOT_SHIPPED)
    return sorted(path.relative_to(shared) for path in files)


def function_folder(name: str) -> Path:
    """A folder with the function's file, `shared/` and nothing else. HANDLER starts it."""
    return _folder(f"function-{name}", {f"{name}.py": FUNCTIONS / f"{name}.py"})


def _folder(name: str, own: Mapping[str, Path]) -> Path:
    files = {**own, **{f"shared/{path.as_posix()}": SHARED / path for path in shared_files()}}

    def fill(folder: Path) -> None:
        for place, source in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / place)
        compile_folder(folder, "/var/task")

    content = [f"{place}\0{sha256(source.read_bytes()).hexdigest()}" for place, source in files.items()]
    return asset_folder(name, fill, *content, str(runtime_python()))


def whole_tables_folder() -> Path:
    """A folder with `shared/` and what of `infra/` works on whole tables in the cloud."""
    files = {f"infra/{place}": INFRA / place for place in WHOLE_TABLES}
    return _folder("whole-tables", files)


def document_folder() -> Path:
    """A folder with `infra/unrouted.py` under the function's name, and what it answers with."""
    source = Path(unrouted.__file__)
    content = json.dumps(openapi.unrouted_content(), separators=(",", ":"))

    def fill(folder: Path) -> None:
        shutil.copy(source, folder / "document.py")
        (folder / unrouted.CONTENT).write_text(content)
        compile_folder(folder, "/var/task")

    return asset_folder("document", fill, source.read_text(), content, str(runtime_python()))
