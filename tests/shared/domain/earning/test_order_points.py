"""What orders earn, line by line."""

from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entry import Entry
from shared.domain.errors import InvalidRequestError
from tests.model.shop import AUCKLAND, BERLIN, NEW_YORK, Shop, a_program, at

NOON = at("2026-11-20 12:00")


def a_shop(**changes: Any) -> Shop:
    """A shop with one member, Ada, open on a Friday in November."""
    shop = Shop(a_program(**changes), NOON)
    shop.enroll("ada")
    return shop


def earning_with(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    named = [{"rule_id": f"rule-{number}", "description": f"Rule {number}"} for number in range(len(rules))]
    return {"rules": [{**name, **rule} for name, rule in zip(named, rules, strict=True)], **changes}


def doubled(**when: Any) -> dict[str, Any]:
    return {"when": when, "effect": {"kind": "multiply", "percent": 200}}


def added(points: int, per: str = "order", **when: Any) -> dict[str, Any]:
    return {"when": when, "effect": {"kind": "add", "points": points, "per": per}}


def lines_of(entry: Entry) -> list[tuple[str, int]]:
    return [(piece.rule_id, piece.points) for piece in entry.breakdown]


def test_a_silver_members_order_over_42_50_earns_42_points_and_9_for_the_tier() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1000", 50_000)
    entry = shop.buy("ada", "A-1001", 4250)
    assert entry.points == 51
    assert [(piece.rule_id, piece.points, piece.description) for piece in entry.breakdown] == [
        ("base", 42, "1 point per dollar"),
        ("tier:silver", 9, "Silver earns 1.2x"),
    ]
    assert entry.source == {"order_id": "A-1001"}
    assert entry.balance_after == 551 == shop.look("ada").balance
    assert shop.look("ada").earned == 551


@pytest.mark.parametrize(("rounding", "points"), [("down", 42), ("nearest", 43), ("up", 43)])
def test_half_a_point_is_rounded_as_the_program_says(rounding: str, points: int) -> None:
    assert a_shop(earning={"rounding": rounding}).quote("ada", 4250) == points


@pytest.mark.parametrize(("rounding", "points"), [("down", 42), ("nearest", 42), ("up", 43)])
def test_less_than_half_a_point_is_rounded_as_the_program_says(rounding: str, points: int) -> None:
    assert a_shop(earning={"rounding": rounding}).quote("ada", 4249) == points


def test_an_order_over_nothing_earns_nothing() -> None:
    shop = a_shop(earning=earning_with(added(5), rounding="up"))
    assert shop.buy("ada", "A-1", 0).points == 0


def test_an_order_below_the_minimum_spend_earns_nothing_and_says_why() -> None:
    shop = a_shop(earning=earning_with(added(5), minimum_spend=1000))
    entry = shop.buy("ada", "A-1", 999)
    assert lines_of(entry) == [("base", 0)]
    assert "1000" in entry.breakdown[0].description
    assert shop.buy("ada", "A-2", 1000).points == 15


def test_what_is_excluded_does_not_count_by_category_or_by_sku() -> None:
    shop = a_shop(earning={"excluded_categories": ["gift-card"], "excluded_skus": ["STAMP"]})
    lines = [
        {"sku": "TEA", "category": "tea", "amount": 1000},
        {"sku": "CARD", "category": "gift-card", "amount": 2000},
        {"sku": "STAMP", "amount": 300},
    ]
    assert shop.quote("ada", 3300, lines=lines) == 10
    assert shop.quote("ada", 3800, lines=lines) == 15, "what no line names counts"


def test_lines_that_add_up_to_more_than_the_order_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        a_shop().buy("ada", "A-1", 999, lines=[{"sku": "TEA", "amount": 1000}])
    assert [fault.pointer for fault in refusal.value.faults] == ["/lines"]


def test_an_order_in_another_currency_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        a_shop(currency="EUR").buy("ada", "A-1", 1000)
    assert [fault.pointer for fault in refusal.value.faults] == ["/currency"]


def test_two_multipliers_each_work_on_the_base_and_not_on_each_other() -> None:
    shop = a_shop(earning=earning_with(doubled(), doubled()))
    assert lines_of(shop.buy("ada", "A-1", 1000)) == [("base", 10), ("rule-0", 10), ("rule-1", 10)]


def test_a_multiplier_does_not_multiply_what_the_tier_adds() -> None:
    shop = a_shop(earning=earning_with(doubled()))
    shop.buy("ada", "A-1", 50_000)
    assert lines_of(shop.buy("ada", "A-2", 1000)) == [("base", 10), ("tier:gold", 5), ("rule-0", 10)]


def test_a_rule_for_a_category_or_a_sku_works_on_those_lines_alone() -> None:
    shop = a_shop(
        earning=earning_with(
            doubled(categories=["tea"]),
            added(3, per="item", skus=["CUP"]),
            added(7, categories=["coffee"]),
            excluded_skus=["GIFT"],
        )
    )
    lines = [
        {"sku": "TEA", "category": "tea", "amount": 1000},
        {"sku": "GIFT", "category": "tea", "amount": 500},
        {"sku": "CUP", "quantity": 4, "amount": 2000},
    ]
    entry = shop.buy("ada", "A-1", 4000, lines=lines)
    assert lines_of(entry) == [("base", 35), ("rule-0", 10), ("rule-1", 12)]


def test_points_per_item_count_every_item_that_is_not_excluded() -> None:
    shop = a_shop(earning=earning_with(added(2, per="item"), excluded_categories=["gift-card"]))
    lines = [
        {"sku": "TEA", "quantity": 3, "amount": 300},
        {"sku": "CARD", "category": "gift-card", "quantity": 5, "amount": 500},
    ]
    assert lines_of(shop.buy("ada", "A-1", 800, lines=lines)) == [("base", 3), ("rule-0", 6)]


@pytest.mark.parametrize(
    ("when", "fitting", "other"),
    [
        ({"channels": ["web"]}, {"channel": "web"}, {"channel": "till"}),
        ({"channels": ["web"]}, {"channel": "web"}, {}),
        ({"store_ids": ["s1", "s2"]}, {"store_id": "s2"}, {"store_id": "s3"}),
        ({"partner_ids": ["p"]}, {"partner_id": "p"}, {"partner_id": "q"}),
        ({"minimum_spend": 1000}, {}, {"total": 999}),
        ({"weekdays": ["fri"]}, {}, {"placed_at": at("2026-11-19 23:59:59")}),
        ({"weekdays": ["thu"]}, {"placed_at": at("2026-11-19 23:59:59")}, {"placed_at": at("2026-11-20 00:00")}),
        ({"starts_on": "2026-11-20"}, {"placed_at": at("2026-11-20 00:00")}, {"placed_at": at("2026-11-19 23:59:59")}),
        ({"ends_on": "2026-11-19"}, {"placed_at": at("2026-11-19 23:59:59")}, {"placed_at": at("2026-11-20 00:00")}),
    ],
)
def test_a_rule_applies_only_to_the_orders_it_is_for(
    when: dict[str, Any], fitting: dict[str, Any], other: dict[str, Any]
) -> None:
    shop = a_shop(earning=earning_with(added(100, **when)))
    assert shop.quote("ada", **{"total": 1000, **fitting}) >= 100
    assert shop.quote("ada", **{"total": 1000, **other}) < 100


def test_a_rule_for_a_tier_applies_to_its_members() -> None:
    shop = a_shop(earning=earning_with(added(100, tiers=["silver"])))
    assert shop.quote("ada", 1000) == 10
    shop.buy("ada", "A-1", 50_000)
    assert shop.quote("ada", 1000) == 112
    assert shop.quote(None, 1000) == 10, "who is no member yet would be in the lowest tier"


@pytest.mark.parametrize(("zone", "weekday"), [(NEW_YORK, "thu"), (BERLIN, "fri"), (AUCKLAND, "fri")])
def test_the_day_of_an_order_is_the_shops_day(zone: str, weekday: str) -> None:
    shop = a_shop(time_zone=zone, earning=earning_with(added(100, weekdays=[weekday])))
    assert shop.quote("ada", 1000, at("2026-11-19 19:00", NEW_YORK)) == 110


def test_a_rule_limited_to_two_times_a_month_pays_twice_and_again_next_month() -> None:
    shop = a_shop(earning=earning_with({**added(5), "limit": {"times": 2, "per": "month"}}))
    bonuses = [lines_of(shop.buy("ada", f"A-{number}", 100))[1][1] for number in range(3)]
    assert bonuses == [5, 5, 0]
    refused = shop.ledgers["ada"][-1].breakdown[1]
    assert refused.description == "Rule 0 (limit of 2 times per month reached, frees on 2026-12-01)"
    shop.now = at("2026-11-30 23:59:59")
    assert lines_of(shop.buy("ada", "A-4", 100))[1][1] == 0
    shop.now = at("2026-12-01 00:00")
    assert lines_of(shop.buy("ada", "A-5", 100))[1][1] == 5


@pytest.mark.parametrize(
    ("per", "still_limited", "free"),
    [
        ("day", "2026-11-20 23:59:59", "2026-11-21 00:00"),
        ("week", "2026-11-22 23:59:59", "2026-11-23 00:00"),
        ("year", "2026-12-31 23:59:59", "2027-01-01 00:00"),
    ],
)
def test_a_limit_starts_anew_with_each_period(per: str, still_limited: str, free: str) -> None:
    shop = a_shop(earning=earning_with({**added(5), "limit": {"times": 1, "per": per}}))
    shop.buy("ada", "A-1", 100)
    shop.now = at(still_limited)
    assert shop.quote("ada", 100) == 1
    shop.now = at(free)
    assert shop.quote("ada", 100) == 6


def test_a_limit_for_a_lifetime_never_frees() -> None:
    shop = a_shop(earning=earning_with({**added(5), "limit": {"times": 1, "per": "lifetime"}}))
    shop.buy("ada", "A-1", 100)
    shop.now += timedelta(days=4000)
    assert shop.quote("ada", 100) == 1


def test_a_rule_that_just_keeps_within_its_limit_says_nothing_of_it() -> None:
    shop = a_shop(earning=earning_with({**added(5), "limit": {"points": 5, "per": "month"}}))
    assert [piece.description for piece in shop.buy("ada", "A-1", 1000).breakdown][1:] == ["Rule 0"]


def test_a_rule_limited_in_points_pays_what_is_left_of_them() -> None:
    shop = a_shop(earning=earning_with({**doubled(), "limit": {"points": 25, "per": "month"}}))
    bonuses = [lines_of(shop.buy("ada", f"A-{number}", 1000))[1][1] for number in range(4)]
    assert bonuses == [10, 10, 5, 0]


def test_a_rule_that_earned_nothing_is_not_counted_as_had() -> None:
    shop = a_shop(earning=earning_with({**doubled(), "limit": {"times": 1, "per": "month"}}))
    shop.buy("ada", "A-1", 0)
    assert shop.quote("ada", 1000) == 20


def test_an_order_reported_late_earns_from_the_day_it_was_placed() -> None:
    shop = a_shop(expiry={"kind": "term", "months": 12, "ends": "month"})
    entry = shop.buy("ada", "A-1", 1000, at("2026-10-31 23:30"))
    assert entry.expires_on == date(2027, 10, 31)
    assert shop.look("ada").qualifying == {"2026-10": 10}


def test_an_order_dated_in_the_future_earns_from_today() -> None:
    shop = a_shop(expiry={"kind": "term", "months": 12, "ends": "month"})
    entry = shop.buy("ada", "A-1", 1000, at("2026-12-24 12:00"))
    assert entry.expires_on == date(2027, 11, 30)
    assert shop.look("ada").qualifying == {"2026-11": 10}


def test_what_a_credit_settles_of_a_debt_is_not_available() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 3000)
    shop.reserve("ada", "R-1", 30)
    shop.refund("ada", "A-1", 3000)
    assert shop.look("ada").debt == 30
    entry = shop.buy("ada", "A-2", 5000)
    assert (entry.points, entry.debt, entry.available_effect) == (50, -30, 20)
    assert (shop.look("ada").balance, shop.look("ada").debt) == (20, 0)


# For any program and order -------------------------------------------------------------------------------------------

effects = st.one_of(
    st.builds(lambda percent: {"kind": "multiply", "percent": percent}, st.integers(101, 400)),
    st.builds(
        lambda points, per: {"kind": "add", "points": points, "per": per},
        st.integers(1, 20),
        st.sampled_from(["order", "item"]),
    ),
)
limits = st.one_of(
    st.none(),
    st.builds(lambda points: {"points": points, "per": "month"}, st.integers(1, 30)),
    st.builds(lambda times: {"times": times, "per": "week"}, st.integers(1, 2)),
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.just(["tea"]),
        "minimum_spend": st.integers(0, 3000),
        "tiers": st.just(["silver"]),
    },
)
rules = st.builds(lambda when, effect, limit: {"when": when, "effect": effect, "limit": limit}, whens, effects, limits)
earnings = st.builds(
    lambda rules, **changes: earning_with(*rules, **changes),
    st.lists(rules, max_size=4),
    points=st.integers(1, 7),
    per_amount=st.sampled_from([1, 30, 100, 700]),
    rounding=st.sampled_from(["down", "nearest", "up"]),
    minimum_spend=st.sampled_from([0, 500]),
    excluded_categories=st.sampled_from([[], ["card"]]),
)
lines = st.lists(
    st.builds(
        lambda category, quantity, amount: {
            "sku": "S",
            "category": category,
            "quantity": quantity,
            "amount": amount,
        },
        st.sampled_from(["tea", "card", "cup"]),
        st.integers(1, 3),
        st.integers(0, 900),
    ),
    max_size=3,
)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    of_lines = draw(lines)
    return {"total": sum(line["amount"] for line in of_lines) + draw(st.integers(0, 3000)), "lines": of_lines}


@given(earning=earnings, before=st.lists(orders(), max_size=3), order=orders())
def test_a_quote_is_what_the_order_then_earns_and_its_lines_add_up(
    earning: dict[str, Any], before: list[dict[str, Any]], order: dict[str, Any]
) -> None:
    shop = a_shop(earning=earning)
    for number, earlier in enumerate(before):
        shop.buy("ada", f"A-{number}", **earlier)
    quoted = shop.quote("ada", **order)
    entry = shop.buy("ada", "A-9", **order)
    assert entry.points == quoted == sum(piece.points for piece in entry.breakdown)
    assert all(piece.points >= 0 for piece in entry.breakdown)
    assert shop.look("ada").balance == shop.look("ada").earned == sum(one.points for one in shop.ledgers["ada"])


@given(earning=earnings, orders=st.lists(orders(), min_size=1, max_size=6))
def test_no_limit_in_points_is_ever_exceeded(earning: dict[str, Any], orders: list[dict[str, Any]]) -> None:
    shop = a_shop(earning=earning)
    entries = [shop.buy("ada", f"A-{number}", **order) for number, order in enumerate(orders)]
    for rule in shop.program.earning.rules:
        paid = [piece.points for one in entries for piece in one.breakdown if piece.rule_id == rule.rule_id]
        if rule.limit and rule.limit.points:
            assert sum(paid) <= rule.limit.points
        if rule.limit and rule.limit.times:
            assert sum(points > 0 for points in paid) <= rule.limit.times


@given(
    total=st.integers(0, 10_000_000),
    points=st.integers(1, 50),
    per_amount=st.integers(1, 10_000),
    percents=st.lists(st.integers(101, 300), max_size=4),
    rounding=st.sampled_from(["down", "nearest", "up"]),
)
def test_an_order_is_rounded_once_however_many_rules_apply(
    total: int, points: int, per_amount: int, percents: list[int], rounding: str
) -> None:
    effects = [{"effect": {"kind": "multiply", "percent": percent}} for percent in percents]
    shop = a_shop(
        earning=earning_with(*effects, points=points, per_amount=per_amount, rounding=rounding, entry_max=10**9)
    )
    exact = Fraction(total * points, per_amount) * (100 + sum(percent - 100 for percent in percents)) / 100
    expected = {"down": floor(exact), "up": ceil(exact), "nearest": floor(exact + Fraction(1, 2))}[rounding]
    assert shop.quote("ada", total) == expected
