"""The expiry run: what is due is booked once, and nothing else is touched."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from functions import expire
from shared import runtime, settings
from shared.domain.account import Account
from shared.domain.invariants import Breach
from shared.domain.ledger import combined
from shared.services import expiry
from shared.tables import accounts, due_index, ledger, upkeep
from tests.functions.run_queues import Queues
from tests.functions.shop import Shop
from tests.shared.wire import Wire

Told = list[dict[str, int]]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the function counted."""
    told: Told = []
    monkeypatch.setattr("shared.telemetry.count", lambda **amounts: told.append(amounts))
    return told


def _run(shop: Shop, queues: Queues) -> list[Any]:
    """The schedule, and then its messages, as the queue delivers them; what failed."""
    _begin(shop)
    return queues.deliver()


def _begin(shop: Shop) -> int:
    pages: int = expire.handler({"time": shop.now.isoformat().replace("+00:00", "Z")}, None)["pages"]
    return pages


def _types(member: str) -> list[str]:
    return [entry.type for entry in reversed(ledger.load_whole_history(member))]


def test_points_whose_last_day_is_over_are_booked_as_expired_once(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    _run(shop, queues)
    shop.pass_time(days=400)
    assert _run(shop, queues) == []
    assert _types(member) == ["enroll", "expiry"]
    assert _run(shop, queues) == []
    assert _types(member) == ["enroll", "expiry"]
    assert shop.account(member)["balance"] == 0


def test_whom_a_machine_whose_clock_runs_ahead_has_looked_at_is_found_all_the_same(shop: Shop, queues: Queues) -> None:
    shop.now = shop.now.replace(hour=23, minute=0)
    member = shop.enroll()
    shop.order(member, total=60_000)
    assert shop.redeem(member).status == 201
    assert upkeep.mark_reminded(accounts.load_account(member), shop.now.date() + timedelta(days=1))
    shop.pass_time(minutes=31)
    _run(shop, queues)
    assert _types(member)[-1] == "lapse"


def test_holds_pending_points_and_tiers_are_booked_when_their_time_has_come(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    shop.order(member, total=120_000)
    shop.post(f"/v1/members/{member}/redemptions", {"reward_id": "free-coffee"}, key="k")
    _run(shop, queues)
    shop.pass_time(days=1)
    _run(shop, queues)
    assert _types(member)[-1] == "lapse"
    shop.pass_time(days=800)
    _run(shop, queues)
    assert _types(member)[-3:] == ["tier_review", "expiry", "tier_review"]


def test_an_account_that_is_not_due_is_neither_read_nor_written(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    before = accounts.load_account(member).revision
    shop.pass_time(days=30)
    _run(shop, queues)
    assert accounts.load_account(member).revision == before


def _listed(monkeypatch: pytest.MonkeyPatch) -> set[tuple[date, int]]:
    """The shards of days that a run looks at, from now on."""
    listed: set[tuple[date, int]] = set()
    found = due_index.due_after

    def noted(day: date, shard: int, *rest: Any) -> list[str]:
        listed.add((day, shard))
        return found(day, shard, *rest)

    monkeypatch.setattr(due_index, "due_after", noted)
    return listed


def test_a_run_looks_a_month_back_beyond_the_last_one_and_at_every_shard(
    shop: Shop, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(shop, queues)
    shop.pass_time(days=2)
    listed = _listed(monkeypatch)
    _begin(shop)
    days = [(shop.now - timedelta(days=back)).date() for back in range(2 + 31 + 1)]
    assert listed == {(day, shard) for day in days for shard in range(settings.due_shards())}


def test_where_it_is_known_where_accounts_stand_a_run_looks_nowhere_else(
    shop: Shop, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[date, date]] = []

    def known(first: date, last: date) -> list[date]:
        spans.append((first, last))
        return [last]

    _run(shop, queues)
    listed = _listed(monkeypatch)
    with runtime.use(due_days=known):
        _begin(shop)
    today = shop.now.date()
    assert spans == [(today - timedelta(days=31), today)]
    assert {day for day, _ in listed} == {today}


@pytest.mark.parametrize("setting", ["2", "1/2", "8"])
def test_accounts_are_found_whatever_number_of_shards_they_were_written_under(
    shop: Shop, queues: Queues, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    members = [shop.enroll(f"join-{number}") for number in range(6)]
    monkeypatch.setenv("DUE_SHARDS", setting)
    runtime.forget()
    _run(shop, queues)
    shop.pass_time(days=400)
    assert _run(shop, queues) == []
    assert [_types(member) for member in members] == [["enroll", "expiry"]] * 6


def test_a_message_that_the_release_before_has_queued_is_worked_off(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    shop.pass_time(days=400)
    due = accounts.load_account(member).due_on
    assert due is not None
    for shard in range(settings.due_shards()):
        queues.send("expiry", [json.dumps({"on": due.isoformat(), "shard": shard, "now": shop.now.isoformat()})])
    assert queues.deliver() == []
    assert _types(member) == ["enroll", "expiry"]


def test_a_run_that_was_missed_is_made_up_for(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    _run(shop, queues)
    shop.pass_time(days=600)
    _run(shop, queues)
    assert _types(member) == ["enroll", "expiry"]


def test_a_message_that_cannot_be_read_fails_alone(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    shop.pass_time(days=400)
    _begin(shop)
    records = [{"messageId": "poison", "body": "{"}]
    records += [{"messageId": str(number), "body": body} for number, body in enumerate(queues.bodies("expiry"))]
    assert expire.handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "poison"}]}
    assert _types(member) == ["enroll", "expiry"]


def test_a_page_that_comes_twice_books_nothing_twice_and_writes_nothing(shop: Shop, queues: Queues, wire: Wire) -> None:
    members = [shop.enroll(f"join-{number}") for number in range(3)]
    shop.pass_time(days=400)
    _begin(shop)
    pages = list(queues.messages)
    queues.deliver()
    wire.requests.clear()
    queues.deliver(*pages)
    assert set(wire.requests) == {"GetItem", "Query"}, "one account is held against its ledger"
    assert [_types(member) for member in members] == [["enroll", "expiry"]] * 3


def test_an_account_that_cannot_be_settled_holds_up_no_other_and_comes_again(
    shop: Shop, queues: Queues, counted: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [shop.enroll(f"join-{number}") for number in range(3)]
    shop.pass_time(days=400)
    catch_up = upkeep.catch_up

    def falter(member_id: str, *rest: Any) -> int:
        if member_id == members[1]:
            raise ZeroDivisionError
        return catch_up(member_id, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "catch_up", falter)
        assert len(_run(shop, queues)) == 1
    assert sum(amounts.get("AccountsNotSettled", 0) for amounts in counted) == 1
    assert [_types(member)[-1] for member in members] == ["expiry", "enroll", "expiry"]
    assert queues.deliver() == []
    assert _types(members[1]) == ["enroll", "expiry"]


def test_an_account_that_breaks_an_invariant_is_counted_for_the_alarm(
    shop: Shop, queues: Queues, counted: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.enroll()
    _run(shop, queues)
    shop.pass_time(days=400)
    sound = accounts.load_account

    def forged(member_id: str) -> accounts.StoredAccount:
        stored = sound(member_id)
        lots = combined(stored.account.lots, {"2027-11-30": 1})
        return stored._replace(account=stored.account.model_copy(update={"lots": lots}))

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "load_account", forged)
        patch.setattr(upkeep, "catch_up", lambda *_: 0)
        _run(shop, queues)
    # A point from nowhere: more than the entries make, more than replaying them gives, more than was ever granted.
    assert sum(amounts.get("InvariantViolations", 0) for amounts in counted) == 3


def test_one_account_of_a_page_is_held_against_its_ledger_and_the_others_against_themselves(
    shop: Shop, queues: Queues, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = sorted(shop.enroll(f"join-{number}") for number in range(4))
    page = {"on": shop.now.date().isoformat(), "shard": 0, "now": shop.now.isoformat(), "members": members}
    looked: list[str] = []

    def look(account: Account) -> list[Breach]:
        looked.append(account.member_id)
        return []

    monkeypatch.setattr(expiry, "standing_breaches", look)
    wire.requests.clear()
    queues.deliver(("expiry", json.dumps(page)))
    assert looked == members[1:]
    assert wire.requests.count("Query") == 1


def test_who_was_never_reminded_is_settled_all_the_same(shop: Shop, queues: Queues) -> None:
    member = shop.enroll()
    for month, day in ((10, 31), (11, 15), (12, 2)):
        shop.now = shop.now.replace(year=2027, month=month, day=day)
        _run(shop, queues)
    assert _types(member) == ["enroll", "expiry"]
