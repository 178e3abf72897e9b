"""What is read from mutmut's folder, which changes count, and what the figure means."""

import json
from pathlib import Path

import pytest

from tests.mutation.__main__ import ROOT, interval
from tests.mutation.mutants import Change, change_of, equivalents, is_wording, mutants

MODULE = "shared/domain/greeting.py"
NAME = "shared.domain.greeting.x_greet__mutmut_"
CALLS = {
    "orig": 'say("hello there", "greeting")',
    "1": 'say("XXhello thereXX", "greeting")',
    "2": 'say("hello there", "GREETING")',
    "3": 'say("hello there", )',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As mutmut leaves it: a function of three lines as it is, and broken in three ways."""
    file = tmp_path / "mutants" / MODULE
    file.parent.mkdir(parents=True)
    variants = {f"x_greet__mutmut_{number}": call for number, call in CALLS.items()}
    file.write_text("".join(f"def {name}():\n    {call}\n    return 1\n" for name, call in variants.items()))
    spans = {name: (3 * at + 1, 3 * at + 3) for at, name in enumerate(variants)}
    file.with_name("greeting.py.spans").write_text(json.dumps({"version": 1, "spans": spans}))
    codes = {f"{NAME}{number}": None for number in CALLS if number != "orig"}
    file.with_name("greeting.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    return tmp_path


def test_a_mutant_is_shown_by_the_line_that_it_changes(folder: Path) -> None:
    assert mutants(folder) == [f"{NAME}1", f"{NAME}2", f"{NAME}3"]
    assert change_of(f"{NAME}3", folder) == Change(MODULE, CALLS["orig"], CALLS["3"])


def test_words_for_people_are_set_aside_and_names_are_not(folder: Path) -> None:
    assert [is_wording(name, folder) for name in mutants(folder)] == [True, False, False]


def test_what_is_said_to_change_nothing_is_still_written_so_and_has_a_reason() -> None:
    for change, why in equivalents().items():
        lines = (ROOT / change.module).read_text(encoding="utf-8").splitlines()
        assert change.before in " ".join(line.strip() for line in lines), change
        assert change.before != change.after
        assert why


def test_the_interval_is_wilsons() -> None:
    assert interval(143, 160) == pytest.approx((0.8364, 0.9326), abs=1e-4)
    assert interval(160, 160)[1] == pytest.approx(1)
