"""Where the simulation takes the place of the world: the database, the clock, chance, logs, messages and the queue.

The functions and everything below them run as they are.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

from functions import account as accounts
from functions import consent, earn, enroll, expire, memberships, operators, redeem, share, wallet
from functions import program as programs
from infra.simulation.fake_dynamodb import Database
from infra.tables import LOYALTY, PEOPLE
from shared import clock, settings, telemetry
from shared.api import auth
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT
from shared.domain.invariants import Breach
from shared.domain.members import members
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message
from shared.messaging import channels
from shared.services import partner_deposits
from shared.tables import audit, budgets, client, webhooks
from shared.tables import programs as programs_table

APPS = tuple(
    module.app for module in (accounts, consent, earn, enroll, memberships, operators, programs, redeem, share, wallet)
)
_SCOPES = frozenset({STOREFRONT, MEMBER, OPERATOR, PARTNER})
SETTINGS: Mapping[str, str] = {
    "LOYALTY_TABLE": LOYALTY.name,
    "PEOPLE_TABLE": PEOPLE.name,
    "IDENTITY_KEY": "5e" * 32,
    "DUE_SHARDS": "2",
    "MESSAGES": "send",
    "PUBLIC_URL": "https://loyalty.example",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "Loyalty",
    "POWERTOOLS_SERVICE_NAME": "loyalty",
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


@contextmanager
def in_place_of_the_world(outside: Outside) -> Iterator[None]:
    """Let every function meet `outside`."""
    log = SimpleNamespace(
        exception=lambda message, **_: outside.log_failure(message),
        error=lambda *_, **__: None,
        warning=lambda *_, **__: None,
        info=lambda *_, **__: None,
    )
    chance = SimpleNamespace(
        choice=outside.random.choice, token_hex=lambda size: f"{outside.random.getrandbits(8 * size):0{2 * size}x}"
    )
    ticking = SimpleNamespace(monotonic=outside.monotonic)
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, SETTINGS))
        for module, name, replacement in (
            (client, "client", lambda: outside.database),
            (client, "back_off", outside.wait),
            (members, "secrets", chance),
            (audit, "secrets", chance),
            *((module, "time", ticking) for module in (programs_table, budgets, partner_deposits, webhooks)),
            (telemetry, "logger", lambda: log),
            (telemetry, "count", lambda **_: None),
            (telemetry, "report", outside.report),
            (expire, "_send", outside.queue),
            (clock, "_source", outside.clock),
            (auth, "wanted_scopes", lambda _: _SCOPES),  # routes are called by themselves, not looked up
            (channels, "_outbox", outside),
        ):
            stack.enter_context(patch.object(module, name, replacement))
        _forget()
        try:
            yield
        finally:
            _forget()


def start_anew() -> None:
    """Forget what an execution environment remembers, as a new one does."""
    programs_table.forget_program()
    budgets.forget()
    partner_deposits.forget()
    webhooks.forget()


def _forget() -> None:
    for setting in vars(settings).values():
        if hasattr(setting, "cache_clear"):
            setting.cache_clear()
    start_anew()


def call_as(claims: Mapping[str, str], app: Any, call: Any) -> Any:  # noqa: ANN401
    """Call a route as the gateway does for a token with `claims`. Calls may be made within calls."""
    before = getattr(app, "_here", SimpleNamespace()).__dict__.get("event")
    app.current_event = SimpleNamespace(request_context={"authorizer": {"jwt": {"claims": claims}}})
    try:
        return call()
    finally:
        app.current_event = before
