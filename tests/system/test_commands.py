"""The commands that work on tables: replay and verify."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.system.conftest import LOYALTY, Server, run_loyalty, serving

BEGINS_SECONDS_MAX, ENDS_SECONDS_MAX = 60, 20
SAMPLE = Path(__file__).parents[1] / "data" / "cdnow_sample.txt"
CSV = """customer,order,date_time,amount,currency,lines
ada,A-1,2026-01-05T10:00:00Z,42.50,USD,"[{""sku"": ""TEA"", ""category"": ""tea"", ""amount"": 4250}]"
ada,A-2,2026-01-06 10:00,abc,USD,
grace,A-3,2026-02-30,5,USD,
grace,A-4,2026-03-01,5.00,EUR,
grace,A-5,2026-03-01,5.00,USD,
grace,A-6
"""


@pytest.mark.process
def test_a_file_of_purchases_is_booked_once_however_often_it_is_replayed(tmp_path: Path) -> None:
    first = run_loyalty(tmp_path, "replay", str(SAMPLE))
    sound = run_loyalty(tmp_path, "verify")
    second = run_loyalty(tmp_path, "replay", str(SAMPLE))

    assert (first.returncode, sound.returncode, second.returncode) == (0, 0, 0), first.stderr + sound.stderr
    assert _figure(first.stdout, "orders booked now") == _figure(second.stdout, "orders booked before") == 320
    assert _figure(second.stdout, "orders booked now") == 0
    for what in ("members", "points earned", "points expired", "points outstanding"):
        assert _figure(first.stdout, what) == _figure(second.stdout, what) > 0
    assert sound.stdout.startswith("124 accounts, ")
    assert sound.stdout.rstrip().endswith("0 violations")


@pytest.mark.process
def test_a_replay_that_is_interrupted_ends_soon_and_books_the_rest_when_it_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    lines = [f"c{number % 90},A-{number},2026-0{1 + number // 500}-05T10:00:00Z,7.00,USD" for number in range(2_000)]
    file.write_text("\n".join(["customer,order,date_time,amount,currency", *lines]))
    with serving(tmp_path) as server:
        with subprocess.Popen(
            [LOYALTY, "replay", str(file)],
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as replaying:
            until = time.monotonic() + BEGINS_SECONDS_MAX
            while server.post("/v1/members/lookup", {"external_id": "c0"}).status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.1)
            replaying.send_signal(signal.SIGINT)
            table, complaint = replaying.communicate(timeout=ENDS_SECONDS_MAX)
        again = server.command("replay", str(file))
        assert server.is_sound()

    assert replaying.returncode != 0, table
    assert "Traceback" not in complaint
    assert again.returncode == 0, again.stderr
    booked_before = _figure(again.stdout, "orders booked before")
    assert booked_before < len(lines)
    assert _figure(again.stdout, "orders booked now") + booked_before == len(lines)


def test_a_bad_line_is_named_and_the_rest_is_booked_only_if_that_is_asked_for(tmp_path: Path) -> None:
    file, data = tmp_path / "orders.csv", ("--data", str(tmp_path / "data"))
    file.write_text(CSV)

    refused = run_loyalty(tmp_path, "replay", str(file), *data)
    done = run_loyalty(tmp_path, "replay", "--skip-bad", str(file), *data)

    assert refused.returncode == done.returncode == 1
    assert "nothing was booked" in refused.stderr
    assert refused.stdout == ""
    assert _figure(done.stdout, "orders booked now") == 2
    assert _figure(done.stdout, "lines not booked") == 4
    named = [line for line in done.stderr.splitlines() if line.startswith("line ")]
    assert [line.split(":")[0] for line in named] == ["line 3", "line 4", "line 5", "line 7"]
    assert "must be USD" in named[2]


def test_a_dry_run_says_what_would_be_booked_and_writes_nothing(tmp_path: Path) -> None:
    file, data = tmp_path / "orders.csv", ("--data", str(tmp_path / "data"))
    file.write_text(f"{CSV}ada,A-1,2026-01-09T10:00:00Z,-2.50,USD,\n")
    booked = (*("orders booked now", "returns booked now", "members enrolled now"), "points earned", "lines not booked")

    dry = run_loyalty(tmp_path, "replay", "--dry-run", str(file), *data)
    nothing = run_loyalty(tmp_path, "verify", *data)
    real = run_loyalty(tmp_path, "replay", "--skip-bad", str(file), *data)
    again = run_loyalty(tmp_path, "replay", "--dry-run", str(file), *data)

    assert "nothing was written" in dry.stdout
    assert "nothing was written" not in real.stdout
    assert nothing.stdout.startswith("0 accounts, 0 entries")
    figures = [[_figure(one.stdout, what) for what in booked] for one in (dry, real)]
    assert figures[0] == figures[1] == [2, 1, 2, 245, 4]
    assert dry.stderr == real.stderr
    assert _figure(again.stdout, "orders booked before") == 2
    assert _figure(again.stdout, "orders booked now") == _figure(again.stdout, "members enrolled now") == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "is empty"), ("who,what\n1,2\n", "the header lacks customer"), (None, "cannot be read")],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str | None, complaint: str) -> None:
    file = tmp_path / "orders.csv"
    if content is not None:
        file.write_text(content)
    done = run_loyalty(tmp_path, "replay", str(file), "--data", str(tmp_path / "data"))
    assert done.returncode in {1, 2}
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_point_that_came_from_nowhere_is_found_and_its_member_named(server: Server) -> None:
    member = server.enroll("conjurer")
    client = server.database()
    key = {"pk": {"S": f"MEMBER#{member}"}, "sk": {"S": "ACCOUNT"}}
    stored = client.get_item(TableName="loyalty", Key=key)["Item"]["state"]["S"]

    def store(state: str) -> None:
        names = {"#state": "state"}
        client.update_item(
            TableName="loyalty",
            Key=key,
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":state": {"S": state}},
        )

    store(stored.replace(":100}", ":101}", 1))
    done = server.command("verify")
    store(stored)

    assert done.returncode == 1
    assert f"invariant 3: {member}: available is 101, its entries make 100" in done.stdout
    assert "invariant 4" in done.stdout
    assert server.command("verify").returncode == 0


def test_verifying_nothing_says_what_to_do(tmp_path: Path) -> None:
    done = run_loyalty(tmp_path, "verify")
    assert done.returncode == 2
    assert "loyalty dev" in done.stderr


def _figure(printed: str, what: str) -> int:
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("│ ").split("│")]
        if cells[0] == what:
            return int(cells[1].replace(",", ""))
    raise AssertionError(f"{what} is not in {printed}")


def test_a_smoke_test_of_the_running_server_sees_everything(server: Server) -> None:
    done = server.command("smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["saw"] * 7 + ["everything"]
    assert server.is_sound()
