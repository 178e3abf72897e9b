"""Actions: cool-off, limits, and points that wait for an operator's approval."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.approvals import waits_for_approval
from shared.domain.points.reviews import Ruling
from tests.model.shop import Shop, a_program, at

REVIEW = {"action_id": "review", "description": "Product review", "points": 25}


def a_shop(**action: Any) -> Shop:
    earning = {"points": 1, "per_amount": 100, "description": "1 point per dollar", "actions": [{**REVIEW, **action}]}
    expiry = {"kind": "term", "months": 12}
    shop = Shop(a_program(earning=earning, expiry=expiry), at("2026-01-10 10:00"))
    shop.enroll("ada")
    return shop


def test_points_wait_and_count_for_nothing_until_they_are_approved() -> None:
    shop = a_shop(approval=True, points=600)
    entry = shop.act("ada", "review")
    assert waits_for_approval(entry)
    account = shop.look("ada")
    assert (account.balance, account.pending, account.earned) == (0, {UNTIL_APPROVED: 600}, 0)
    assert account.tier_status().tier_id == "bronze"

    shop.now += timedelta(days=40)
    approved = shop.decide("ada", entry, "approved")
    account = shop.look("ada")
    assert (account.balance, account.pending_points, account.earned) == (600, 0, 600)
    assert account.tier_status().tier_id == "silver"
    assert dict(account.lots) == {"2027-02-19": 600}, "the points date from the approval"
    assert approved.points == 0, "they were granted when they were earned"


def test_rejected_points_are_gone_and_do_not_count_against_limits() -> None:
    shop = a_shop(approval=True, limit={"times": 1, "per": "month"}, cool_off_days=30)
    entry = shop.act("ada", "review")
    shop.decide("ada", entry, "rejected")
    assert (shop.look("ada").pending_points, shop.look("ada").totals.taken_back) == (0, 25)
    assert shop.act("ada", "review").points == 25


def test_nothing_is_approved_twice() -> None:
    shop = a_shop(approval=True)
    entry = shop.act("ada", "review")
    shop.decide("ada", entry, "approved")
    with pytest.raises(InvalidStateError, match="gone"):
        shop.decide("ada", entry, "rejected")


def test_what_was_owed_is_settled_from_approved_points() -> None:
    shop = a_shop(approval=True)
    shop.buy("ada", "A-1", 10_00)
    shop.reserve("ada", "r", 10)
    shop.capture("ada", "r")
    entry = shop.act("ada", "review")
    shop.refund("ada", "A-1", 10_00)
    assert shop.look("ada").debt == 10
    shop.decide("ada", entry, "approved")
    assert (shop.look("ada").debt, shop.look("ada").balance) == (0, 15)


def test_an_action_that_rests_pays_nothing_and_says_when_it_pays_again() -> None:
    shop = a_shop(cool_off_days=30)
    assert shop.act("ada", "review").points == 25
    shop.now += timedelta(days=29)
    [piece] = shop.act("ada", "review").breakdown
    assert (piece.points, piece.description) == (0, "Product review (once in 30 days, frees on 2026-02-09)")
    shop.now += timedelta(days=1)
    assert shop.act("ada", "review").points == 25


def test_a_merge_takes_waiting_points_along() -> None:
    shop = a_shop(approval=True)
    shop.enroll("grace")
    entry = shop.act("ada", "review")
    shop.merge("ada", "grace")
    shop.decide("grace", entry, "approved")
    assert shop.look("grace").balance == 25


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(["act", "approved", "rejected"]), st.integers(0, 5)), max_size=25
    )
)
def test_waiting_points_are_granted_or_taken_back_and_never_both(steps: list[tuple[int, str, int]]) -> None:
    shop = a_shop(approval=True, limit={"times": 3, "per": "month"}, cool_off_days=2)
    waiting: list[Entry] = []
    granted = rejected = 0
    for days, what, which in steps:
        shop.now += timedelta(days=days)
        if what == "act":
            entry = shop.act("ada", "review")
            waiting += [entry] if waits_for_approval(entry) else []
        elif waiting:
            decision: Ruling = "approved" if what == "approved" else "rejected"
            shop.decide("ada", waiting.pop(which % len(waiting)), decision)
            granted += decision == "approved"
            rejected += decision == "rejected"
    account = shop.look("ada")
    assert account.pending.get(UNTIL_APPROVED, 0) == 25 * len(waiting)
    assert (account.earned, account.totals.taken_back) == (25 * granted, 25 * rejected)


def test_a_refund_takes_nothing_of_what_waits_for_an_operator() -> None:
    program = a_program(automatic_enrolment={}, earning={"actions": [{**REVIEW, "approval": True}]})
    shop = Shop(program, at("2026-01-10 10:00"))
    shop.open_provisional("ada")
    shop.buy("ada", "A-1", 1000)
    shop.consent("ada")
    entry = shop.act("ada", "review")
    shop.refund("ada", "A-1", 1000)
    assert (shop.look("ada").balance, shop.look("ada").pending_points) == (0, 25)
    shop.decide("ada", entry, "approved")
    assert shop.look("ada").balance == 25


def test_points_that_live_while_the_member_is_active_live_on_with_an_approval() -> None:
    shop = Shop(
        a_program(
            earning={"points": 1, "per_amount": 100, "actions": [{**REVIEW, "approval": True}]},
            expiry={"kind": "inactivity", "months": 2},
        ),
        at("2026-01-10 10:00"),
    )
    shop.enroll("ada")
    shop.buy("ada", "A-1", 10_00)
    entry = shop.act("ada", "review")
    shop.now = at("2026-03-01 10:00")
    shop.decide("ada", entry, "approved")
    shop.now = at("2026-04-20 10:00")
    assert shop.look("ada").balance == 35
    shop.now = at("2026-05-20 10:00")
    assert shop.look("ada").balance == 0
