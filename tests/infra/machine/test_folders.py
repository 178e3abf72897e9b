"""Files that are whole or not there, and folders that have one owner."""

import stat
import sys
from pathlib import Path

import pytest

from infra.errors import LocalError
from infra.machine import folders


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with folders.held(tmp_path), pytest.raises(LocalError, match="another server is using"), folders.held(tmp_path):
        pass
    with folders.held(tmp_path):
        pass


def test_a_file_is_replaced_whole_and_for_its_owners_eyes(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    folders.replace(path, "first")
    folders.replace(path, "second")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert folders.create_once(path, lambda: b"first") == b"first"
    assert folders.create_once(path, lambda: b"second") == b"first"


def test_who_comes_second_in_a_race_takes_what_the_first_made(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def slow() -> bytes:
        path.write_bytes(b"the winner's")
        return b"the loser's"

    assert folders.create_once(path, slow) == b"the winner's"
    assert list(tmp_path.iterdir()) == [path]


def test_the_state_folder_is_where_xdg_or_the_platform_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert folders.state_folder() == tmp_path / "loyalty-functions"
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = tmp_path / ("Library/Application Support" if sys.platform == "darwin" else ".local/state")
    for ignored in ("", "relative/folder"):
        monkeypatch.setenv("XDG_STATE_HOME", ignored)
        assert folders.state_folder() == usual / "loyalty-functions"
