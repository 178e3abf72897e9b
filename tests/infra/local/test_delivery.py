"""Records and messages reach their function at least once, and a bad one holds up no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.permissions import RUN_WORKERS
from infra.local import delivery
from infra.local.delivery import RETRIES_MAX, Delivery
from infra.local.journal import Journal
from infra.local.run_queues import BATCH_MAX, RunQueues


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PAUSE_SECONDS", 0)


@pytest.fixture
def dead_letters(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "dead-letters.jsonl")


class Worker:
    """Remembers the batches it was handed; fails on, or over, the records told."""

    def __init__(self, fails_on: str = "", falls_over: str = "", times: int = 1000) -> None:
        self.batches: list[list[str]] = []
        self._fails_on = fails_on
        self._falls_over = falls_over
        self._times = times

    def __call__(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        bodies = [record["body"] for record in event["Records"]]
        self.batches.append(bodies)
        if self._falls_over in bodies:
            raise RuntimeError("as told")
        failed = [record["messageId"] for record in event["Records"] if self._fails(record["body"])]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}

    def _fails(self, body: str) -> bool:
        if body != self._fails_on:
            return False
        self._times -= 1
        return self._times >= 0


def test_messages_come_in_batches_as_sqs_makes_them(dead_letters: Journal) -> None:
    worker = Worker()
    queues = RunQueues({"expire": worker}, dead_letters)
    queues.send("expiry", [str(number) for number in range(BATCH_MAX + 2)])
    assert queues.deliver() == BATCH_MAX + 2
    assert [len(batch) for batch in worker.batches] == [BATCH_MAX, 2]
    assert queues.deliver() == 0


def test_each_run_has_a_queue_of_its_own_and_two_may_have_one_function(dead_letters: Journal) -> None:
    expire, notify = Worker(), Worker()
    queues = RunQueues({"expire": expire, "notify": notify}, dead_letters)
    queues.send("statements", ["s"])
    queues.send("reminders", ["r"])
    queues.send("expiry", ["e", "e"])
    assert {run: queues.waiting(run) for run in RUN_WORKERS} == {
        "expiry": 2,
        "birthdays": 0,
        "reminders": 1,
        "statements": 1,
    }
    assert queues.deliver() == 4
    assert (expire.batches, notify.batches) == ([["e", "e"]], [["r"], ["s"]])


def test_what_messages_lead_to_is_delivered_as_well(dead_letters: Journal) -> None:
    seen: list[str] = []

    def worker(event: dict[str, Any], _context: object) -> None:
        [record] = event["Records"]
        seen.append(record["body"])
        if record["body"] == "first":
            queues.send("expiry", ["second"])

    queues = RunQueues({"expire": worker}, dead_letters)
    queues.send("expiry", ["first"])
    assert queues.deliver() == 2
    assert seen == ["first", "second"]


def test_a_message_that_fails_is_tried_again_alone(dead_letters: Journal) -> None:
    worker = Worker(fails_on="b", times=2)
    queues = RunQueues({"expire": worker}, dead_letters)
    queues.send("expiry", ["a", "b", "c"])
    queues.deliver()
    assert worker.batches == [["a", "b", "c"], ["b"], ["b"]]
    assert dead_letters.records() == []


def test_a_message_that_keeps_failing_becomes_a_dead_letter(dead_letters: Journal) -> None:
    worker = Worker(fails_on="b")
    queues = RunQueues({"expire": worker}, dead_letters)
    queues.send("expiry", ["a", "b", "c"])
    queues.deliver()
    assert len(worker.batches) == 1 + RETRIES_MAX
    [dead] = dead_letters.records()
    assert dead["function"] == "expire"
    assert dead["record"]["body"] == "b"


def test_a_record_that_fells_the_function_takes_no_other_with_it(dead_letters: Journal) -> None:
    worker = Worker(falls_over="b")
    records = [{"messageId": body, "body": body} for body in "abc"]
    Delivery("expire", worker, lambda record: str(record["messageId"]), dead_letters).deliver(records)
    assert ["a"] in worker.batches
    assert ["c"] in worker.batches
    assert [dead["record"]["body"] for dead in dead_letters.records()] == ["b"]


def test_a_journal_is_read_back_without_the_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append({"number": 1})
    with path.open("a") as file:
        file.write('{"number": 2, "te')
    Journal(path).append({"number": 3})
    assert Journal(path).records() == [{"number": 1}, {"number": 3}]
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 3]
