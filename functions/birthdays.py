"""Schedule and queue in: whose birthday it is is queued page by page, and the birthdays of each page are booked."""

from datetime import datetime
from typing import Any

from shared import batches
from shared.batches import Record
from shared.services import birthdays, runs


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer the schedule (`{"time": ...}`): how many pages. Or a batch of the queue's messages, each failing alone."""
    if "Records" not in event:
        return {"pages": birthdays.begin(datetime.fromisoformat(event["time"]))}
    return batches.from_queue(event, _work)


def _work(record: Record) -> None:
    runs.work(record["body"], birthdays.RUN)
