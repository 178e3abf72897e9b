"""Tasks of one machine are handed over in their time, put off as they ask to be, and set aside if they keep failing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.journal import Journal
from infra.local.task_queue import TaskQueue


class World:
    """A clock, and a worker that fails on what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 12, 1, tzinfo=UTC)
        self.handed: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.falling: set[str] = set()
        self.wait: int | None = None
        self.dead_letters = Journal(folder / "dead-letters.jsonl")
        self.queue = TaskQueue("messages", self._work, 3, lambda: self.now, self.dead_letters)

    def _work(self, event: dict[str, Any], _: object) -> dict[str, Any]:
        [record] = event["Records"]
        body = record["body"]
        self.handed.append((body, record["attributes"]["ApproximateReceiveCount"]))
        if body in self.falling:
            raise RuntimeError("as told")
        if body in self.failing and self.wait is not None:
            self.queue.postpone(record, self.wait)
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}] if body in self.failing else []}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_dealt_with_does_not_come_again(world: World) -> None:
    world.queue.send(["a", "b"], ["x", "y"])
    for _ in range(2):
        world.queue.deliver()
    assert world.handed == [("a", "1"), ("b", "1")]


def test_a_task_waits_as_long_as_it_asks_to_and_holds_up_no_other(world: World) -> None:
    world.failing, world.wait = {"a"}, 600
    world.queue.send(["a", "b"], ["x", "x"])
    world.queue.deliver()
    world.now += timedelta(seconds=599)
    world.queue.deliver()
    assert world.handed == [("a", "1"), ("b", "1")]
    world.now += timedelta(seconds=1)
    world.failing.clear()
    world.queue.deliver()
    assert world.handed[2:] == [("a", "2")]


@pytest.mark.parametrize("how", ["failing", "falling"])
def test_what_keeps_failing_is_set_aside_with_its_worker_s_name(world: World, how: str) -> None:
    setattr(world, how, {"a"})
    world.queue.send(["a"], ["x"])
    for _ in range(5):
        world.queue.deliver()
        world.now += timedelta(hours=1)
    [letter] = world.dead_letters.records()
    assert (letter["function"], letter["record"]["body"], len(world.handed)) == ("messages", "a", 3)
