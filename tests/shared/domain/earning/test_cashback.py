"""Cashback: money that orders earn, kept by the rules of points."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.earning.cashback import credit_earnings, earn_credit
from shared.domain.errors import InvalidRequestError
from shared.domain.facets import Traits
from shared.domain.lifecycle.passing_of_time import due_on
from shared.domain.lifecycle.whole_order import credited
from tests.model.shop import PRINT, Shop, a_program, at

CASHBACK = {"amount": 10, "per_amount": 100, "order_max": 500, "expiry": {"kind": "term", "days": 30}}


def a_shop(**changes: Any) -> Shop:
    shop = Shop(a_program(**{"cashback": CASHBACK, **changes}), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.enroll("bob")
    return shop


def buy(shop: Shop, member: str, order_id: str, total: int) -> None:
    shop.buy(member, order_id, total)
    shop.cash_back(member, order_id, total)


def test_credit_has_its_own_rate_most_and_date() -> None:
    shop = a_shop(tiers={"levels": [{"tier_id": "one", "name": "One", "threshold": 0, "percent": 300}]})
    buy(shop, "ada", "A-1", 1999)
    assert shop.wallet("ada").lots == {"2026-12-20": 199}
    buy(shop, "ada", "A-2", 100_000)
    assert shop.wallet("ada").balance == 699
    assert (shop.wallet("ada").qualifying, shop.look("ada").earned) == ({}, 59 + 3000)


def test_no_wallet_is_opened_for_nothing() -> None:
    shop = a_shop(cashback={**CASHBACK, "minimum_spend": 1000})
    assert shop.cash_back("ada", "A-1", 999) == []
    assert shop.wallet("ada").sequence == 0


def test_credit_waits_and_expires_by_itself() -> None:
    shop = a_shop(cashback={**CASHBACK, "pending_days": 10})
    buy(shop, "ada", "A-1", 1000)
    assert (shop.wallet("ada").balance, shop.wallet("ada").pending_points) == (0, 100)
    assert str(due_on(shop.wallet("ada"), shop.program, shop.today)) == "2026-11-30"
    shop.now += timedelta(days=10)
    assert shop.wallet("ada").balance == 100
    shop.now += timedelta(days=31)
    assert (shop.wallet("ada").balance, shop.wallet("ada").totals.expired) == (0, 100)


def test_excluded_goods_earn_no_money() -> None:
    shop = a_shop(cashback={**CASHBACK, "excluded_categories": ["gift-card"]})
    order = shop.order("A-1", 3000, lines=[{"sku": "G", "category": "gift-card", "amount": 2000}])
    [_, entry] = earn_credit(shop.look("ada"), shop.wallet("ada"), shop.program, order, now=shop.now, actor="till")
    assert entry.points == 100


def test_excluded_articles_earn_no_money() -> None:
    shop = a_shop(cashback={**CASHBACK, "excluded_skus": ["G"]})
    order = shop.order("A-1", 3000, lines=[{"sku": "G", "amount": 2000}])
    [_, entry] = earn_credit(shop.look("ada"), shop.wallet("ada"), shop.program, order, now=shop.now, actor="till")
    assert entry.points == 100


def test_who_earns_no_points_earns_no_money_and_has_no_wallet() -> None:
    """Whether they are excluded by a tag, or by the domain of their address."""
    shop = a_shop(standing_rules={"excluded": {"tags": ["staff"]}})
    shop.note("ada", Traits(tags=("staff",)))
    shop.note("bob", Traits(excluded=True))
    for member in ("ada", "bob"):
        order = shop.order(f"of-{member}", 10_000)
        accounts = shop.look(member), shop.wallet(member)
        by: dict[str, Any] = {"now": shop.now, "actor": "till", "fingerprint": PRINT}
        [entry] = credited(accounts[0], shop.program, order, wallets=accounts[1:], **by)
        assert (entry.points, entry.breakdown[0].rule_id) == (0, "excluded")
        assert [piece.rule_id for piece in credit_earnings(accounts[0], shop.program, order).breakdown] == ["excluded"]


def test_who_is_excluded_later_keeps_the_money_and_gives_back_what_is_returned() -> None:
    shop = a_shop(standing_rules={"excluded": {"tags": ["staff"]}})
    buy(shop, "ada", "A-1", 1000)
    shop.note("ada", Traits(tags=("staff",)))
    assert shop.cash_back("ada", "A-2", 1000) == []
    shop.refund("ada", "A-1", 400)
    assert shop.wallet("ada").balance == 60


@pytest.mark.parametrize("expiry", [CASHBACK["expiry"], {"kind": "inactivity", "months": 1}])
def test_where_points_may_not_expire_money_does_not_either(expiry: dict[str, Any]) -> None:
    """Be it earned before a move or after one: what counts is where the member lived then."""
    shop = a_shop(cashback={**CASHBACK, "expiry": expiry}, standing_rules={"no_expiry_in": ["US-CA", "BR"]})
    shop.note("ada", Traits(place="US-CA"))
    buy(shop, "ada", "A-1", 1000)
    shop.note("ada", Traits(place="US-NY"))
    buy(shop, "ada", "A-2", 2000)
    shop.note("ada", Traits(place="BR-SP"))
    buy(shop, "ada", "A-3", 4000)
    assert shop.wallet("ada").lots == {"2026-12-20": 200, "never": 500}
    shop.now += timedelta(days=400)
    assert shop.wallet("ada").lots == {"never": 500}


def test_money_that_waits_where_nothing_may_expire_is_there_for_ever() -> None:
    shop = a_shop(cashback={**CASHBACK, "pending_days": 10}, standing_rules={"no_expiry_in": ["US"]})
    shop.note("ada", Traits(place="US-CA"))
    buy(shop, "ada", "A-1", 1000)
    assert shop.wallet("ada").pending == {"2026-11-30/never": 100}
    shop.now += timedelta(days=400)
    assert shop.wallet("ada").lots == {"never": 100}


def test_an_order_in_another_currency_earns_no_money() -> None:
    shop = a_shop()
    order = shop.order("A-1", 1000).model_copy(update={"currency": "EUR"})
    with pytest.raises(InvalidRequestError, match=r"^/currency: must be USD"):
        credit_earnings(None, shop.program, order)
