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


@pytest.mark.process
def test_an_engine_that_keeps_has_everything_again(tmp_path: Path) -> None:
    with engine.running("ministack", tmp_path, keep=True) as first:
        engine.create_missing_tables(first.endpoint)
        engine.client(first.endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
    with engine.running("ministack", tmp_path, keep=True) as second:
        assert not engine.create_missing_tables(second.endpoint)
        assert engine.client(second.endpoint).scan(TableName=LOYALTY.name)["Items"] == [ITEM]


@pytest.mark.process
def test_an_engine_whose_parent_is_killed_saves_and_ends_and_the_next_one_waits_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, endpoint = parent.stdout.readline().split()
        engine.client(endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)
        parent.kill()
    with engine.running("ministack", tmp_path, keep=True) as again:
        assert _ends(int(pid))
        assert engine.client(again.endpoint).scan(TableName=LOYALTY.name)["Items"] == [ITEM]
    assert capsys.readouterr().err == ""


@pytest.mark.process
def test_an_engine_that_is_killed_has_what_it_last_saved_and_says_what_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other: Any = {**ITEM, "sk": {"S": "ENROLL"}}
    with engine.running("ministack", tmp_path, keep=True) as first:
        engine.create_missing_tables(first.endpoint)
        engine.client(first.endpoint).put_item(TableName=LOYALTY.name, Item=ITEM)

    def killed() -> None:
        with engine.running("ministack", tmp_path, keep=True) as second:
            engine.client(second.endpoint).put_item(TableName=LOYALTY.name, Item=other)
            assert second.process
            second.process.kill()

    with pytest.raises(LocalError, match="could not save what it held"):
        killed()
    assert capsys.readouterr().err == ""
    with engine.running("ministack", tmp_path, keep=True) as again:
        assert "the engine was killed before it had saved" in capsys.readouterr().err
        assert not engine.create_missing_tables(again.endpoint)
        assert engine.client(again.endpoint).scan(TableName=LOYALTY.name)["Items"] == [ITEM]
    with engine.running("ministack", tmp_path, keep=True):
        assert capsys.readouterr().err == "", "nothing more is lost"


def test_what_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    def without_room() -> None:
        with engine.running("ministack", tmp_path, keep=True) as started:
            engine.create_missing_tables(started.endpoint)
            assert started.process
            resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    with pytest.raises(LocalError, match="could not save what it held"):
        without_room()


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


def test_a_child_that_will_not_end_is_ended() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        supervised_process.stop(process, 0.2)
        assert process.returncode == -signal.SIGKILL


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
