"""Idle accounts learn what a changed program brings them, and a day that was missed is found again."""

from datetime import date, timedelta

import pytest

from functions import expire, notify
from infra.tools import catch_up, parts
from infra.tools.catch_up import CaughtUp, catch_up_all
from shared import settings
from shared.tables import accounts, client
from tests.functions.run_queues import Queues
from tests.functions.shop import Shop
from tests.shared.wire import Wire


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "WORKERS", 1)  # moto loses writes of several


def caught_up(shop: Shop) -> CaughtUp:
    with parts.unkept(shop.now) as run:
        return catch_up_all(client.client(), settings.loyalty_table(), run)


def due(member_id: str) -> date | None:
    return accounts.load_account(member_id).due_on


def test_who_is_idle_when_a_program_begins_to_celebrate_is_celebrated(shop: Shop) -> None:
    member, today = shop.enroll(), shop.now.date()
    reminded_first = due(member)
    shop.change_program(
        celebrations={"anniversary": {"points": 25, "description": "A year", "starts_on": today.isoformat()}},
        messages={"reminder_days": [7]},
    )
    assert due(member) == reminded_first
    assert caught_up(shop) == CaughtUp(accounts=1)
    anniversary = today.replace(year=today.year + 1)
    assert due(member) == anniversary != reminded_first

    shop.now += timedelta(days=366)
    assert caught_up(shop).entries == 1
    assert next(entry["type"] for entry in shop.entries(member)) == "anniversary"


def test_who_is_idle_when_a_program_begins_to_forget_is_warned_and_forgotten(shop: Shop) -> None:
    member, today = shop.enroll(), shop.now.date()
    terms = {"inactive_months": 3, "warning_days": 14, "starts_on": today.isoformat()}
    shop.change_program(privacy=terms)
    caught_up(shop)
    warned_on = due(member)
    assert warned_on is not None
    assert timedelta(days=60) < warned_on - today < timedelta(days=90)


def test_a_second_run_writes_nothing(shop: Shop, wire: Wire) -> None:
    for number in range(3):
        shop.enroll(f"join-{number}")
    shop.change_program(messages={"reminder_days": [90, 30]})
    caught_up(shop)
    wire.requests.clear()
    assert caught_up(shop) == CaughtUp(accounts=3)
    assert set(wire.requests) == {"Scan", "GetItem"}


def test_a_reminder_that_nobody_came_for_is_found_and_costs_nothing_the_morning_after(
    shop: Shop, wire: Wire, queues: Queues
) -> None:
    shop.change_program(messages={"reminder_days": [90]})
    member = shop.enroll()
    reminder = due(member)
    assert reminder is not None
    shop.now += timedelta(days=(reminder - shop.now.date()).days + 70)  # as after a replay: nobody was reminded
    morning = {"time": shop.now.isoformat()}
    assert notify.handler(morning, None)["reminders"] == 0
    assert queues.messages == []

    caught_up(shop)
    assert due(member) == shop.now.date()
    assert notify.handler(morning, None)["reminders"] == 1
    assert queues.deliver() == []
    last_day_over = due(member)
    assert last_day_over is not None
    assert last_day_over > shop.now.date()

    shop.now += timedelta(days=1)
    wire.requests.clear()
    notify.handler({"time": shop.now.isoformat(), "work": "reminders"}, None)
    queues.deliver()
    assert "TransactWriteItems" not in wire.requests
    assert wire.requests.count("GetItem") == 2, "how far the last run came, before and after, and nobody's account"

    shop.now += timedelta(days=30)
    expire.handler({"time": shop.now.isoformat()}, None)
    assert queues.deliver() == []
    assert next(entry["type"] for entry in shop.entries(member)) == "expiry"
