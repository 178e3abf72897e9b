"""Where the local server keeps things: the user's state folder, and the data folder of one server."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from infra.errors import LocalError

_PRIVATE_FOLDER = 0o700


def state_folder() -> Path:
    """The user's own folder for this product, made when missing: in `XDG_STATE_HOME`, or where the platform has it."""
    return private_folder(user_state_path("loyalty-functions"))


def private_folder(folder: Path) -> Path:
    """`folder`, made when missing, for this user alone. Raises LocalError where it cannot be made."""
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"{folder} cannot be used as a folder: {error.strerror}; choose another") from error
    return folder


def replace(path: Path, content: str) -> None:
    """Write the file whole or not at all, readable by this user alone."""
    temporary = _temporary(path, content.encode())
    temporary.replace(path)


def create_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of `path`; made and kept first if it does not exist. The loser of a race gets the winner's."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    temporary = _temporary(path, make())
    try:
        # Unlike a rename, a link fails where somebody else came first.
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()


@contextmanager
def held(folder: Path, *, seconds_max: float = 0) -> Iterator[None]:
    """Keep `folder` to this process until the block ends.

    Raises LocalError if another process still holds it after `seconds_max`.
    """
    try:
        # The kernel drops the lock with the process, however that ends.
        lock = FileLock(folder / "lock").acquire(timeout=seconds_max)
    except Timeout as error:
        raise LocalError(f"another server is using {folder}: stop it, or choose another --data") from error
    with lock:
        yield


def _temporary(path: Path, content: bytes) -> Path:
    # mkstemp makes the file readable by its owner alone.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
