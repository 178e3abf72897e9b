"""Schedule and queue in: whose account is due is queued page by page, and the accounts of each page are settled."""

from datetime import datetime
from typing import Any

from shared import batches
from shared.batches import Record
from shared.services import expiry, runs


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer the schedule (`{"time": ...}`): how many pages. Or a batch of the queue's messages, each failing alone."""
    if "Records" not in event:
        return {"pages": expiry.begin(datetime.fromisoformat(event["time"]))}
    return batches.from_queue(event, _work)


def _work(record: Record) -> None:
    runs.work(record["body"], expiry.RUN)
