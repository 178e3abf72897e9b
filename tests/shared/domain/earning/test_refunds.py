"""Returned goods take back what they earned, and never a point more."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.earning.kept_orders import Returned, Sale, kept
from shared.domain.errors import RefundExceedsOrderError
from shared.domain.facets import Traits
from tests.model.shop import Shop, a_program, at
from tests.shared.domain.earning.test_order_points import a_shop, added, doubled, earning_with, earnings, orders


def test_a_refund_of_half_the_order_keeps_what_half_would_have_earned() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 4250)
    entry = shop.refund("ada", "A-1", 2125)
    assert entry.points == -21
    assert entry.source["order_id"] == "A-1"
    assert shop.look("ada").balance == 21
    assert shop.look("ada").earned == 21
    assert shop.look("ada").totals.taken_back == 21


def test_many_small_refunds_take_no_more_than_one_large_one() -> None:
    """Each of 42 refunds of 1.01 is worth a point and a bit; rounding each would leave 0 or take 84."""
    shop = a_shop()
    shop.buy("ada", "A-1", 4250)
    taken = [shop.refund("ada", "A-1", 101).points for _ in range(42)]
    assert sum(taken) == -42
    assert shop.look("ada").balance == 0


@pytest.mark.parametrize(
    ("rounding", "steps"), [("down", [1, 0, 1, 0]), ("up", [0, 1, 0, 1]), ("nearest", [0, 1, 0, 1])]
)
def test_each_half_dollar_returned_takes_back_as_the_rounding_says(rounding: str, steps: list[int]) -> None:
    shop = a_shop(earning={"rounding": rounding})
    shop.buy("ada", "A-1", 200)
    assert [-shop.refund("ada", "A-1", 50).points for _ in range(4)] == steps


def test_a_refund_beyond_the_order_is_refused_and_changes_nothing() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1000)
    shop.refund("ada", "A-1", 600)
    with pytest.raises(RefundExceedsOrderError, match="400 can be; not 401"):
        shop.refund("ada", "A-1", 401)
    assert shop.look("ada").balance == 4
    shop.refund("ada", "A-1", 400)
    assert shop.look("ada").balance == 0


def test_the_tiers_share_is_given_back_with_the_points_it_came_on() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 50_000)
    shop.buy("ada", "A-2", 4250)
    shop.refund("ada", "A-2", 2125)
    assert shop.look("ada").balance == 500 + 25, "21.25 and a fifth more, rounded down"


def test_a_refund_is_counted_by_the_rules_of_the_day_the_order_was_placed() -> None:
    shop = a_shop(earning=earning_with(doubled()))
    shop.buy("ada", "A-1", 1000)
    shop.program = a_program(earning={"points": 5})
    assert shop.refund("ada", "A-1", 500).points == -10


def test_a_bonus_for_the_order_stays_while_anything_of_it_is_kept() -> None:
    shop = a_shop(earning=earning_with(added(50)))
    shop.buy("ada", "A-1", 1000)
    shop.refund("ada", "A-1", 999)
    assert shop.look("ada").balance == 50
    shop.refund("ada", "A-1", 1)
    assert shop.look("ada").balance == 0


def test_a_bonus_from_30_dollars_up_is_lost_when_less_than_that_is_kept() -> None:
    shop = a_shop(earning=earning_with(added(50, minimum_spend=3000)))
    shop.buy("ada", "A-1", 4000)
    shop.refund("ada", "A-1", 1000)
    assert shop.look("ada").balance == 80
    shop.refund("ada", "A-1", 1)
    assert shop.look("ada").balance == 29


def test_when_less_than_the_minimum_spend_is_kept_nothing_is_earned_not_even_a_bonus() -> None:
    shop = a_shop(earning=earning_with(added(50), minimum_spend=1000))
    shop.buy("ada", "A-1", 2000)
    shop.refund("ada", "A-1", 1500)
    assert shop.look("ada").balance == 0


def test_a_bonus_cut_by_its_limit_shrinks_only_once_it_is_worth_less_than_the_limit() -> None:
    shop = a_shop(earning=earning_with({**doubled(), "limit": {"points": 10, "per": "month"}}))
    shop.buy("ada", "A-1", 4000)
    assert shop.look("ada").balance == 40 + 10
    shop.refund("ada", "A-1", 3000)
    assert shop.look("ada").balance == 10 + 10
    shop.refund("ada", "A-1", 500)
    assert shop.look("ada").balance == 5 + 5


def test_excluded_goods_returned_cost_their_share_of_the_points() -> None:
    """A refund names an amount and no lines, so all goods of the order share it."""
    shop = a_shop(earning={"excluded_categories": ["card"]})
    lines = [{"sku": "C", "category": "card", "amount": 1000}, {"sku": "T", "category": "tea", "amount": 1000}]
    shop.buy("ada", "A-1", 2000, lines=lines)
    assert shop.refund("ada", "A-1", 1000).points == -5


def test_of_an_order_of_nothing_but_free_pieces_each_that_comes_back_takes_its_points() -> None:
    per_piece = {"effect": {"kind": "add", "points": 1, "per": "item"}}
    shop = a_shop(earning=earning_with(per_piece))
    shop.buy("ada", "A-1", 0, lines=[{"sku": "CUP", "quantity": 3, "amount": 0}])
    shop.refund("ada", "A-1", lines=[{"sku": "CUP", "quantity": 1, "amount": 0}])
    assert shop.look("ada").balance == 2
    shop.refund("ada", "A-1", lines=[{"sku": "CUP", "quantity": 2, "amount": 0}])
    assert shop.look("ada").balance == 0


def test_pending_points_of_the_order_are_taken_before_any_other() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.adjust("ada", 100)
    shop.buy("ada", "A-1", 1000)
    shop.refund("ada", "A-1", 400)
    account = shop.look("ada")
    assert (account.balance, account.pending_points) == (100, 6)


def test_pending_points_of_another_order_are_left_alone() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=3)
    shop.buy("ada", "A-2", 1000)
    shop.refund("ada", "A-2", 400)
    assert shop.look("ada").pending == {"2026-12-04/never": 10, "2026-12-07/never": 6}


def test_the_orders_own_lot_is_taken_before_older_points() -> None:
    shop = a_shop(expiry={"kind": "term", "months": 12})
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=10)
    shop.buy("ada", "A-2", 1000)
    shop.refund("ada", "A-2", 400)
    assert shop.look("ada").lots == {"2027-11-20": 10, "2027-11-30": 6}


def test_when_the_orders_own_points_are_spent_those_that_expire_soonest_are_taken() -> None:
    shop = a_shop(expiry={"kind": "term", "months": 12})
    shop.buy("ada", "A-1", 1000)
    for order in ("A-2", "A-3"):
        shop.now += timedelta(days=10)
        shop.buy("ada", order, 1000)
    shop.reserve("ada", "R-1", 14)
    shop.refund("ada", "A-1", 800)
    assert shop.look("ada").lots == {"2027-12-10": 8}


def test_points_that_are_spent_become_a_debt_that_the_next_credit_settles() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 8)
    shop.capture("ada", "R-1")
    shop.refund("ada", "A-1", 1000)
    account = shop.look("ada")
    assert (account.balance, account.debt) == (0, 8)
    shop.buy("ada", "A-2", 500)
    account = shop.look("ada")
    assert (account.balance, account.debt) == (0, 3)
    shop.buy("ada", "A-3", 500)
    account = shop.look("ada")
    assert (account.balance, account.debt) == (2, 0)


def test_where_debts_are_forgiven_a_refund_takes_only_what_is_there() -> None:
    shop = a_shop(refund_debt="forgiven")
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 8)
    shop.capture("ada", "R-1")
    assert shop.refund("ada", "A-1", 1000).points == -2
    account = shop.look("ada")
    assert (account.balance, account.debt, account.earned) == (0, 0, 8)


def test_a_debt_is_settled_when_pending_points_mature_and_not_before() -> None:
    shop = a_shop(earning={"pending_days": 2})
    shop.adjust("ada", 10)
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(days=2)
    shop.reserve("ada", "R-1", 20)
    shop.capture("ada", "R-1")
    shop.refund("ada", "A-1", 1000)
    shop.buy("ada", "A-2", 1500)
    account = shop.look("ada")
    assert (account.balance, account.pending_points, account.debt) == (0, 15, 10)
    shop.now = at("2026-11-24 00:00")
    account = shop.look("ada")
    assert (account.balance, account.pending_points, account.debt) == (5, 0, 0)


def test_points_on_hold_are_not_taken_for_a_refund_but_settle_its_debt_when_they_come_back() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    shop.refund("ada", "A-1", 700)
    account = shop.look("ada")
    assert (account.balance, account.held_points, account.debt) == (0, 10, 7)
    shop.cancel("ada", "R-1")
    account = shop.look("ada")
    assert (account.balance, account.held_points, account.debt) == (3, 0, 0)


def test_of_points_that_come_back_those_that_expire_soonest_settle_the_debt() -> None:
    shop = a_shop(expiry={"kind": "term", "days": 10})
    shop.buy("ada", "A-1", 1000)
    shop.now += timedelta(minutes=1)
    shop.program = a_program(expiry={"kind": "term", "days": 90})
    shop.buy("ada", "A-2", 1000)
    shop.reserve("ada", "R-1", 20)
    shop.refund("ada", "A-2", 700)
    shop.cancel("ada", "R-1")
    assert shop.look("ada").lots == {"2026-11-30": 3, "2027-02-18": 10}


def test_a_refund_takes_from_what_counts_toward_the_tier_in_the_month_of_the_order() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 10_000)
    shop.now = at("2026-12-05 12:00")
    shop.buy("ada", "A-2", 5000)
    shop.refund("ada", "A-1", 4000)
    assert shop.look("ada").qualifying == {"2026-11": 60, "2026-12": 50}


def test_where_spending_counts_toward_the_tier_a_refund_takes_the_money_off() -> None:
    shop = a_shop(tiers={"measure": "spend"})
    shop.buy("ada", "A-1", 10_050)
    shop.refund("ada", "A-1", 4000)
    assert shop.look("ada").qualifying == {"2026-11": 6050}


def test_a_tier_reached_with_what_came_back_is_lost() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 50_000)
    shop.refund("ada", "A-1", 50_000)
    assert shop.look("ada").tier_status().tier_id == "bronze"


def test_an_order_of_a_merged_member_is_refunded_from_the_member_that_remains() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.enroll("bob")
    shop.buy("bob", "B-1", 1000)
    shop.merge("bob", "ada")
    shop.refund("ada", "B-1", 400)
    assert shop.look("ada").pending_points == 6


# For any program, order and sequence of refunds ----------------------------------------------------------------------


@st.composite
def refunded_orders(draw: st.DrawFn) -> tuple[dict[str, Any], list[int]]:
    order = draw(orders().filter(lambda order: bool(order["total"])))
    cuts = draw(st.lists(st.integers(1, order["total"]), unique=True, max_size=6).map(sorted))
    return order, [after - before for before, after in zip([0, *cuts], cuts, strict=False)]


@given(earning=earnings, case=refunded_orders(), big=st.booleans())
def test_any_sequence_of_refunds_leaves_what_one_refund_of_their_sum_would(
    earning: dict[str, Any], case: tuple[dict[str, Any], list[int]], big: bool
) -> None:
    order, refunds = case
    kept = []
    for steps in (refunds, [sum(refunds)] if refunds else []):
        shop = a_shop(earning=earning)
        if big:
            shop.buy("ada", "A-0", 100_000)
        earned = shop.buy("ada", "A-1", **order).points
        taken = [-shop.refund("ada", "A-1", amount).points for amount in steps]
        assert all(points >= 0 for points in taken)
        kept.append(earned - sum(taken))
    assert kept[0] == kept[1] >= 0
    if sum(refunds) == order["total"]:
        assert kept[0] == 0


@given(earning=earnings, total=st.integers(1, 6000), share=st.integers(0, 100), before=st.lists(orders(), max_size=2))
def test_what_is_kept_is_what_an_order_over_it_would_have_earned_in_the_first_place(
    earning: dict[str, Any], total: int, share: int, before: list[dict[str, Any]]
) -> None:
    left = total * share // 100
    shop = a_shop(earning=earning)
    for number, earlier in enumerate(before):
        shop.buy("ada", f"A-{number}", **earlier)
    would_have_earned = shop.quote("ada", left)
    entry = shop.buy("ada", "A-9", total)
    assert kept(Sale(entry, Returned(total - left))).points == would_have_earned
    if left < total:
        shop.refund("ada", "A-9", total - left)
    mine = [one for one in shop.ledgers["ada"] if one.source.get("order_id") == "A-9"]
    assert sum(one.net_effect for one in mine) == would_have_earned


@given(
    spent=st.integers(0, 20),
    refunds=st.lists(st.integers(1, 400), max_size=5),
    credits_=st.lists(st.integers(1, 900), max_size=5),
    debt=st.sampled_from(["allowed", "forgiven"]),
)
def test_what_is_owed_and_what_is_there_always_come_to_the_same(
    spent: int, refunds: list[int], credits_: list[int], debt: str
) -> None:
    shop = Shop(a_program(refund_debt=debt), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 2000)
    if spent:
        shop.reserve("ada", "R-1", spent)
        shop.capture("ada", "R-1")
    for amount in refunds:
        shop.refund("ada", "A-1", amount)
    left = 20 - spent - (20 - (2000 - sum(refunds)) // 100)
    left = left if debt == "allowed" else max(0, left)
    for number, total in enumerate(credits_):
        shop.buy("ada", f"B-{number}", total)
        left += total // 100
    account = shop.look("ada")
    assert account.balance - account.debt == left


def test_what_somebody_excluded_spent_and_returned_takes_no_spending_that_counts() -> None:
    program = a_program(
        standing_rules={"excluded": {"tags": ["staff"]}},
        tiers={"measure": "spend"},
    )
    shop = Shop(program, at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 300)
    shop.note("ada", Traits(tags=("staff",)))
    shop.buy("ada", "A-2", 400)
    shop.refund("ada", "A-2", 400)
    assert dict(shop.look("ada").qualifying) == {"2026-11": 300}
