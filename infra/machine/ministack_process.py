"""MiniStack in a process that ends with its parent. Its settings, its port among them, are in the environment."""

from contextlib import nullcontext
from pathlib import Path

from ministack.app import main as serve  # type: ignore[import-untyped]

from infra.machine import folders, supervised_process

if __name__ == "__main__":
    state = supervised_process.read_config(supervised_process.SAVE_SECONDS_MAX)["state"]
    # Held until it is saved, and that may be after the parent is gone.
    with folders.held(Path(state)) if state else nullcontext():
        serve()
