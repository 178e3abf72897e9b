"""One member under 32 writers at once: the functions beside a bare loop that tries again at once, and gives up."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from botocore.exceptions import ClientError

from infra.bench.world import Bare, World, new_order, unique
from shared.tables import ledger, upkeep

WRITERS = 32
EACH = 20
"""Movements that each writer makes, one after the other."""
TRY_AGAIN_SHARE_MAX = 0.01
_BARE_TRIES = 8


class Crowd(NamedTuple):
    """What came of all writers' calls; `wrong` says what is lost, doubled or unsound."""

    booked: int
    try_again: int
    seconds: float
    bare_booked: float
    bare_gave_up: float
    bare_seconds: float
    wrong: tuple[str, ...]

    @property
    def try_again_share(self) -> float:
        """Of all calls."""
        return self.try_again / (self.booked + self.try_again)

    @property
    def bare_share(self) -> float:
        """Of the bare loop's calls, those that it gave up."""
        return self.bare_gave_up / (self.bare_booked + self.bare_gave_up)

    @property
    def ratio(self) -> float:
        """Bookings a second over the bare loop's."""
        return self.booked / self.seconds / (self.bare_booked / self.bare_seconds)


def measure(world: World) -> Crowd:
    """Earns of one member by all writers, before and after them the bare loop."""
    member_id = world.enroll()
    order_id = world.earn(member_id)
    bare = Bare.like(world, member_id, order_id)
    before = _bare(bare)
    acknowledged: list[str] = []
    try_again = Counter[str]()

    def earn() -> None:
        order = new_order()
        reply = world.call("earn", "POST", f"/v1/members/{member_id}/earn", order)
        if reply.status // 100 == 2:
            acknowledged.append(str(order["order_id"]))
        else:
            try_again[reply.body["code"]] += 1

    seconds = _at_once(earn)
    after = _bare(bare)
    booked, gave_up, bare_seconds = (sum(pair) for pair in zip(before, after, strict=True))
    wrong = _wrong(member_id, [*acknowledged, order_id], try_again)
    return Crowd(len(acknowledged), try_again.total(), seconds, booked, gave_up, bare_seconds, tuple(wrong))


def _wrong(member_id: str, acknowledged: list[str], refused: Counter[str]) -> list[str]:
    entries = ledger.load_whole_history(member_id)
    orders = [entry.source["order_id"] for entry in entries if "order_id" in entry.source]
    lost, doubled = set(acknowledged) - set(orders), len(orders) - len(set(orders))
    unasked = len(set(orders) - set(acknowledged))
    found = [f"invariant {breach.invariant}: {breach.detail}" for breach in upkeep.audit(member_id)]
    found += [f"{len(lost)} lost"] if lost else []
    found += [f"{doubled} doubled"] if doubled else []
    found += [f"{unasked} booked and not acknowledged"] if unasked else []
    return found + [f"{number} answered {code}" for code, number in refused.items() if code != "try_again"]


def _bare(bare: Bare) -> tuple[float, float, float]:
    name = unique("crowded")
    bare.put_member(name)
    done = Counter[bool]()
    counting = threading.Lock()

    def earn() -> None:
        booked = _booked(bare, name)
        with counting:
            done[booked] += 1

    seconds = _at_once(earn)
    return done[True], done[False], seconds


def _booked(bare: Bare, name: str) -> bool:
    for _ in range(_BARE_TRIES):
        try:
            bare.earn(name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
        else:
            return True
    return False


def _at_once(call: Callable[[], None]) -> float:
    def all_of_one(_: int) -> None:
        for _ in range(EACH):
            call()

    started = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(all_of_one, range(WRITERS)))
    return time.perf_counter() - started
