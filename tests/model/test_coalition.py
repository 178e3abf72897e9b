"""Nobody gets what is not theirs: two members, a partner and a careless shop never have more than an oracle grants.

`python -m tests.model.coalition` plays as many steps as one likes.
"""

from collections.abc import Iterator

import pytest

from shared.domain.earning.kept_orders import Returned
from shared.domain.lifecycle.remembered import Remembered
from shared.services import refunds, remembered
from shared.services.remembered import Found
from tests.model.coalition.players import Game, beaten
from tests.model.coalition.plots import Plot, Step, drawn, example
from tests.model.kept_histories import Machine, in_memory

SEED, PLOTS = 1, 12


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with in_memory() as machine:
        yield machine


def step(kind: str, member: int = 0, *numbers: int) -> Step:
    first, second, third, fourth = (*numbers, 1, 1, 1, 1)[:4]
    return Step(kind, member, 0, (first, second, third, fourth))


def test_no_coalition_has_more_than_it_may(machine: Machine) -> None:
    plots = [drawn(SEED, number) for number in range(PLOTS)]
    done = sum(Game(machine, plot).play() for plot in plots)
    assert done > sum(len(plot.steps) for plot in plots) // 4


def test_a_plot_is_the_same_for_the_same_seed() -> None:
    assert drawn(3, 7) == drawn(3, 7)
    assert drawn(3, 7) != drawn(3, 8)


def test_welcome_points_for_each_new_account_of_one_person_are_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Plot(example(), 1, (step("join"), step("reserve", 0, 3), step("erase"), step("join")))
    assert beaten(machine, again) is None
    monkeypatch.setattr(remembered, "find", lambda *_: Found([], Remembered()))
    error = beaten(machine, again)
    assert error is not None
    assert error.step == 3
    assert "100 points held and 100 taken, of 150" in error.found


def test_a_friends_points_for_who_joins_anew_with_an_address_that_they_have_left_are_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = example() | {"celebrations": None}
    text["referrals"]["friend_gets_them"] = "on_joining"
    others = step("join", 1, 0, 0)
    again = Plot(text, 2, (step("join", 0, 0, 0), others, step("change_address"), step("join", 0, 0)))
    assert beaten(machine, again) is None
    monkeypatch.setattr(remembered, "left", lambda *_: [])
    error = beaten(machine, again)
    assert error is not None
    assert error.step == 3
    assert "points held and 0 taken, of" in error.found


def test_points_that_a_return_leaves_are_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    goods_back = Plot(example(), 1, (step("join"), step("buy", 0, 4, 0), step("return", 0, 4, 0)))
    assert beaten(machine, goods_back) is None
    monkeypatch.setattr(refunds, "part_by_amount", lambda *_: Returned(1))
    error = beaten(machine, goods_back)
    assert error is not None
    assert "299 points held and 0 taken, of 150" in error.found
