"""The queue of deliveries to webhooks: what is put on it, and how a delivery that failed waits its turn.

Each endpoint is a group: what piles up for one holds up no other.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shared import runtime, settings
from shared.aws import sqs
from shared.domain.telling.events import Event
from shared.domain.telling.webhooks import Webhook


class Task(NamedTuple):
    """One event for one endpoint."""

    webhook_id: str
    event: Event


def enqueue(tasks: Iterable[tuple[Webhook, Event]]) -> None:
    """Have events delivered to endpoints. Raises TryAgainError if the queue does not take them all."""
    groups, bodies = list[str](), list[str]()
    for webhook, event in tasks:
        groups.append(webhook.webhook_id)
        bodies.append(json.dumps({"webhook_id": webhook.webhook_id, "event": event.model_dump(mode="json")}))
    if bodies:
        queue().send(bodies, groups)


def task_of(record: Mapping[str, Any]) -> Task:
    """What a message asks for."""
    body = json.loads(record["body"])
    return Task(body["webhook_id"], Event.model_validate_json(json.dumps(body["event"])))


def queue() -> runtime.TaskQueue:
    """Where tasks wait: in SQS, unless the queue was replaced."""
    return runtime.replaced.get("webhook_queue", _SQS)


_SQS = sqs.Queue(settings.webhook_queue_url)
