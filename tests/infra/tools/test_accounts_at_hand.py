"""Accounts that a writer has at hand: fewer reads, and the same books whatever others write meanwhile."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from infra.tools.accounts_at_hand import AccountsAtHand
from shared import runtime
from shared.aws import session
from shared.tables import client
from tests.functions.shop import Shop, check_every_account

WELCOME = 100
"""Points for joining."""


@pytest.fixture(autouse=True)
def _at_hand(shop: Shop) -> Iterator[None]:  # noqa: ARG001 - which has the tables
    at_hand: Any = AccountsAtHand(client.client())
    with runtime.use(database=lambda: at_hand):
        yield


@pytest.fixture
def reads() -> Iterator[list[str]]:
    """What is read over the wire."""
    sent: list[str] = []

    def sending(request: object, **_: object) -> None:
        sent.append(str(request))

    events = client.client().meta.events
    events.register_first("before-send.dynamodb.GetItem", sending)
    yield sent
    events.unregister("before-send.dynamodb.GetItem", sending)


def another_writes() -> AbstractContextManager[Any]:
    """While it lasts, requests come from somebody else, with a client of their own."""
    other = session.client("dynamodb")
    return runtime.use(database=lambda: other)


def test_what_was_just_written_is_not_read_again(shop: Shop, reads: list[str]) -> None:
    ada = shop.enroll()
    reads.clear()
    for number in range(3):
        assert shop.order(ada, f"order-{number}", 1_000).status == 201
    assert reads == []
    assert shop.balance(ada) == WELCOME + 30


def test_what_others_write_meanwhile_is_counted_too(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "order-1", 1_000)
    with another_writes():
        shop.order(ada, "order-2", 1_000)
    assert shop.order(ada, "order-3", 1_000).status == 201
    assert shop.balance(ada) == WELCOME + 30
    check_every_account()


def test_who_is_refused_by_an_account_that_others_have_changed_asks_again_and_is_not(shop: Shop) -> None:
    ada = shop.enroll()
    with another_writes():
        shop.order(ada, "order-1", 1_000)
    assert shop.adjust(ada, -WELCOME - 10).code == "insufficient_points"
    assert shop.adjust(ada, -WELCOME - 10).status == 201
