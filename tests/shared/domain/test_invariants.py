"""The check of the books finds what is wrong with them."""

from typing import Any

import pytest

from shared.domain.account import Account, Totals
from shared.domain.entry import Entry
from shared.domain.invariants import breaches
from tests.shared.domain.test_ledger import a_life


def books() -> tuple[Account, list[Entry]]:
    shop = a_life()
    return shop.stored("ada"), shop.ledgers["ada"]


def broken_by(account: Account, entries: list[Entry]) -> set[int]:
    return {breach.invariant for breach in breaches(account, entries)}


def test_sound_books_have_no_breach() -> None:
    assert breaches(*books()) == []


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ({"lots": {"2027-02-02": 0}}, 1),
        ({"lots": {"2027-02-02": -3}}, 1),
        ({"pending": {"2027-02-02/2027-03-02": 0}}, 1),
        ({"debt": 1}, 1),
        ({"debt": 3, "lots": {"2027-02-02": 1}}, 1),
        ({"debt": -3}, 1),
        ({"totals": Totals(granted=-1)}, 1),
        ({"qualifying": {"2026-11": -1}}, 1),
        ({"lots": {"2027-02-02": 6}}, 3),
        ({"pending": {"2027-02-02/2027-03-02": 2}}, 3),
        ({"holds": {}}, 3),
        ({"sequence": 3}, 3),
        ({"earned": 1}, 4),
        ({"uses": {}}, 4),
        ({"tier": None}, 4),
        ({"totals": Totals(granted=5)}, 5),
    ],
)
def test_an_account_that_was_tampered_with_is_noticed(change: dict[str, Any], invariant: int) -> None:
    account, entries = books()
    tampered = account.model_copy(update=change)
    assert invariant in broken_by(tampered, entries)
    assert all(breach.detail for breach in breaches(tampered, entries))


def test_a_hold_that_is_not_the_sum_of_its_lots_is_noticed() -> None:
    account, entries = books()
    hold = account.holds["R-2"].model_copy(update={"lots": {"never": 3}})
    assert 2 in broken_by(account.model_copy(update={"holds": {"R-2": hold}}), entries)


def test_a_missing_entry_is_noticed_and_named() -> None:
    account, entries = books()
    del entries[4]
    assert {3, 4} <= broken_by(account, entries)
    assert any("without [5]" in breach.detail for breach in breaches(account, entries))


def test_an_entry_booked_twice_is_noticed() -> None:
    account, entries = books()
    assert {3, 4} <= broken_by(account, [*entries, entries[-1]])


def test_an_entry_changed_afterwards_is_noticed() -> None:
    account, entries = books()
    index, bought = next((index, entry) for index, entry in enumerate(entries) if entry.type == "earn")
    entries[index] = bought.model_copy(update={"pending": {day: points + 1 for day, points in bought.pending.items()}})
    assert {3, 4, 5} <= broken_by(account, entries)


def test_points_that_left_under_another_name_are_noticed() -> None:
    account, entries = books()
    expired = account.totals.expired
    assert expired
    renamed = account.totals.model_copy(update={"expired": 0, "captured": account.totals.captured + expired})
    assert 4 in broken_by(account.model_copy(update={"totals": renamed}), entries)
