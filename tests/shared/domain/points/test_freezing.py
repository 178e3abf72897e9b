"""A frozen member's points come and go as time has it, but nobody spends them."""

from datetime import timedelta

import pytest

from shared.domain.errors import InvalidStateError, MemberFrozenError
from tests.model.shop import Shop, a_program, at


@pytest.fixture
def shop() -> Shop:
    shop = Shop(a_program(expiry={"kind": "term", "days": 30}), at("2026-01-10 10:00"))
    for member in ("ada", "grace"):
        shop.enroll(member)
    shop.buy("ada", "A-1", 100_00)
    return shop


def test_a_frozen_member_spends_and_gives_nothing(shop: Shop) -> None:
    shop.freeze("ada")
    with pytest.raises(MemberFrozenError, match="case-2"):
        shop.reserve("ada", "r", 10)
    with pytest.raises(MemberFrozenError):
        shop.transfer("ada", "grace", 10)
    with pytest.raises(MemberFrozenError):
        shop.merge("ada", "grace")
    shop.freeze("ada", "unfreeze")
    shop.reserve("ada", "r", 10)


def test_a_frozen_member_earns_receives_and_loses_what_expires(shop: Shop) -> None:
    shop.reserve("ada", "captured", 10)
    shop.reserve("ada", "cancelled", 10)
    shop.buy("grace", "A-2", 50_00)
    shop.freeze("ada")
    shop.buy("ada", "A-3", 7_00)
    shop.transfer("grace", "ada", 5)
    shop.capture("ada", "captured")
    shop.cancel("ada", "cancelled")
    assert shop.look("ada").balance == 100 - 10 + 7 + 5
    shop.now += timedelta(days=31)
    assert shop.look("ada").balance == 0


def test_nobody_is_frozen_twice_or_unfrozen_who_is_not(shop: Shop) -> None:
    shop.freeze("ada")
    with pytest.raises(InvalidStateError, match="frozen already, under the reference 'case-2'"):
        shop.freeze("ada")
    shop.freeze("ada", "unfreeze")
    with pytest.raises(InvalidStateError, match="not frozen"):
        shop.freeze("ada", "unfreeze")
