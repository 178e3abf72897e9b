"""The queues of runs, in memory: what waits in them is delivered when a test says so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from infra.cloud.permissions import RUN_WORKERS
from shared import runtime
from shared.aws.sqs import BATCH
from shared.runtime import RunName

HANDLERS = {run: import_module(f"functions.{worker}").handler for run, worker in RUN_WORKERS.items()}


class Queues:
    """Keeps messages until they are delivered; those that fail come again with the next delivery."""

    def __init__(self) -> None:
        self.messages: list[tuple[RunName, str]] = []

    def send(self, run: RunName, bodies: Sequence[str]) -> None:
        assert 0 < len(bodies) <= BATCH
        self.messages += [(run, body) for body in bodies]

    def waiting(self, run: RunName) -> int:
        return len(self.bodies(run))

    def bodies(self, run: RunName) -> list[str]:
        """What waits for a run's workers."""
        return [body for name, body in self.messages if name == run]

    def deliver(self, *also: tuple[RunName, str]) -> list[tuple[RunName, str]]:
        """Deliver all that waits, what comes of it, and `also` some messages more; those that failed."""
        self.messages += also
        failed = []
        while self.messages:
            taken, self.messages = self.messages, []
            failed += [message for message in taken if not self.deliver_one(message)]
        self.messages = list(failed)
        return failed

    @staticmethod
    def deliver_one(message: tuple[RunName, str]) -> bool:
        """Deliver one message; whether it was dealt with."""
        run, body = message
        record = {"messageId": "1", "body": body, "eventSource": "aws:sqs"}
        answer: dict[str, Any] = HANDLERS[run]({"Records": [record]}, None)
        return not answer["batchItemFailures"]


@contextmanager
def run_queues() -> Iterator[Queues]:
    """Queues in the place of the cloud's."""
    queues = Queues()
    with runtime.use(run_queues=queues):
        yield queues
