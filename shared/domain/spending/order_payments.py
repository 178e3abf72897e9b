"""What redemptions pay of an order: points as money and store credit together, never more than the order comes to.

Rewards are not counted: an order's total does not say what they are worth on it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.domain import entry_types
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, OrderPaidError
from shared.domain.lots import Hold
from shared.domain.subaccounts import is_wallet


class Payments(NamedTuple):
    """What is paid of an order, in minor units, by points and by store credit; or a signed change of that.

    `total` is what the order comes to: as booked, else as the shop's first redemption says; None while nothing says it.
    """

    by_points: int = 0
    by_credit: int = 0
    total: int | None = None
    is_booked: bool = False

    @property
    def paid(self) -> int:
        """Minor units paid, by whichever."""
        return self.by_points + self.by_credit

    def after(self, change: "Payments") -> "Payments":
        """The payments after a change. Once nothing is paid any more, nothing says what the order comes to."""
        by_points, by_credit = self.by_points + change.by_points, self.by_credit + change.by_credit
        total = self.total if change.total is None else change.total
        return Payments(by_points, by_credit, total if by_points or by_credit else None)

    def without(self, hold: Hold, *, by_credit: bool) -> "Payments":
        """The payments of all others, by what is known of the order now."""
        value = 0 if hold.unconfirmed else hold.value or 0
        if by_credit:
            return self._replace(by_credit=self.by_credit - value)
        return self._replace(by_points=self.by_points - value)


NOTHING_PAID = Payments()


def changes(entries: Iterable[Entry]) -> dict[str, Payments]:
    """What entries, in the order in which they were booked, change of the payments of orders, by the order's id.

    A hold pays from its reservation on, an unconfirmed one from its capture on. One that is released, and what a
    reversal gives back, pays no longer.
    """
    found: dict[str, Payments] = {}
    for entry in entries:
        for hold, sign in _steps(entry):
            if hold.order_id is None or hold.order_total is None or hold.value is None:
                continue
            before = found.get(hold.order_id, Payments())
            by_points, by_credit = (0, hold.value) if is_wallet(entry.member_id) else (hold.value, 0)
            found[hold.order_id] = Payments(
                before.by_points + sign * by_points,
                before.by_credit + sign * by_credit,
                hold.order_total if sign > 0 else before.total,
            )
    return found


def require_total(payments: Payments, order_total: int) -> None:
    """Raises InvalidRequestError if a redemption says of an order that it comes to something else than it does."""
    if payments.total not in {None, order_total}:
        raise InvalidRequestError(Fault("/order_total", f"must be {payments.total}, which is what this order comes to"))


def require_room(payments: Payments, order_total: int, share_percent: int, *, value: int, by_credit: bool) -> None:
    """Raises OrderPaidError if `value` minor units more exceed the order, or its share payable by points or credit."""
    room = _room(payments, order_total, share_percent, by_credit=by_credit)
    if value > room:
        raise OrderPaidError(
            f"redemptions pay {payments.paid} of this order's {order_total} minor units, {room} more can be paid "
            f"by {'credit' if by_credit else 'points'}; not {value}"
        )


def confirmed(hold: Hold, payments: Payments, share_percent: int, *, by_credit: bool) -> Hold:
    """A hold as it is captured, where `payments` is what is paid of its order by now: it pays what was looked at again.

    Raises InvalidRequestError if the order takes less of it by now.
    """
    if hold.order_total is None or hold.value is None:
        return hold
    total = hold.order_total if payments.total is None else payments.total
    if total >= hold.order_total and not hold.unconfirmed:
        return hold
    others = payments.without(hold, by_credit=by_credit)
    room = _room(others, total, share_percent, by_credit=by_credit)
    if hold.value > room:
        unit = "credit" if by_credit else "points"
        detail = f"this order comes to {total} minor units by now, of which {room} can be paid by {unit}"
        detail += f", not {hold.value}"
        raise InvalidRequestError(Fault("", f"{detail}; cancel the redemption and reserve less"))
    return hold.model_copy(update={"order_total": total})


def _room(payments: Payments, order_total: int, share_percent: int, *, by_credit: bool) -> int:
    """How many minor units more the order takes by points, or by credit."""
    so_far = payments.by_credit if by_credit else payments.by_points
    return max(0, min(order_total - payments.paid, order_total * share_percent // 100 - so_far))


def _steps(entry: Entry) -> Iterator[tuple[Hold, int]]:
    """The holds of an entry by which more (1) or less (-1) is paid."""
    row = entry_types.of(entry.type)
    if row.pair is not None:
        return  # The hold moves to another account, and pays on.
    stays = entry.opened.keys() & entry.closed.keys()  # its points have other last days, that is all
    for name, hold in entry.opened.items():
        if not hold.unconfirmed and name not in stays:
            yield hold, 1
    for hold in entry.reversed.values():
        yield hold, -1
    is_captured = row.leaves_as == "captured"
    for name, hold in entry.closed.items():
        if name not in stays and hold.unconfirmed == is_captured:
            yield hold, 1 if is_captured else -1
