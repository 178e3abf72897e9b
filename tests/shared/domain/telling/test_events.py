"""What entries are to other systems."""

import pytest

from shared.domain.entry_types import ENTRY_TYPES
from shared.domain.subaccounts import pool_account_of, wallet_of
from shared.domain.telling.events import ALL_TYPES, event_of
from tests.model.shop import Shop, a_program, at


@pytest.mark.parametrize(
    ("entry_type", "of_member", "of_wallet", "of_pool"),
    [
        ("enroll", "member.enrolled", "credit.opened", "pool.opened"),
        ("earn", "points.earned", "credit.earned", "points.earned"),
        ("refund", "points.refunded", "credit.refunded", "points.refunded"),
        ("maturity", "points.matured", "credit.matured", "points.matured"),
        ("expiry", "points.expired", "credit.expired", "pool.expired"),
        ("merge_out", "member.merged", "credit.merged", "member.merged"),
        ("merge_in", "member.absorbed", "credit.absorbed", "member.absorbed"),
        ("erase", "member.erased", "credit.erased", "member.erased"),
    ],
)
def test_what_happens_to_money_or_in_a_pool_is_told_apart_from_what_happens_to_points(
    entry_type: str, of_member: str, of_wallet: str, of_pool: str
) -> None:
    shop = Shop(a_program(), at("2026-11-20 18:03"))
    entry = shop.enroll("ada").model_copy(update={"type": entry_type})
    accounts = {"ada": of_member, wallet_of("ada"): of_wallet, pool_account_of("home"): of_pool}
    for account, expected in accounts.items():
        event = event_of(entry.model_copy(update={"member_id": account}))
        assert event.type == expected
        assert event.type in ALL_TYPES
        assert (event.sequence, event.points, event.member_id) == (1, entry.points, account)


def test_every_entry_is_an_event_so_that_no_sequence_has_a_gap() -> None:
    assert {row.event for row in ENTRY_TYPES.values()} <= set(ALL_TYPES)
    assert all(row.event for row in ENTRY_TYPES.values())
