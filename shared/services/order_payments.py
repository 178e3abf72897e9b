"""What an order takes of the redemptions that name it: what is paid of it already, and what it comes to."""

from shared.domain.earning.kept_orders import Sale
from shared.domain.entry import Entry
from shared.domain.errors import OrderBelongsToAnotherMemberError
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.spending.order_payments import NOTHING_PAID, Payments, changes
from shared.tables import keys
from shared.tables.client import Key
from shared.tables.operation import NOTHING_MORE, Needs, Situation


def reads(order_id: str | None, wallet: str | None) -> list[Key]:
    """What `found` looks at: the order, its refunds, what is paid of it, and a wallet that is not settled with it."""
    if order_id is None:
        return []
    of_order = [keys.of("earn", order_id=order_id), keys.refunded_key(order_id), keys.paid_key(order_id)]
    return of_order if wallet is None else [*of_order, keys.account_key(wallet)]


def asks(situation: Situation, order_id: str | None) -> Needs:
    """What more `found` looks at: the order's last claim and amendment."""
    if order_id is None:
        return NOTHING_MORE
    state = situation.order_state(order_id)
    return Needs(items=[key for key in (state.claim, state.amendment) if key and key not in situation.items])


def asks_all(situation: Situation, order_id: str | None, wallet: str | None) -> Needs:
    """All that `found` looks at, where the order is known by the account alone."""
    missing = [key for key in reads(order_id, wallet) if key not in situation.items]
    return Needs(items=missing) if missing else asks(situation, order_id)


def require_own(situation: Situation, order_id: str | None) -> None:
    """Raises OrderBelongsToAnotherMemberError if an order is booked for somebody else than the situation's member."""
    earned = _booked(situation, order_id) if order_id is not None else None
    if earned is not None and earned.member_id not in situation.account.ids:
        raise OrderBelongsToAnotherMemberError("the order is another member's")


def found(situation: Situation, order_id: str | None, wallet: str) -> Payments:
    """What is paid of an order, and what it comes to: what is booked for it, as it now stands, else what the shop said.

    A hold of the wallet that has timed out pays no longer, though nobody has booked it. Those of the accounts that are
    settled here are out already; those of other members are out within the hour, when a job books them.
    """
    if order_id is None:
        return NOTHING_PAID
    payments = situation.payments(order_id)
    beside = situation.other_account(wallet)
    if beside is not None:
        of_time = settle(beside, situation.program, situation.now).entries
        payments = payments.after(changes(of_time).get(order_id, NOTHING_PAID))
    total = _amount_kept(situation, order_id)
    return payments if total is None else payments._replace(total=total, is_booked=True)


def _amount_kept(situation: Situation, order_id: str) -> int | None:
    """Minor units of a booked order that have not come back."""
    earned, state = _booked(situation, order_id), situation.order_state(order_id)
    if earned is None:
        return None
    return Sale(earned, state.returned, situation.entry(state.amendment) if state.amendment else None).amount_kept


def _booked(situation: Situation, order_id: str) -> Entry | None:
    """The entry that says whose an order is, if it is booked."""
    return situation.entry(situation.order_state(order_id).claim or keys.of("earn", order_id=order_id))
