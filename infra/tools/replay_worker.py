"""Past purchases booked by one process: each customer's in order, then what time has done to those customers.

Members are enrolled with their first purchase. What time has done, points expired and tiers reviewed, is booked before
a member's next purchase, and in the end for all, each entry with the moment at which it came about.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from infra.tools.own_writes import OwnWrites, remembering
from infra.tools.purchases import BadLine, Purchase
from infra.tools.storefront import Answer, RefusedError, Storefront
from shared import runtime
from shared.domain.calendar import start_of_day
from shared.tables import client, upkeep

THREADS = 4
"""More do not help: they share one core."""
CLIENT_ID = "replay"


@dataclass
class Result:
    """What a replay did: orders booked now, orders that had been booked before, and the lines that are none."""

    orders: int = 0
    replayed: int = 0
    enrolled: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    until: datetime | None = None
    seconds: float = 0.0

    def add(self, part: "Result") -> None:
        """Count a part of it."""
        self.orders += part.orders
        self.replayed += part.replayed
        self.enrolled += part.enrolled
        self.bad_lines = sorted([*self.bad_lines, *part.bad_lines])
        self.until = max(filter(None, [self.until, part.until]), default=None)


def book(purchases: Sequence[Purchase], last: date, zone: str, advance: Callable[[], None]) -> Result:
    """Book purchases, the earliest first, and settle their members up to a day. `advance` is called after each."""
    with _own_time() as at, remembering(client.client()) as own:
        return _Booking(at, own, advance).run(purchases, last, zone)


def settle(members: Iterable[str], last: date, zone: str) -> None:
    """Book what time has done to members until a day. Nobody was reminded on the way: they stand under it if due."""
    now = start_of_day(last, zone)
    with ThreadPoolExecutor(THREADS) as threads:
        for settled in [threads.submit(upkeep.catch_up, one, now, not_before=last) for one in members]:
            settled.result()


def by_customer(purchases: Iterable[Purchase], among: int) -> list[list[Purchase]]:
    """The purchases in so many shares: all of a customer's in one, in the order in which they come."""
    numbers: dict[str, int] = {}
    shares: list[list[Purchase]] = [[] for _ in range(among)]
    for purchase in purchases:
        shares[numbers.setdefault(purchase.customer, len(numbers)) % among].append(purchase)
    return shares


class _Booking:
    def __init__(self, at: Callable[[datetime], None], own: OwnWrites, advance: Callable[[], None]) -> None:
        self._result = Result()
        self._at = at
        self._own = own
        self._advance = advance
        self._members: dict[str, str] = {}
        self._shop = Storefront(CLIENT_ID)
        self._counting = threading.Lock()

    def run(self, purchases: Sequence[Purchase], last: date, zone: str) -> Result:
        with ThreadPoolExecutor(THREADS) as threads:
            for done in [threads.submit(self._book_all, share) for share in by_customer(purchases, THREADS)]:
                done.result()
        settle(self._members.values(), last, zone)
        return self._result

    def _book_all(self, purchases: Iterable[Purchase]) -> None:
        for purchase in purchases:
            try:
                self._book(purchase)
            except RefusedError as error:
                with self._counting:
                    self._result.bad_lines.append(BadLine(purchase.line, str(error)))
            with self._counting:
                self._advance()

    def _book(self, purchase: Purchase) -> None:
        self._at(purchase.placed_at)
        member_id = self._members.get(purchase.customer)
        is_new = False
        if member_id is None:
            joined = self._shop.enroll(f"{CLIENT_ID}:{purchase.customer}", external_id=purchase.customer)
            member_id, is_new = joined.body["member_id"], not joined.is_replay
            self._members[purchase.customer] = member_id
        booked = self._earned(member_id, _order(purchase))
        with self._counting:
            self._result.enrolled += is_new
            self._result.orders += not booked.is_replay
            self._result.replayed += booked.is_replay
            self._result.until = max(purchase.placed_at, self._result.until or purchase.placed_at)

    def _earned(self, member_id: str, order: dict[str, Any]) -> Answer:
        try:
            return self._shop.earn(member_id, order)
        except RefusedError:
            self._own.forget(member_id)
            return self._shop.earn(member_id, order)


def _order(purchase: Purchase) -> dict[str, Any]:
    return {
        "order_id": purchase.order_id,
        "placed_at": purchase.placed_at.isoformat(),
        "currency": purchase.currency,
        "total": purchase.amount,
        "lines": list(purchase.lines),
    }


@contextmanager
def _own_time() -> Iterator[Callable[[datetime], None]]:
    """A clock that each thread sets for itself, for as long as the block lasts."""
    here = threading.local()

    def at(instant: datetime) -> None:
        here.now = instant

    with runtime.use(clock=lambda: here.now):
        yield at
