"""Parts are replaced, put back, and what was remembered is forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from shared import clock, runtime

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _as_in_the_cloud() -> Iterator[None]:
    with runtime.use():
        runtime.reset()
        yield


def test_a_part_is_replaced_until_everything_is_put_back() -> None:
    runtime.use(clock=lambda: NOON)
    assert clock.now() == NOON
    runtime.reset()
    assert abs(clock.now() - datetime.now(UTC)).total_seconds() < 60


def test_a_part_is_replaced_for_a_block_and_then_is_what_it_was_before() -> None:
    runtime.use(clock=lambda: NOON)
    with runtime.use(clock=lambda: NIGHT, monotonic=lambda: 7.0):
        assert (clock.now(), runtime.monotonic()) == (NIGHT, 7.0)
    assert clock.now() == NOON
    assert "monotonic" not in runtime.replaced


def test_what_a_block_replaces_on_the_way_goes_with_it_and_with_its_failure() -> None:
    def fail() -> None:
        with runtime.use(clock=lambda: NOON):
            runtime.use(monotonic=lambda: 7.0)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not runtime.replaced


def test_chance_cannot_be_repeated_unless_it_is_replaced() -> None:
    assert runtime.random().getrandbits(128) != runtime.random().getrandbits(128)
    drawn = []
    for _ in range(2):
        with runtime.use(random=Random(1)):  # noqa: S311 - guards nothing
            drawn.append(runtime.random().getrandbits(128))
    assert drawn[0] == drawn[1]


def test_what_is_remembered_is_read_once_until_the_process_forgets() -> None:
    read: list[int] = []

    @runtime.remembered()
    def number() -> int:
        read.append(1)
        return len(read)

    assert [number(), number()] == [1, 1]
    runtime.forget()
    assert [number(), number()] == [2, 2]
    runtime.reset()
    assert number() == 3


def test_what_is_forgotten_while_it_is_read_is_read_again() -> None:
    """Another thread may have read it before it was changed."""
    read: list[int] = []

    @runtime.remembered()
    def number() -> int:
        read.append(1)
        if len(read) == 1:
            number.forget()
        return len(read)

    assert [number(), number(), number()] == [1, 2, 2]


def test_what_is_remembered_for_seconds_is_as_old_as_its_reading_began() -> None:
    seconds = [0.0]

    @runtime.remembered(seconds=30)
    def began() -> float:
        at = seconds[0]
        seconds[0] += 10
        return at

    with runtime.use(monotonic=lambda: seconds[0]):
        assert began() == 0
        seconds[0] = 30
        assert began() == 0
        seconds[0] = 30.5
        assert began() == 30.5


def test_others_are_told_to_forget() -> None:
    kept = {"a": 1}
    runtime.on_forget(kept.clear)
    runtime.forget()
    assert not kept
