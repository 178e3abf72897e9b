"""The queue of messages to members, in hand."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from functions import messages


class MessageQueue:
    """Hands each message over as soon as it is queued; what fails waits here until `deliver`."""

    def __init__(self) -> None:
        self.waiting: list[dict[str, Any]] = []
        self.waits: list[int] = []
        self._numbers = count()

    def send(self, bodies: list[str], groups: list[str]) -> None:
        assert len(bodies) == len(groups)
        self.waiting += [
            {
                "messageId": str(next(self._numbers)),
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
            }
            for body in bodies
        ]
        self.deliver()

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        assert record["receiptHandle"] == "r"
        self.waits.append(seconds)

    def deliver(self) -> None:
        """Hand over all that waits, in one batch."""
        batch, self.waiting = self.waiting, []
        if not batch:
            return
        answer = messages.handler({"Records": batch}, None)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in batch:
            if record["messageId"] in failed:
                received = int(record["attributes"]["ApproximateReceiveCount"])
                again = {**record, "attributes": {"ApproximateReceiveCount": str(received + 1)}}
                self.waiting.append(again)
