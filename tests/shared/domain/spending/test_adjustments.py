"""Points that an operator adds or takes."""

from datetime import date, timedelta

import pytest

from shared.domain.errors import InsufficientPointsError
from tests.shared.domain.spending.test_transfers import DAYS_30, a_shop, owing


def test_points_added_by_hand_live_as_long_as_earned_ones_and_are_there_at_once() -> None:
    shop = a_shop(expiry=DAYS_30, earning={"pending_days": 14})
    entry = shop.adjust("ada", 10)
    assert (entry.points, entry.expires_on, entry.actor) == (10, date(2026, 12, 20), "operator:olga")
    assert entry.source == {"reference": "a", "reason": "to set it right"}
    account = shop.look("ada")
    assert (account.balance, account.earned, account.qualifying_ever) == (10, 0, 0)


def test_points_added_by_hand_settle_a_debt() -> None:
    shop = a_shop()
    owing(shop, "ada", 8)
    shop.adjust("ada", 10)
    assert (shop.look("ada").balance, shop.look("ada").debt) == (2, 0)


def test_points_are_taken_from_those_that_expire_soonest() -> None:
    shop = a_shop(expiry=DAYS_30)
    shop.adjust("ada", 10)
    shop.now += timedelta(days=1)
    shop.adjust("ada", 10)
    shop.adjust("ada", -12)
    assert shop.look("ada").lots == {"2026-12-21": 8}
    assert shop.look("ada").totals.taken_back == 12


def test_no_more_can_be_taken_than_is_there() -> None:
    shop = a_shop()
    shop.adjust("ada", 10)
    with pytest.raises(InsufficientPointsError):
        shop.adjust("ada", -11)
    assert shop.look("ada").balance == 10
