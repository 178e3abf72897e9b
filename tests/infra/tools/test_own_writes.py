"""Accounts that a writer remembers: fewer reads, and the same books whatever others write meanwhile."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from infra.tools.own_writes import OwnWrites, remembering
from shared import runtime
from shared.aws import session
from shared.tables import client
from tests.functions.shop import Shop, check_every_account

WELCOME = 100
"""Points for joining."""


@pytest.fixture
def own(shop: Shop) -> Iterator[OwnWrites]:  # noqa: ARG001 - which has the tables
    with remembering(client.client()) as own:
        yield own


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


@pytest.mark.usefixtures("own")
def test_what_was_just_written_is_not_read_again(shop: Shop, reads: list[str]) -> None:
    ada = shop.enroll()
    reads.clear()
    for number in range(3):
        assert shop.order(ada, f"order-{number}", 1_000).status == 201
    assert reads == []
    assert shop.balance(ada) == WELCOME + 30


@pytest.mark.usefixtures("own")
def test_what_others_write_meanwhile_is_counted_too(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "order-1", 1_000)
    with another_writes():
        shop.order(ada, "order-2", 1_000)
    assert shop.order(ada, "order-3", 1_000).status == 201
    assert shop.balance(ada) == WELCOME + 30
    check_every_account()


def test_a_refusal_from_memory_is_none_once_the_account_is_forgotten(shop: Shop, own: OwnWrites) -> None:
    ada = shop.enroll()
    with another_writes():
        shop.order(ada, "order-1", 1_000)
    assert shop.adjust(ada, -WELCOME - 10).code == "insufficient_points"
    own.forget(ada)
    assert shop.adjust(ada, -WELCOME - 10).status == 201


def test_memory_ends_with_the_block(shop: Shop, reads: list[str]) -> None:
    with remembering(client.client()):
        ada = shop.enroll()
    reads.clear()
    shop.order(ada, "order-1", 1_000)
    assert len(reads) == 1
