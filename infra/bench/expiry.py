"""What an expiry run asks for when as many accounts are due among few and among many: the same. And what each takes."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from infra.bench.world import World, unique
from infra.tables import LOYALTY
from shared import runtime
from shared.runtime import RunName
from shared.tables import accounts, due_index, upkeep

DUE = 1_000
AMONG = (1_000, 10_000, 100_000)
DIFFERENCE_MAX = 0.05
_BATCH = 25
_WRITERS = 8
_REMINDED_ON = date(2026, 1, 31)
_BEGAN = datetime.fromisoformat("2025-01-10T12:00:00+00:00")
_RUN = datetime.fromisoformat("2026-02-02T12:00:00+00:00")
"""Points of January 2025 have expired at the end of January 2026; those of the year after stay."""


class Taken(NamedTuple):
    """Requests of an expiry run, and milliseconds of a processor for each account that was due."""

    requests: Counter[str]
    listed_ms: float
    settled_ms: float


def measure(world: World, among: Sequence[int] = AMONG, due: int = DUE) -> dict[int, Taken]:
    """An expiry run with `due` accounts due, by how many accounts there are."""
    old, young = _template(world, _BEGAN), _template(world, _BEGAN + timedelta(days=365))
    asked: dict[int, Taken] = {}
    there = 0
    for number in among:
        _fill(world, old, due)
        _fill(world, young, number - there - due)
        there = number
        asked[number] = _run(world, due)
    return asked


def _template(world: World, at: datetime) -> list[dict[str, Any]]:
    """A member's account and entries, for others to be made of."""
    with runtime.use(clock=lambda: at):
        member_id = world.enroll()
        world.earn(member_id)
    # Its owner has been reminded: what is left for the run to do is the expiry itself.
    upkeep.mark_reminded(accounts.load_account(member_id), _REMINDED_ON)
    history = world.client.query(
        TableName=LOYALTY.name,
        IndexName="history",
        KeyConditionExpression="member_id = :member",
        ExpressionAttributeValues={":member": {"S": member_id}},
    )
    items = [world.item(f"MEMBER#{member_id}", "ACCOUNT"), *history["Items"]]
    # Out of the way: it is not one of those that are counted.
    world.client.update_item(
        TableName=LOYALTY.name,
        Key={"pk": {"S": f"MEMBER#{member_id}"}, "sk": {"S": "ACCOUNT"}},
        UpdateExpression="REMOVE due_pk, due_sk",
    )
    return [json.loads(json.dumps(item).replace(member_id, "<member>")) for item in items]


def _fill(world: World, template: list[dict[str, Any]], number: int) -> None:
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(lambda items: _put(world, items), _batches(_copies(template, number))))


def _copies(template: list[dict[str, Any]], number: int) -> Iterator[dict[str, Any]]:
    text = json.dumps(template)
    for _ in range(number):
        name = unique("filled")
        for item in json.loads(text.replace("<member>", name)):
            if item["pk"]["S"].startswith("ORDER#"):
                item["pk"]["S"] = f"ORDER#{name}"
            yield item


def _batches(items: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _put(world: World, items: Sequence[dict[str, Any]]) -> None:
    requests: Any = {LOYALTY.name: [{"PutRequest": {"Item": item}} for item in items]}
    while requests:
        requests = world.client.batch_write_item(RequestItems=requests).get("UnprocessedItems")


class _Waiting:
    """Keeps what the run queues."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send(self, _run: RunName, bodies: Sequence[str]) -> None:
        self.bodies += bodies

    def waiting(self, _run: RunName) -> int:
        return len(self.bodies)


def _run(world: World, due: int) -> Taken:
    from functions import expire  # noqa: PLC0415 - with the world's settings

    waiting = _Waiting()
    due_index.note_day(due_index.EXPIRY_RUN, date(2026, 1, 30))
    with runtime.use(run_queues=waiting, clock=lambda: _RUN), world.requests() as sent:
        began = time.thread_time()
        expire.handler({"time": _RUN.isoformat()}, None)
        listed = time.thread_time()
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(waiting.bodies)]
        if expire.handler({"Records": records}, None)["batchItemFailures"]:
            raise RuntimeError("an expiry run failed")
        settled = time.thread_time()
    return Taken(Counter(sent), (listed - began) * 1000 / due, (settled - listed) * 1000 / due)
