"""`loyalty import` and `loyalty export`, as an operator runs them."""

import csv
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.cli import main
from infra.machine import engine, folders
from shared import runtime
from tests.system.conftest import LOYALTY, run_loyalty

MEMBERS = [
    *("external_id", "email", "phone", "card_number", "name", "birthday", "locale", "enrolled_at"),
    *("terms_version", "marketing_email", "marketing_sms", "referral_code", "tags"),
]
POINTS = ["external_id", "points", "earned_at", "expires_on", "reference"]
TIERS = ["external_id", "tier_id", "since", "review_on", "qualifying"]
TOMORROW = date.today() + timedelta(days=1)  # noqa: DTZ011 - the command's own clock is the machine's
MEMORY_MB_MAX = 250

RunHere = Callable[..., str]


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[RunHere]:
    """Commands in this process, each as if it had just begun: to start a process takes longer than most of them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run_here(*arguments: str) -> str:
        runtime.reset()
        with patch.dict(os.environ):
            status = main.main(arguments)
        captured = capsys.readouterr()
        assert status == 0, captured.out + captured.err
        return captured.out

    yield run_here
    runtime.reset()


def test_members_points_and_tiers_go_in_once_come_out_and_go_in_elsewhere(tmp_path: Path, run_here: RunHere) -> None:
    files = [str(path) for path in write_files(tmp_path, members=60)]
    engines = [engine.running("ministack", folders.private_folder(tmp_path / name), keep=False) for name in "ab"]
    with engines[0] as one, engines[1] as other:
        here, there = ("--endpoint", one.endpoint), ("--endpoint", other.endpoint)

        told = run_here("import", "--dry-run", files[0], *here)
        assert "members: 60 lines would be brought in, 0 brought in before, 0 wrong" in told
        assert "nothing was written" in told
        told = run_here("import", *files, *here)
        assert "points: 120 lines brought in" in told
        assert "tiers: 60 lines brought in" in told
        told = run_here("import", *files, *here)
        again = re.findall(r": 0 lines brought in(?: with 0 points)?, (?:60|120) brought in before, 0 wrong", told)
        assert len(again) == 3

        run_here("export", str(tmp_path / "out"), *here)
        out = [str(tmp_path / "out" / f"{kind}.csv") for kind in ("members", "points", "tiers")]
        run_here("import", *out, *there)
        run_here("export", str(tmp_path / "again"), *there)
        assert "0 violations" in run_here("verify", *there)
    for kind in ("members", "points", "tiers"):
        first, second = rows(tmp_path / "out" / f"{kind}.csv"), rows(tmp_path / "again" / f"{kind}.csv")
        assert first == second
        assert first
    assert lots(tmp_path / "out" / "points.csv", POINTS[1:4]) == lots(tmp_path / "points.csv", POINTS[1:4])
    assert (tmp_path / "out" / "members.csv").stat().st_mode & 0o077 == 0


@pytest.mark.process
def test_every_wrong_line_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    members = tmp_path / "members.csv"
    write(
        members,
        MEMBERS,
        [
            ["a", "a@example.org", "", "", "Ada", "", "", "2020-01-02", "v1", "yes", "", "", ""],
            ["b", "not an address", "", "", "", "31-12", "", "2020-13-01", "", "maybe", "", "", ""],
            ["a", "", "", "", "", "", "", "2020-01-02", "", "", "", "", ""],
            ["", "", "4.42E+11", "", "", "", "", "2020-01-02", "", "", "", "", ""],
            ["", "", "", "", "", "", "", "2999-01-02", "", "", "", "", ""],
        ],
    )
    answer = run_loyalty(tmp_path, "import", str(members), *data)
    assert answer.returncode == 1
    for words in (
        "line 3: enrolled_at: '2020-13-01': must be a day, such as 2026-11-20; marketing_email: 'maybe' is neither yes",
        "line 4: external_id: the same member stands on a line before",
        "line 5: phone: '4.42E+11' was shortened by a spreadsheet",
        "give one of external_id",
    ):
        assert words in answer.stderr
    assert "birthday" in answer.stderr
    assert "nothing was written" in answer.stdout

    write(members, MEMBERS, [["a", "a@example.org", "", "", "Ada", "", "", "2020-01-02", "v1", "yes", "", "", ""]])
    run(tmp_path, "import", str(members), *data)
    points = tmp_path / "points.csv"
    write(
        points,
        POINTS,
        [
            ["a", "10", "2026-01-02", "2026-01-31", "r1"],
            ["nobody", "10", "2026-01-02", "never", "r2"],
            ["a", "1.5", "2026-01-02", "never", "r3"],
            ["a", "5", "2026-01-02", "never", "r4"],
            ["a", "5", "2026-01-02", "never", "r4"],
            ["a", "5", "2026-01-02", "never"],
        ],
    )
    answer = run_loyalty(tmp_path, "import", str(points), *data)
    for words in (
        "line 2: expires_on: 2026-01-31 has passed",
        "line 3: external_id: there is no such member",
        "line 4: points: '1.5' is not a whole number",
        "line 6: external_id: the same member has this reference on a line before",
        "line 7: 4 cells where the header has 5",
    ):
        assert words in answer.stderr
    assert answer.returncode == 1
    run(tmp_path, "export", str(tmp_path / "out"), *data)
    assert rows(tmp_path / "out" / "points.csv") == []


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("external_id,points,earned_at,reference", "lacks expires_on"),
        ("points,earned_at,expires_on,reference", "lacks one of external_id"),
        ("shoe_size,favourite_tea", "names nobody"),
        ("email;tier_id", "lacks since"),
    ],
)
def test_a_header_that_will_not_do_says_what_would(header: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n")
    answer = run_loyalty(tmp_path, "import", str(path), "--data", str(tmp_path / "data"))
    assert answer.returncode == 2
    assert words in answer.stderr


@pytest.mark.long
def test_a_hundred_thousand_lines_are_looked_through_within_memory(tmp_path: Path) -> None:
    # In a dry run the database is small: what is measured is the command, not the emulator beside it.
    members, _, _ = write_files(tmp_path, members=100_000)
    command = [LOYALTY, "import", "--dry-run", members, "--data", tmp_path / "data"]
    timed = ["/usr/bin/time", "-f", "%M", *map(str, command)]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    answer = subprocess.run(timed, env=environment, capture_output=True, text=True, check=True)
    assert "100000 lines would be brought in, 0 brought in before, 0 wrong" in answer.stdout
    assert int(answer.stderr.split()[-1]) < MEMORY_MB_MAX * 1024


def write_files(folder: Path, members: int) -> tuple[Path, Path, Path]:
    """Members, two lots of points for each, and their tiers."""
    paths = folder / "members.csv", folder / "points.csv", folder / "tiers.csv"
    dice = random.Random(7)  # noqa: S311 - nothing secret
    numbers = range(members)
    write(paths[0], MEMBERS, (member(number, dice) for number in numbers))
    write(paths[1], POINTS, (lot for number in numbers for lot in points_of(number, dice)))
    later = (TOMORROW + timedelta(days=100)).isoformat()
    write(
        paths[2],
        TIERS,
        (
            [f"c{number}", *held, f"2026-0{1 + number % 9}:{number}"]
            for number in numbers
            for held in [("silver", "2026-03-04", later) if number % 2 else ("bronze", "2026-03-04", "")]
        ),
    )
    return paths


def member(number: int, dice: random.Random) -> list[str]:
    tags = " ".join(sorted(dice.sample(["vip", "trade", "event"], number % 3)))
    name = ["Ada Lovelace", "=cmd|' /C calc'!A0", 'Zoë, the "second"', "-", "'quoted"][number % 5]
    phone = f"+1 212 555 {number:04}" if number < 10_000 and number % 4 == 0 else ""
    return [
        *(f"c{number}", f"c{number}@example.org", phone, "", name, "02-29" if number % 2 else "", "en-GB"),
        *("2020-01-02T10:00:00+01:00", "v1", "yes" if number % 3 else "no", "no", f"CODE-{number:06}", tags),
    ]


def points_of(number: int, dice: random.Random) -> Iterator[list[str]]:
    for lot in range(2):
        last_day = "never" if lot else (TOMORROW + timedelta(days=dice.randrange(900))).isoformat()
        earned_at = f"2026-0{1 + number % 9}-1{lot}T10:00:00Z"
        yield [f"c{number}", str(1 + dice.randrange(900)), earned_at, last_day, f"r{number}-{lot}"]


def write(path: Path, header: Sequence[str], lines: Iterator[list[str]] | list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header, *lines])


def rows(path: Path) -> list[list[str]]:
    """What a file says, without the references that every export makes anew."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader)
        kept = [place for place, name in enumerate(header) if name != "reference"]
        return sorted([line[place] for place in kept] for line in reader)


def lots(path: Path, names: Sequence[str]) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return sorted([line[name] for name in names] for line in csv.DictReader(file))


def run(home: Path, *arguments: str) -> str:
    answer = run_loyalty(home, *arguments)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
