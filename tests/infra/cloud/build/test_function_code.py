"""What is uploaded for a function."""

from pathlib import Path

import pytest

from infra.cloud.build.asset_folder import ROOT
from infra.cloud.build.function_code import SHARED, function_folder, function_names, shared_files

PAGES = (".css", ".html", ".json")
"""What pages are made of."""


@pytest.mark.parametrize("name", function_names())
def test_an_asset_holds_its_handler_shared_and_nothing_else(name: str) -> None:
    folder = function_folder(name)
    files = {path.relative_to(folder) for path in folder.rglob("*.py")}
    shared = {path.relative_to(ROOT) for path in SHARED.rglob("*.py")}
    assert files == {Path(f"{name}.py"), *shared}
    others = {
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"
    } - files
    pages = {path.relative_to(ROOT) for suffix in PAGES for path in (SHARED / "pages").rglob(f"*{suffix}")}
    assert others == pages


def test_what_is_written_for_people_stays_here_and_what_functions_read_ships(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for name in ("README.md", "pages/README.md", "clock.py", "clock.pyc", "pages/join.html"):
        (tmp_path / name).touch()
    assert shared_files(tmp_path) == [Path("clock.py"), Path("pages/join.html")]
