"""What is uploaded for a function."""

from pathlib import Path

import pytest

from infra.cloud.build.asset_folder import ROOT
from infra.cloud.build.function_code import SHARED, function_folder, function_names, shared_files


@pytest.mark.parametrize("name", function_names())
def test_an_asset_holds_its_handler_shared_and_nothing_else(name: str) -> None:
    folder = function_folder(name)
    files = {path.relative_to(folder) for path in folder.rglob("*.py")}
    shared = {path.relative_to(ROOT) for path in SHARED.rglob("*.py")}
    assert files == {Path(f"{name}.py"), *shared}
    others = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert others <= {".py", ".pyc"}


def test_what_is_written_for_people_stays_here_and_what_functions_read_ships(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for name in ("README.md", "pages/README.md", "clock.py", "clock.pyc", "pages/join.html"):
        (tmp_path / name).touch()
    assert shared_files(tmp_path) == [Path("clock.py"), Path("pages/join.html")]
