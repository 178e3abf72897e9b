"""An order as it stands, for whatever changes it: what was credited, amended, claimed and returned."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain import order_ids
from shared.domain.account import Account
from shared.domain.earning.kept_orders import Sale
from shared.domain.entry import Entry
from shared.domain.errors import IdempotencyMismatchError, OrderBelongsToAnotherMemberError, OrderNotFoundError
from shared.domain.fields import is_reference
from shared.domain.lifecycle.changed_order import Background, BookedOrder, asks_credited_by, ledgers_needed
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.program.partners import Partner
from shared.domain.subaccounts import is_wallet, wallet_of
from shared.services import partner_access
from shared.tables import accounts, keys, ledger, orders, programs
from shared.tables.client import Item, Key
from shared.tables.operation import NOTHING_MORE, Needs, Outcome, Situation, another_payload

_OF_WALLET = "CREDIT_"


class OrderView(NamedTuple):
    """An order with all that hangs on it: its refunds, and the redemptions that name it."""

    member_id: str
    order: BookedOrder
    refunds: Sequence[Entry]
    reversed_refunds: frozenset[str]
    redemptions: Sequence[Entry]


class OrderReader(NamedTuple):
    """Finds an order in a situation whose first two accounts are its member's and their wallet's."""

    order_id: str
    partner: Partner | None = None

    def reads(self, member_id: str) -> Sequence[Key]:
        """What is read with the accounts."""
        of_wallet = keys.of("earn", order_id=self.order_id, member_id=wallet_of(member_id))
        return [keys.of("earn", order_id=self.order_id), of_wallet, keys.refunded_key(self.order_id)]

    def asks(self, situation: Situation) -> Needs:
        """What more must be known to change the order: its last claim and amendment, and what may rest on it."""
        state = situation.order_state(self.order_id)
        missing = [key for key in (state.claim, state.amendment) if key and key not in situation.items]
        if missing:
            return Needs(items=[one for key in missing for one in (key, _of_wallet(key))])
        order = self.find(situation)
        credited_by = self.background(situation, order).credited_by
        needed = ledgers_needed(situation.accounts, situation.program, credited_by, order, situation.histories)
        ledgers = [name for name in needed if name not in situation.histories]
        if not ledgers and not asks_credited_by(situation.account, order.sale):
            return NOTHING_MORE
        return Needs(histories=ledgers, versions=_unknown_version(situation, order))

    def asks_for_all(self, situation: Situation) -> Needs:
        """As `asks`, with the ledgers of all whose accounts are there."""
        needs = self.asks(situation)
        if needs.items:
            return needs
        names = [name for account in situation.accounts if account.sequence for name in account.ids]
        missing = [name for name in names if name not in situation.histories]
        histories = list(dict.fromkeys([*needs.histories, *missing]))
        return Needs(histories=histories, versions=_unknown_version(situation, self.find(situation)))

    def find(self, situation: Situation) -> BookedOrder:
        """The order as it stands.

        Raises OrderNotFoundError if it earned nothing or the caller may not see it, OrderBelongsToAnotherMemberError.
        """
        return _found(situation.items, situation.account, self.order_id, self.partner)

    def background(self, situation: Situation, order: BookedOrder) -> Background:
        """What was asked for to decide on the order."""
        credited_by = situation.programs.get(order.sale.program_version, situation.program)
        return Background(credited_by, situation.program, situation.histories)


def _unknown_version(situation: Situation, order: BookedOrder) -> list[int]:
    """The version of the program that the order was credited by, if it is still to be read."""
    version = order.sale.program_version
    is_known = version == situation.program.version or version in situation.programs
    return [] if is_known else [version]


def for_owner(
    run: Callable[[], Outcome], member_id: str, order_id: str, key: Key, fingerprint: str, now: datetime
) -> Outcome:
    """What `run` has booked of an order at `key`; what it booked before a claim is a replay for whose the order is now.

    Raises what `run` does, OrderBelongsToAnotherMemberError for whose it is no more, IdempotencyMismatchError.
    """
    try:
        outcome = run()
    except (OrderBelongsToAnotherMemberError, IdempotencyMismatchError):
        existing, found = ledger.load_entry(key), accounts.load_with_pool(member_id)
        if existing is None or not is_claimed_by(found[0], order_id):
            raise
        if existing.fingerprint != fingerprint:
            raise another_payload(existing) from None
        program = programs.load_program()
        found = tuple(up_to_date(one, program, now) for one in found)
        return Outcome(existing, found, replayed=True, program=program, now=now)
    if outcome.replayed and is_claimed_by(outcome.accounts[0], order_id) is False:
        raise OrderBelongsToAnotherMemberError("the order was claimed for another member")
    return outcome


def is_claimed_by(account: Account, order_id: str) -> bool | None:
    """Whether an order was last claimed for this member; None: it never was claimed."""
    claim = orders.load_state(order_id).claim
    entry = ledger.load_entry(claim) if claim else None
    return None if entry is None else entry.member_id in account.ids


def former_owners(order_id: str, member_id: str) -> list[str]:
    """From whom an order was claimed, as whom they are by now, be they gone; not the member."""
    if orders.load_state(order_id).claim is None:
        return []
    entries = (ledger.entry_of(item) for item in ledger.load_order(order_id) if "body" in item)
    names = dict.fromkeys(one.member_id for one in entries if one.type == "claim_out" and not is_wallet(one.member_id))
    found = (accounts.load_survivor(name) for name in names)
    return list(dict.fromkeys(one.member_id for one in found if member_id not in one.ids))


def require_order_id(order_id: str) -> None:
    """Raises OrderNotFoundError for a text that is no order's id."""
    if not is_reference(order_id):
        raise OrderNotFoundError("no such order has earned points")


def kept_as(order_id: str) -> str:
    """The id under which an order is stored, from the id that answers show: the shop's own order, else a partner's."""
    of_partner = order_ids.perhaps_of_partner(order_id)
    if of_partner is None:
        return order_id
    own, theirs = ledger.load_entries([keys.of("earn", order_id=one) for one in (order_id, of_partner)])
    return of_partner if theirs and not own else order_id


def read_order(member_id: str, order_id: str, *, caller: Caller) -> OrderView:
    """A member's order as it stands. Raises OrderNotFoundError, OrderBelongsToAnotherMemberError, MemberMergedError."""
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    require_order_id(order_id)
    accounts.require_not_merged(account)
    order_id = kept_as(order_id)
    items = {Key(item["pk"]["S"], item["sk"]["S"]): item for item in ledger.load_order(order_id)}
    order = _found(items, account, order_id, None)
    entries = [ledger.entry_of(item) for item in items.values() if "body" in item]
    ours = [one for one in entries if not is_wallet(one.member_id)]
    wallets = [wallet_of(name) for name in account.ids]
    spent = (one for name in (*account.ids, *wallets) for one in ledger.load_whole_history(name))
    return OrderView(
        account.member_id,
        order,
        [one for one in ours if one.type == "refund"],
        frozenset(one.source["refund_id"] for one in ours if one.type == "refund_reversal"),
        [one for one in spent if one.type == "reserve" and _names(one, order_id)],
    )


def _found(items: Mapping[Key, Item | None], account: Account, order_id: str, partner: Partner | None) -> BookedOrder:
    """The order as its items say. Raises OrderNotFoundError, OrderBelongsToAnotherMemberError."""
    state = orders.state_of(items.get(keys.refunded_key(order_id)))
    first = state.claim or keys.of("earn", order_id=order_id)
    entry = _own(_entry(items, first), account, partner, order_id)
    amendment = _entry(items, state.amendment) if state.amendment else None
    credit = _credit_of(items, first, account, order_id)
    amended = _entry(items, _of_wallet(state.amendment)) if state.amendment else None
    return BookedOrder(
        Sale(entry, state.returned, amendment), Sale(credit, state.returned, amended) if credit else None
    )


def _credit_of(items: Mapping[Key, Item | None], first: Key, account: Account, order_id: str) -> Entry | None:
    """What the order earned in money: where its claim or its own entry says so, or an amendment after a claim."""
    own = keys.of("earn", order_id=order_id, member_id=wallet_of(account.member_id))
    of_claim = None if first.sk == keys.of("earn", order_id=order_id).sk else _entry(items, _of_wallet(first))
    credit = of_claim or _entry(items, own)
    return credit if credit and credit.member_id in {wallet_of(name) for name in account.ids} else None


def _entry(items: Mapping[Key, Item | None], key: Key) -> Entry | None:
    item = items.get(key)
    return ledger.entry_of(item) if item else None


def sales_of(entries: Sequence[Entry]) -> dict[str, Sale]:
    """The orders that some entries credit, as they stand now, by the entries' ids; in one or two requests."""
    crediting = [entry for entry in entries if entry.order is not None]
    ids = list(dict.fromkeys(entry.source["order_id"] for entry in crediting))
    states = orders.load_states(ids)
    wanted = [state.amendment for state in states.values() if state.amendment]
    amendments = dict(zip(wanted, ledger.load_entries(wanted), strict=True)) if wanted else {}
    found = {}
    for entry in crediting:
        state = states[entry.source["order_id"]]
        found[entry.entry_id] = Sale(
            entry, state.returned, amendments.get(state.amendment) if state.amendment else None
        )
    return found


def _names(reserve: Entry, order_id: str) -> bool:
    return any(hold.order_id == order_id for hold in reserve.opened.values())


def _of_wallet(key: Key) -> Key:
    """Where the entry of the member's wallet stands that goes with a member's."""
    return Key(key.pk, _OF_WALLET + key.sk)


def _own(earned: Entry | None, account: Account, partner: Partner | None, order_id: str) -> Entry:
    """The order's entry, if it is the member's and the caller may see it."""
    if earned is not None and earned.member_id not in account.ids:
        raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
    if earned is None or not partner_access.may_see(partner, earned.partner):
        raise OrderNotFoundError(f"no order {order_ids.shown(order_id)!r} has earned points")
    return earned
