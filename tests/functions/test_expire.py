"""The expiry run: what is due is booked once, and nothing else is touched."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from functions import expire
from shared import runtime, settings
from shared.domain.ledger import combined
from shared.tables import accounts, ledger, upkeep
from tests.functions.shop import Shop

Told = list[dict[str, int]]


@pytest.fixture
def queue() -> Iterator[list[str]]:
    """What waits for the workers."""
    waiting: list[str] = []

    def send(bodies: Sequence[str]) -> None:
        assert len(bodies) <= 10
        waiting.extend(bodies)

    with runtime.use(expiry_queue=send):
        yield waiting


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the function counted."""
    told: Told = []
    monkeypatch.setattr("shared.telemetry.count", lambda **amounts: told.append(amounts))
    return told


def _run(shop: Shop, queue: list[str]) -> list[Any]:
    """The schedule, and then its messages, as the queue delivers them; what failed."""
    expire.handler({"time": shop.now.isoformat().replace("+00:00", "Z")}, None)
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(queue)]
    queue.clear()
    failed: list[Any] = expire.handler({"Records": records}, None)["batchItemFailures"]
    return failed


def _types(member: str) -> list[str]:
    return [entry.type for entry in reversed(ledger.load_whole_history(member))]


def test_points_whose_last_day_is_over_are_booked_as_expired_once(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    _run(shop, queue)
    shop.pass_time(days=400)
    assert _run(shop, queue) == []
    assert _types(member) == ["enroll", "expiry"]
    assert _run(shop, queue) == []
    assert _types(member) == ["enroll", "expiry"]
    assert shop.account(member)["balance"] == 0


def test_whom_a_machine_whose_clock_runs_ahead_has_looked_at_is_found_all_the_same(
    shop: Shop, queue: list[str]
) -> None:
    shop.now = shop.now.replace(hour=23, minute=0)
    member = shop.enroll()
    shop.order(member, total=60_000)
    assert shop.redeem(member).status == 201
    assert upkeep.mark_reminded(accounts.load_account(member), shop.now.date() + timedelta(days=1))
    shop.pass_time(minutes=31)
    _run(shop, queue)
    assert _types(member)[-1] == "lapse"


def test_holds_pending_points_and_tiers_are_booked_when_their_time_has_come(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    shop.order(member, total=120_000)
    shop.post(f"/v1/members/{member}/redemptions", {"reward_id": "free-coffee"}, key="k")
    _run(shop, queue)
    shop.pass_time(days=1)
    _run(shop, queue)
    assert _types(member)[-1] == "lapse"
    shop.pass_time(days=800)
    _run(shop, queue)
    assert _types(member)[-3:] == ["tier_review", "expiry", "tier_review"]


def test_an_account_that_is_not_due_is_neither_read_nor_written(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    before = accounts.load_account(member).revision
    shop.pass_time(days=30)
    _run(shop, queue)
    assert accounts.load_account(member).revision == before


def test_a_run_looks_a_month_back_beyond_the_last_one_and_at_every_shard(shop: Shop, queue: list[str]) -> None:
    _run(shop, queue)
    shop.pass_time(days=2)
    expire.handler({"time": shop.now.isoformat()}, None)
    asked = {(json.loads(body)["on"], json.loads(body)["shard"]) for body in queue}
    days = [(shop.now - timedelta(days=back)).date().isoformat() for back in range(2 + 31 + 1)]
    assert asked == {(day, shard) for day in days for shard in range(settings.due_shards())}


def test_where_it_is_known_where_accounts_stand_a_run_looks_nowhere_else(shop: Shop, queue: list[str]) -> None:
    spans: list[tuple[date, date]] = []

    def known(first: date, last: date) -> list[date]:
        spans.append((first, last))
        return [last]

    _run(shop, queue)
    queue.clear()
    with runtime.use(due_days=known):
        expire.handler({"time": shop.now.isoformat()}, None)
    today = shop.now.date()
    assert spans == [(today - timedelta(days=31), today)]
    assert {json.loads(body)["on"] for body in queue} == {today.isoformat()}


def test_a_run_that_was_missed_is_made_up_for(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    _run(shop, queue)
    shop.pass_time(days=600)
    _run(shop, queue)
    assert _types(member) == ["enroll", "expiry"]


def test_a_message_that_cannot_be_read_fails_alone(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    shop.pass_time(days=400)
    expire.handler({"time": shop.now.isoformat()}, None)
    records = [{"messageId": "poison", "body": "{"}]
    records += [{"messageId": str(number), "body": body} for number, body in enumerate(queue)]
    assert expire.handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "poison"}]}
    assert _types(member) == ["enroll", "expiry"]


def test_an_account_that_breaks_an_invariant_is_counted_for_the_alarm(
    shop: Shop, queue: list[str], counted: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.enroll()
    _run(shop, queue)
    shop.pass_time(days=400)
    sound = accounts.load_account

    def forged(member_id: str) -> accounts.StoredAccount:
        stored = sound(member_id)
        lots = combined(stored.account.lots, {"2027-11-30": 1})
        return stored._replace(account=stored.account.model_copy(update={"lots": lots}))

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "load_account", forged)
        patch.setattr(upkeep, "catch_up", lambda *_: 0)
        _run(shop, queue)
    # A point from nowhere: more than the entries make, more than replaying them gives, more than was ever granted.
    assert sum(amounts.get("InvariantViolations", 0) for amounts in counted) == 3


def test_who_was_never_reminded_is_settled_all_the_same(shop: Shop, queue: list[str]) -> None:
    member = shop.enroll()
    for month, day in ((10, 31), (11, 15), (12, 2)):
        shop.now = shop.now.replace(year=2027, month=month, day=day)
        _run(shop, queue)
    assert _types(member) == ["enroll", "expiry"]
