"""Vouchers: what a member holds of the shop's promises until they are fetched.

A voucher counts minor units of money, or pieces of whatever its reward is.
"""

from collections.abc import Mapping
from datetime import date

from shared.domain.fields import Stored


class Voucher(Stored):
    """A voucher, or a signed change of it: `left` of what it was good for, `of`, at first.

    An account has those of which something is left. In an entry `left` is what it adds or takes away, and the rest says
    how the voucher is after it.
    """

    reward_id: str
    code: str
    """What is shown at the till."""
    of: int = 1
    left: int = 1
    in_money: bool = False
    """Whether it counts minor units of money; else pieces."""
    in_parts: bool = False
    """Whether it may be used little by little."""
    ends_on: date | None = None
    """The last day on which it can be used; None: it does not end."""
    partner_id: str | None = None
    """The partner that gives what it is good for."""
    points: int = 0
    """What all of it is worth in points, as the entry says that issued it; an account does not keep that."""


Vouchers = Mapping[str, Voucher]
"""By their ids: a redemption's is the redemption's."""


def vouchers_after(vouchers: Vouchers, change: Vouchers) -> Vouchers:
    """Vouchers after a signed change; those of which nothing is left are gone. One below 0 is a broken ledger's."""
    if not change:
        return vouchers
    after = dict(vouchers)
    for voucher_id, changed in change.items():
        before = vouchers[voucher_id].left if voucher_id in vouchers else 0
        after[voucher_id] = changed.model_copy(update={"left": before + changed.left, "points": 0})
    return {voucher_id: one for voucher_id, one in sorted(after.items()) if one.left}


def taken_away(vouchers: Vouchers) -> dict[str, Voucher]:
    """The change by which vouchers are gone."""
    return {voucher_id: one.model_copy(update={"left": -one.left}) for voucher_id, one in vouchers.items()}
