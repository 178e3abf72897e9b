"""Messages that are to go out at once: what is to be said, written with what causes it.

The table's stream hands each to whoever sends. So none is lost, and none goes out of what was not written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared import settings
from shared.domain.telling.notifications import Note
from shared.tables import client, records
from shared.tables.client import Key, Write

ATTRIBUTE = "note"
"""By which the stream's reader tells a note from other items."""
KEPT = timedelta(days=2)
"""Longer than the stream keeps it."""


def put(note: Note, now: datetime) -> Write:
    """The write that has a note sent."""
    key = Key(f"NOTE#{note.member_id}", note.message_id)
    forget_at = client.forget_at(now + KEPT)
    return client.put_new(settings.loyalty_table(), key, **records.attributes(note, ATTRIBUTE), forget_at=forget_at)


def written(change: Mapping[str, Any]) -> Note | None:
    """The note that a change of the table's stream wrote; None if it wrote something else."""
    image = change["dynamodb"].get("NewImage", {})
    return records.read(Note, image, ATTRIBUTE) if change["eventName"] == "INSERT" and ATTRIBUTE in image else None
