"""Where the simulation takes the place of the world: the database, the clock, chance, logs, messages and the queue.

The functions and everything below them run as they are.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from infra.machine import environment
from infra.simulation.fake_dynamodb import Database
from infra.tables import LOYALTY, PEOPLE
from shared import runtime
from shared.api import routes
from shared.api.resolver import Resolver
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT
from shared.domain.invariants import Breach
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message

_OPEN_TO_ALL = SimpleNamespace(security=routes.open_to(STOREFRONT, MEMBER, OPERATOR, PARTNER))
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
    """What the functions meet outside themselves."""

    random: Random
    database: Database

    def clock(self) -> Any:  # noqa: ANN401
        """The present, as the machine at work believes it."""

    def monotonic(self) -> float:
        """Seconds since the world began."""

    def wait(self, attempt: int) -> None:
        """What passes while somebody backs off."""

    def log_failure(self, message: str) -> None:
        """Something has failed and will be tried again."""

    def report(self, member_id: str, breaches: Sequence[Breach]) -> None:
        """A function has found a broken invariant."""

    def queue(self, bodies: Sequence[str]) -> None:
        """Messages for the expiry queue."""

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        """Events for other systems."""

    def send(self, message: Message) -> None:
        """A message for a member."""


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

    def logger(self) -> Any:  # noqa: ANN401 - as much of Powertools' as the functions use
        return self._log

    def count(self, **_: int) -> None:
        pass


@contextmanager
def in_place_of_the_world(outside: Outside) -> Iterator[None]:
    """Let every function meet `outside`."""
    database: Any = outside.database
    replaced = runtime.use(
        clock=outside.clock,
        monotonic=outside.monotonic,
        random=outside.random,
        back_off=outside.wait,
        database=lambda: database,
        channels=outside,
        expiry_queue=outside.queue,
        telemetry=_Telemetry(outside),
    )
    with replaced, environment.restored():
        os.environ.update(SETTINGS)
        runtime.forget()
        try:
            yield
        finally:
            runtime.forget()


def call_as(claims: Mapping[str, str], app: Resolver, call: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Call a route as the gateway does for a token with `claims`, whose scopes open it. Calls may be made within calls.

    Routes are called by themselves, not looked up by their paths.
    """
    before = getattr(app, "current_event", None), app.context
    app.current_event = SimpleNamespace(request_context={"authorizer": {"jwt": {"claims": claims}}})
    app.context = {"_route": _OPEN_TO_ALL}
    try:
        return call()
    finally:
        app.current_event, app.context = before
