"""MiniStack in a process that ends with its parent. Its settings, its port among them, are in the environment."""

from ministack.app import main as serve  # type: ignore[import-untyped]

from infra.local import child

if __name__ == "__main__":
    child.take_orders()
    serve()
