"""What members are sent about their addresses: a mailbox, and the stream that fills it."""

from collections.abc import Sequence

from functions import notify
from shared import settings
from shared.domain.telling.notifications import Message
from tests.functions.shop import stored


class Mailbox:
    """Keeps messages in the order in which they went out."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def publish(self, events: Sequence[object]) -> None:
        raise AssertionError(events)

    def collect(self) -> list[Message]:
        """What has gone out since the last time: the stream delivers every note, twice."""
        self.messages.clear()
        notes = [item for item in stored(settings.loyalty_table()) if "note" in item]
        records = [
            {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
            for number, item in enumerate(notes)
        ]
        for _ in range(2):
            assert notify.handler({"Records": records}, None) == {"batchItemFailures": []}
        return list(self.messages)
