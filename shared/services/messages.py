"""Messages to members, as their queue hands them over."""

from datetime import datetime

from shared.domain.telling.notifications import Note
from shared.messaging import sender
from shared.tables import programs


def send(note: Note, now: datetime) -> None:
    """Send what a note says, if its member is still to be told. What it raises is worth another try."""
    sender.send(note, programs.load_program(), now)
