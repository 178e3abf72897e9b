"""The queues between runs and their workers, without a queue service: any database endpoint will do."""

from collections import deque
from collections.abc import Mapping, Sequence
from uuid import uuid4

from infra.cloud.permissions import RUN_WORKERS
from infra.local.delivery import Delivery, Record
from infra.local.invoke import Handler
from infra.local.journal import Journal
from infra.machine.environment import REGION
from shared.runtime import RunName

BATCH_MAX = 10
MESSAGES_PER_RUN_MAX = 100_000


class RunQueues:
    """Messages wait here until somebody has them delivered to their function, in batches as SQS makes them."""

    def __init__(self, handlers: Mapping[str, Handler], dead_letters: Journal) -> None:
        self._waiting: dict[RunName, deque[Record]] = {run: deque() for run in RUN_WORKERS}
        self._deliveries = {
            run: Delivery(function, handlers[function], lambda record: str(record["messageId"]), dead_letters)
            for run, function in RUN_WORKERS.items()
            if function in handlers
        }

    def send(self, run: RunName, bodies: Sequence[str]) -> None:
        """Queue one message for each body."""
        self._waiting[run].extend(_record(run, body) for body in bodies)

    def waiting(self, run: RunName) -> int:
        """How many messages wait."""
        return len(self._waiting[run])

    def deliver(self) -> int:
        """Deliver all that waits, and what comes of it; how many messages that were.

        Raises RuntimeError when they do not end at MESSAGES_PER_RUN_MAX.
        """
        delivered = 0
        while (run := next((run for run, waiting in self._waiting.items() if waiting), None)) is not None:
            if delivered > MESSAGES_PER_RUN_MAX:
                raise RuntimeError(f"one run made over {MESSAGES_PER_RUN_MAX} messages")
            waiting = self._waiting[run]
            batch = [waiting.popleft() for _ in range(min(BATCH_MAX, len(waiting)))]
            self._deliveries[run].deliver(batch)
            delivered += len(batch)
        return delivered


def _record(run: RunName, body: str) -> Record:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": str(uuid4()),
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:{run}",
        "awsRegion": REGION,
    }
