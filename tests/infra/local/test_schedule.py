"""Moving the clock sends the reminders of the days between, and books nothing."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.journal import Journal
from infra.local.movable_clock import MovableClock
from infra.local.run_queues import RunQueues
from infra.local.schedule import DAYS_MOVED_MAX, Schedule
from shared.domain.errors import InvalidRequestError, InvalidStateError

NEW_YORK = "America/New_York"
# Noon in New York; daylight saving ends in the night to 7 November 2027.
START = datetime(2027, 11, 5, 16, tzinfo=UTC)

Due = Callable[[date], date | None]


def every_day(day: date) -> date | None:
    return day


class Calls:
    """A scheduled function that remembers its events, and does as it is told."""

    def __init__(self) -> None:
        self.times: list[str] = []
        self.does: Callable[[str], object] = lambda _time: None

    def __call__(self, event: dict[str, Any], _context: object) -> object:
        self.times.append(event["time"])
        return self.does(event["time"])


class Scene:
    """A schedule with its clock, and two functions that remember."""

    def __init__(self, folder: Path, due_from: Due = every_day) -> None:
        self.clock = MovableClock(folder / "clock.json", START)
        self.expire, self.notify = Calls(), Calls()
        self.dead_letters = Journal(folder / "dead-letters.jsonl")
        self.queues = RunQueues({"expire": lambda _event, _context: {}}, self.dead_letters)
        self.schedule = Schedule(
            self.clock,
            {"expire": self.expire, "notify": self.notify, "birthdays": lambda _event, _: {}},
            self.queues,
            self.dead_letters,
            zone=lambda: NEW_YORK,
            due_from=due_from,
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_every_morning_on_the_way_has_its_reminders_at_nine_local_time(scene: Scene) -> None:
    assert scene.schedule.move(START + timedelta(days=3)) == 3
    assert scene.notify.times == ["2027-11-06T13:00:00Z", "2027-11-07T14:00:00Z", "2027-11-08T14:00:00Z"]
    assert scene.expire.times == []
    assert scene.clock.now() >= START + timedelta(days=3)


def test_a_morning_is_passed_once(scene: Scene) -> None:
    scene.schedule.move(START + timedelta(days=1))
    assert scene.schedule.move(START + timedelta(days=1, hours=1)) == 0
    assert len(scene.notify.times) == 1


def test_the_clock_stands_at_nine_while_reminders_go_out(scene: Scene) -> None:
    seen: list[datetime] = []
    scene.notify.does = lambda _time: seen.append(scene.clock.now())
    scene.schedule.move(START + timedelta(days=1))
    assert [instant.replace(microsecond=0) for instant in seen] == [datetime(2027, 11, 6, 13, tzinfo=UTC)]


def test_mornings_on_which_nobody_is_due_are_skipped_after_the_first(tmp_path: Path) -> None:
    due = date(2028, 3, 1)
    scene = Scene(tmp_path, lambda day: due if day <= due else None)
    scene.schedule.move(START + timedelta(days=365))
    # An account may come to stand under a day whose run is over: the two days after it are looked at as well.
    assert [time[:10] for time in scene.notify.times] == ["2027-11-06", "2028-03-01", "2028-03-02", "2028-03-03"]


def test_the_clock_is_never_moved_back(scene: Scene) -> None:
    with pytest.raises(InvalidStateError, match="runs forward only"):
        scene.schedule.move(START - timedelta(seconds=1))
    assert scene.notify.times == []


def test_the_clock_is_not_moved_beyond_all_bounds(scene: Scene) -> None:
    with pytest.raises(InvalidRequestError, match=str(DAYS_MOVED_MAX)):
        scene.schedule.move(START + timedelta(days=DAYS_MOVED_MAX + 1))


def test_reminders_that_fail_are_kept_and_the_next_day_goes_on(scene: Scene) -> None:
    def fail_once(time: str) -> None:
        if time == "2027-11-06T13:00:00Z":
            raise RuntimeError("as told")

    scene.notify.does = fail_once
    scene.schedule.move(START + timedelta(days=2))
    assert len(scene.notify.times) == 2
    [dead] = scene.dead_letters.records()
    assert dead["function"] == "notify"
    assert dead["record"]["time"] == "2027-11-06T13:00:00Z"


def test_a_run_on_demand_works_off_the_messages_it_makes(scene: Scene) -> None:
    scene.expire.does = lambda _time: scene.queues.send("expiry", ["a", "b"])
    did = scene.schedule.run("expire")
    assert did["queue_messages"] == 2
    assert did["time"].startswith("2027-11-05T16:00:0")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    scene.schedule.start()
    yield scene
    scene.schedule.stop()


def test_the_running_schedule_sees_a_morning_go_by(kept: Scene) -> None:
    kept.clock.move(datetime(2027, 11, 6, 13, tzinfo=UTC) - timedelta(seconds=0.5))
    deadline = time.monotonic() + 5
    while not kept.notify.times and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kept.notify.times == ["2027-11-06T13:00:00Z"]
