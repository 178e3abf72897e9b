"""What an earlier release has stored stays readable, stays right, and goes on answering for the requests that wrote it.

Each folder beside `tests/data/stored` is what one release left. See `tests/stored/make.py`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from infra.tools import verify
from shared import settings
from shared.tables import accounts as accounts_table
from shared.tables import client, members, sent_messages
from tests.functions import shop
from tests.stored import reading, replaying, tables

assert tables.FOLDERS, "what the first release has stored is gone"
pytestmark = pytest.mark.parametrize("folder", tables.FOLDERS, ids=lambda path: path.name, scope="module")


@pytest.fixture(scope="module")
def about(folder: Path) -> Any:
    """What the release said of its folder."""
    return json.loads((folder / tables.ABOUT).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def till(folder: Path, about: Any) -> Iterator[shop.Shop]:
    """A shop that goes on where that release's ended."""
    with tables.opened():
        tables.load(folder)
        going_on = shop.Shop()
        going_on.now = datetime.fromisoformat(about["ends_at"])
        yield going_on


def test_every_item_is_read_and_nothing_of_it_is_lost(folder: Path) -> None:
    items = [item for name in tables.NAMES for item in tables.items_of(folder, name)]
    assert len(items) > 300
    for item in items:
        reading.read(item)


def test_there_is_one_of_everything(folder: Path, about: Any) -> None:
    loyalty, people_ = (tables.items_of(folder, name) for name in tables.NAMES)
    assert {item["type"]["S"] for item in loyalty if "type" in item} == set(about["entry_types"])
    accounts = [accounts_table.account_of(item) for item in loyalty if item["sk"]["S"] == "ACCOUNT"]
    assert {account.status for account in accounts} == {"active", "provisional", "merged", "erased", "lapsed"}
    assert [account for account in accounts if account.frozen]
    assert [account for account in accounts if account.debt]
    assert {"credit", "pool"} <= {account.member_id.rpartition("~")[2] for account in accounts}
    kinds = Counter(reading.kind_of(item) for item in (*loyalty, *people_) if "type" not in item)
    later = {"CODE|CODE", "ORDER|PAID", "REDEMPTION|RETURNED", "INVITATION|INVITATION", "POOL|LEFT"}
    later |= {"REMEMBERED|", "REMEMBERED|CASE", "MEMBER|CHANGE", "NOTE|", "REWARD|SHELF"}
    assert set(kinds) >= {*reading.READERS, *reading.PLAIN} - {"MESSAGE|WEEK", *later}
    assert kinds["PROGRAM|"] > 3


def test_its_accounts_are_what_its_entries_make(till: shop.Shop, about: Any) -> None:
    report = verify.check(client.client(), settings.loyalty_table())
    assert report.violations == []
    assert about["verified"].items() <= report._asdict().items()
    assert till.now.isoformat() == about["ends_at"]


def test_whoever_reads_it_gets_an_answer(folder: Path, till: shop.Shop) -> None:
    before = till.tables()
    for item in tables.items_of(folder, settings.people_table()):
        if item["sk"]["S"] == "PROFILE":
            member = members.member_of(item, "").member
            for part in ("", "/account", "/entries", "/credit", "/credit/entries", "/referrals", "/preferences"):
                assert till.get(f"/v1/members/{member.member_id}{part}").status == 200, (part, item)
            owners = set(members.find_all(sorted(member.identities(), key=str)))
            assert owners <= {member.member_id}, item
    for path in ("/v1/reviews", "/v1/audit", "/v1/webhooks", "/v1/partners/corner-cafe", "/v1/partners/hill-hotel"):
        assert till.get(path, scope=shop.OPERATOR).status == 200, path
    assert till.get("/v1/partners/corner-cafe/settlements/2026-12", scope=shop.OPERATOR).body["prepaid"]["points"] > 0
    assert till.tables() == before


def test_no_message_goes_out_a_second_time(folder: Path, till: shop.Shop) -> None:
    messages = [item["pk"]["S"] for item in tables.items_of(folder, settings.loyalty_table()) if _went_out(item)]
    assert messages
    assert not [pk for pk in messages if sent_messages.claim(pk.removeprefix("MESSAGE#"), till.now)]


def test_every_request_is_answered_as_the_replay_that_it_is(folder: Path, till: shop.Shop) -> None:
    requests = tables.lines_of(folder / tables.REQUESTS)
    assert len(requests) > 80
    before = till.tables()
    wrong = [request for request in requests if not _is_replayed(till, request)]
    assert wrong == []
    assert till.tables() == before


@pytest.mark.long
def test_a_year_later_they_still_are(folder: Path, till: shop.Shop) -> None:
    began = till.now
    till.pass_time(days=400)
    try:
        before = till.tables()
        requests = tables.lines_of(folder / tables.REQUESTS)
        assert [request for request in requests if not _is_replayed(till, request)] == []
        assert till.tables() == before
    finally:
        till.now = began


def _is_replayed(till: shop.Shop, request: Any) -> bool:
    again = replaying.send_again(till, request)
    is_asked_for = again.status == 202 == request["status"]
    recorded = replaying.in_this_edition(request["answer"], is_partners="partner_id" in request)
    return again.replayed and (again.status == 200 or is_asked_for) and replaying.says(again.body, recorded)


def _went_out(item: Any) -> bool:
    return reading.kind_of(item) == "MESSAGE|SENT"
