"""MiniStack in a process that ends with its parent, behind a guard. Its settings are in the environment."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app  # type: ignore[import-untyped]

from infra.machine import folders, supervised_process
from infra.machine.guard import Application, Guard

_KEEP_ALIVE_SECONDS = 75


def run(host: str, port: int, application: Application) -> None:
    """Answer until the process is asked to end."""
    config = Config()
    config.bind = [f"{host}:{port}"]
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    config.loglevel = "WARNING"
    asyncio.run(serve(application, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    given = supervised_process.read_config(supervised_process.SAVE_SECONDS_MAX)
    guard = Guard.of(given["guard"])
    # Held until it is saved, and that may be after the parent is gone.
    with folders.held(Path(given["state"])) if given["state"] else nullcontext():
        run(given["host"], guard.port, guard.asgi(app))
