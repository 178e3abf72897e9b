"""Where the simulation takes the place of the world: the database, chance, waiting, logs, messages and the queue.

The services and everything below them run as they are; what the time is, they are told.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from infra.machine import environment
from infra.simulation.fake_dynamodb import Database
from infra.tables import LOYALTY, PEOPLE
from shared import runtime
from shared.domain.invariants import Breach
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message
from shared.runtime import RunName

SETTINGS: Mapping[str, str] = {
    "LOYALTY_TABLE": LOYALTY.name,
    "PEOPLE_TABLE": PEOPLE.name,
    "IDENTITY_KEY": "5e" * 32,
    "DUE_SHARDS": "2",
    "MESSAGES": "send",
    "PUBLIC_URL": "https://loyalty.example",
    "POWERTOOLS_METRICS_DISABLED": "true",
}


class Outside(Protocol):
    """What the services meet outside themselves."""

    random: Random
    database: Database

    def monotonic(self) -> float:
        """Seconds since the world began."""

    def wait(self, attempt: int) -> None:
        """What passes while somebody backs off."""

    def log_failure(self, message: str) -> None:
        """Something has failed and will be tried again."""

    def report(self, member_id: str, breaches: Sequence[Breach]) -> None:
        """A service has found a broken invariant."""

    def queue(self, bodies: Sequence[str]) -> None:
        """Messages for the queues of runs: each says of which."""

    def queue_messages(self, bodies: Sequence[str]) -> None:
        """Messages to members for their queue."""

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        """Events for other systems."""

    def send(self, message: Message) -> None:
        """A message for a member."""


class _MessageQueue:
    """What fails is delivered again by the world itself, whenever that likes."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def send(self, bodies: list[str], groups: list[str]) -> None:  # noqa: ARG002 - no group waits longer than another
        self._outside.queue_messages(bodies)

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        pass


class _Telemetry:
    """Failures and breaches are the simulation's to judge; what is logged besides goes nowhere."""

    def __init__(self, outside: Outside) -> None:
        self.report = outside.report
        self._log: Any = SimpleNamespace(
            exception=lambda message, **_: outside.log_failure(message),
            error=lambda *_, **__: None,
            warning=lambda *_, **__: None,
            info=lambda *_, **__: None,
        )

    def logger(self) -> Any:  # noqa: ANN401 - as much of Powertools' as the services use
        return self._log

    def count(self, **_: int) -> None:
        pass


class _Queues:
    """Queues in which nothing seems to wait, so that every run begins."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def send(self, _run: RunName, bodies: Sequence[str]) -> None:
        self._outside.queue(bodies)

    def waiting(self, _run: RunName) -> int:
        return 0


@contextmanager
def in_place_of_the_world(outside: Outside) -> Iterator[None]:
    """Let every service meet `outside`."""
    database: Any = outside.database
    replaced = runtime.use(
        monotonic=outside.monotonic,
        random=outside.random,
        back_off=outside.wait,
        database=lambda: database,
        channels=outside,
        run_queues=_Queues(outside),
        message_queue=_MessageQueue(outside),
        telemetry=_Telemetry(outside),
    )
    with replaced, environment.restored():
        os.environ.update(SETTINGS)
        runtime.forget()
        try:
            yield
        finally:
            runtime.forget()
