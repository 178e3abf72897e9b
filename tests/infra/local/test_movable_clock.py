"""The server's clock runs, can be moved forward, and never runs backwards."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from infra.local import movable_clock
from infra.local.movable_clock import MovableClock

START = datetime(2026, 12, 1, 12, tzinfo=UTC)
SOON = timedelta(seconds=5)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


def test_without_a_start_it_shows_the_machines_time(kept: Path) -> None:
    assert abs(MovableClock(kept, None).now() - datetime.now(UTC)) < SOON


def test_it_runs_on_from_where_it_was_moved(kept: Path) -> None:
    clock = MovableClock(kept, START)
    clock.move(START + timedelta(days=400))
    first, second = clock.now(), clock.now()
    assert START + timedelta(days=400) <= first <= second < START + timedelta(days=400) + SOON


def test_it_stays_where_it_is_when_moved_back(kept: Path) -> None:
    clock = MovableClock(kept, START)
    clock.move(START - timedelta(days=1))
    assert START <= clock.now() < START + SOON


def test_it_stands_still_when_the_machines_clock_is_set_back(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock(kept, START)
    before = clock.now()
    machine = Mock(now=lambda zone: datetime.now(zone) - timedelta(hours=1))
    monkeypatch.setattr(movable_clock, "datetime", machine)
    assert clock.now() == before


@pytest.mark.parametrize("days", [-300, 0])
def test_a_later_start_goes_on_from_the_saved_position(kept: Path, days: int) -> None:
    first = MovableClock(kept, START)
    first.move(START + timedelta(days=30))
    first.save()
    second = MovableClock(kept, START + timedelta(days=days))
    assert START + timedelta(days=30) <= second.now() < START + timedelta(days=30) + SOON


def test_a_start_after_the_saved_position_is_taken(kept: Path) -> None:
    MovableClock(kept, START).save()
    later = MovableClock(kept, START + timedelta(days=7))
    assert later.now() >= START + timedelta(days=7)
    assert later.resumed_from < START + SOON
