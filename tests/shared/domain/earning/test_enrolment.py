"""The first entry of a member's ledger."""

from datetime import date
from typing import Any

from tests.model.shop import AUCKLAND, Shop, a_program, at


def joined(**changes: Any) -> Shop:
    shop = Shop(a_program(**changes), at("2026-11-30 20:00"))
    shop.enroll("ada")
    return shop


def test_a_new_member_has_the_welcome_points_at_once_in_the_lowest_tier() -> None:
    shop = joined(
        earning={"welcome_points": 100, "pending_days": 14}, expiry={"kind": "term", "months": 12, "ends": "month"}
    )
    [entry] = shop.ledgers["ada"]
    assert (entry.type, entry.sequence, entry.points, entry.balance_after) == ("enroll", 1, 100, 100)
    assert [(piece.rule_id, piece.points) for piece in entry.breakdown] == [("welcome", 100)]
    assert entry.expires_on == date(2027, 11, 30)
    account = shop.look("ada")
    assert (account.balance, account.pending_points, account.earned) == (100, 0, 100)
    assert account.tier_status().tier_id == "bronze"
    assert account.enrolled_at == shop.now


def test_welcome_points_do_not_count_toward_a_tier() -> None:
    shop = joined(earning={"welcome_points": 5000})
    assert shop.look("ada").qualifying_ever == 0
    assert shop.look("ada").tier_status().tier_id == "bronze"


def test_a_program_without_welcome_points_gives_none() -> None:
    shop = joined()
    assert shop.ledgers["ada"][0].breakdown == ()
    assert shop.look("ada").lots == {}


def test_a_member_joins_on_the_shops_day() -> None:
    assert joined().look("ada").tier_status().since == date(2026, 11, 30)
    assert joined(time_zone=AUCKLAND).look("ada").tier_status().since == date(2026, 12, 1)
