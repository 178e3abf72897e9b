"""Store credit: spent on orders, and paid out."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import (
    InsufficientPointsError,
    InvalidRequestError,
    LoyaltyError,
    MemberFrozenError,
    NotOfferedError,
)
from shared.domain.spending.prices import CreditRequest
from shared.domain.spending.store_credit import Payout, pay_out, reserve_credit
from tests.model.shop import Shop, a_program, at

CASHBACK = {"amount": 10, "per_amount": 100, "order_max": 500, "expiry": {"kind": "term", "days": 30}}


def a_shop(**changes: Any) -> Shop:
    shop = Shop(a_program(**{"cashback": CASHBACK, **changes}), at("2026-11-20 12:00"))
    shop.enroll("ada")
    shop.enroll("bob")
    return shop


def buy(shop: Shop, member: str, order_id: str, total: int) -> None:
    shop.buy(member, order_id, total)
    shop.cash_back(member, order_id, total)


def test_credit_pays_no_more_than_its_share_of_an_order_in_whole_minor_units() -> None:
    shop = a_shop(cashback={**CASHBACK, "order_share_percent": 50})
    buy(shop, "ada", "A-1", 1500)
    by: dict[str, Any] = {"redemption_id": "R-1", "now": shop.now, "actor": "storefront:till", "fingerprint": "f"}
    requests = [CreditRequest(credit=credit, order_total=79, currency="USD") for credit in (39, 40)]
    accounts = shop.look("ada"), shop.wallet("ada")
    assert reserve_credit(*accounts, shop.program, requests[0], **by).points == -39
    with pytest.raises(InvalidRequestError, match=r"^/credit: this order takes at most 39 minor units"):
        reserve_credit(*accounts, shop.program, requests[1], **by)


def test_payouts_name_the_rule_they_break() -> None:
    shop = a_shop(cashback={**CASHBACK, "minimum_payout": 100})
    buy(shop, "ada", "A-1", 1500)
    with pytest.raises(InvalidRequestError, match=r"^/amount: at least 100 minor units"):
        shop.pay_out("ada", 99)
    with pytest.raises(InsufficientPointsError, match="200 minor units of credit are needed, 150 are there"):
        shop.pay_out("ada", 200)
    assert shop.pay_out("ada", 100).points == -100
    assert shop.wallet("ada").totals.captured == 100


@pytest.mark.parametrize(
    ("changes", "cash_payouts", "words"),
    [
        ({"currency": "EUR"}, True, "^/currency: must be USD"),
        ({"to": "cash"}, False, "^/to: the program pays"),
        ({"to": "cash", "currency": "EUR"}, False, "^/currency: [^;]*; /to: [^;]*$"),
    ],
)
def test_payouts_that_the_program_does_not_make_are_refused(
    changes: dict[str, str], cash_payouts: bool, words: str
) -> None:
    shop = a_shop(cashback={**CASHBACK, "cash_payouts": cash_payouts})
    buy(shop, "ada", "A-1", 1500)
    payout = Payout.model_validate({"amount": 1, "currency": "USD", "reference": "p", **changes})
    by: dict[str, Any] = {"payout_id": "p", "now": shop.now, "actor": "storefront:till", "fingerprint": "f"}
    with pytest.raises(InvalidRequestError, match=words):
        pay_out(shop.look("ada"), shop.wallet("ada"), shop.program, payout, **by)


def test_credit_is_paid_out_as_cash_where_the_program_allows_it() -> None:
    shop = a_shop(cashback={**CASHBACK, "cash_payouts": True})
    buy(shop, "ada", "A-1", 1500)
    payout = Payout(amount=150, currency="USD", reference="p", to="cash")
    by: dict[str, Any] = {"payout_id": "p", "now": shop.now, "actor": "storefront:till", "fingerprint": "f"}
    entry = pay_out(shop.look("ada"), shop.wallet("ada"), shop.program, payout, **by)
    assert (entry.points, entry.source) == (-150, {"payout_id": "p", "reference": "p", "to": "cash"})


def test_a_program_without_cashback_pays_nothing_out() -> None:
    shop = Shop(a_program(), at("2026-11-20 12:00"))
    shop.enroll("ada")
    assert shop.cash_back("ada", "A-1", 5000) == []
    with pytest.raises(NotOfferedError):
        shop.pay_out("ada", 1)


def test_a_program_without_cashback_takes_no_credit() -> None:
    shop = Shop(a_program(), at("2026-11-20 12:00"))
    shop.enroll("ada")
    with pytest.raises(NotOfferedError, match="gives no store credit"):
        shop.spend_credit("ada", "R-1", 1)


def test_a_frozen_members_credit_stays_where_it_is_and_what_is_reserved_ends_as_it_would() -> None:
    shop = a_shop()
    buy(shop, "ada", "A-1", 1500)
    shop.freeze("ada")
    for spend in (lambda: shop.pay_out("ada", 1), lambda: shop.spend_credit("ada", "R-1", 1)):
        with pytest.raises(MemberFrozenError, match="paid out"):
            spend()
    assert shop.wallet("ada").balance == 150
    shop.freeze("ada", "unfreeze")
    shop.spend_credit("ada", "R-1", 150)
    assert shop.wallet("ada").balance == 0


def test_spending_credit_is_activity_where_inactivity_ends_it() -> None:
    shop = a_shop(cashback={**CASHBACK, "expiry": {"kind": "inactivity", "months": 1}})
    buy(shop, "ada", "A-1", 1500)
    shop.now = at("2026-12-10 12:00")
    shop.spend_credit("ada", "R-1", 50)
    assert shop.wallet("ada").lots == {"2027-01-10": 100}


steps = st.one_of(
    st.tuples(st.just("buy"), st.integers(0, 9000)),
    st.tuples(st.just("refund"), st.integers(1, 4000)),
    st.tuples(st.just("pay_out"), st.integers(1, 400)),
    st.tuples(st.just("spend"), st.integers(1, 400)),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


@settings(max_examples=60, deadline=None)
@given(rounding=st.sampled_from(["down", "nearest", "up"]), steps=st.lists(steps, max_size=14))
def test_whatever_is_bought_and_returned_credit_is_what_the_rest_would_have_earned(
    rounding: str, steps: list[tuple[str, int]]
) -> None:
    """Every account is checked after every entry; what came in, less what went out, is what is there."""
    shop = a_shop(cashback={**CASHBACK, "rounding": rounding})
    orders: dict[str, list[int]] = {}
    for number, (step, amount) in enumerate(steps):
        try:
            if step == "buy":
                buy(shop, "ada", f"A-{number}", amount)
                orders[f"A-{number}"] = [amount, amount]
            elif step == "refund" and orders:
                order_id, kept = list(orders.items())[amount % len(orders)]
                shop.refund("ada", order_id, amount)
                kept[1] -= amount
            elif step == "pay_out":
                shop.pay_out("ada", amount)
            elif step == "spend":
                shop.spend_credit("ada", f"R-{number}", amount)
            else:
                shop.now += timedelta(days=amount)
        except LoyaltyError:
            continue
    wallet = shop.wallet("ada")
    extra = {"down": 0, "nearest": 50, "up": 99}[rounding]
    earned = sum(min(500, (kept * 10 + extra) // 100) for _, kept in orders.values())
    totals = wallet.totals
    written_off = sum(sum(entry.lapsed.values()) for entry in shop.ledgers[wallet.member_id])
    assert wallet.balance - wallet.debt == earned - totals.captured - (totals.expired - written_off)
