"""Whatever callers see at once can have happened one after the other; and a checker that tells when it cannot."""

import time
from collections.abc import Iterator

import pytest

from infra.bench.world import World, open_world
from infra.tables import LOYALTY
from infra.tools.verify import check
from shared.tables import client
from tests.system.races.linearizability import Operation, is_linearizable
from tests.system.races.model import Call, Member, Pair, Seen, step
from tests.system.races.traffic import PROGRAM, History, Traffic
from tests.system.races.weather import Weather

NOBODY: Pair = (Member(), Member())
THREADS = 32


@pytest.fixture
def world() -> Iterator[World]:
    with open_world() as opened:
        opened.use_program(**PROGRAM)
        yield opened


def history(*calls: tuple[Call, float, float | None]) -> History:
    return [Operation(*call) for call in calls]


def earn(name: str, saw: int | None = None) -> Call:
    return Call("earn", 0, name, 1_000, saw=None if saw is None else Seen(saw, 0, 0))


def read(saw: int) -> Call:
    return Call("read", 0, saw=Seen(saw, 0, 0))


def test_answers_that_fit_one_order_are_taken_whatever_the_order_of_the_calls() -> None:
    assert is_linearizable(history((earn("a", 20), 0, 9), (earn("b", 10), 1, 8), (read(0), 2, 3)), NOBODY, step)


@pytest.mark.parametrize(
    "made_up",
    [
        history((earn("a", 10), 0, 1), (earn("b", 10), 2, 3)),
        history((earn("a", 10), 0, 1), (earn("b", 10), 0, 1)),
        history((earn("a", 10), 0, 1), (read(0), 2, 3)),
        history((earn("a", 10), 0, 1), (read(20), 2, 3)),
        history((earn("a"), 0, 9), (read(10), 1, 2), (read(0), 3, 4)),
        history((earn("a", 10), 0, 1), (Call("reserve", 0, "s", 10, refused="insufficient_points"), 2, 3)),
        history((Call("transfer", 1, "t", 5, saw=Seen(0, 0, 0)), 0, 1)),
        history((earn("a", 10), 0, 1), (Call("transfer", 0, "t", 4), 2, 5), (read(10), 3, 9), (read(5), 6, 9)),
        history((read(10), 0, 1), (earn("a", 10), 2, 3)),
        history((earn("a"), 0, None), (read(20), 1, 2)),
    ],
    ids=[
        "a lost write",
        "a lost write of two at once",
        "a stale read",
        "a write out of nowhere",
        "a read that goes back",
        "a refusal without a reason",
        "points that were not there",
        "half of a transfer",
        "a read of what comes",
        "what is unknown done twice",
    ],
)
def test_a_history_that_cannot_have_been_is_refused(made_up: History) -> None:
    assert not is_linearizable(made_up, NOBODY, step)


def test_what_nobody_knows_of_may_have_been_done_or_not() -> None:
    for saw in (0, 10):
        assert is_linearizable(history((earn("a"), 0, None), (read(saw), 1, 2)), NOBODY, step)


def race(world: World, *, pairs: int, each: int, seed: int) -> tuple[Traffic, Weather]:
    """All kinds of requests at once, on members whom many want at the same time, with faults between."""
    traffic = Traffic(world, pairs, seed)
    weather = Weather(client.client(), seed)
    try:
        traffic.run(THREADS, each)
    finally:
        weather.close()
    return traffic, weather


def assert_sound(world: World, traffic: Traffic) -> None:
    for number, of_pair in enumerate(traffic.histories):
        assert is_linearizable(of_pair, NOBODY, step), f"pair {number}: {of_pair}"
    assert not check(world.client, LOYALTY.name).violations


def test_thirty_two_callers_see_what_one_after_the_other_would_have_seen(world: World) -> None:
    traffic, weather = race(world, pairs=2, each=6, seed=1)

    assert_sound(world, traffic)
    assert sum(traffic.outcomes.values()) == THREADS * 6
    assert {"conflict", "throttled", "request lost", "answer lost"} <= weather.met.keys()


@pytest.mark.long
def test_many_races(world: World) -> None:
    for seed in range(10):
        began = time.monotonic()
        traffic, weather = race(world, pairs=3, each=60, seed=seed)
        raced = time.monotonic()
        assert_sound(world, traffic)
        print(
            f"\nrace {seed}: {sum(traffic.outcomes.values())} requests in {raced - began:.0f} s, "
            f"checked in {time.monotonic() - raced:.0f} s\n  {dict(weather.met)}\n  {dict(traffic.outcomes)}"
        )
