"""Handing batches of records to a function, as Lambda's event sources do."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from infra.local.invoke import Context, Handler
from infra.local.journal import Journal

RETRIES_MAX = 3
_PAUSE_SECONDS = 0.1

Record = dict[str, Any]

_log = logging.getLogger(__name__)


class Delivery:
    """Delivers records at least once. What still fails on its own after RETRIES_MAX goes to `dead_letters`.

    `name_of` gives the id under which `function` reports a record as failed.
    """

    def __init__(
        self, function: str, handler: Handler, name_of: Callable[[Record], str], dead_letters: Journal
    ) -> None:
        self._function = function
        self._handler = handler
        self._name_of = name_of
        self._dead_letters = dead_letters

    def deliver(self, records: Sequence[Record]) -> None:
        """Hand the records over together, then each that failed alone: a bad one holds up no other."""
        failed = self._failed(records)
        for _ in range(RETRIES_MAX):
            if not failed:
                return
            time.sleep(_PAUSE_SECONDS)
            failed = [record for record in failed if self._failed([record])]
        for record in failed:
            _log.error("%s could not handle a record: it is in the dead letters", self._function)
            self._dead_letters.append({"function": self._function, "record": record})

    def _failed(self, records: Sequence[Record]) -> Sequence[Record]:
        try:
            answer = self._handler({"Records": list(records)}, Context(self._function)) or {}
        except Exception:
            _log.exception("%s failed", self._function)
            return records
        names = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", ())}
        return [record for record in records if self._name_of(record) in names]
