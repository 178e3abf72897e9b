"""An engine starts, keeps what it was asked to keep, and is never left behind."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from infra.errors import LocalError
from infra.machine import engine, supervised_process
from infra.machine.engine import Kind
from infra.tables import LOYALTY, PEOPLE

SECONDS_MAX = 20
ITEM: Any = {"pk": {"S": "MEMBER#1"}, "sk": {"S": "ACCOUNT"}}

# Starts an engine as somebody who will be killed.
PARENT = """
import sys, time
from pathlib import Path
from infra.machine import engine
with engine.running("ministack", Path(sys.argv[1]), keep=True) as started:
    engine.create_missing_tables(started.endpoint)
    print(started.process.pid, started.endpoint, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["ministack", "moto"])
def test_an_engine_has_the_tables_and_leaves_no_process(kind: Kind, tmp_path: Path) -> None:
    with engine.running(kind, tmp_path, keep=False) as started:
        assert started.endpoint.startswith("http://127.0.0.1:")
        assert engine.create_missing_tables(started.endpoint)
        assert not engine.create_missing_tables(started.endpoint)
        description: Any = engine.client(started.endpoint).describe_table(TableName=LOYALTY.name)["Table"]
        assert {index["IndexName"] for index in description["GlobalSecondaryIndexes"]} == {
            index.name for index in LOYALTY.indexes
        }
        assert description["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
        assert engine.client(started.endpoint).describe_table(TableName=PEOPLE.name)["Table"]["TableName"] == "people"
        assert engine.stream_arn(started.endpoint)
        assert not started.ended()
    assert started.ended()


def test_an_engine_that_keeps_has_everything_again(tmp_path: Path) -> None:
    with engine.running("ministack", tmp_path, keep=True) as first:
        engine.create_missing_tables(first.endpoint)
        engine.client(first.endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
    with engine.running("ministack", tmp_path, keep=True) as second:
        assert not engine.create_missing_tables(second.endpoint)
        assert engine.client(second.endpoint).scan(TableName=LOYALTY.name)["Items"] == [ITEM]


def test_an_engine_whose_parent_is_killed_saves_and_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, endpoint = parent.stdout.readline().split()
        engine.client(endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
        parent.kill()
    assert _ends(int(pid))
    with engine.running("ministack", tmp_path, keep=True) as again:
        assert engine.client(again.endpoint).scan(TableName=LOYALTY.name)["Items"] == [ITEM]


def test_an_engine_that_is_killed_has_everything_again(tmp_path: Path) -> None:
    other: Any = {**ITEM, "sk": {"S": "ENROLL"}, "type": {"S": "enroll"}}
    with engine.running("ministack", tmp_path, keep=True) as first:
        engine.create_missing_tables(first.endpoint)
        client, arn = engine.client(first.endpoint), engine.stream_arn(first.endpoint)
        client.put_item(TableName=LOYALTY.name, Item=ITEM)
        client.transact_write_items(
            TransactItems=[
                {"Delete": {"TableName": LOYALTY.name, "Key": ITEM}},
                {"Put": {"TableName": LOYALTY.name, "Item": other}},
            ]
        )
        client.put_item(TableName=PEOPLE.name, Item=ITEM)
        delivered, *following = _stream(first.endpoint)
        _kill(first)
    with (tmp_path / "engine" / "journal.jsonl").open("a") as journal:
        journal.write('{"items": [["cut off')

    for _ in range(2):
        with engine.running("ministack", tmp_path, keep=True) as again:
            assert not engine.create_missing_tables(again.endpoint)
            assert engine.stream_arn(again.endpoint) == arn
            assert engine.client(again.endpoint).scan(TableName=LOYALTY.name)["Items"] == [other]
            assert engine.client(again.endpoint).scan(TableName=PEOPLE.name)["Items"] == [ITEM]
            assert _stream(again.endpoint, after=delivered) == following
            _kill(again)


def test_a_clean_stop_leaves_no_journal(tmp_path: Path) -> None:
    with engine.running("ministack", tmp_path, keep=True) as started:
        engine.create_missing_tables(started.endpoint)
        engine.client(started.endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
        assert (tmp_path / "engine" / "journal.jsonl").exists()
    assert not (tmp_path / "engine" / "journal.jsonl").exists()


def test_what_cannot_be_written_down_is_not_acknowledged(tmp_path: Path) -> None:
    with engine.running("ministack", tmp_path, keep=True) as started:
        engine.create_missing_tables(started.endpoint)
        assert started.process
        resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        with pytest.raises(BotoCoreError):
            engine.client(started.endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
        assert started.process.wait(SECONDS_MAX) == 1


def test_where_nothing_answers_says_so_in_one_line() -> None:
    with pytest.raises(LocalError, match=r"no DynamoDB answers at http://127\.0\.0\.1:9"):
        engine.create_missing_tables("http://127.0.0.1:9")


def test_an_engine_that_cannot_start_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "ministack"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('as told')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        pytest.raises(LocalError, match=r"did not start[\s\S]*RuntimeError: as told"),
        engine.running("ministack", tmp_path, keep=False),
    ):
        pass


def test_a_child_that_will_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised_process, "STOP_SECONDS_MAX", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        supervised_process.stop(process)
        assert process.returncode == -signal.SIGKILL


def _kill(started: engine.Engine) -> None:
    assert started.process
    started.process.kill()
    started.process.wait()


def _stream(endpoint: str, after: Any = None) -> list[Any]:
    """What the ledger's stream has, from the beginning or after a record."""
    client, arn = engine.streams_client(endpoint), engine.stream_arn(endpoint)
    [shard] = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place: Any = {"ShardIteratorType": "TRIM_HORIZON"}
    if after:
        number = after["dynamodb"]["SequenceNumber"]
        place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
    iterator = client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], **place)["ShardIterator"]
    return list(client.get_records(ShardIterator=iterator)["Records"])


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
