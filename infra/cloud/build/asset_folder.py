"""Folders that are uploaded: each is named after what it was made from, and made once."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_BUILD = ROOT / ".loyalty" / "assets"


def asset_folder(name: str, fill: Callable[[Path], None], *made_from: str) -> Path:
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
            if not folder.exists():  # or another process was quicker
                raise
    return folder
