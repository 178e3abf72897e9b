"""The queue of messages to members: notes of what is to be said, never the words or the address.

What the mail service refuses, or takes too slowly, so delays no event, no count and nothing else that follows from an
entry. A queue of fair shares: a kind of message that comes by the million does not hold up a code that somebody waits
for.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared import runtime, settings
from shared.aws import sqs
from shared.domain.telling.notifications import Note

RETRY_SECONDS = (30, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Waits before each further try: over a day in all, after which a mail service's daily quota is a new one."""
ATTEMPTS_MAX = len(RETRY_SECONDS) + 1


def enqueue(notes: Iterable[Note]) -> None:
    """Have members told. Raises TryAgainError if the queue does not take them all."""
    waiting = list(notes)
    if waiting:
        bodies = [note.model_dump_json(exclude_defaults=True) for note in waiting]
        queue().send(bodies, [note.kind for note in waiting])


def note_of(record: Mapping[str, Any]) -> Note:
    """What a message of the queue asks to be said."""
    return Note.model_validate_json(record["body"])


def wait_seconds(attempt: int) -> int | None:
    """How long a message waits after a failed try, numbered from 1; None after the last."""
    return RETRY_SECONDS[attempt - 1] if attempt <= len(RETRY_SECONDS) else None


def queue() -> runtime.TaskQueue:
    """Where notes wait: in SQS, unless the queue was replaced."""
    return runtime.replaced.get("message_queue", _SQS)


_SQS = sqs.Queue(settings.message_queue_url)
