"""An order moves with all that it has brought, to the member who made it."""

from shared.domain.lifecycle.corrections import Cause, claimed
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
