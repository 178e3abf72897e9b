"""Schedule and queue in: the expiry run is split into messages, and each message's accounts are settled."""

from datetime import datetime
from typing import Any

from shared import batches
from shared.batches import Record
from shared.services import expiry


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer the schedule (`{"time": ...}`) or a batch of the queue's messages, each failing alone."""
    if "Records" not in event:
        return {"messages": expiry.enqueue(datetime.fromisoformat(event["time"]))}
    return batches.from_queue(event, _settle)


def _settle(record: Record) -> None:
    task = expiry.task_of(record["body"])
    expiry.settle_due(task.day, task.shard, task.now)
