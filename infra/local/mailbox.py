"""Where messages and events go on one machine: nowhere but here, where they can be read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.local.journal import Journal
from shared.domain.messages import Event, Message


class Mailbox:
    """Stands in for the e-mail, SMS and event services. What it takes it keeps in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._messages = Journal(folder / "messages.jsonl")
        self._events = Journal(folder / "events.jsonl")

    def send(self, message: Message) -> None:
        """Take a message to a member."""
        self._messages.append(message.model_dump(mode="json"))

    def publish(self, events: Iterable[Event]) -> None:
        """Take domain events."""
        for event in events:
            self._events.append(event.model_dump(mode="json"))

    def contents(self, member_id: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """All that was sent and published, or what concerns one member; the newest last."""
        return {
            "messages": _about(self._messages, member_id),
            "events": _about(self._events, member_id),
        }


def _about(journal: Journal, member_id: str | None) -> list[dict[str, Any]]:
    return [record for record in journal.records() if member_id in (None, record["member_id"])]
