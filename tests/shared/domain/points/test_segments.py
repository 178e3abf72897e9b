"""Who is in which segment."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.account import Account
from shared.domain.errors import InvalidRequestError, NothingChangesError
from shared.domain.facets import Activity, TierStatus, Traits
from shared.domain.invariants import breaches
from shared.domain.points.segments import belongs, change_traits, in_any, retagged, scores, united
from shared.domain.program.segments import Scoring, Segment
from shared.domain.spending.prices import why_unavailable
from tests.model.shop import Shop, a_program, at

TODAY = date(2026, 11, 20)
SCORED = {
    "scoring": {
        "recency_days": [30, 60, 120, 240],
        "frequency_orders": [2, 4, 8, 12],
        "money_amounts": [5_000, 15_000, 40_000, 100_000],
    }
}


def account(**details: Any) -> Account:
    return Account(member_id="ada", tier=TierStatus(tier_id="silver", since=TODAY), **details)


def segment(**conditions: Any) -> Segment:
    return Segment.model_validate({"segment_id": "s", "name": "S", **conditions})


def is_in(one: Account, **conditions: Any) -> bool:
    return belongs(one, a_program(segments=SCORED), segment(**conditions), TODAY)


TRAITS = Traits(tags=("tea", "vip"), place="US-CA", opt_ins=("email",))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"all": [{"tiers": ["silver", "gold"]}]}, True),
        ({"all": [{"tiers": ["gold"]}]}, False),
        ({"all": [{"tags": ["vip", "press"]}]}, True),
        ({"all": [{"tags": ["press"]}]}, False),
        ({"all": [{"places": ["US"]}]}, True),
        ({"all": [{"places": ["US-CA"]}]}, True),
        ({"all": [{"places": ["U", "US-C"][1:]}]}, False),
        ({"all": [{"places": ["US-NY", "DE"]}]}, False),
        ({"all": [{"opt_ins": ["email"]}]}, True),
        ({"all": [{"opt_ins": ["sms"]}]}, False),
        ({"all": [{"tags": ["vip"], "places": ["DE"]}]}, False),
        ({"all": [{"tags": ["vip"]}, {"places": ["US"]}]}, True),
        ({"any": [{"tags": ["press"]}, {"places": ["US"]}]}, True),
        ({"any": [{"tags": ["press"]}, {"places": ["DE"]}]}, False),
        ({"none": [{"tags": ["press"]}]}, True),
        ({"all": [{"tiers": ["silver"]}], "none": [{"places": ["US"]}]}, False),
    ],
)
def test_a_member_is_where_the_conditions_hold(conditions: dict[str, Any], expected: bool) -> None:
    assert is_in(account(traits=TRAITS), **conditions) is expected


def test_nothing_known_of_a_member_is_in_nothing_that_asks_for_it() -> None:
    assert not is_in(account(), any=[{"tags": ["vip"]}, {"places": ["US"]}, {"opt_ins": ["sms"]}])
    assert is_in(account(), all=[{"recency": [1], "frequency": [1], "money": [1]}])


@pytest.mark.parametrize(
    ("days_ago", "score"), [(0, 5), (30, 5), (31, 4), (60, 4), (61, 3), (120, 3), (121, 2), (240, 2), (241, 1)]
)
def test_recency_counts_days_since_the_last_order(days_ago: int, score: int) -> None:
    last = date.fromordinal(TODAY.toordinal() - days_ago)
    assert scores(account(last_order_on=last), Scoring(), TODAY)["recency"] == score


@pytest.mark.parametrize(("orders", "score"), [(1, 1), (2, 2), (3, 2), (4, 3), (8, 4), (12, 5), (99, 5)])
def test_frequency_and_money_count_thirteen_months(orders: int, score: int) -> None:
    months = {"2025-10": Activity(orders=50, amount=1_000_000), "2025-11": Activity(orders=orders, amount=4_999)}
    found = scores(account(activity=months), Scoring(), TODAY)
    assert (found["frequency"], found["money"]) == (score, 1)


def test_orders_and_refunds_make_the_activity_of_their_month() -> None:
    shop = Shop(a_program(segments=SCORED), at("2026-10-31T12:00"))
    shop.enroll("ada")
    shop.buy("ada", "a", 4_000)
    shop.buy("ada", "b", 6_000)
    shop.now = at("2026-11-20T12:00")
    shop.buy("ada", "c", 1_000)
    shop.refund("ada", "a", 1_000)
    assert shop.stored("ada").activity["2026-10"] == Activity(orders=2, amount=9_000)
    shop.refund("ada", "a", 3_000)
    assert shop.stored("ada").activity == {
        "2026-10": Activity(orders=1, amount=6_000),
        "2026-11": Activity(orders=1, amount=1_000),
    }
    assert shop.stored("ada").last_order_on == TODAY


def test_an_account_remembers_no_activity_unless_the_program_scores_it() -> None:
    shop = Shop(a_program(), at("2026-10-31T12:00"))
    shop.enroll("ada")
    shop.buy("ada", "a", 4_000)
    shop.program = a_program(segments=SCORED)
    shop.refund("ada", "a", 4_000)
    assert (shop.stored("ada").activity, shop.stored("ada").last_order_on) == ({}, None)


def test_a_rule_and_a_reward_can_be_for_a_segment() -> None:
    named = [{"segment_id": "locals", "name": "Locals", "all": [{"places": ["US-CA"]}]}]
    rule = {"rule_id": "local", "description": "Local", "when": {"segments": ["locals"]}}
    reward = {"reward_id": "map", "name": "Map", "kind": "product", "sku": "M", "points": 1, "segments": ["locals"]}
    program = a_program(
        segments={"named": named},
        earning={"rules": [{**rule, "effect": {"kind": "add", "points": 5}}]},
        redeeming={"rewards": [reward]},
    )
    shop = Shop(program, at("2026-11-20T12:00"))
    shop.enroll("ada")
    assert (shop.quote("ada", 1_000), shop.quote(None, 1_000)) == (10, 10)
    assert why_unavailable(shop.look("ada"), program, program.redeeming.rewards[0], TODAY) == (
        "Map is for members of 'locals'"
    )
    shop.note("ada", Traits(place="US-CA"))
    assert shop.quote("ada", 1_000) == 15
    assert why_unavailable(shop.look("ada"), program, program.redeeming.rewards[0], TODAY) is None
    assert breaches(shop.stored("ada"), shop.ledgers["ada"]) == []


def test_who_is_no_member_is_in_no_segment_but_everybody_is_where_none_is_named() -> None:
    assert not in_any(None, a_program(segments=SCORED), ["s"], TODAY)
    assert in_any(None, a_program(), (), TODAY)


def test_tags_are_added_then_removed_and_kept_in_order() -> None:
    assert retagged(TRAITS, ["press", "vip"], ["tea"]).tags == ("press", "vip")


def test_a_member_has_at_most_twenty_tags() -> None:
    full = retagged(Traits(), [f"t{number}" for number in range(20)], [])
    with pytest.raises(InvalidRequestError, match=r"^/add: .* at most 20 tags, these would be 21"):
        retagged(full, ["one-more"], [])
    assert len(retagged(full, ["one-more"], ["t0"]).tags) == 20


def test_a_merge_keeps_as_many_tags_as_fit_and_widens_no_consent() -> None:
    gone = Traits(tags=tuple(f"t{number:02}" for number in range(20)), place="DE", opt_ins=("sms",))
    assert united(gone, Traits(opt_ins=("email",))) == gone.model_copy(update={"opt_ins": ("email",)})
    assert len(united(gone, TRAITS).tags) == 20
    assert set(TRAITS.tags) < set(united(gone, TRAITS).tags)
    assert united(gone, TRAITS).place == "US-CA"
    assert united(Traits(excluded=True), Traits()).excluded
    assert united(Traits(), Traits(excluded=True)).excluded
    assert not united(Traits(), Traits()).excluded


def test_traits_that_are_so_already_are_not_noted_again() -> None:
    with pytest.raises(NothingChangesError):
        change_traits(
            account(traits=TRAITS), a_program(), TRAITS, reference="r", now=at("2026-11-20T12:00"), actor="till"
        )


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"segments": {"named": [{"segment_id": "s", "name": "S"}]}}, "give conditions"),
        ({"segments": {"named": [{"segment_id": "s", "name": "S", "all": [{}]}]}}, "give at least one of tiers"),
        ({"segments": {"named": [{"segment_id": "s", "name": "S", "all": [{"recency": [5]}]}]}}, "looks at scores"),
        ({"segments": {"named": [{"segment_id": "s", "name": "S", "all": [{"tiers": ["x"]}]}]}}, "names the tier 'x'"),
        ({"segments": {"scoring": {"recency_days": [1, 2, 2, 3]}}}, "must rise"),
        (
            {"segments": {"named": [{"segment_id": "s", "name": "S", "all": [{"tags": ["a"]}]}] * 2}},
            "segment_id 's' is listed twice",
        ),
        (
            {"redeeming": {"rewards": [{"reward_id": "m", "name": "M", "kind": "product", "sku": "M", "points": 1,
                                        "segments": ["x"]}]}},
            "reward 'm' names the segment 'x', which is not one of: none",
        ),
    ],
)  # fmt: skip
def test_segments_that_cannot_be_are_named(sections: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        a_program(**sections)
