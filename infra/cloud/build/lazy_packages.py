"""Packages that import all their modules at once, made to import each when something in it is first asked for.

A function needs one resolver and one kind of event of the many that Powertools has; the others, asyncio among what they
need, were an eighth of a cold start.
"""

import ast
from pathlib import Path

_LAZY = """\
from importlib import import_module

_AT = {at!r}
__all__ = {names!r}


def __getattr__(name):
    if name not in _AT:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    module, there = _AT[name]
    found = globals()[name] = getattr(import_module(module, __name__), there)
    return found
"""


def make_lazy(package: Path) -> None:
    """Rewrite the `__init__.py` of a package. Raises ValueError if it does more than import from its own modules."""
    path = package / "__init__.py"
    at: dict[str, tuple[str, str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            at |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
        elif not _is_text(node) and not _is_list_of_names(node):
            raise ValueError(f"{path}, line {node.lineno}: does more than import; it cannot be made lazy")
    # Once its module is imported, such a name is the module.
    eager = [(name, module) for name, (module, _) in at.items() if module.rpartition(".")[2] == name]
    lines = [f"from {module} import {name}\n" for name, module in eager]
    path.write_text("".join(lines) + _LAZY.format(at=at, names=sorted(at)), encoding="utf-8")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_list_of_names(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
