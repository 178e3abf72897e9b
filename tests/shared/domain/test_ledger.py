"""An account is what its entries make of it, and an entry that no rule can have made is not booked."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import BrokenLedgerError, added, book, book_all, take
from shared.domain.lots import Hold
from tests.model.shop import Shop, a_program, at


def a_life() -> Shop:
    """A bit of everything that can happen to Ada, and her account as it is left."""
    review = {"action_id": "review", "description": "A review", "points": 3, "limit": {"times": 1, "per": "week"}}
    program = a_program(
        expiry={"kind": "term", "months": 1},
        earning={"welcome_points": 5, "pending_days": 1, "actions": [review]},
    )
    shop = Shop(program, at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.enroll("bob")
    shop.buy("ada", "A-1", 60_000)
    shop.act("ada", "review")
    shop.reserve("ada", "R-0", 2)
    shop.now = at("2026-11-22 12:00")
    shop.reserve("ada", "R-1", 20)
    shop.capture("ada", "R-1")
    shop.reverse("ada", "R-1")
    shop.refund("ada", "A-1", 10_000)
    shop.buy("bob", "B-1", 4000)
    shop.transfer("ada", "bob", 7)
    shop.merge("bob", "ada")
    shop.now = at("2027-01-02 12:00")
    shop.look("ada")
    shop.adjust("ada", 9)
    shop.reserve("ada", "R-2", 4)
    return shop


def test_the_ledger_alone_tells_the_account_even_after_being_stored_as_text() -> None:
    shop = a_life()
    texts = [entry.model_dump_json(exclude_defaults=True) for entry in shop.ledgers["ada"]]
    read_back = [Entry.model_validate_json(text) for text in texts]
    assert {entry.type for entry in read_back} >= {"maturity", "lapse", "expiry", "refund", "reverse", "merge_in"}
    account = shop.stored("ada")
    assert book_all(Account(member_id="ada"), read_back).model_dump_json() == account.model_dump_json()
    assert Account.model_validate_json(account.model_dump_json(exclude_defaults=True)) == account


def test_every_entry_names_the_balance_it_leaves() -> None:
    account = Account(member_id="ada")
    for entry in a_life().ledgers["ada"]:
        account = book(account, entry)
        assert entry.balance_after == account.balance


def changed(**update: Any) -> Callable[[Entry], Entry]:
    return lambda entry: entry.model_copy(update=update)


HOLD = Hold(points=5, lots={"never": 5}, expires_at=at("2026-12-01 00:00"))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (changed(sequence=3), "does not follow"),
        (changed(sequence=1), "does not follow"),
        (changed(member_id="bob"), "does not follow"),
        (changed(lots={"never": -11}, balance_after=-1), "would hold -1 points"),
        (changed(lots={"2026-12-31": -1}, balance_after=9), "would hold -1 points"),
        (changed(pending={"2026-12-01/never": -1}), "would hold -1 points"),
        (changed(debt=-1), "the debt -1"),
        (changed(balance_after=16), "the balance 15"),
        (changed(closed={"R-9": HOLD}), "a hold that is not open"),
        (changed(type="maturity", lots={"never": -5}, balance_after=5), "of type maturity loses 5 points"),
    ],
)
def test_an_entry_that_no_rule_can_have_made_is_not_booked(broken: Callable[[Entry], Entry], words: str) -> None:
    shop = Shop(a_program(earning={"welcome_points": 10}), at("2026-11-20 12:00"))
    shop.enroll("ada")
    before = shop.look("ada")
    sound = shop.adjust("ada", 5)
    assert book(before, sound).balance == 15
    with pytest.raises(BrokenLedgerError, match=words):
        book(before, broken(sound))


lots = st.dictionaries(st.sampled_from(["2026-11-20", "2026-12-01", "2027-01-01", "never"]), st.integers(1, 9))


@given(lots=lots, share=st.integers(0, 100))
def test_what_is_taken_ends_no_later_than_anything_that_is_left(lots: dict[str, int], share: int) -> None:
    points = sum(lots.values()) * share // 100
    taken = take(lots, points)
    left = added(lots, {day: -part for day, part in taken.items()})
    assert sum(taken.values()) == points
    assert not taken or not left or max(taken) <= min(left)


@given(lots=lots)
def test_more_than_there_is_cannot_be_taken(lots: dict[str, int]) -> None:
    with pytest.raises(BrokenLedgerError, match="1 points short"):
        take(lots, sum(lots.values()) + 1)


def test_an_account_is_idle_since_the_last_thing_that_somebody_did() -> None:
    shop = Shop(a_program(earning={"pending_days": 1}), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1_000)
    shop.now = at("2026-11-25 12:00")
    account = shop.look("ada")
    assert account.balance == 10
    assert account.idle_since == at("2026-11-20 12:00")
    shop.buy("ada", "A-2", 1_000)
    assert shop.stored("ada").idle_since is None
