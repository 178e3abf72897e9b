"""The queue between an expiry run and its workers, without a queue service: any database endpoint will do."""

from collections import deque
from collections.abc import Sequence
from uuid import uuid4

from infra.local.delivery import Delivery, Record
from infra.local.invoke import Handler
from infra.local.journal import Journal
from infra.machine.environment import REGION

BATCH_MAX = 10
MESSAGES_PER_RUN_MAX = 100_000


class ExpiryQueue:
    """Messages wait here until somebody has them delivered to `expire`, in batches as SQS makes them."""

    def __init__(self, handler: Handler, dead_letters: Journal) -> None:
        self._waiting: deque[Record] = deque()
        self._delivery = Delivery("expire", handler, lambda record: str(record["messageId"]), dead_letters)

    def send(self, bodies: Sequence[str]) -> None:
        """Queue one message for each body."""
        self._waiting.extend(_record(body) for body in bodies)

    def deliver(self) -> int:
        """Deliver all that waits, and what comes of it; how many messages that were.

        Raises RuntimeError when they do not end at MESSAGES_PER_RUN_MAX.
        """
        delivered = 0
        while self._waiting:
            if delivered > MESSAGES_PER_RUN_MAX:
                raise RuntimeError(f"one expiry run made over {MESSAGES_PER_RUN_MAX} messages")
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            self._delivery.deliver(batch)
            delivered += len(batch)
        return delivered


def _record(body: str) -> Record:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": str(uuid4()),
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:expiry",
        "awsRegion": REGION,
    }
