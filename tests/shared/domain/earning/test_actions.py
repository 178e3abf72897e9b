"""What actions earn."""

from typing import Any

import pytest

from shared.domain.errors import InvalidRequestError
from shared.domain.facets import Traits
from tests.model.shop import Shop, a_program, at


def a_shop(**changes: Any) -> Shop:
    """A shop with one member, Ada, open on a Friday in November."""
    shop = Shop(a_program(**changes), at("2026-11-20 12:00"))
    shop.enroll("ada")
    return shop


def test_an_action_earns_its_points_until_its_limit() -> None:
    review = {"action_id": "review", "description": "A review", "points": 10, "limit": {"points": 25, "per": "week"}}
    shop = a_shop(earning={"actions": [review]})
    assert [shop.act("ada", "review").points for _ in range(4)] == [10, 10, 5, 0]
    [piece] = shop.ledgers["ada"][-1].breakdown
    assert piece.description == "A review (limit of 25 points per week reached, frees on 2026-11-23)"
    assert shop.look("ada").balance == 25


def test_an_action_that_the_program_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        a_shop().act("ada", "dancing")
    assert [fault.pointer for fault in refusal.value.faults] == ["/action"]


def test_staff_earn_nothing_with_actions_and_are_told_why() -> None:
    review = {"action_id": "review", "description": "A review", "points": 10}
    shop = a_shop(earning={"actions": [review]}, standing_rules={"excluded": {"tags": ["staff"]}})
    shop.note("ada", Traits(tags=("staff",)))
    entry = shop.act("ada", "review")
    assert (entry.points, entry.breakdown[0].rule_id) == (0, "excluded")


def test_what_a_day_has_no_room_for_uses_up_nothing_of_the_actions_own_limit() -> None:
    review = {"action_id": "review", "description": "A review", "points": 10, "limit": {"points": 15, "per": "week"}}
    resting = {"action_id": "visit", "description": "A visit", "points": 10, "cool_off_days": 30}
    caps = {"caps": {"points_per_day": 14}}
    shop = a_shop(earning={"actions": [review, resting]}, standing_rules=caps)
    assert [shop.act("ada", action).points for action in ("review", "review", "visit")] == [10, 4, 0]
    shop.now = at("2026-11-21 12:00")
    assert [shop.act("ada", action).points for action in ("visit", "review")] == [10, 1]
