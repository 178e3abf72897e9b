"""Points that change hands, members that become one, and members that leave."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InsufficientPointsError, InvalidRequestError, InvalidStateError, RewardUnavailableError
from tests.model.shop import Shop, a_program, at

DAYS_30 = {"kind": "term", "days": 30}


def a_shop(**changes: Any) -> Shop:
    shop = Shop(a_program(**changes), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.enroll("bob")
    return shop


def owing(shop: Shop, member: str, debt: int) -> None:
    """Let a member spend so many points and return what earned them."""
    shop.buy(member, f"{member}-debt", debt * 100)
    shop.reserve(member, f"{member}-spent", debt)
    shop.capture(member, f"{member}-spent")
    shop.refund(member, f"{member}-debt", debt * 100)
    assert shop.look(member).debt == debt


class TestTransfer:
    def test_each_lot_keeps_its_day_and_the_oldest_goes_first(self) -> None:
        shop = a_shop(expiry=DAYS_30)
        shop.adjust("ada", 10)
        shop.now += timedelta(days=5)
        shop.adjust("ada", 10)
        shop.now += timedelta(days=5)
        moved = shop.transfer("ada", "bob", 15)
        assert (moved.out.points, moved.into.points) == (-15, 15)
        assert shop.look("ada").lots == {"2026-12-25": 5}
        assert shop.look("bob").lots == {"2026-12-20": 10, "2026-12-25": 5}
        assert shop.look("ada").totals.transferred_out == 15
        assert shop.look("bob").earned == 0

    def test_the_receivers_debt_is_settled_first(self) -> None:
        shop = a_shop()
        owing(shop, "bob", 8)
        shop.adjust("ada", 20)
        shop.transfer("ada", "bob", 5)
        assert (shop.look("bob").balance, shop.look("bob").debt) == (0, 3)
        shop.transfer("ada", "bob", 5)
        assert (shop.look("bob").balance, shop.look("bob").debt) == (2, 0)

    def test_more_than_the_balance_is_refused(self) -> None:
        shop = a_shop(earning={"pending_days": 5})
        shop.adjust("ada", 10)
        shop.buy("ada", "A-1", 5000)
        shop.reserve("ada", "R-1", 1)
        with pytest.raises(InsufficientPointsError, match="9 are there: 1 short"):
            shop.transfer("ada", "bob", 10)
        assert shop.look("bob").balance == 0

    def test_to_oneself_is_refused(self) -> None:
        shop = a_shop()
        shop.adjust("ada", 10)
        with pytest.raises(InvalidRequestError) as refusal:
            shop.transfer("ada", "ada", 1)
        assert [fault.pointer for fault in refusal.value.faults] == ["/to_member_id"]


class TestMerge:
    def test_points_keep_their_days_pending_ones_too(self) -> None:
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

    def test_who_was_merged_has_nothing_left_and_says_where_it_went(self) -> None:
        shop = a_shop(earning={"pending_days": 14})
        shop.adjust("bob", 10)
        shop.buy("bob", "B-1", 800)
        shop.reserve("bob", "R-1", 4)
        shop.merge("bob", "ada")
        gone = shop.look("bob")
        assert (gone.status, gone.merged_into) == ("merged", "ada")
        assert (gone.lots, gone.pending, gone.holds, gone.debt, gone.earned) == ({}, {}, {}, 0, 0)

    def test_open_redemptions_go_on_with_the_member_that_remains(self) -> None:
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

    def test_a_redemption_captured_before_is_reversed_to_the_member_that_remains(self) -> None:
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
        self, gone_owes: int, gone_has: int, into_owes: int, into_has: int, left: tuple[int, int]
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

    def test_a_debt_is_settled_from_the_points_that_expire_soonest(self) -> None:
        shop = a_shop(expiry=DAYS_30)
        owing(shop, "bob", 15)
        shop.adjust("ada", 10)
        shop.now += timedelta(days=1)
        shop.adjust("ada", 10)
        shop.merge("bob", "ada")
        assert shop.look("ada").lots == {"2026-12-21": 5}

    @pytest.mark.parametrize(("gone", "into"), [("ada", "bob"), ("bob", "ada")])
    def test_the_higher_tier_is_kept_with_its_dates(self, gone: str, into: str) -> None:
        shop = a_shop()
        shop.buy("bob", "B-1", 50_000)
        shop.now += timedelta(days=40)
        shop.merge(gone, into)
        standing = shop.look(into).standing()
        assert (standing.tier_id, standing.since, standing.review_on) == (
            "silver",
            date(2026, 11, 20),
            date(2027, 11, 20),
        )

    def test_what_two_have_earned_together_may_reach_a_higher_tier_at_once(self) -> None:
        shop = a_shop()
        shop.buy("ada", "A-1", 30_000)
        shop.buy("bob", "B-1", 30_000)
        shop.now += timedelta(days=3)
        shop.merge("bob", "ada")
        standing = shop.look("ada").standing()
        assert (standing.tier_id, standing.since) == ("silver", date(2026, 11, 23))

    def test_a_lifetime_is_merged_whole_however_long_ago_it_began(self) -> None:
        shop = a_shop(tiers={"period": "lifetime"})
        shop.buy("bob", "B-1", 40_000)
        shop.now += timedelta(days=1000)
        shop.buy("bob", "B-2", 1000)
        shop.buy("ada", "A-1", 9000)
        shop.merge("bob", "ada")
        assert shop.look("ada").qualifying_ever == 500
        assert shop.look("ada").standing().tier_id == "silver"

    def test_what_either_used_of_a_limit_counts_for_both(self) -> None:
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
    def test_a_limit_used_up_this_month_stays_so_whatever_the_other_did_before(self, gone: str, into: str) -> None:
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

    def test_a_member_who_was_merged_into_brings_those_along(self) -> None:
        shop = a_shop()
        shop.enroll("eve")
        shop.adjust("eve", 3)
        shop.merge("eve", "bob")
        shop.merge("bob", "ada")
        assert shop.look("ada").merged_from == ("bob", "eve")
        assert shop.look("ada").balance == 3

    def test_with_oneself_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError) as refusal:
            a_shop().merge("ada", "ada")
        assert [fault.pointer for fault in refusal.value.faults] == ["/from_member_id"]

    def test_at_most_twenty_others_are_taken_in(self) -> None:
        shop = a_shop()
        for number in range(21):
            shop.enroll(f"m-{number}")
        for number in range(20):
            shop.merge(f"m-{number}", "ada")
        with pytest.raises(InvalidStateError, match="at most 20 others, ever; 20 are in already"):
            shop.merge("m-20", "ada")
        with pytest.raises(InvalidStateError):
            shop.merge("ada", "bob")


class TestAdjust:
    def test_points_added_by_hand_live_as_long_as_earned_ones_and_are_there_at_once(self) -> None:
        shop = a_shop(expiry=DAYS_30, earning={"pending_days": 14})
        entry = shop.adjust("ada", 10)
        assert (entry.points, entry.expires_on, entry.actor) == (10, date(2026, 12, 20), "olga")
        assert entry.source == {"reference": "a", "reason": "to set it right"}
        account = shop.look("ada")
        assert (account.balance, account.earned, account.qualifying_ever) == (10, 0, 0)

    def test_points_added_by_hand_settle_a_debt(self) -> None:
        shop = a_shop()
        owing(shop, "ada", 8)
        shop.adjust("ada", 10)
        assert (shop.look("ada").balance, shop.look("ada").debt) == (2, 0)

    def test_points_are_taken_from_those_that_expire_soonest(self) -> None:
        shop = a_shop(expiry=DAYS_30)
        shop.adjust("ada", 10)
        shop.now += timedelta(days=1)
        shop.adjust("ada", 10)
        shop.adjust("ada", -12)
        assert shop.look("ada").lots == {"2026-12-21": 8}
        assert shop.look("ada").totals.taken_back == 12

    def test_no_more_can_be_taken_than_is_there(self) -> None:
        shop = a_shop()
        shop.adjust("ada", 10)
        with pytest.raises(InsufficientPointsError):
            shop.adjust("ada", -11)
        assert shop.look("ada").balance == 10


class TestErase:
    def test_everything_left_is_forfeited_and_the_ledger_still_adds_up(self) -> None:
        shop = a_shop(earning={"pending_days": 14})
        shop.adjust("ada", 10)
        shop.buy("ada", "A-1", 700)
        shop.reserve("ada", "R-1", 4)
        entries = shop.erase("ada")
        assert [(entry.type, entry.points) for entry in entries] == [("cancel", 4), ("erase", -17)]
        account = shop.look("ada")
        assert (account.status, account.balance, account.pending_points, account.held_points) == ("erased", 0, 0, 0)
        assert account.totals.forfeited == 17

    def test_what_is_owed_is_forgiven(self) -> None:
        shop = a_shop()
        owing(shop, "ada", 8)
        shop.erase("ada")
        assert (shop.look("ada").debt, shop.look("ada").totals.forfeited) == (0, 0)

    def test_what_is_owed_is_first_settled_from_redemptions_that_were_open(self) -> None:
        shop = a_shop()
        shop.buy("ada", "A-1", 1000)
        shop.reserve("ada", "R-1", 10)
        shop.refund("ada", "A-1", 400)
        shop.erase("ada")
        assert (shop.look("ada").debt, shop.look("ada").totals.forfeited) == (0, 6)


# Conservation --------------------------------------------------------------------------------------------------------

gifts = st.lists(st.tuples(st.sampled_from(["ada", "bob", "eve"]), st.integers(1, 20)), max_size=6)
moves = st.lists(
    st.tuples(st.sampled_from([("ada", "bob"), ("bob", "ada"), ("eve", "ada"), ("bob", "eve")]), st.integers(1, 15)),
    max_size=8,
)


@given(gifts=gifts, moves=moves, debt=st.integers(0, 9), merged=st.booleans())
def test_whatever_is_handed_around_no_point_is_made_or_lost(
    gifts: list[tuple[str, int]], moves: list[tuple[tuple[str, str], int]], debt: int, merged: bool
) -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.enroll("eve")
    if debt:
        owing(shop, "eve", debt)
    for member, points in gifts:
        shop.adjust(member, points)
        shop.now += timedelta(days=1)

    def worth() -> int:
        return sum(shop.look(member).balance - shop.look(member).debt for member in ("ada", "bob", "eve"))

    before = worth()
    for (giver, receiver), points in moves:
        if points <= shop.look(giver).balance:
            shop.transfer(giver, receiver, points)
    if merged:
        shop.merge("eve", "ada")
    assert worth() == before
