"""Cashback: what orders earn in money, as store credit in a wallet."""

from shared.domain.fields import Amount, Days, Flag, PositiveAmount, Stored, Text
from shared.domain.program.common import Filter, Percent, Rounding
from shared.domain.program.expiry import Expiry, Never


class Cashback(Stored):
    """`amount` minor units for each `per_amount` of an order, rounded once; an order earns at most `order_max`.

    Credit pays up to `order_share_percent` of an order. It is paid out from `minimum_payout` on: to the shop's own
    store credit, and as cash only where `cash_payouts` allows it.
    """

    amount: PositiveAmount
    per_amount: PositiveAmount
    description: Text = "Cashback"
    rounding: Rounding = "down"
    minimum_spend: Amount = 0
    excluded_categories: Filter = ()
    excluded_skus: Filter = ()
    pending_days: Days = 0
    order_max: PositiveAmount | None = None
    expiry: Expiry = Never(kind="never")
    order_share_percent: Percent = 100
    minimum_payout: PositiveAmount = 1
    cash_payouts: Flag = False
