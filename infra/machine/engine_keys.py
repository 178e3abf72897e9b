"""The key of each engine on this machine: made when it starts, kept where its user alone can read it, gone with it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infra.machine import folders

NOT_OURS = "local"
"""Somebody else's endpoint accepts any key, but requires one."""
SECRET = "local"  # noqa: S105 - the key is what nobody may guess; an engine of ours checks no signature
_KEY_BYTES = 16
_made_here: dict[str, str] = {}


@contextmanager
def made_for(endpoint: str) -> Iterator[str]:
    """A new key for the engine at an endpoint, which this user's processes find for as long as the block lasts."""
    key, note = secrets.token_hex(_KEY_BYTES), _note(endpoint)
    folders.replace(note, key)
    _made_here[endpoint] = key
    try:
        yield key
    finally:
        del _made_here[endpoint]
        note.unlink(missing_ok=True)


def key_of(endpoint: str) -> str:
    """What requests to an endpoint are to be signed with."""
    if endpoint in _made_here:
        return _made_here[endpoint]
    try:
        return _note(endpoint).read_text()
    except FileNotFoundError:
        return NOT_OURS


def _note(endpoint: str) -> Path:
    return folders.private_folder(folders.state_folder() / "engines") / urlsplit(endpoint).netloc.replace(":", "-")
