"""A type of entry is a row and a rule: whatever needs a fact about it reads the row."""

import pytest

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.entry_types import ENTRY_TYPES, EntryType, Place
from shared.domain.invariants import breaches
from shared.domain.ledger import BrokenLedgerError, book, draft
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import notes_on
from shared.services import announcements
from shared.tables import keys
from tests.model.shop import Shop, a_program, at

TIP = EntryType(
    "tip",
    (Place("TIP#{tip_id}", "TIP"),),
    "points.tipped",
    made_by="request",
    earned="none",
    leaves_as="forfeited",
    message="points_refunded",
    metric="PointsTakenBack",
)


def tip(account: Account, shop: Shop, points: int) -> Entry:
    """A rule of a made-up kind: points go to whoever served the member."""
    lot = min(account.lots)
    return draft(
        account,
        "tip",
        occurred_at=shop.now,
        recorded_at=shop.now,
        points=-points,
        program_version=1,
        actor="till",
        lots={lot: -points},
        source={"tip_id": "t-1"},
    )


@pytest.fixture
def shop() -> Shop:
    return Shop(a_program(earning={"welcome_points": 100}), at("2026-11-20 18:03"))


@pytest.fixture
def tipped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Account, list[Entry]]:
    monkeypatch.setitem(ENTRY_TYPES, "tip", TIP)
    enrolled = shop.enroll("ada")
    before = book(Account(member_id="ada"), enrolled)
    entry = tip(before, shop, 10)
    return book(before, entry), [enrolled, entry]


def test_it_is_booked_and_accounted_for(tipped: tuple[Account, list[Entry]]) -> None:
    account, entries = tipped
    assert account.balance == entries[0].points - 10
    assert account.totals.forfeited == 10
    assert breaches(account, entries) == []


def test_its_key_is_its_cause(tipped: tuple[Account, list[Entry]]) -> None:
    assert keys.entry_key(tipped[1][1]) == keys.of("tip", tip_id="t-1") == ("TIP#t-1", "TIP")


def test_it_is_told_and_counted(shop: Shop, tipped: tuple[Account, list[Entry]]) -> None:
    account, [_, entry] = tipped
    assert event_of(entry).type == "points.tipped"
    assert [note.kind for note in notes_on(entry, account, shop.program)] == ["points_refunded"]
    assert announcements.amounts(entry) == {"PointsChange": -10, "PointsTakenBack": 10}


def test_without_its_row_it_is_refused(shop: Shop) -> None:
    account = book(Account(member_id="ada"), shop.enroll("ada"))
    with pytest.raises((BrokenLedgerError, LookupError)):
        book(account, tip(account, shop, 10))
