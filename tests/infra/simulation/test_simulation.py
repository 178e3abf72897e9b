"""The simulation itself: a short one finds nothing, and it plays the same again, wherever it runs."""

import os
import subprocess
import sys

import pytest

from infra.cli.main import main
from infra.simulation import run
from infra.simulation.world import Report, World

_DIGEST = "from infra.simulation.world import World; print(World(11, 3).run(300).digest)"


def test_nothing_is_breached_in_a_few_thousand_operations() -> None:
    total = Report()
    for number in range(3):
        total = total.merged(run.play(2026, number))

    assert total.operations >= 3 * run.WORLD_OPERATIONS
    assert total.faults["crash after a request"] > 0
    assert total.faults["answer lost after it was done"] > 0
    assert total.outcomes["replayed"] > 0


def test_the_same_seed_plays_the_same_in_any_process() -> None:
    seen = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        answer = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
        seen.add(int(answer.stdout))

    assert seen == {World(11, 3).run(300).digest}


def test_another_world_plays_otherwise() -> None:
    assert World(11, 4).run(100).digest != World(11, 3).run(100).digest


def test_the_command_prints_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", "5", "--operations", "10", "--workers", "1"]) == 0

    printed = capsys.readouterr().out
    assert "nothing was breached" in printed
    assert "crash before a request" in printed


def test_the_command_says_how_to_see_a_breach_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.tables.orders.changes", lambda _: ())

    assert main(["simulate", "--seed", "5", "--operations", "3000", "--workers", "1"]) == 1

    said = capsys.readouterr().err
    assert "loyalty simulate --seed 5 --world " in said
    assert "operation " in said
