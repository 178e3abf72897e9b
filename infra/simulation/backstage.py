"""What runs behind the functions that people call: the ledger's stream, the queue of the expiry job, what was sent.

Deliveries come at least once, late, out of order, in batches of which a part may fail.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from functions import consequences, expire, notify
from infra.simulation.books import Booked, Books, name_of
from infra.simulation.faults import Faults, MachineDiedError
from shared.domain.errors import TryAgainError
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message

BATCH_MAX = 10
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Backstage:
    """Records on their way to the functions that consume them."""

    def __init__(self, random: Random, faults: Faults, books: Books) -> None:
        self._random, self._faults, self._books = random, faults, books
        self._records: dict[str, list[dict[str, Any]]] = {"notify": [], "consequences": []}
        self._jobs: list[str] = []
        self.sent: Counter[str] = Counter()
        self.overdue: set[str] = set()
        """Runs that could not be done, and are to be tried again."""

    @property
    def waits(self) -> bool:
        """Whether anything is still to be delivered."""
        self._take()
        return bool(self._jobs) or any(self._records.values())

    def queue(self, bodies: Sequence[str]) -> None:
        """Put messages on the expiry queue. It may take them and not say so."""
        self._jobs += bodies
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
        """Hand a batch of the stream's records to a function."""
        self._take()
        waiting = self._records[consumer]
        if not waiting:
            return "nothing"
        if self._faults.strikes("stream delivers out of order", 100):
            self._random.shuffle(waiting)
        batch = waiting[: self._random.randint(1, BATCH_MAX)]
        handler: Handler = notify.handler if consumer == "notify" else consequences.handler
        answer = self._call(handler, {"Records": batch})
        if answer is None:
            return "died"
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in batch:  # others may have been delivered meanwhile
            if record["dynamodb"]["SequenceNumber"] not in failed and record in waiting:
                waiting.remove(record)
        if self._faults.strikes("stream delivers twice", 60):
            waiting += batch
        return "some failed" if failed else "delivered"

    def settle(self) -> str:
        """Hand a batch of the expiry queue's messages to the job."""
        if not self._jobs:
            return "nothing"
        if self._faults.strikes("queue delivers out of order", 200):
            self._random.shuffle(self._jobs)
        batch = self._jobs[: self._random.randint(1, BATCH_MAX)]
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(batch)]
        answer = self._call(expire.handler, {"Records": records})
        if answer is None:
            self._faults.counts["expiry run killed"] += 1
            return "died"
        failed = {int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}
        for number, body in enumerate(batch):
            if number not in failed and body in self._jobs:
                self._jobs.remove(body)
        if self._faults.strikes("queue delivers twice", 100):
            self._jobs += batch
        return "some failed" if failed else "delivered"

    def schedule(self, job: str, now: str) -> str:
        """Start an expiry run, or one of reminders. The scheduler tries again what fails."""
        handler: Handler = expire.handler if job == "expiry run" else notify.handler
        try:
            answer = self._call(handler, {"time": now})
        except (TryAgainError, ConnectionError):
            answer = None
        self.overdue.discard(job)
        if answer is None:
            self.overdue.add(job)
        return "died" if answer is None else "done"

    def untold(self) -> list[str]:
        """Entries of which no event was published."""
        return [name for name in self._books.entry_ids if name not in self._books.published]

    def _call(self, handler: Handler, event: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return handler(event, None)
        except MachineDiedError:
            return None

    def _take(self) -> None:
        news, self._books.news = self._books.news, []
        for booked in news:
            for records in self._records.values():
                records.append(_record(booked))


def _record(booked: Booked) -> dict[str, Any]:
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": name_of(booked), "NewImage": booked.item},
    }
