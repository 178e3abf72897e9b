"""Campaigns: whom they treat, what they add, and what they may give away."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.earning.campaigns import groups_of, is_held_out, noted, state
from shared.domain.earning.kept_orders import kept
from shared.domain.facets import Traits
from shared.domain.program.campaigns import Campaign, PointCost
from shared.domain.program.program import Program
from tests.model.shop import Shop, a_program, at

NOW = at("2026-11-20T12:00")
DOUBLE = {
    "campaign_id": "double",
    "description": "Double points",
    "effect": {"kind": "multiply", "percent": 200},
}


def with_campaigns(*campaigns: dict[str, Any], **sections: Any) -> Program:
    return a_program(campaigns=list(campaigns), **sections)


def shop_with(*campaigns: dict[str, Any], **sections: Any) -> Shop:
    shop = Shop(with_campaigns(*campaigns, **sections), NOW)
    shop.enroll("ada")
    return shop


def test_a_campaign_is_a_line_of_its_own() -> None:
    entry = shop_with(DOUBLE).buy("ada", "a", 4_250)
    assert [(piece.rule_id, piece.points) for piece in entry.breakdown] == [("base", 42), ("campaign:double", 43)]
    assert entry.source["campaigns"] == "double=treated"
    assert entry.budgets == {}


@pytest.mark.parametrize(
    ("when", "points"),
    [
        ({"starts_on": "2026-11-20", "ends_on": "2026-11-20"}, 20),
        ({"starts_on": "2026-11-21"}, 10),
        ({"ends_on": "2026-11-19"}, 10),
        ({"weekdays": ["fri"]}, 20),
        ({"weekdays": ["sat", "sun"]}, 10),
        ({"channels": ["app"]}, 10),
        ({"channels": ["web"]}, 20),
        ({"minimum_spend": 1_001}, 10),
        ({"segments": ["locals"]}, 10),
    ],
)
def test_a_campaign_is_on_when_it_says(when: dict[str, Any], points: int) -> None:
    segments = {"named": [{"segment_id": "locals", "name": "Locals", "all": [{"places": ["US-CA"]}]}]}
    shop = shop_with({**DOUBLE, "when": when}, segments=segments)
    assert shop.buy("ada", "a", 1_000, channel="web").points == points


def test_a_campaign_for_a_segment_reaches_who_is_in_it() -> None:
    segments = {"named": [{"segment_id": "locals", "name": "Locals", "all": [{"places": ["US-CA"]}]}]}
    shop = shop_with({**DOUBLE, "when": {"segments": ["locals"]}}, segments=segments)
    shop.note("ada", Traits(place="US-CA"))
    assert shop.buy("ada", "a", 1_000).points == 20


def test_who_is_held_out_gets_nothing_and_the_entry_says_so() -> None:
    campaign = Campaign.model_validate({**DOUBLE, "hold_out_percent": 50})
    shop = Shop(with_campaigns({**DOUBLE, "hold_out_percent": 50}), NOW)
    members = [f"member-{number}" for number in range(40)]
    for member in members:
        shop.enroll(member)
        entry = shop.buy(member, f"of-{member}", 1_000)
        held_out = is_held_out(campaign, member)
        assert entry.points == (10 if held_out else 20)
        assert entry.breakdown[-1].description == ("Double points (hold-out)" if held_out else "Double points")
        assert groups_of(entry.source) == {"double": "held_out" if held_out else "treated"}
    assert 8 < sum(is_held_out(campaign, member) for member in members) < 32


@given(st.text(min_size=1, max_size=20), st.integers(0, 89))
def test_a_growing_hold_out_keeps_whom_it_had(member: str, percent: int) -> None:
    small, large = (Campaign.model_validate({**DOUBLE, "hold_out_percent": one}) for one in (percent, percent + 1))
    assert is_held_out(large, member) or not is_held_out(small, member)
    assert not is_held_out(Campaign.model_validate(DOUBLE), member)


def test_a_share_of_the_members_is_held_out_as_large_as_it_says() -> None:
    campaign = Campaign.model_validate({**DOUBLE, "hold_out_percent": 20})
    assert 1_880 < sum(is_held_out(campaign, f"m{number}") for number in range(10_000)) < 2_120


def test_a_members_limit_ends_it_for_them() -> None:
    shop = shop_with({**DOUBLE, "limit": {"points": 15, "per": "month"}})
    assert shop.buy("ada", "a", 1_000).points == 20
    entry = shop.buy("ada", "b", 1_000)
    assert entry.points == 15
    assert "frees on 2026-12-01" in entry.breakdown[-1].description
    assert shop.stored("ada").uses["campaign:double"].points == 15


def test_the_last_order_of_a_budget_gets_the_exact_rest_and_later_ones_nothing() -> None:
    shop = shop_with({**DOUBLE, "budget": {"points": 15}})
    entries = [shop.buy("ada", name, 1_000) for name in "abc"]
    assert [entry.points for entry in entries] == [20, 15, 10]
    assert [dict(entry.budgets) for entry in entries] == [{"campaign:double": 10}, {"campaign:double": 5}, {}]
    assert [entry.breakdown[-1].description for entry in entries] == [
        "Double points",
        "Double points (the last 5 points of the campaign's budget)",
        "Double points (nothing is left of the campaign's budget)",
    ]
    assert [groups_of(entry.source)["double"] for entry in entries] == ["treated", "treated", "used_up"]


@pytest.mark.parametrize(
    ("most", "drawn"),
    [(25, {"campaign:double": 10, "campaign:extra": 5}), (18, {"campaign:double": 8}), (10, {}), (4, {})],
)
def test_what_a_cap_cuts_off_an_order_is_not_charged_to_a_budget(most: int, drawn: dict[str, int]) -> None:
    extra = {**DOUBLE, "campaign_id": "extra", "effect": {"kind": "add", "points": 7}}
    campaigns = ({**DOUBLE, "budget": {"points": 100}}, {**extra, "budget": {"points": 100}})
    shop = shop_with(*campaigns, standing_rules={"caps": {"points_per_order": most}})
    entry = shop.buy("ada", "a", 1_000)
    assert (entry.points, dict(entry.budgets)) == (most, drawn)
    left = {name: 100 - drawn.get(name, 0) for name in ("campaign:double", "campaign:extra")}
    assert shop.budgets == left
    assert shop.refund("ada", "a", 1_000).points == -most


@pytest.mark.parametrize(("most", "of_kept"), [(100, 75), (110, 85), (150, 125), (200, 150)])
def test_no_return_brings_what_a_cap_has_cut_of_a_campaign_that_has_a_budget(most: int, of_kept: int) -> None:
    limited = {**DOUBLE, "budget": {"points": 100}, "limit": {"points": 500, "per": "month"}}
    shop = shop_with(limited, standing_rules={"caps": {"points_per_order": most}})
    assert shop.buy("ada", "a", 10_000).points == most
    of_campaign = min(most - 100, 75)
    shop.refund("ada", "a", 2_500)
    assert shop.stored("ada").balance == of_kept
    assert shop.budgets == {"campaign:double": 100 - of_campaign}
    assert sum(use.points for use in shop.stored("ada").uses.values()) == of_campaign
    shop.refund("ada", "a", 7_500)
    assert (shop.stored("ada").balance, shop.budgets) == (0, {"campaign:double": 100})
    assert sum(use.points + use.times for use in shop.stored("ada").uses.values()) == 0


def test_a_day_that_is_full_leaves_a_budget_alone() -> None:
    campaign = {**DOUBLE, "budget": {"points": 100}}
    shop = shop_with(campaign, standing_rules={"caps": {"points_per_day": 25}})
    entries = [shop.buy("ada", name, 1_000) for name in "abc"]
    assert [entry.points for entry in entries] == [20, 5, 0]
    assert shop.budgets == {"campaign:double": 90}


def test_what_a_refund_takes_back_returns_to_the_budget() -> None:
    shop = shop_with({**DOUBLE, "budget": {"points": 15}})
    shop.buy("ada", "a", 1_000)
    entry = shop.refund("ada", "a", 1_000)
    assert (entry.points, entry.budgets, shop.budgets) == (-20, {"campaign:double": -10}, {"campaign:double": 15})


@given(
    st.integers(1, 120),
    st.lists(
        st.tuples(st.sampled_from(["ada", "bo", "cy"]), st.integers(0, 4_000), st.integers(0, 4_000)), max_size=20
    ),
    st.sampled_from(["down", "nearest", "up"]),
    st.sampled_from([0, 40]),
)
def test_whatever_is_bought_and_returned_no_point_is_given_beyond_the_budget(
    points: int, orders: list[tuple[str, int, int]], rounding: str, hold_out: int
) -> None:
    campaign = {**DOUBLE, "budget": {"points": points}, "hold_out_percent": hold_out}
    shop = Shop(with_campaigns(campaign, earning={"rounding": rounding, "per_amount": 70}), NOW)
    for member in ("ada", "bo", "cy"):
        shop.enroll(member)
    for number, (member, total, back) in enumerate(orders):
        shop.buy(member, f"o{number}", total)
        if 0 < back <= total:
            shop.refund(member, f"o{number}", back)
    given_away = sum(
        kept(shop.order_of(f"o{number}").sale).by_budget.get("campaign:double", 0) for number in range(len(orders))
    )
    drawn = sum(entry.budgets.get("campaign:double", 0) for ledger in shop.ledgers.values() for entry in ledger)
    assert given_away == drawn <= points
    assert shop.budgets.get("campaign:double", points) == points - drawn


@pytest.mark.parametrize(
    ("budget", "total"),
    [
        ({"points": 500}, 500),
        ({"amount": 1_000, "point_cost": {"points": 100, "amount": 70}}, 1_428),
        ({"points": 500, "amount": 1_000, "point_cost": {"points": 100, "amount": 70}}, 500),
        ({"points": 5_000, "amount": 1_000, "point_cost": {"points": 1, "amount": 3}}, 333),
    ],
)
def test_a_budget_of_money_is_as_many_points_as_it_pays_for(budget: dict[str, Any], total: int) -> None:
    campaign = Campaign.model_validate({**DOUBLE, "budget": budget})
    assert campaign.budget is not None
    assert campaign.budget.total == total


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"budget": {}}, "give points, amount, or both"),
        ({"budget": {"amount": 5}}, "needs a point_cost"),
        ({"budget": {"amount": 5, "point_cost": {"points": 1, "amount": 6}}}, "does not pay for one point"),
        ({"hold_out_percent": 100}, "less than or equal to 90"),
        ({"when": {"segments": ["x"]}}, "campaign 'double' names the segment 'x'"),
        ({"when": {"tiers": ["x"]}}, "campaign 'double' names the tier 'x'"),
    ],
)
def test_a_campaign_that_cannot_be_is_named(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        with_campaigns({**DOUBLE, **change})


def test_two_campaigns_are_noted_in_one_short_text() -> None:
    groups = {"b": "treated", "a": "held_out"}
    assert noted(groups) == {"campaigns": "a=held_out b=treated"}
    assert groups_of(noted(groups)) == groups
    assert (noted({}), groups_of({})) == ({}, {})


def test_what_points_cost_is_rounded_to_minor_units_as_asked() -> None:
    cost = PointCost(points=3, amount=2)
    assert [cost.rounded_up(points) for points in (0, 1, 3, 4)] == [0, 1, 2, 3]
    assert [cost.rounded_down(points) for points in (0, 1, 3, 4)] == [0, 0, 2, 2]


def test_a_campaign_is_in_one_state_at_a_time() -> None:
    campaign = Campaign.model_validate({**DOUBLE, "when": {"starts_on": "2026-11-20", "ends_on": "2026-11-30"}})
    days = [NOW.date().replace(day=day) for day in (19, 20, 30)]
    assert [state(campaign, day, None) for day in days] == ["scheduled", "running", "running"]
    assert state(campaign, NOW.date().replace(month=12), 0) == "ended"
    assert (state(campaign, days[1], 0), state(campaign, days[1], 1)) == ("used_up", "running")


def test_a_limit_of_two_pays_twice_and_what_just_fits_is_not_called_limited() -> None:
    shop = shop_with({**DOUBLE, "limit": {"times": 2, "per": "month", "points": 20}})
    lines = [shop.buy("ada", f"order-{number}", 1_000).breakdown[-1] for number in range(3)]
    assert [(line.points, line.description) for line in lines[:2]] == [(10, "Double points")] * 2
    assert lines[2].points == 0
    assert "Double points (" in lines[2].description
