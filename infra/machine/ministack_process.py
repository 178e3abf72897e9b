"""MiniStack in a process that ends with its parent. Its settings, its port among them, are in the environment."""

import os
from pathlib import Path

from ministack.app import main as serve  # type: ignore[import-untyped]

from infra.machine import supervised_process
from infra.machine.durable import Durable

if __name__ == "__main__":
    supervised_process.read_config()
    if journal := os.environ.get("JOURNAL"):
        Durable(Path(journal)).take_over()
    serve()
