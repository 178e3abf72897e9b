"""A plugin of pytest that runs the tests against one broken rule after another, each in a process of its own.

Tests are collected once. For each mutant a fork of this process runs those that reach it, the quickest first, until
one fails: most of what is broken fails within a moment. mutmut's own runner collects anew each time, and takes longer
for that than for the tests. What is slow is left out at last: what a slow test alone would have noticed counts as
unnoticed, so the share that is measured is a lower bound.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test

SECONDS_MAX = 20
"""For the tests of one folder: as long as they took unbroken, and with every call noted, which is twice as long."""
PATIENCE_SECONDS = 300
"""For all tests of one mutant: what takes longer never ends."""
SURVIVED, KILLED, UNTESTED = "survived", "killed", "untested"
ENDLESS = "endless"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--mutants FILE`: their names, a JSON list; `--verdicts FILE`: what became of them goes there, by name."""
    parser.addoption("--mutants", type=Path, required=True)
    parser.addoption("--verdicts", type=Path, required=True)


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of running the tests once, run them for each mutant."""
    stats = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))
    names: list[str] = json.loads(session.config.getoption("mutants").read_text(encoding="utf-8"))
    verdicts: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        reaching = set(stats["tests_by_mangled_function_name"].get(name.partition("__mutmut_")[0], ()))
        items = [item for item in session.items if item.nodeid in reaching]
        verdicts[name] = _verdict(name, list(_quickest(items, stats["duration_by_test"])))
        print(f"\r{number} of {len(names)}", end="", file=sys.__stderr__, flush=True)
        session.config.getoption("verdicts").write_text(json.dumps(verdicts), encoding="utf-8")
    return True


def _quickest(items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> Iterator[pytest.Item]:
    """Folder by folder, as their tests share what takes time to set up; the pure rules first."""
    spent: dict[str, float] = {}
    folders = {item.nodeid: item.nodeid.split("/")[1] for item in items}
    for item in sorted(items, key=lambda item: (folders[item.nodeid], seconds.get(item.nodeid, 0))):
        folder = folders[item.nodeid]
        spent[folder] = spent.get(folder, 0) + seconds.get(item.nodeid, 0)
        if spent[folder] <= SECONDS_MAX:
            yield item


def _verdict(name: str, items: Sequence[pytest.Item]) -> str:
    if not items:
        return UNTESTED
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.dup2(nothing, sys.stderr.fileno())
        signal.alarm(PATIENCE_SECONDS)
        os._exit(_fails(name, items))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {0: SURVIVED, -signal.SIGALRM: ENDLESS}.get(status, KILLED)


def _fails(name: str, items: Sequence[pytest.Item]) -> bool:
    """Whether a test fails, or nothing goes on at all."""
    set_mutant_under_test(name)
    try:
        for item, following in zip(items, [*items[1:], None], strict=True):
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                return True
    except BaseException:
        return True
    return False
