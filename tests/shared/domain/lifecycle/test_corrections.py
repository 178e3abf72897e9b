"""An order moves with all that it has brought, to the member who made it."""

from datetime import timedelta

from shared.domain.lifecycle.corrections import Cause, amended, claimed
from tests.model.shop import Shop
from tests.shared.domain.earning.test_order_points import a_shop, earning_with


def claim(shop: Shop, order_id: str, loser: str, winner: str) -> None:
    """Move an order from one member to another."""
    losing, gaining = ([shop.look(one), shop.wallet(one)] for one in (loser, winner))
    order = shop.order_of(order_id)
    source = {"order_id": order_id, "claim_id": "c", "reason": "the wrong card", "from": loser, "to": winner}
    cause = Cause(shop.now, shop.now, "operator:olga", "a request")
    shop.book(claimed(losing, gaining, order, shop.background(losing, order), source, cause))


def test_the_points_of_free_pieces_move_with_their_order() -> None:
    per_piece = {"effect": {"kind": "add", "points": 1, "per": "item"}}
    shop = a_shop(earning=earning_with(per_piece))
    shop.enroll("bob")
    shop.buy("ada", "A-1", 0, lines=[{"sku": "CUP", "quantity": 3, "amount": 0}])
    claim(shop, "A-1", "ada", "bob")
    assert (shop.look("ada").balance, shop.look("bob").balance) == (0, 3)


IDLE = {"kind": "inactivity", "months": 6}


def amend(shop: Shop, order_id: str, total: int) -> None:
    """Say what an order of Ada's comes to."""
    accounts, order = [shop.look("ada"), shop.wallet("ada")], shop.order_of(order_id)
    before = [entry for entry in shop.ledgers["ada"] if entry.type == "amend"]
    order = order._replace(sale=order.sale._replace(amendment=before[-1] if before else None))
    cause = Cause(shop.now, shop.now, "operator:olga", "a request")
    background = shop.background(accounts, order)
    shop.book(amended(accounts, order, total, (), background, f"e-{shop.stored('ada').sequence}", cause))


def test_an_order_that_moves_or_is_amended_to_nothing_has_prolonged_nothing_of_its_first_members() -> None:
    for moves in (True, False):
        shop = a_shop(expiry=IDLE)
        shop.enroll("bob")
        shop.buy("ada", "A-1", 1000)
        first = shop.look("ada").lots
        shop.now += timedelta(days=40)
        shop.buy("ada", "A-2", 1000)
        assert shop.look("ada").lots != first
        if moves:
            claim(shop, "A-2", "ada", "bob")
        else:
            amend(shop, "A-2", 0)
        assert shop.look("ada").lots == first


def test_an_order_that_is_amended_back_prolongs_again() -> None:
    shop = a_shop(expiry=IDLE)
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=40)
    shop.buy("ada", "A-2", 1000)
    [day] = shop.look("ada").lots
    amend(shop, "A-2", 0)
    assert day not in shop.look("ada").lots
    amend(shop, "A-2", 1000)
    assert shop.look("ada").lots == {day: 20}
    amend(shop, "A-2", 0)
    assert shop.look("ada").balance == 10
    assert day not in shop.look("ada").lots
