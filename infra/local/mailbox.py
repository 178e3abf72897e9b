"""Where messages and events go on one machine: nowhere but here, where they can be read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.local.activity import Activity
from infra.local.journal import Journal
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message
from shared.messaging.channels import MEMBER_TAG


class Mailbox:
    """Stands in for the e-mail, SMS and event services. What it takes it keeps in `folder`."""

    def __init__(self, folder: Path, activity: Activity | None = None) -> None:
        self._activity = activity or Activity()
        self._messages = Journal(folder / "messages.jsonl")
        self._events = Journal(folder / "events.jsonl")

    def send(self, message: Message) -> None:
        """Take a message to a member."""
        self._messages.append(message.model_dump(mode="json"))
        self._activity.tell_mail(message.kind, message.channel, message.to)

    def publish(self, events: Iterable[Event | PartnerEvent]) -> None:
        """Take domain events."""
        for event in events:
            self._events.append(event.model_dump(mode="json"))

    def contents(self, member_id: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """All that was sent and published, or what concerns one member; the newest last."""
        return {
            "messages": _about(self._messages, member_id),
            "events": _about(self._events, member_id),
        }


def feedback_event(kind: str, address: str, member_id: str) -> dict[str, Any]:
    """What SES puts on the bus when an address bounces for good (`Bounce`) or its owner complains (`Complaint`)."""
    recipients = [{"emailAddress": address}]
    more: dict[str, dict[str, Any]] = {
        "Bounce": {"bounce": {"bounceType": "Permanent", "bouncedRecipients": recipients}},
        "Complaint": {"complaint": {"complainedRecipients": recipients}},
    }
    mail = {"destination": [address], "tags": {MEMBER_TAG: [member_id]}}
    return {"source": "aws.ses", "detail": {"eventType": kind, "mail": mail, **more[kind]}}


def _about(journal: Journal, member_id: str | None) -> list[dict[str, Any]]:
    return [record for record in journal.records() if member_id in (None, record.get("member_id"))]
