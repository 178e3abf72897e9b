"""What one order or action brings at most, and that nothing is earned which no return can take back."""

from typing import Any

import pytest

from tests.functions.shop import Reply, Shop, assert_refused

PER_ITEM = {
    "rule_id": "cups",
    "description": "5 points for each cup",
    "when": {"skus": ["CUP"]},
    "effect": {"kind": "add", "points": 5, "per": "item"},
}
PER_ORDER = {"rule_id": "visit", "description": "20 points an order", "effect": {"kind": "add", "points": 20}}
MOST = 1_000_000


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(earning={"rules": [PER_ITEM, PER_ORDER], "pending_days": 0})
    return shop.enroll("ada")


def cups(pieces: int, amount: int = 0) -> list[dict[str, Any]]:
    return [{"sku": "CUP", "quantity": pieces, "amount": amount}]


def give_back(shop: Shop, ada: str, pieces: int, refund_id: str = "R-1", amount: int = 0) -> Reply:
    body = {"order_id": "A-1", "refund_id": refund_id, "lines": cups(pieces, amount)}
    return shop.post(f"/v1/members/{ada}/refunds", body)


def test_an_order_of_no_money_earns_by_its_pieces_alone_and_they_can_be_returned(shop: Shop, ada: str) -> None:
    before = shop.balance(ada)
    assert shop.order(ada, "A-0", total=0).body["entry"]["points"] == 0
    assert shop.order(ada, "A-1", total=0, lines=cups(10)).body["entry"]["points"] == 50
    assert give_back(shop, ada, 4).body["points"] == 20
    assert shop.balance(ada) == before + 30
    assert_refused(give_back(shop, ada, 7, "R-2"), 409, "refund_exceeds_order")
    assert give_back(shop, ada, 6, "R-3").body["points"] == 30
    assert shop.balance(ada) == before


def test_a_million_pieces_bring_no_more_than_an_entry_may_and_go_with_their_return(shop: Shop, ada: str) -> None:
    before = shop.balance(ada)
    entry = shop.order(ada, "A-1", total=0, lines=cups(1_000_000)).body["entry"]
    assert entry["points"] == MOST
    assert {**entry["breakdown"][-1]} == {
        "rule_id": "cap:entry",
        "points": MOST - 5_000_000,
        "description": f"One order or action earns at most {MOST} points",
    }
    assert give_back(shop, ada, 800_000).body["points"] == 0
    assert give_back(shop, ada, 100_000, "R-2").body["points"] == 500_000
    assert give_back(shop, ada, 100_000, "R-3").body["points"] == 500_000
    assert shop.balance(ada) == before


def test_an_order_brings_no_more_than_an_entry_may_whatever_it_costs(shop: Shop, ada: str) -> None:
    before = shop.balance(ada)
    assert shop.order(ada, "A-1", total=10**12).body["entry"]["points"] == MOST
    amended = shop.post(f"/v1/members/{ada}/orders/A-1/amend", {"amendment_id": "a", "total": 10**11})
    assert (amended.status, amended.body["entry"]["points"]) == (201, 0)
    assert shop.refund(ada, 10**11).body["points"] == MOST
    assert shop.balance(ada) == before


def test_a_badge_for_an_order_of_no_money_goes_with_its_last_piece(shop: Shop, ada: str) -> None:
    goal = {"kind": "count", "of": "orders", "target": 1}
    challenge = {"challenge_id": "first", "name": "First", "goal": goal, "points": 70}
    shop.change_program(challenges=[challenge])
    before = shop.balance(ada)
    assert shop.order(ada, "A-1", total=0, lines=cups(2)).status == 201
    assert shop.balance(ada) == before + 80
    assert give_back(shop, ada, 1).status == 201
    assert shop.balance(ada) == before + 75
    assert give_back(shop, ada, 1, "R-2").body["badges_lost"] == ["first"]
    assert shop.balance(ada) == before


def test_the_program_says_how_much_an_entry_may_bring_and_actions_are_entries_too(shop: Shop, ada: str) -> None:
    review = {"action_id": "review", "points": 50, "description": "A review"}
    shop.change_program(earning={"entry_max": 30, "actions": [review]})
    assert shop.action(ada).body["entry"]["points"] == 30
    assert shop.order(ada, "A-1", total=4000).body["entry"]["points"] == 30
    assert shop.order(ada, "A-2", total=1000).body["entry"]["points"] == 30
    assert shop.order(ada, "A-3", total=900).body["entry"]["points"] == 29


def test_what_an_operator_gives_is_bound_by_the_operators_limits_alone(shop: Shop, ada: str) -> None:
    shop.change_program(earning={"entry_max": 30})
    assert shop.adjust(ada, 500).body["entry"]["points"] == 500
