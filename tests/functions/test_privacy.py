"""What is held about a member is told to them, and goes with them; who stays away for long is forgotten."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from functions import expire, notify
from shared import runtime, settings
from shared.domain.entry import Entry
from shared.domain.telling.notifications import Message
from shared.services import consequences, personal_data
from shared.tables import accounts, client, ledger, members
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Shop

LAMBDA_BYTES_MAX = 6_291_556
"""What a function may answer."""
KEYED = {"Idempotency-Key": "k"}
REVIEW = {"action_id": "review", "description": "Review", "points": 10, "approval": True}
ADA = {
    "email": "ada@example.org",
    "name": "Ada Lovelace",
    "birthday": "12-10",
    "fingerprints": ["card-1"],
    "consent": {"terms_version": "v1", "marketing": {"email": True}},
}


class Mailbox:
    """Keeps the kinds of messages, by member."""

    def __init__(self) -> None:
        self.kinds: list[tuple[str, str]] = []

    def send(self, message: Message) -> None:
        self.kinds.append((message.member_id, message.kind))

    def publish(self, events: Sequence[object]) -> None:
        raise AssertionError(events)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    kept = Mailbox()
    with runtime.use(channels=kept):
        yield kept


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member of whom as much as possible is known, merged from two."""
    shop.change_program(
        earning={"actions": [REVIEW]},
        operators={"adjustment_limit_points": 50},
        pools={},
        gifts={},
        cashback={"amount": 5, "per_amount": 100},
        referrals={"advocate_points": 10, "friend_points": 5},
        segments={},
    )
    ada, bob = shop.enroll("ada", **ADA), shop.enroll("bob")
    code = shop.call("GET", f"/v1/members/{ada}", scope=STOREFRONT).body["referral_code"]
    shop.enroll("friend", referral_code=code)
    shop.order(ada, "A-1", 5000)
    shop.call("POST", f"/v1/members/{ada}/tags", {"add": ["vip"]}, headers=KEYED)
    review = {"type": "action", "action": "review", "reference": "r1", "occurred_at": shop.now.isoformat()}
    shop.call("POST", f"/v1/members/{ada}/earn", review)
    asked = {"points": 60, "reason": "Sorry", "reference": "s1"}
    assert shop.call("POST", f"/v1/members/{ada}/adjustments", asked, scope=OPERATOR).status == 202
    shop.call("GET", f"/v1/members/{ada}", scope=OPERATOR)
    gift = {"to_member_id": bob, "points": 5, "message": "For your birthday"}
    assert shop.call("POST", f"/v1/members/{ada}/gifts", gift, scope=MEMBER, member_id=ada, headers=KEYED).status == 201
    shop.merge(ada, shop.enroll("old", email="old@example.org", name="A. Lovelace"))
    return ada


def test_every_item_that_names_a_member_is_held_or_bookkeeping(shop: Shop, ada: str) -> None:
    told = shop.call("GET", f"/v1/members/{ada}/export", scope=OPERATOR).body["held"]
    assert set(told) == set(personal_data.SOURCES)
    everything = json.dumps(told)
    for table, item in items():
        pk, text = item["pk"]["S"], json.dumps(item)
        if ada not in text or any(map(pk.startswith, personal_data.BOOKKEEPING)) or is_of_another(item, ada):
            continue
        known = json.loads(item.get("body", item.get("state", {"S": "{}"}))["S"])
        found = [value for value in leaves(known) if len(str(value)) > 3 and json.dumps(value)[1:-1] not in everything]
        assert not found, (table, pk, item["sk"]["S"], found)
    for name in ("profiles", "accounts", "entries", "friends", "reviews", "gift_messages", "accesses"):
        assert told[name], name


def test_consent_is_kept_with_when_and_by_whom(shop: Shop, ada: str) -> None:
    shop.call("PATCH", f"/v1/members/{ada}", {"consent": {"marketing": {"email": False}}}, scope=MEMBER, member_id=ada)
    history = shop.call("GET", f"/v1/members/{ada}/export", scope=OPERATOR).body["held"]["profiles"][0][
        "consent_history"
    ]
    assert [change["consent"]["marketing"]["email"] for change in history] == [True, False]
    assert [change["by"].split(":")[0] for change in history] == ["storefront", "member"]
    assert history[0]["consent"]["terms_version"] == "v1"


def test_a_long_ledger_is_exported_with_its_newest_entries_and_the_rest_page_by_page(
    shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/members/{ada}"
    whole = shop.call("GET", f"{path}/export", scope=OPERATOR).body
    assert (whole["next_cursor"], whole["credit_next_cursor"]) == (None, None)
    numbers = [(one["member_id"], one["sequence"]) for one in whole["held"]["entries"]]
    assert len({name for name, _ in numbers}) == 2, "those of the merged member are there, too"
    for most in range(1, len(numbers)):
        monkeypatch.setattr(personal_data, "ENTRIES_MAX", most)
        told = shop.call("GET", f"{path}/export", scope=OPERATOR).body
        assert told["entries"] == whole["entries"][:most]
        assert told["held"]["entries"] == whole["held"]["entries"][:most]
        assert told["credit_entries"] == whole["credit_entries"][:most]
        rest, cursor = [], told["next_cursor"]
        while cursor:
            page = shop.call("GET", f"{path}/entries", query={"cursor": cursor, "limit": "100"}, scope=OPERATOR).body
            rest += page["items"]
            cursor = page["next_cursor"]
        assert [*told["entries"], *rest] == whole["entries"]


def test_ten_thousand_entries_do_not_make_an_export_too_large_to_be_answered(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = shop.enroll("much")
    lines = [{"sku": f"SKU-{number}", "quantity": 1, "amount": 100} for number in range(15)]
    shop.order(member, "A-1", total=1500, lines=lines)
    booked = ledger.load_history(member, 1)[0]

    def ten_thousand(_: str, limit: int, before: int = 0) -> list[Entry]:
        top = before - 1 if before > booked.sequence + 1 else 10_000
        return [booked.model_copy(update={"sequence": number}) for number in range(top, max(0, top - limit), -1)]

    monkeypatch.setattr(ledger, "load_history", ten_thousand)
    reply = shop.call("GET", f"/v1/members/{member}/export", scope=OPERATOR)
    assert reply.status == 200
    assert len(reply.body["entries"]) == len(reply.body["held"]["entries"]) == personal_data.ENTRIES_MAX
    assert reply.body["next_cursor"]
    assert len(json.dumps(reply.body)) < LAMBDA_BYTES_MAX / 2


def test_nothing_personal_is_left_of_an_erased_member(shop: Shop, ada: str) -> None:
    assert shop.call("DELETE", f"/v1/members/{ada}", scope=OPERATOR).status == 200
    assert_forgotten(ada)
    assert shop.enroll("ada again", email="ada@example.org") != ada


def test_who_stays_away_is_warned_and_then_forgotten(shop: Shop, queues: Queues, mailbox: Mailbox) -> None:
    shop.change_program(privacy={"inactive_months": 12, "starts_on": "2026-01-01"}, expiry={"kind": "never"})
    ada, bob = shop.enroll("ada", **ADA), shop.enroll("bob")
    live(shop, queues, days=334)
    assert mailbox.kinds == []
    live(shop, queues, days=2)
    assert mailbox.kinds == [(ada, "erasure_warning")]
    shop.order(bob, "B-1", 1000)
    live(shop, queues, days=28)
    assert accounts.load_account(ada).account.status == "active"

    live(shop, queues, days=2)
    assert accounts.load_account(ada).account.status == "erased"
    assert accounts.load_account(bob).account.status == "active"
    for entry in ledger.load_whole_history(ada):
        consequences.draw(entry, shop.now)
    assert_forgotten(ada)
    assert mailbox.kinds == [(ada, "erasure_warning")]


def test_time_alone_is_no_activity_and_nobody_goes_without_a_warning(
    shop: Shop, queues: Queues, mailbox: Mailbox
) -> None:
    ada = shop.enroll("ada", email="ada@example.org")
    live(shop, queues, days=360)
    starts_on = (shop.now + timedelta(days=5)).date().isoformat()
    shop.change_program(privacy={"inactive_months": 1, "starts_on": starts_on})
    live(shop, queues, days=30)
    assert accounts.load_account(ada).account.lots == {}
    assert accounts.load_account(ada).account.status == "active"
    live(shop, queues, days=6)
    assert (ada, "erasure_warning") in mailbox.kinds
    assert accounts.load_account(ada).account.status == "erased"


@pytest.mark.usefixtures("mailbox")
def test_a_program_without_a_section_on_privacy_keeps_everybody(shop: Shop, queues: Queues) -> None:
    ada = shop.enroll("ada")
    live(shop, queues, days=20)
    shop.pass_time(days=3000)
    assert accounts.load_account(ada).account.status == "active"


def assert_forgotten(member_id: str) -> None:
    for table, item in items():
        if table != settings.people_table():
            assert "Lovelace" not in json.dumps(item)
        elif member_id in json.dumps(item):
            assert item["sk"]["S"] == "PROFILE"
            assert set(json.loads(item["body"]["S"])) <= {"member_id", "status", "enrolled_at", "merged_into"}
    assert members.load_member(member_id).member.status == "erased"


def live(shop: Shop, queues: Queues, days: int) -> None:
    """Let days pass, and then the schedules run."""
    shop.pass_time(days=days)
    time = {"time": shop.now.isoformat()}
    expire.handler(time, None)
    assert queues.deliver() == []
    notify.handler(time, None)
    assert queues.deliver() == []


def items() -> Iterator[tuple[str, dict[str, Any]]]:
    for table in (settings.loyalty_table(), settings.people_table()):
        for page in client.client().get_paginator("scan").paginate(TableName=table):
            yield from ((table, dict(item)) for item in page["Items"])


def is_of_another(item: dict[str, Any], member_id: str) -> bool:
    """Whether it is somebody else's entry, account or profile, which names the member as the other side."""
    owner = item["member_id"]["S"] if "sequence" in item and "member_id" in item else item["pk"]["S"]
    return ("sequence" in item or item["sk"]["S"] == "PROFILE" or "other" in item) and member_id not in owner


def leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        yield value
    else:
        for one in inner:
            yield from leaves(one)
