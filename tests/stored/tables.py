"""A folder of what a release has stored: loaded into tables on moto, and written from them.

`loyalty.jsonl` and `people.jsonl` hold one item a line, typed as DynamoDB has it, in the order of their keys.
`requests.jsonl` holds the requests that wrote them and can be sent again, in the order in which they were sent.
`about.json` says which types of entries there were, and at which instant the story ends.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from infra import tables
from infra.machine import engine
from shared import runtime
from shared.tables import client
from tests.functions import conftest, shop
from tests.functions.message_queue import MessageQueue

DATA = Path(__file__).parents[1] / "data"
FOLDERS = sorted(path for path in DATA.glob("stored*") if path.is_dir())
"""What each release has left."""
ABOUT, REQUESTS = "about.json", "requests.jsonl"
NAMES = (tables.LOYALTY.name, tables.PEOPLE.name)

Item = Mapping[str, Any]


class Nowhere:
    """Takes messages and events, and keeps nothing."""

    def send(self, _: object) -> None:
        """A message."""

    def publish(self, _: object) -> None:
        """Events."""


class NoQueue:
    """Takes what is queued for webhooks, and keeps nothing."""

    def send(self, bodies: list[str], groups: list[str]) -> None:
        """Bodies for the queue."""

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """A delivery that failed."""


@contextmanager
def opened() -> Iterator[None]:
    """Empty tables on moto, with the settings that the functions' tests have."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in conftest.ENVIRONMENT.items():
            patch.setenv(name, value)
        with mock_aws():
            runtime.reset()
            database, nowhere = client.client(), Nowhere()
            for table in (tables.LOYALTY, tables.PEOPLE):
                # Moto copies a stream with every transaction, and nobody reads it here.
                database.create_table(**engine.create_table_request(replace(table, stream=None)))
            with runtime.use(
                database=lambda: database,
                channels=nowhere,
                message_queue=MessageQueue(),
                webhook_queue=NoQueue(),
            ):
                yield
    runtime.reset()


def load(folder: Path) -> None:
    """Put every item of a folder into the tables, one by one: a transaction would copy the whole table each time."""
    for name in NAMES:
        for item in items_of(folder, name):
            client.client().put_item(TableName=name, Item=item)
    runtime.forget()


def items_of(folder: Path, name: str) -> list[Any]:
    """The items of one table."""
    return lines_of(folder / f"{name}.jsonl")


def lines_of(path: Path) -> list[Any]:
    """What each line of a file says."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def dump(folder: Path, requests: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> int:
    """Write the tables and the requests to a folder; how many items those are."""
    folder.mkdir(parents=True)
    items = {name: sorted(shop.stored(name), key=_place) for name in NAMES}
    for name, of_table in items.items():
        _write_lines(folder / f"{name}.jsonl", of_table)
    _write_lines(folder / REQUESTS, requests)
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return sum(map(len, items.values()))


def _place(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _write_lines(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
