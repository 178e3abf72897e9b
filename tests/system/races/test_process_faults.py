"""Processes are killed at random points, the engine is ended: nothing acknowledged is missing, or booked twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.races.crashing import Crashing

VICTIMS = ("server", "dev", "engine", "replay", "expiry")


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[Crashing]:
    shop = Crashing(tmp_path, seed=5)
    yield shop
    shop.close()


@pytest.mark.long
def test_twenty_ends_lose_nothing(crashing: Crashing) -> None:
    for number in range(20):
        print(f"\n{number + 1:2} {crashing.round(VICTIMS[number % len(VICTIMS)])}", end="")
        wrong = crashing.wrong()
        print(f"; {len(wrong)} wrong", end="")
        assert not wrong
    assert crashing.counts["replays killed on the way"]
    assert crashing.counts["expiry runs killed on the way"]
    print(f"\n{dict(crashing.counts)}")
