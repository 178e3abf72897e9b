"""The size that is chosen is the cheapest that will do."""

from infra.bench.everyday_calls import EVERYDAY_CALLS
from infra.bench.memory import FIRST_MS_MAX, RESERVE_MB, SIZES_MB, WARM_MS_MAX, Measured, choose
from infra.cloud import costs
from infra.cloud.build.function_code import function_names


def test_every_function_is_measured() -> None:
    assert set(EVERYDAY_CALLS) == set(function_names())


def test_whatever_nobody_waits_for_gets_the_smallest_size_that_holds_it() -> None:
    assert choose(Measured(40, 128 - RESERVE_MB, 900, 90, 9), waited_for=False) == 128
    assert choose(Measured(40, 129 - RESERVE_MB, 900, 90, 9), waited_for=False) == 256


def test_where_somebody_waits_neither_the_first_call_nor_a_later_one_is_slow() -> None:
    for found in (Measured(40, 40, 150, 1, 2), Measured(40, 40, 1, 12, 2)):
        chosen = choose(found, waited_for=True)
        smaller = SIZES_MB[SIZES_MB.index(chosen) - 1]
        assert costs.milliseconds(found.first_ms, found.requests, chosen) <= FIRST_MS_MAX
        assert costs.milliseconds(found.warm_ms, found.requests, chosen) <= WARM_MS_MAX
        assert (
            costs.milliseconds(found.first_ms, found.requests, smaller) > FIRST_MS_MAX
            or costs.milliseconds(found.warm_ms, found.requests, smaller) > WARM_MS_MAX
        )


def test_waiting_costs_more_in_a_larger_size_and_work_the_same() -> None:
    waiting, working = (
        [costs.dollars_per_million(costs.milliseconds(ms, asks, mb), mb) for mb in SIZES_MB]
        for ms, asks in ((0, 5), (5, 0))
    )
    assert waiting == sorted(waiting)
    assert max(working) - min(working) < 0.01
