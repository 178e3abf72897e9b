"""What comes back of an order was never bought: what became of its points meanwhile, and all that rests on it."""

from datetime import timedelta
from typing import Any

from shared.domain.facets import Traits
from tests.model.shop import Shop, a_program
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


# Challenges and badges ------------------------------------------------------------------------------------------------

EVERY_SECOND = {
    "challenge_id": "second",
    "name": "Every second order",
    "goal": {"kind": "count", "of": "orders", "target": 2},
    "points": 50,
    "repeatable": True,
}


def held(shop: Shop, member: str) -> int:
    badge = shop.look(member).badges.get("second")
    return badge.times if badge else 0


def test_a_badge_that_rests_on_nothing_any_more_is_lost_with_its_points() -> None:
    shop = a_shop(challenges=[EVERY_SECOND])
    shop.buy("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 1000)
    shop.refund("ada", "A-1", 1000)
    assert (held(shop, "ada"), shop.look("ada").balance) == (0, 10)
    shop.buy("ada", "A-3", 1000)
    assert (held(shop, "ada"), shop.look("ada").balance) == (1, 70)


def test_an_order_of_a_merged_member_stays_returned_however_their_clocks_differ() -> None:
    shop = a_shop(challenges=[EVERY_SECOND])
    shop.enroll("bob")
    for _ in range(5):
        shop.adjust("bob", 1)
    shop.buy("bob", "B-1", 1000)
    shop.merge("bob", "ada")
    shop.refund("ada", "B-1", 1000)
    shop.buy("ada", "A-1", 1000)
    shop.refund("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 1000)
    assert held(shop, "ada") == 0


def test_an_expired_point_counts_for_the_order_or_for_its_badge_and_not_for_both() -> None:
    once = {**EVERY_SECOND, "goal": {"kind": "count", "of": "orders", "target": 1}, "repeatable": False}
    shop = a_shop(challenges=[once], expiry={"kind": "term", "days": 10})
    shop.buy("ada", "A-1", 1000)
    spend(shop, "ada", 5)
    wait(shop, 11)
    refund = shop.refund("ada", "A-1", 1000)
    lost = shop.ledgers["ada"][-1]
    assert (refund.lapsed, lost.lapsed, shop.look("ada").debt) == ({"2026-11-30": 10}, {"2026-11-30": 45}, 5)


def test_a_badge_is_taken_back_as_the_program_in_force_says() -> None:
    shop = a_shop(challenges=[EVERY_SECOND])
    shop.buy("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 1000)
    spend(shop, "ada", 70)
    shop.program = a_program(version=2, refund_debt="forgiven")
    shop.refund("ada", "A-1", 1000)
    assert (held(shop, "ada"), shop.look("ada").debt) == (0, 0)


# Referrals ------------------------------------------------------------------------------------------------------------

TERMS = {"advocate_points": 100, "friend_points": 50, "minimum_spend": 2000, "return_days": 30}


def a_friend(**changes: Any) -> Shop:
    """Ada has brought Grace."""
    shop = a_shop(referrals=TERMS, **changes)
    shop.bring("ada", "grace")
    return shop


def state(shop: Shop, member: str) -> str | None:
    referred = shop.look(member).referred
    return referred.state if referred else None


def test_a_return_of_another_order_leaves_what_a_referral_rests_on() -> None:
    """Whoever brought her is the same person by now; what has been paid stays paid."""
    shop = a_friend()
    shop.buy("grace", "A-1", 2000)
    shop.merge("ada", "grace")
    shop.buy("grace", "A-2", 2000)
    shop.refund("grace", "A-2", 2000)
    assert state(shop, "grace") == "rewarded"


def test_a_return_never_makes_a_referral_pay_off_again() -> None:
    """An order of a member who was merged into her since is no purchase that she makes now."""
    shop = a_friend()
    shop.enroll("bob")
    shop.buy("grace", "A-1", 2000)
    shop.refund("grace", "A-1", 2000)
    shop.buy("bob", "B-1", 3000)
    shop.merge("bob", "grace")
    shop.refund("grace", "B-1", 500)
    assert state(shop, "grace") == "reversed"


def test_an_order_that_earned_nothing_because_the_friend_was_excluded_never_takes_anothers_place() -> None:
    shop = a_friend(standing_rules={"excluded": {"tags": ["staff"]}})
    shop.buy("grace", "A-1", 2000)
    shop.note("grace", Traits(tags=("staff",)))
    shop.buy("grace", "A-2", 2000)
    shop.note("grace", Traits())
    shop.refund("grace", "A-1", 2000)
    assert state(shop, "grace") == "reversed"


def test_the_next_kept_order_that_qualifies_takes_the_place_of_one_that_comes_back() -> None:
    shop = a_friend()
    for number, total in enumerate((2000, 1999, 2500)):
        shop.buy("grace", f"A-{number}", total)
    shop.refund("grace", "A-0", 1)
    referred = shop.look("grace").referred
    assert referred is not None
    assert (referred.state, referred.order_id, referred.times) == ("rewarded", "A-2", 1)


# Budgets --------------------------------------------------------------------------------------------------------------


def test_a_return_draws_no_more_from_a_campaigns_budget_than_the_whole_order_did() -> None:
    """Under the order's cap less of the base leaves more room for the campaign, of which the budget has paid a half."""
    campaign = {
        "campaign_id": "tea",
        "description": "Tea weeks",
        "effect": {"kind": "add", "points": 10},
        "budget": {"points": 10},
    }
    shop = a_shop(campaigns=[campaign], standing_rules={"caps": {"points_per_order": 15}})
    shop.buy("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 300)
    assert shop.budgets == {"campaign:tea": 0}
    shop.refund("ada", "A-1", 500)
    assert (shop.look("ada").balance, shop.budgets) == (10 + 8, {"campaign:tea": 0})
    shop.refund("ada", "A-1", 500)
    assert shop.budgets == {"campaign:tea": 5}
