"""Members that become one."""

from datetime import date, timedelta

import pytest

from shared.domain.errors import InvalidRequestError, InvalidStateError, RewardUnavailableError
from tests.model.shop import at
from tests.shared.domain.spending.test_transfers import DAYS_30, a_shop, owing


def test_points_keep_their_days_pending_ones_too() -> None:
    shop = a_shop(expiry=DAYS_30, earning={"pending_days": 14})
    shop.adjust("ada", 1)
    shop.buy("ada", "A-1", 200)
    shop.now += timedelta(days=3)
    shop.adjust("bob", 4)
    shop.buy("bob", "B-1", 800)
    shop.merge("bob", "ada")
    account = shop.look("ada")
    assert account.lots == {"2026-12-20": 1, "2026-12-23": 4}
    assert account.pending == {"2026-12-04/2027-01-03": 2, "2026-12-07/2027-01-06": 8}
    assert (account.earned, account.merged_from) == (10, ("bob",))
    shop.now = at("2026-12-07 00:00")
    assert shop.look("ada").balance == 15


def test_who_was_merged_has_nothing_left_and_says_where_it_went() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.adjust("bob", 10)
    shop.buy("bob", "B-1", 800)
    shop.reserve("bob", "R-1", 4)
    shop.merge("bob", "ada")
    gone = shop.look("bob")
    assert (gone.status, gone.merged_into) == ("merged", "ada")
    assert (gone.lots, gone.pending, gone.holds, gone.debt, gone.earned) == ({}, {}, {}, 0, 0)


def test_open_redemptions_go_on_with_the_member_that_remains() -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.adjust("bob", 10)
    shop.reserve("bob", "R-1", 4)
    shop.reserve("bob", "R-2", 3)
    shop.reserve("bob", "R-3", 2)
    shop.merge("bob", "ada")
    assert (shop.look("ada").balance, shop.look("ada").held_points) == (1, 9)
    shop.capture("ada", "R-1")
    shop.cancel("ada", "R-2")
    shop.now += timedelta(minutes=30)
    assert shop.look("ada").lots == {"2026-12-20": 6}


def test_a_redemption_captured_before_is_reversed_to_the_member_that_remains() -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.adjust("bob", 10)
    shop.reserve("bob", "R-1", 4)
    shop.capture("bob", "R-1")
    shop.merge("bob", "ada")
    shop.reverse("ada", "R-1")
    assert shop.look("ada").lots == {"2026-12-20": 10}


@pytest.mark.parametrize(
    ("gone_owes", "gone_has", "into_owes", "into_has", "left"),
    [
        (5, 0, 0, 20, (15, 0)),
        (20, 0, 0, 5, (0, 15)),
        (0, 20, 5, 0, (15, 0)),
        (0, 5, 20, 0, (0, 15)),
        (5, 0, 7, 0, (0, 12)),
        (5, 0, 0, 5, (0, 0)),
    ],
)
def test_what_one_owes_is_settled_from_what_the_other_has(
    gone_owes: int, gone_has: int, into_owes: int, into_has: int, left: tuple[int, int]
) -> None:
    shop = a_shop()
    for member, owes, has in (("bob", gone_owes, gone_has), ("ada", into_owes, into_has)):
        if owes:
            owing(shop, member, owes)
        if has:
            shop.adjust(member, has)
    shop.merge("bob", "ada")
    account = shop.look("ada")
    assert (account.balance, account.debt) == left


def test_a_debt_is_settled_from_the_points_that_expire_soonest() -> None:
    shop = a_shop(expiry=DAYS_30)
    owing(shop, "bob", 15)
    shop.adjust("ada", 10)
    shop.now += timedelta(days=1)
    shop.adjust("ada", 10)
    shop.merge("bob", "ada")
    assert shop.look("ada").lots == {"2026-12-21": 5}


@pytest.mark.parametrize(("gone", "into"), [("ada", "bob"), ("bob", "ada")])
def test_the_higher_tier_is_kept_with_its_dates(gone: str, into: str) -> None:
    shop = a_shop()
    shop.buy("bob", "B-1", 50_000)
    shop.now += timedelta(days=40)
    shop.merge(gone, into)
    tier_status = shop.look(into).tier_status()
    assert (tier_status.tier_id, tier_status.since, tier_status.review_on) == (
        "silver",
        date(2026, 11, 20),
        date(2027, 11, 20),
    )


def test_what_two_have_earned_together_may_reach_a_higher_tier_at_once() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 30_000)
    shop.buy("bob", "B-1", 30_000)
    shop.now += timedelta(days=3)
    shop.merge("bob", "ada")
    tier_status = shop.look("ada").tier_status()
    assert (tier_status.tier_id, tier_status.since) == ("silver", date(2026, 11, 23))


def test_a_lifetime_is_merged_whole_however_long_ago_it_began() -> None:
    shop = a_shop(tiers={"period": "lifetime"})
    shop.buy("bob", "B-1", 40_000)
    shop.now += timedelta(days=1000)
    shop.buy("bob", "B-2", 1000)
    shop.buy("ada", "A-1", 9000)
    shop.merge("bob", "ada")
    assert shop.look("ada").qualifying_ever == 500
    assert shop.look("ada").tier_status().tier_id == "silver"


def test_what_either_used_of_a_limit_counts_for_both() -> None:
    mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "M", "points": 1}
    shop = a_shop(redeeming={"rewards": [{**mug, "limit": {"times": 2, "per": "month"}}]})
    for member in ("ada", "bob"):
        shop.adjust(member, 10)
        shop.reserve(member, f"{member}-mug", "mug")
    shop.merge("bob", "ada")
    with pytest.raises(RewardUnavailableError):
        shop.reserve("ada", "R-3", "mug")
    shop.cancel("ada", "bob-mug")
    shop.reserve("ada", "R-3", "mug")


@pytest.mark.parametrize(("gone", "into"), [("ada", "bob"), ("bob", "ada")])
def test_a_limit_used_up_this_month_stays_so_whatever_the_other_did_before(gone: str, into: str) -> None:
    mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "M", "points": 1}
    shop = a_shop(redeeming={"rewards": [{**mug, "limit": {"times": 1, "per": "month"}}]})
    shop.adjust("ada", 10)
    shop.adjust("bob", 10)
    shop.reserve("bob", "R-1", "mug")
    shop.capture("bob", "R-1")
    shop.now = at("2026-12-02 12:00")
    shop.reserve("ada", "R-2", "mug")
    shop.capture("ada", "R-2")
    shop.merge(gone, into)
    with pytest.raises(RewardUnavailableError):
        shop.reserve(into, "R-3", "mug")


def test_a_member_who_was_merged_into_brings_those_along() -> None:
    shop = a_shop()
    shop.enroll("eve")
    shop.adjust("eve", 3)
    shop.merge("eve", "bob")
    shop.merge("bob", "ada")
    assert shop.look("ada").merged_from == ("bob", "eve")
    assert shop.look("ada").balance == 3


def test_with_oneself_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        a_shop().merge("ada", "ada")
    assert [fault.pointer for fault in refusal.value.faults] == ["/from_member_id"]


def test_at_most_twenty_others_are_taken_in() -> None:
    shop = a_shop()
    for number in range(21):
        shop.enroll(f"m-{number}")
    for number in range(20):
        shop.merge(f"m-{number}", "ada")
    with pytest.raises(InvalidStateError, match="at most 20 others, ever; 20 are in already"):
        shop.merge("m-20", "ada")
    with pytest.raises(InvalidStateError):
        shop.merge("ada", "bob")
