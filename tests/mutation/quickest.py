"""A plugin of pytest for a broken rule: the quickest tests first, and none once it has had its seconds.

Most of what is broken fails within a moment, if what is quick is asked first. What a slow test alone would have
noticed counts as unnoticed: so the share that is measured is a lower bound.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

SECONDS_MAX = 12
"""For the tests of the rules, and again for those that call the functions; as long as they took unbroken."""
_STATS = Path("mutmut-stats.json")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order and shorten what is about to run; before anything was measured all of it runs."""
    if config.option.collectonly or not _STATS.exists():
        return
    seconds = json.loads(_STATS.read_text(encoding="utf-8"))["duration_by_test"]
    ordered = sorted(items, key=lambda item: seconds.get(item.nodeid, 0))
    of_rules = [item for item in ordered if item.nodeid.startswith("tests/domain/")]
    others = [item for item in ordered if not item.nodeid.startswith("tests/domain/")]
    items[:] = [*_within(of_rules, seconds), *_within(others, seconds)]


def _within(items: Sequence[pytest.Item], seconds: dict[str, float]) -> Iterator[pytest.Item]:
    spent = 0.0
    for item in items:
        spent += seconds.get(item.nodeid, 0)
        if spent <= SECONDS_MAX:
            yield item
