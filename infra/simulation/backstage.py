"""What runs behind what people ask for: the ledger's stream, the queues of runs and of messages.

Deliveries come at least once, late, out of order, in batches of which a part may fail. Each record goes to the service
that the function hands it to.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import TypeVar

from infra.simulation.books import Booked, Books
from infra.simulation.faults import Faults, MachineDiedError
from shared.domain.errors import LoyaltyError, TryAgainError
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message
from shared.messaging import message_queue
from shared.services import (
    announcements,
    consequences,
    deferred_messages,
    expiry,
    messages,
    reminders,
    runs,
    statements,
)
from shared.tables import ledger

BATCH_MAX = 10
_QUEUE_TWICE = ("queue delivers twice", 100)
"""The fault, and one time in how many."""
_Delivered = TypeVar("_Delivered")


class Backstage:
    """Records on their way to what follows from them."""

    def __init__(self, random: Random, faults: Faults, books: Books, now: Callable[[], datetime]) -> None:
        self._random, self._faults, self._books = random, faults, books
        self._now = now
        self._records: dict[str, list[Booked]] = {"notify": [], "consequences": []}
        self._jobs: list[str] = []
        self._messages: list[str] = []
        self.sent: Counter[str] = Counter()
        self.overdue: set[str] = set()
        """Runs that could not be done, and are to be tried again."""

    @property
    def waits(self) -> bool:
        """Whether anything is still to be delivered."""
        self._take()
        return bool(self._jobs or self._messages) or any(self._records.values())

    def queue(self, bodies: Sequence[str]) -> None:
        """Put messages of runs on their queues. It may take them and not say so."""
        self._jobs += bodies
        if self._faults.strikes("queue's answer lost", 20):
            raise MachineDiedError("the queue's answer")

    def queue_messages(self, bodies: Sequence[str]) -> None:
        """Put messages to members on their queue. It may take them and not say so."""
        self._messages += bodies
        if self._faults.strikes("queue's answer lost", 20):
            raise MachineDiedError("the queue's answer")

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        """Take events. The bus may refuse."""
        if self._faults.strikes("event bus fails", 3):
            raise ConnectionError("the bus")
        self._books.published |= {event.event_id for event in events}

    def send(self, message: Message) -> None:
        """Take a message. The mail server may refuse."""
        if self._faults.strikes("mail server fails", 20):
            raise ConnectionError("the mail server")
        self.sent[message.message_id] += 1

    def deliver(self, consumer: str) -> str:
        """Hand a batch of the stream's records to what follows from entries."""
        self._take()
        waiting = self._records[consumer]
        if not waiting:
            return "nothing"
        if self._faults.strikes("stream delivers out of order", 100):
            self._random.shuffle(waiting)
        work = self._announce if consumer == "notify" else self._draw
        return self._work_off(waiting, work, "stream delivers twice", 60)

    def settle(self) -> str:
        """Hand a batch of the queues' messages to their runs."""
        if not self._jobs:
            return "nothing"
        if self._faults.strikes("queue delivers out of order", 200):
            self._random.shuffle(self._jobs)
        outcome = self._work_off(self._jobs, _work, *_QUEUE_TWICE)
        if outcome == "died":
            self._faults.counts["expiry run killed"] += 1
        return outcome

    def send_messages(self) -> str:
        """Hand a batch of the queue's messages to whoever sends."""
        return self._work_off(self._messages, self._send, *_QUEUE_TWICE) if self._messages else "nothing"

    def _work_off(self, waiting: list[_Delivered], work: Callable[[_Delivered], None], twice: str, one_in: int) -> str:
        """Hand over a batch of what waits; one time in so many, the fault `twice`, all of it waits again."""
        batch = waiting[: self._random.randint(1, BATCH_MAX)]
        failed = self._failed(batch, work)
        if failed is None:
            return "died"
        for one in batch:  # others may have been delivered meanwhile
            if one not in failed and one in waiting:
                waiting.remove(one)
        if self._faults.strikes(twice, one_in):
            waiting += batch
        return "some failed" if failed else "delivered"

    def schedule(self, job: str, now: datetime) -> str:
        """Start an expiry run, or one of reminders. The scheduler tries again what fails."""
        try:
            if job == "expiry run":
                expiry.begin(now)
            else:
                deferred_messages.send_waiting(now)
                reminders.begin(now)
                statements.begin(now)
        except (MachineDiedError, TryAgainError, ConnectionError):
            self.overdue.add(job)
            return "died"
        self.overdue.discard(job)
        return "done"

    def untold(self) -> list[str]:
        """Entries of which no event was published."""
        return [name for name in self._books.entry_ids if name not in self._books.published]

    def _failed(self, batch: Sequence[_Delivered], work: Callable[[_Delivered], None]) -> list[_Delivered] | None:
        """Those of a batch that failed, each alone, and are to be delivered again; None: the machine died over them."""
        failed = []
        for one in batch:
            try:
                work(one)
            except MachineDiedError:
                return None
            except (LoyaltyError, ConnectionError):
                failed.append(one)
        return failed

    def _announce(self, booked: Booked) -> None:
        announcements.announce(ledger.entry_of(booked.item), self._now())

    def _send(self, body: str) -> None:
        messages.send(message_queue.note_of({"body": body}), self._now())

    def _draw(self, booked: Booked) -> None:
        if "follow" in booked.item:
            consequences.draw(ledger.entry_of(booked.item), self._now())

    def _take(self) -> None:
        news, self._books.news = self._books.news, []
        for records in self._records.values():
            records.extend(news)


def _work(body: str) -> None:
    runs.work(body, expiry.RUN, reminders.RUN, statements.RUN)
