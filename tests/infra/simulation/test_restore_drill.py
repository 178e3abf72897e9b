"""Restores from the middle of everything that members can do, each item as it was at a slightly different moment."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.simulation import expressions, seams
from infra.simulation.fake_dynamodb import Database, Item, Key, Written
from infra.simulation.world import World
from infra.tables import LOYALTY, PEOPLE
from infra.tools import parts
from infra.tools import rebuild as rebuilding
from infra.tools.rebuild import Report, rebuild
from infra.tools.verify import Violation, check
from shared import runtime
from shared.domain import entry_types
from shared.tables.ledger import entry_of

OPERATIONS = 400
SPREAD = 40
"""Commits: so much earlier or later than the moment an item may have been read."""


class Recorded(World):
    """A world of which every version of every item is kept, by the number of the commit."""

    def __init__(self, seed: int, number: int) -> None:
        super().__init__(seed, number)
        self.versions: dict[Key, list[tuple[int, Item | None]]] = defaultdict(list)
        self.commits = 0

    def _committed(self, written: list[Written]) -> None:
        self.commits += 1
        for one in written:
            if one.table == LOYALTY.name:
                self.versions[one.key].append((self.commits, one.after))
        super()._committed(written)

    def restored_to(self, moment: int, spread: int, random: Random) -> "Restorable":
        """The table as of about a moment."""
        table = Restorable()
        for _, versions in sorted(self.versions.items()):
            when = moment + random.randint(-spread, spread)
            *_, (_, item) = [(0, None), *((number, item) for number, item in versions if number <= when)]
            if item is not None:
                table.put_item(TableName=LOYALTY.name, Item=item)
        return table


class _Pages:
    def __init__(self, items: Any) -> None:
        self._items = items

    def paginate(self, **request: Any) -> Any:
        yield {"Items": self._items(**request)}


class Restorable(Database):
    """A database of its own, that can be read as a whole."""

    def __init__(self) -> None:
        super().__init__((LOYALTY, PEOPLE), lambda _, execute: execute(), lambda _: None, lambda: 0)

    def get_paginator(self, operation: str) -> _Pages:
        """The pages of a scan or a query."""
        return _Pages(self._scanned if operation == "scan" else self._queried)

    def _scanned(self, TableName: str, **request: Any) -> list[Item]:  # noqa: N803 - boto3's
        items = [item for _, item in self.everything(TableName)]
        if "FilterExpression" not in request:
            return items
        wanted = expressions.condition(request["FilterExpression"], request.get("ExpressionAttributeNames", {}))
        return [item for item in items if wanted(item, request["ExpressionAttributeValues"])]

    def _queried(self, **request: Any) -> list[Item]:
        items: list[Item] = []
        while True:
            page = self.query(**request)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _itself(table: Any) -> Any:
    return table


def violations(table: Any) -> list[Violation]:
    return check(table, LOYALTY.name).violations


def run(table: Any, withdrawn_to: Path | None) -> Report:
    with parts.unkept(datetime.now(UTC)) as run_of_one:
        return rebuild(table, LOYALTY.name, run_of_one, writes=True, withdrawn_to=withdrawn_to)


def drill(world: Recorded, random: Random, folder: Path) -> tuple[int, Report]:
    """Restore, check, rebuild, check; how many violations there were, and what the rebuild has done."""
    table: Any = world.restored_to(random.randint(SPREAD, world.commits - SPREAD), SPREAD, random)
    restored = {key: item for key, item in table.everything(LOYALTY.name) if "type" in item}
    found = violations(table)
    with seams.in_place_of_the_world(world), runtime.use(database=lambda: table):
        report = run(table, folder / "withdrawn")
        left = {key: item for key, item in table.everything(LOYALTY.name) if "type" in item}

        assert not violations(table)
        assert left.items() <= restored.items(), "entries were made up"
        assert len(restored) - len(left) == len(report.withdrawn)
        assert sum(entry.net_effect for entry in map(entry_of, left.values()) if entry_types.of(entry.type).pair) == 0
        before = table.everything(LOYALTY.name)
        assert not any(run(table, folder / "withdrawn")[1:])
        assert table.everything(LOYALTY.name) == before
    return len(found), report


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "WORKERS", 1)  # the simulated database knows one


@pytest.mark.parametrize("number", range(3))
def test_a_restore_of_anything_is_made_whole(number: int, tmp_path: Path) -> None:
    world = Recorded(2027, number)
    world.run(OPERATIONS)
    random = Random(number)  # noqa: S311

    drills = [drill(world, random, tmp_path) for _ in range(8)]

    assert any(found for found, _ in drills)  # a moment at which nothing was half written may be met by chance
    assert any(report.put_right for _, report in drills)
    assert any(report.lost for _, report in drills)
    assert any(report.withdrawn for _, report in drills)


def test_a_restore_to_one_exact_moment_needs_nothing() -> None:
    world = Recorded(2027, 9)
    world.run(OPERATIONS)
    for part in range(1, 8):
        table: Any = world.restored_to(world.commits * part // 8, 0, Random(1))  # noqa: S311
        assert not violations(table)
        with seams.in_place_of_the_world(world), runtime.use(database=partial(_itself, table)):
            assert not any(run(table, None)[1:])


@pytest.mark.long
def test_many_restores_of_many_worlds_are_made_whole(tmp_path: Path) -> None:
    totals = Counter[str]()
    for number in range(100):
        world = Recorded(2028, number)
        world.run(OPERATIONS)
        random = Random(number)  # noqa: S311
        for _ in range(5):
            found, report = drill(world, random, tmp_path)
            totals.update({"violations": found, "accounts": report.accounts})
            totals.update({name: len(getattr(report, name)) for name in ("put_right", "lost", "withdrawn", "left")})
    print(f"\n500 restores, all whole after a rebuild: {dict(totals)}")
    assert totals["violations"]
