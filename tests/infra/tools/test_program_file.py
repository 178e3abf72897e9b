"""`loyalty program check` names every fault with its place, and warns."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import tools
from infra.cli import main
from infra.machine import environment
from infra.tools import program_file

EXAMPLE = Path(tools.__file__).with_name("example_program.json")


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    with environment.restored():
        yield


@pytest.fixture
def example() -> dict[str, Any]:
    return dict(json.loads(EXAMPLE.read_text(encoding="utf-8")))


def test_the_example_has_no_fault_and_is_warned_of_what_makes_it_quick_to_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["program", "check", str(EXAMPLE)]) == 0
    told = capsys.readouterr().out
    # Its points can be spent at once, and its partners get them cheaply.
    places = ["/earning/pending_days", "/partners/0/point_cost", "/partners/1/point_cost"]
    assert re.findall(r"warning at (\S+):", told) == places
    assert told.endswith("no faults, 3 warnings\n")


def test_faults_of_all_kinds_are_named_at_once(example: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    rewards = example["redeeming"]["rewards"]
    example["currency"] = "XXY"
    example["earning"]["points"] = -1
    example["nonsense"] = 1
    rewards[0]["points"] = 0
    rewards[1]["minimum_tier"] = "platinum"
    rewards.append(rewards[2])
    welcome = {"kind": "welcome", "channel": "email", "locale": "en", "subject": "{{ balanse }}", "text": "Hello"}
    example["messages"]["templates"] = [welcome]
    path = tmp_path / "program.json"
    path.write_text(json.dumps(example))

    assert main.main(["program", "check", str(path)]) == 1

    told = capsys.readouterr().out
    for place in (
        "/currency",
        "/earning/points",
        "/nonsense",
        "/redeeming/rewards/0/points",
        "/redeeming/rewards/1",
        f"/redeeming/rewards/{len(rewards) - 1}",
        "/messages/templates/0/subject",
    ):
        assert f"fault at {place}: " in told
    assert "7 faults" in told


def test_every_required_section_left_out_is_a_fault_of_its_own(example: dict[str, Any]) -> None:
    for name in ("name", "currency", "country", "time_zone", "earning", "expiry", "tiers"):
        rest = {key: value for key, value in example.items() if key != name}
        assert f"/{name}" in {fault.pointer for fault in program_file.faults(rest)}


def test_a_warning_fails_only_the_strict(example: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    example["redeeming"]["rewards"][0]["stock"] = 0
    path = tmp_path / "program.json"
    path.write_text(json.dumps(example))
    assert main.main(["program", "check", str(path)]) == 0
    assert main.main(["program", "check", "--strict", str(path)]) == 1
    assert "warning at /redeeming/rewards/0/stock" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1, column 2"),
        ('{"name": 1, "name": 2}', "'name' is listed twice"),
    ],
)
def test_what_is_no_json_is_one_line(text: str, words: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "program.json"
    path.write_text(text)
    assert main.main(["program", "check", str(path)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", [[], 1, None, {}])
def test_what_is_no_program_has_faults(text: Any) -> None:
    assert program_file.faults(text)


def test_a_program_is_not_put_where_no_server_runs(capsys: Any) -> None:
    assert main.main(["program", "put", str(EXAMPLE)]) == 2
    assert "loyalty dev" in capsys.readouterr().err
