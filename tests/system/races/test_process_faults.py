"""Processes are killed at random points: nothing acknowledged is missing, nothing is booked twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.races.crashing import Crashing


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[Crashing]:
    shop = Crashing(tmp_path, seed=5)
    yield shop
    shop.close()


@pytest.mark.long
def test_twenty_kills_lose_nothing(crashing: Crashing) -> None:
    for number in range(20):
        print(f"\n{number + 1:2} {crashing.round(('server', 'engine', 'replay', 'expiry')[number % 4])}", end="")
        wrong = crashing.wrong()
        print(f"; {len(wrong)} wrong", end="")
        assert not wrong
    assert crashing.counts["replays killed on the way"]
    assert crashing.counts["expiry runs killed on the way"]
    print(f"\n{dict(crashing.counts)}")
