"""What somebody earns before they have agreed to the terms waits, becomes theirs, or is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import ConsentRequiredError, MemberNotFoundError
from shared.domain.facets import Traits
from shared.domain.lifecycle.passing_of_time import due_on
from shared.domain.lots import UNTIL_APPROVED
from tests.model.shop import Shop, a_program, at

NOW = at("2026-11-20T13:00")
TERM = {"kind": "term", "months": 12, "ends": "month"}


def a_shop(**changes: object) -> Shop:
    return Shop(a_program(**{"automatic_enrolment": {"consent_days": 30}, "expiry": TERM, **changes}), NOW)


def test_points_wait_and_are_dated_from_the_day_of_consent() -> None:
    shop = a_shop(earning={"welcome_points": 10})
    shop.open_provisional("card")
    shop.buy("card", "A-1", 4_200)
    assert (shop.look("card").balance, shop.look("card").pending_points) == (0, 42)
    shop.now = at("2026-12-15T12:00")
    shop.consent("card")
    account = shop.look("card")
    assert (account.status, account.lots, account.pending) == ("active", {"2027-12-31": 52}, {})


def test_the_last_day_to_consent_is_the_programs() -> None:
    shop = a_shop()
    shop.open_provisional("card")
    shop.buy("card", "A-1", 4_200)
    shop.now = at("2026-12-20T23:59")
    assert shop.look("card").status == "provisional"
    shop.now = at("2026-12-21T00:00")
    account = shop.look("card")
    assert (account.status, account.pending_points, account.totals.forfeited) == ("lapsed", 0, 42)


def test_an_account_that_may_lapse_is_due_on_the_day_after() -> None:
    shop = a_shop()
    shop.open_provisional("card")
    assert str(due_on(shop.stored("card"), shop.program, NOW.date())) == "2026-12-21"


def test_nothing_is_spent_or_given_away_before_consent() -> None:
    shop = a_shop()
    shop.open_provisional("card")
    shop.enroll("ada")
    shop.buy("card", "A-1", 4_200)
    with pytest.raises(ConsentRequiredError, match="2026-12-20"):
        shop.reserve("card", "R-1", "coffee")
    with pytest.raises(ConsentRequiredError):
        shop.transfer("card", "ada", 1)
    with pytest.raises(ConsentRequiredError):
        shop.merge("card", "ada")


def test_no_more_than_the_shops_maximum_waits_for_one_person() -> None:
    shop = a_shop(automatic_enrolment={"consent_days": 30, "points_max": 50})
    shop.open_provisional("card")
    shop.buy("card", "A-1", 4_200)
    entry = shop.buy("card", "A-2", 4_200)
    assert entry.points == 8
    assert "At most 50 points wait for consent" in entry.breakdown[-1].description
    shop.consent("card")
    assert shop.buy("card", "A-3", 4_200).points == 42


def test_a_return_before_consent_takes_from_what_waits() -> None:
    shop = a_shop()
    shop.open_provisional("card")
    shop.buy("card", "A-1", 4_200)
    entry = shop.refund("card", "A-1", 1_000)
    assert (entry.points, entry.debt, entry.lots, entry.pending) == (-10, 0, {}, {UNTIL_APPROVED: -10})
    assert shop.look("card").pending_points == 32


def test_who_earns_nothing_is_not_welcomed_with_points_either() -> None:
    shop = a_shop(earning={"welcome_points": 10}, standing_rules={"excluded": {"tags": ["staff"]}})
    shop.open_provisional("card")
    shop.note("card", Traits(tags=("staff",)))
    shop.consent("card")
    assert shop.look("card").balance == 0


def test_an_action_that_is_approved_pays_only_those_who_have_agreed() -> None:
    shop = a_shop(earning={"actions": [{"action_id": "a", "description": "A", "points": 5, "approval": True}]})
    shop.open_provisional("card")
    entry = shop.act("card", "a")
    assert (entry.points, entry.breakdown[0].points, entry.pending) == (0, 0, {})
    assert "agreed to the terms" in entry.breakdown[0].description


def test_a_program_without_the_section_opens_nobody() -> None:
    shop = Shop(a_program(), NOW)
    with pytest.raises(MemberNotFoundError):
        shop.open_provisional("card")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_bought_and_returned_before_and_after_consent_the_books_balance(data: st.DataObject) -> None:
    shop = a_shop(refund_debt=data.draw(st.sampled_from(("allowed", "forgiven"))))
    shop.open_provisional("card")
    left: dict[str, int] = {}
    is_open = True
    for number in range(data.draw(st.integers(1, 12))):
        step = data.draw(st.sampled_from(("buy", "refund", "consent", "wait", "adjust")))
        is_open = is_open and shop.look("card").is_open
        if step == "wait":
            shop.now += data.draw(st.timedeltas(min_value=NOW - NOW, max_value=at("2026-12-05T00:00") - NOW))
        elif not is_open:
            continue
        elif step == "buy":
            total = left[f"A-{number}"] = data.draw(st.integers(0, 9_000))
            shop.buy("card", f"A-{number}", total)
        elif step == "refund" and any(left.values()):
            order = data.draw(st.sampled_from([one for one, amount in left.items() if amount]))
            amount = data.draw(st.integers(1, left[order]))
            left[order] -= amount
            shop.refund("card", order, amount)
        elif step == "consent" and shop.look("card").status == "provisional":
            shop.consent("card")
        elif step == "adjust":
            shop.adjust("card", data.draw(st.integers(1, 100)))
    account = shop.look("card")
    if account.status == "provisional":
        assert account.balance == 0
        kept = sum(entry.points for entry in shop.ledgers["card"])
        assert account.pending_points - account.debt == kept


def test_where_somebody_lives_counts_from_the_moment_they_agree() -> None:
    shop = a_shop(standing_rules={"no_expiry_in": ["CA"]})
    shop.open_provisional("card")
    shop.buy("card", "A-1", 4_200)
    shop.consent("card", Traits(place="CA-QC"))
    shop.now = at("2036-11-20T13:00")
    assert shop.look("card").balance == 42
