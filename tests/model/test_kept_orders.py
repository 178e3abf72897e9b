"""What is returned was never bought: after each step of a history, every facet is what a clerk makes of the rest.

`python -m tests.model` plays as many histories as one likes.
"""

from collections.abc import Iterator

import pytest

from shared.domain.earning.kept_orders import Returned, Sale
from shared.services import refunds
from tests.model.kept_histories import Machine, Player, drawn, failure, in_memory, played, shortest

SEED, HISTORIES = 1, 60


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with in_memory() as machine:
        yield machine


def test_every_facet_is_what_the_kept_lines_and_the_actions_alone_make_of_it(machine: Machine) -> None:
    steps = sum(Player(machine, drawn(SEED, number)).play() for number in range(HISTORIES))
    assert steps > 4 * HISTORIES


def test_a_history_is_the_same_for_the_same_seed() -> None:
    assert drawn(3, 7) == drawn(3, 7)
    assert drawn(3, 7) != drawn(3, 8)


def test_a_wrong_return_is_found_and_told_as_a_short_history(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_cent_less(_: Sale, amount: int) -> Returned:
        return Returned(amount - 1 if amount > 1 else amount)

    monkeypatch.setattr(refunds, "part_by_amount", one_cent_less)
    failed = next(one for one in (drawn(SEED, number) for number in range(HISTORIES)) if failure(machine, one))
    short = shortest(machine, failed)
    assert [step.kind for step in short.steps] == ["buy", "return"]
    told = played(SEED, 0, HISTORIES)
    assert told is not None
    assert "Step(kind='return'" in told
