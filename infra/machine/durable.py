"""A MiniStack that forgets nothing when it is killed: every write is in a journal before it is acknowledged.

MiniStack keeps its tables in memory, and saves them when it is asked to end. Here each request that changes something
appends a line to a journal beside the saved state, with the items as they became and the records that the stream got.
A start reads the saved state, then the journal. All of it is applied in order, so a journal older than the state does
no harm, and readers of the stream go on where they were. A clean stop saves the state, and the journal goes.

A line is handed to the operating system in one call: that outlives any end of this process, but not of the machine.
"""

import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core import persistence  # type: ignore[import-untyped]
from ministack.services import dynamodb  # type: ignore[import-untyped]

_READS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List")
_OF_ITEMS = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
"""What changes nothing but items. Whatever else is no read has the whole state go into the journal."""
_SERVICE, _IMAGE = "dynamodb", "NewImage"
_WRITABLE = os.O_WRONLY | os.O_CREAT | os.O_APPEND

_log = logging.getLogger(__name__)
_Handle = Callable[..., Awaitable[tuple[int, Any, Any]]]


class Durable:
    """MiniStack's tables, with a journal at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._items: list[list[Any]] = []
        self._stream: list[list[Any]] = []
        self._file = -1

    def take_over(self) -> None:
        """Have MiniStack write the journal and read it. It has no hooks, so its own functions are wrapped."""
        dynamodb._set_item = self._setting(dynamodb._set_item)  # noqa: SLF001
        dynamodb._remove_item = self._removing(dynamodb._remove_item)  # noqa: SLF001
        dynamodb._emit_stream_event = self._emitting(dynamodb._emit_stream_event)  # noqa: SLF001
        dynamodb.handle_request = self._acknowledging(dynamodb.handle_request)
        app._load_persisted_state = self._loading(app._load_persisted_state)  # noqa: SLF001
        persistence.save_state = self._saving(persistence.save_state)

    def _setting(self, set_item: Callable[..., Any]) -> Callable[..., Any]:
        def setting(table: Any, pk: str, sk: str, item: Any) -> Any:  # noqa: ANN401 - MiniStack's own
            self._items.append([table["TableArn"], pk, sk, item])
            return set_item(table, pk, sk, item)

        return setting

    def _removing(self, remove_item: Callable[..., Any]) -> Callable[..., Any]:
        def removing(table: Any, pk: str, sk: str) -> Any:  # noqa: ANN401
            self._items.append([table["TableArn"], pk, sk, None])
            return remove_item(table, pk, sk)

        return removing

    def _emitting(self, emit: Callable[..., None]) -> Callable[..., None]:
        def emitting(table_name: str, *event: Any, **options: Any) -> None:  # noqa: ANN401
            before = _last_record(table_name)
            emit(table_name, *event, **options)
            record = _last_record(table_name)
            if record is not before:
                self._stream.append([dynamodb._tables[table_name]["TableArn"], self._without_image(record)])  # noqa: SLF001

        return emitting

    def _without_image(self, record: Any) -> Any:  # noqa: ANN401
        """The record with the number of the item in its line instead of the item."""
        place = len(self._items) - 1
        if place < 0 or record["dynamodb"].get(_IMAGE) is not self._items[place][-1]:
            return record
        return {**record, "dynamodb": {**record["dynamodb"], _IMAGE: place}}

    def _acknowledging(self, handle: _Handle) -> _Handle:
        async def acknowledging(method: str, path: str, headers: Any, *rest: Any) -> tuple[int, Any, Any]:  # noqa: ANN401
            answer = await handle(method, path, headers, *rest)
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            if action not in _OF_ITEMS and not action.startswith(_READS):
                self._append({"state": dynamodb.get_state()})
            elif self._items:
                self._append({"items": self._items, "stream": self._stream})
            return answer

        return acknowledging

    def _append(self, line: dict[str, Any]) -> None:
        """Nothing is acknowledged that could not be written down: the process ends instead."""
        text = json.dumps(line, default=persistence._json_default) + "\n"  # noqa: SLF001
        self._items, self._stream = [], []
        try:
            if self._file < 0:
                self._file = os.open(self._path, _WRITABLE, 0o600)
            written = os.write(self._file, text.encode())
        except OSError:
            written = -1
            _log.exception("%s cannot be written", self._path)
        if written != len(text.encode()):
            os._exit(1)

    def _loading(self, load: Callable[[], None]) -> Callable[[], None]:
        def loading() -> None:
            load()
            for line in self._lines():
                _apply(line)
            self._items, self._stream = [], []

        return loading

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The journal, without a last line that was cut off: what it tells was not acknowledged."""
        if not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    whole += len(line)
                    yield json.loads(line, object_hook=persistence._json_object_hook)  # noqa: SLF001
        os.truncate(self._path, whole)

    def _saving(self, save: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
        saved = self._path.with_name(f"{_SERVICE}.json")

        def saving(service: str, data: Any) -> None:  # noqa: ANN401
            before = saved.stat().st_ino if saved.exists() else None
            save(service, data)
            # It says nothing of a failure; a state that was saved is another file.
            if service == _SERVICE and saved.exists() and saved.stat().st_ino != before:
                self._path.unlink(missing_ok=True)

        return saving


def _apply(line: dict[str, Any]) -> None:
    if "state" in line:
        dynamodb._tables.clear()  # noqa: SLF001
        dynamodb.load_persisted_state(line["state"])
        return
    for arn, pk, sk, item in line["items"]:
        table = dynamodb._tables.get_scoped(*_scope(arn))  # noqa: SLF001
        if table is None:
            continue
        if item is None:
            dynamodb._remove_item(table, pk, sk)  # noqa: SLF001
        else:
            dynamodb._set_item(table, pk, sk, item)  # noqa: SLF001
    for arn, record in line["stream"]:
        scope = _scope(arn)
        records = dynamodb._stream_records.get_scoped(*scope) or []  # noqa: SLF001
        if isinstance(record["dynamodb"].get(_IMAGE), int):
            record["dynamodb"][_IMAGE] = line["items"][record["dynamodb"][_IMAGE]][-1]
        records.append(record)
        dynamodb._stream_records.set_scoped(*scope, records)  # noqa: SLF001


def _scope(table_arn: str) -> tuple[str, str, str]:
    """Account, region and name of a table."""
    _, _, _, region, account, name = table_arn.split(":", 5)
    return account, region, name.removeprefix("table/")


def _last_record(table_name: str) -> Any:  # noqa: ANN401
    records = dynamodb._stream_records.get(table_name)  # noqa: SLF001
    return records[-1] if records else None
