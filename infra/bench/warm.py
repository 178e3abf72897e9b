"""How long a warm earn takes over bare boto3 sending the same two requests: they take turns, one call each.

So a machine that is busy for a while slows both alike, and what is compared is the call in the middle of each.
"""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from infra.bench.world import Bare, World, event, new_order, unique

ROUNDS = 600
WARM_UP = 60
RATIO_MAX = 1.25


class Warm(NamedTuple):
    """Milliseconds of a call in the middle: by the clock, and of this process's processor.

    `same_client` is the bare code with the client that the functions use, set up as boto3 is not by itself.
    """

    handler_ms: float
    bare_ms: float
    same_client_ms: float
    handler_processor_ms: float
    bare_processor_ms: float
    same_client_processor_ms: float

    @property
    def ratio(self) -> float:
        """By the clock."""
        return self.handler_ms / self.bare_ms

    @property
    def processor_ratio(self) -> float:
        """By the processor."""
        return self.handler_processor_ms / self.bare_processor_ms


def measure(world: World) -> Warm:
    """Earns of one member, one by one, and as many bare ones."""
    from functions import earn  # noqa: PLC0415 - with the world's settings

    member_id = world.enroll()
    for _ in range(3):
        order_id = world.earn(member_id)
    bare, name = Bare.like(world, member_id, order_id), unique("bare-member")
    bare.put_member(name)

    def handle() -> Callable[[], object]:
        request = event("POST", f"/v1/members/{member_id}/earn", new_order(), "loyalty/storefront")
        return lambda: earn.handler(request, None)

    other = Bare.like(world, member_id, order_id, world.client)
    took = [
        (_took(handle()), _took(lambda: bare.earn(name)), _took(lambda: other.earn(name)))
        for _ in range(ROUNDS + WARM_UP)
    ]
    by_clock, by_processor = (
        [statistics.median(turn[what][kind] for turn in took[WARM_UP:]) for what in range(3)] for kind in range(2)
    )
    return Warm(*by_clock, *by_processor)


def _took(call: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return (time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000
