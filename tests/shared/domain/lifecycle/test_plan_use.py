"""What a paid membership has brought by its factor and its tier, of what is kept of the orders of its last term."""

from datetime import timedelta

from shared.domain.lifecycle.plan_use import points_brought
from tests.model.shop import Shop, a_program, at

PLUS = {"plan_id": "plus", "name": "Plus", "price": 1200, "months": 1, "tier_id": "silver", "percent": 150}


def brought(shop: Shop) -> int:
    """Points that Ada's plan has brought her in its last term."""
    account = shop.look("ada")
    assert account.membership is not None
    return points_brought(account, shop.program, account.membership, {"ada": shop.ledgers["ada"]})


def paying() -> Shop:
    """A shop in which Ada has just paid."""
    shop = Shop(a_program(memberships=[PLUS]), at("2026-01-31 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "before", 10_000)
    shop.pay_membership("ada", "plus")
    return shop


def test_the_factor_and_the_tier_of_the_plan_count_and_what_came_before_does_not() -> None:
    shop = paying()
    assert brought(shop) == 0
    shop.buy("ada", "order", 10_000)
    assert brought(shop) == 20 + 50


def test_what_came_back_brought_nothing() -> None:
    shop = paying()
    shop.buy("ada", "order", 10_000)
    shop.refund("ada", "order", 5_000)
    assert brought(shop) == 10 + 25


def test_the_tier_of_a_member_who_has_reached_it_by_then_is_not_the_plans() -> None:
    shop = paying()
    shop.buy("ada", "big", 100_000)
    shop.buy("ada", "order", 10_000)
    assert brought(shop) == (200 + 500) + 50


def test_orders_of_an_earlier_term_are_not_of_this_one() -> None:
    shop = paying()
    shop.buy("ada", "order", 10_000)
    shop.now += timedelta(days=26)
    shop.pay_membership("ada", "plus")
    shop.now += timedelta(days=5)
    shop.buy("ada", "next", 2_000)
    assert brought(shop) == 4 + 10


def test_an_order_that_was_claimed_is_what_anothers_plan_has_brought() -> None:
    shop = paying()
    shop.enroll("bob")
    shop.pay_membership("bob", "plus")
    shop.buy("bob", "order", 10_000)
    claimed = shop.ledgers["bob"][-1].model_copy(update={"type": "claim_in", "member_id": "ada"})
    account = shop.look("ada")
    assert claimed.order
    assert account.membership
    assert points_brought(account, shop.program, account.membership, {"ada": [claimed]}) == 0
