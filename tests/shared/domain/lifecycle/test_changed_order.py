"""What comes back of an order was never bought: what became of its points meanwhile, and all that rests on it."""

from datetime import timedelta

from tests.model.shop import Shop
from tests.shared.domain.earning.test_order_points import a_shop

IDLE = {"kind": "inactivity", "months": 1}


def spend(shop: Shop, member: str, points: int) -> None:
    """Spend points at once."""
    redemption = f"R-{shop.stored(member).sequence}"
    shop.reserve(member, redemption, points)
    shop.capture(member, redemption)


def wait(shop: Shop, days: int) -> None:
    shop.now += timedelta(days=days)


# Points that have expired meanwhile -----------------------------------------------------------------------------------


def test_points_that_have_expired_unspent_count_as_taken_back_and_others_stay() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 10})
    shop.buy("ada", "A-1", 10_000)
    wait(shop, 11)
    shop.buy("ada", "A-2", 2000)
    shop.refund("ada", "A-1", 10_000)
    assert (shop.look("ada").balance, shop.look("ada").debt) == (20, 0)


def test_what_was_spent_before_the_rest_expired_is_owed() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 10})
    shop.buy("ada", "A-1", 10_000)
    spend(shop, "ada", 70)
    wait(shop, 11)
    shop.refund("ada", "A-1", 10_000)
    assert shop.look("ada").debt == 70


def test_a_point_that_has_expired_counts_once_over_all_orders_of_its_lot() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 10})
    shop.buy("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 1000)
    spend(shop, "ada", 5)
    wait(shop, 11)
    shop.refund("ada", "A-1", 1000)
    shop.refund("ada", "A-2", 1000)
    assert shop.look("ada").debt == 5


def test_what_expired_before_a_merge_counts_for_the_survivor() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 10})
    shop.enroll("bob")
    shop.buy("bob", "B-1", 1000)
    wait(shop, 11)
    shop.merge("bob", "ada")
    shop.refund("ada", "B-1", 1000)
    assert shop.look("ada").debt == 0


def test_what_expired_before_an_order_is_not_of_its_lot_though_it_is_booked_with_the_order() -> None:
    shop = a_shop(expiry=IDLE)
    shop.adjust("ada", 10)
    wait(shop, 40)
    shop.buy("ada", "A-1", 1000)
    spend(shop, "ada", 10)
    shop.refund("ada", "A-1", 1000)
    assert shop.look("ada").debt == 10


def test_where_activity_prolongs_all_points_each_that_expired_since_counts_once_the_oldest_first() -> None:
    shop = a_shop(expiry=IDLE)
    shop.buy("ada", "A-1", 1000)
    wait(shop, 40)
    shop.buy("ada", "A-2", 1000)
    spend(shop, "ada", 6)
    wait(shop, 40)
    assert shop.refund("ada", "A-1", 1000).lapsed == {"2026-12-20": 10}
    assert shop.refund("ada", "A-2", 400).lapsed == {"2027-01-30": 4}
    assert shop.look("ada").debt == 0


def test_what_is_left_of_the_orders_own_lot_goes_before_what_has_expired() -> None:
    """Points that were pending end later than those that the same order has prolonged."""
    shop = a_shop(expiry=IDLE, earning={"pending_days": 14})
    shop.adjust("ada", 5)
    shop.buy("ada", "A-1", 1000)
    wait(shop, 35)
    entry = shop.refund("ada", "A-1", 1000)
    assert (entry.points, entry.lapsed) == (-10, {})
    assert shop.look("ada").totals.expired == 5
