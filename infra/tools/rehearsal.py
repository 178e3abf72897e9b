"""A dry run that decides nothing by itself: the real work, on a copy of the tables that is thrown away."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import LocalError
from infra.machine import engine, engine_keys, environment
from infra.tables import LOYALTY, PEOPLE
from shared import runtime

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ITEMS_TOGETHER = 25
"""Items of one BatchWriteItem."""
_TRIES_MAX = 10


@contextmanager
def on_copy(endpoint: str) -> Iterator[str]:
    """The endpoint of a copy of both tables, which this process works on while the block lasts.

    Raises LocalError if the copy's engine does not start, or does not take the items.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        engine.running("ministack", Path(folder), keep=False) as copy,
        environment.restored(),
    ):
        engine.create_missing_tables(copy.endpoint)
        for table in (LOYALTY.name, PEOPLE.name):
            _copy(engine.client(endpoint), engine.client(copy.endpoint), table)
        os.environ["AWS_ENDPOINT_URL"] = copy.endpoint
        os.environ["AWS_ACCESS_KEY_ID"] = engine_keys.key_of(copy.endpoint)
        runtime.forget()
        try:
            yield copy.endpoint
        finally:
            runtime.forget()


def _copy(source: "DynamoDBClient", target: "DynamoDBClient", table: str) -> None:
    pages = source.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = (item for page in pages for item in page["Items"])
    while some := list(islice(items, _ITEMS_TOGETHER)):
        left: Any = {table: [{"PutRequest": {"Item": item}} for item in some]}
        for _ in range(_TRIES_MAX):
            left = target.batch_write_item(RequestItems=left)["UnprocessedItems"]
            if not left:
                break
        else:
            raise LocalError(f"the copy of {table} does not take all items: try again")
