"""Crediting orders and actions, and what an order would earn."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from shared import request_ids
from shared.caller import Caller
from shared.domain import order_ids
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.actions import Occasion, earn_action
from shared.domain.earning.cashback import gives_credit
from shared.domain.earning.challenges import action_deed, with_challenges
from shared.domain.earning.earnings import Earned
from shared.domain.earning.kept_orders import Sale
from shared.domain.earning.order_points import order_earnings
from shared.domain.earning.orders import Order, placed
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    IdempotencyMismatchError,
    InvalidRequestError,
    OrderBelongsToAnotherMemberError,
)
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.lifecycle.whole_order import credited
from shared.domain.points.approvals import review_of_action, waits_for_approval
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.tables import accounts, keys, ledger, operation, orders, programs, reviews
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation

_Placed = TypeVar("_Placed", bound=Order)


class Quotation(NamedTuple):
    """What an order would earn, by which program, for which account; None: for a newcomer.

    `began_on` is the local day of the order, `today` the one of the question.
    """

    earned: Earned
    program: Program
    account: Account | None
    began_on: date
    today: date


def quote(order: Order, member_id: str | None, *, caller: Caller, now: datetime) -> Quotation:
    """What an order would earn for the caller's member, or for a newcomer; writes nothing.

    Raises MemberNotFoundError.
    """
    program = programs.load_program()
    account = accounts.load_account(caller.authorized_member_id(member_id)).account if member_id else None
    if account is not None:
        account = up_to_date(account, program, now)
    partner = partner_access.calling(caller)
    _require_sale(partner, order)
    earned = order_earnings(account, program, _named(partner, order), now)
    began_on = local_day(min(order.placed_at, now), program.time_zone)
    return Quotation(earned, program, account, began_on, local_day(now, program.time_zone))


def earn_order(member_id: str, order: Order, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Credit an order with all that it brings; a partner credits its own. Raises what the rules refuse."""
    member, partner = caller.authorized_member_id(member_id), partner_access.calling(caller)
    if partner is None:
        return _booked(member, order, caller, now)
    ids = (order_ids.of_partner, order_ids.of_partner_at_first)
    order, at_first = (_own_order(partner, order, id_of) for id_of in ids)
    try:
        outcome = _booked(member, order, caller, now, partner, at_first.order_id)
    except _BookedAtFirstError:
        outcome = _booked(member, at_first, caller, now)
    return partner_access.shown(partner, outcome)


class _BookedAtFirstError(Exception):
    """A partner booked the order before its orders were told from a shop's. It stays where it is."""


def _booked(
    member: str,
    order: Order,
    caller: Caller,
    now: datetime,
    partner: Partner | None = None,
    at_first: str | None = None,
) -> operation.Outcome:
    """Credit an order under its id. Raises _BookedAtFirstError if the partner who sends it booked it as `at_first`."""
    program, fingerprint = programs.load_program(), request_ids.fingerprint(order)
    first_key = keys.of("earn", order_id=at_first) if at_first else None

    def decide(situation: Situation) -> Decision:
        _require_sale(partner, order)
        if partner and first_key and partner_access.has_sent(partner, situation.entry(first_key)):
            raise _BookedAtFirstError
        entries = credited(
            situation.account,
            situation.program,
            placed(order, situation.program, now),
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
            caps=situation.caps,
            wallets=situation.accounts[1:],
        )
        return Decision(entries, _review_writes(entries))

    try:
        outcome = operation.run(
            [member, wallet_of(member)] if gives_credit(program, order) else [member],
            decide,
            key=keys.of("earn", order_id=order.order_id),
            fingerprint=fingerprint,
            now=now,
            program=program,
            reads=[first_key] if first_key else (),
        )
    except OrderBelongsToAnotherMemberError:
        outcome = _claimed(member, order.order_id, fingerprint, program, now)
    if outcome.replayed:
        outcome = _as_it_stands(outcome, order.order_id)
    return outcome


def _claimed(member_id: str, order_id: str, fingerprint: str, program: Program, now: datetime) -> operation.Outcome:
    """The replay of an order that was claimed for this member.

    Raises OrderBelongsToAnotherMemberError if it was not, IdempotencyMismatchError for another order of that id.
    """
    account = up_to_date(accounts.load_account(member_id).account, program, now)
    claim = orders.load_state(order_id).claim
    entry = ledger.load_entry(claim) if claim else None
    first = ledger.load_entry(keys.of("earn", order_id=order_id))
    if entry is None or first is None or entry.member_id not in account.ids:
        raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
    if first.fingerprint != fingerprint:
        raise IdempotencyMismatchError("the order was credited before with another payload; amend it if it has changed")
    return operation.Outcome(entry, (account,), replayed=True, program=program, now=now)


def _as_it_stands(replay: operation.Outcome, order_id: str) -> operation.Outcome:
    """The replay with how the order stands by now.

    Raises OrderBelongsToAnotherMemberError if it has been claimed for somebody else since it was credited.
    """
    entry = replay.entry
    state = orders.load_state(order_id)
    claim = ledger.load_entry(state.claim) if state.claim else None
    if claim is not None and claim.member_id not in replay.accounts[0].ids:
        raise OrderBelongsToAnotherMemberError("the order was claimed for another member")
    amendment = ledger.load_entry(state.amendment) if state.amendment else None
    return replay._replace(order=Sale(claim or entry, state.returned, amendment))


def earn_for_action(member_id: str, occasion: Occasion, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Credit an action; one that waits for approval opens a review. Raises ForbiddenError for a partner."""
    if partner_access.calling(caller) is not None:
        raise ForbiddenError("a partner credits orders only, not actions")
    fingerprint = request_ids.fingerprint(occasion)

    def decide(situation: Situation) -> Decision:
        account, program = situation.account, situation.program
        entry = earn_action(account, program, occasion, now=situation.now, actor=caller.actor, fingerprint=fingerprint)
        entries = with_challenges(account, program, entry, action_deed(program, entry))
        return Decision(entries, _review_writes(entries))

    return operation.run(
        [caller.authorized_member_id(member_id)],
        decide,
        key=keys.of("earn", action=occasion.action, reference=occasion.reference),
        fingerprint=fingerprint,
        now=now,
    )


def _own_order(partner: Partner, order: _Placed, id_of: Callable[[str, str], str]) -> _Placed:
    """A partner's order as it is booked, under the id that `id_of` makes of its name and its own id for it."""
    return _named(partner, order).model_copy(update={"order_id": id_of(partner.partner_id, order.order_id)})


def _named(partner: Partner | None, order: _Placed) -> _Placed:
    """The order with the partner that it is of: one that a partner sends bears its name, whatever the request says."""
    if partner is None:
        return order
    partner_access.require_own_name(partner, order.partner_id)
    return order.model_copy(update={"partner_id": partner.partner_id})


def _require_sale(partner: Partner | None, order: Order) -> None:
    """Raises InvalidRequestError for a partner's order of nothing: no money came in, and nothing can come back."""
    if partner is not None and order.total == 0:
        raise InvalidRequestError(Fault("/total", "a partner's order comes to more than 0"))


def _review_writes(entries: Sequence[Entry]) -> list[Write]:
    """What opens a review of each entry whose points wait for an operator's approval."""
    waiting = [entry for entry in entries if waits_for_approval(entry)]
    return [
        write
        for entry in waiting
        for write in reviews.put(
            review_of_action(entry, reviews.id_of("action", entry.source["action"], entry.source["reference"]))
        )
    ]
