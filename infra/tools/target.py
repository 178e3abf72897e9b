"""Which database a command works on: a running server's, one that is named, or one kept between commands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import UsageError
from infra.machine import engine, environment, folders, server_registry


def kept_folder() -> Path:
    """Where commands keep their tables while no server runs and no other folder is named."""
    return folders.state_folder() / "data"


@contextmanager
def opened(endpoint: str | None, data: Path | None, *, must_exist: bool = False) -> Iterator[str]:
    """The endpoint of a database with its tables, with this process's environment set for it.

    `endpoint` if it is given; else the tables kept in `data` if that is; else the running server's; else those that
    commands keep. Raises UsageError with `must_exist` if none of these has any.
    """
    server = server_registry.at(endpoint) if endpoint else None
    if not (endpoint or data):
        server = server_registry.find()
    if endpoint or server:
        if server:
            endpoint, variables = server.endpoint, server.environment
        else:
            variables = environment.variables(str(endpoint), folders.state_folder())
        os.environ.update(variables)
        engine.create_missing_tables(str(endpoint))
        yield str(endpoint)
        return
    folder = (data or kept_folder()).resolve()
    if must_exist and not (folder / "engine").exists():
        raise UsageError(
            f"there are no tables in {folder}: start `loyalty dev`, run `loyalty replay`, or name an --endpoint"
        )
    with folders.held(folders.private_folder(folder)), engine.running("ministack", folder, keep=True) as started:
        os.environ.update(environment.variables(started.endpoint, folder))
        engine.create_missing_tables(started.endpoint)
        yield started.endpoint
