"""Corrections of orders: a refund reversed, an order amended, an order claimed for the member who made it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from shared import request_ids
from shared.caller import Caller
from shared.domain import order_ids
from shared.domain.actors import is_operator
from shared.domain.earning.moments import moment
from shared.domain.earning.orders import LINES_MAX, Line
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    InvalidRequestError,
    InvalidStateError,
    OrderBelongsToAnotherMemberError,
    OrderNotFoundError,
    RefundNotFoundError,
    TryAgainError,
)
from shared.domain.explanations import explained
from shared.domain.fields import Amount, Instant, Record, Reference, Text, is_reference
from shared.domain.lifecycle import corrections
from shared.domain.lifecycle.corrections import Cause
from shared.domain.points.operator_limits import TooMuchForOneError
from shared.domain.points.reviews import Review
from shared.domain.subaccounts import wallet_of
from shared.services import asking
from shared.services.asking import Asked, Hand
from shared.services.orders import OrderReader, for_owner, kept_as, require_order_id
from shared.tables import accounts, audit, client, keys, ledger, operation, orders, reviews
from shared.tables.client import Key
from shared.tables.operation import Decision, Outcome, Situation

OWNERS_MAX = 5
"""So many times a claim looks for whose the order is, while others claim it at the same time."""
CLAIM_HOURS = 24
"""For so long after booking a storefront may claim an order; an operator may at any time."""


class Amendment(Record):
    """An order as it now stands: its total and, if it has them, all its lines.

    Without `amended_at` it has become so now; an amendment dated before its order counts as made with it.
    """

    amendment_id: Reference
    amended_at: Instant | None = None
    total: Amount
    lines: Annotated[tuple[Line, ...], Field(max_length=LINES_MAX)] = ()


class Claim(Record):
    """Why an order is another member's than the one it was credited to.

    Both read `reason`, and only operators `note`.
    """

    claim_id: Reference
    reason: Text
    note: Text | None = None


class RefundOfOrder(Record):
    """Of which order a refund is, where the member has refunds of that id for several."""

    order_id: Reference | None = None


def reverse_refund(member_id: str, refund_id: str, request: RefundOfOrder, *, caller: Caller, now: datetime) -> Outcome:
    """Book back what a refund took: the goods were kept after all.

    Raises RefundNotFoundError, OrderNotFoundError, OrderBelongsToAnotherMemberError, InvalidStateError.
    """
    member = caller.authorized_member_id(member_id)
    if not is_reference(refund_id):
        raise RefundNotFoundError("the member has no such refund")
    order_id = kept_as(request.order_id) if request.order_id else _order_of(member, refund_id)
    refund_key = keys.of("refund", order_id=order_id, refund_id=refund_id)
    credit_key = keys.of("refund", order_id=order_id, refund_id=refund_id, member_id=wallet_of(member))

    def correct(situation: Situation, reader: OrderReader) -> Sequence[Entry]:
        refund = situation.entry(refund_key)
        if refund is None:
            raise RefundNotFoundError(f"order {order_ids.shown(order_id)!r} has no refund {refund_id!r}")
        order = reader.find(situation)
        return corrections.refund_reversed(
            situation.accounts,
            order,
            [refund, situation.entry(credit_key)],
            reader.background(situation, order),
            _cause(situation, caller.actor, situation.now),
        )

    key = keys.of("refund_reversal", order_id=order_id, refund_id=refund_id)
    return _correct(member, order_id, correct, key, "", now, [refund_key, credit_key])


def amend(member_id: str, order_id: str, amendment: Amendment, *, caller: Caller, now: datetime) -> Outcome:
    """Book an order as it now stands, up or down, as though it had been so from the start.

    Raises OrderNotFoundError, OrderBelongsToAnotherMemberError, InvalidStateError while a refund of it stands, and
    InvalidRequestError.
    """
    require_order_id(order_id)
    order_id = kept_as(order_id)
    fingerprint = request_ids.fingerprint(amendment)

    def correct(situation: Situation, reader: OrderReader) -> Sequence[Entry]:
        order = reader.find(situation)
        amended_at = moment(amendment.amended_at, "/amended_at", situation.program, now)
        return corrections.amended(
            situation.accounts,
            order,
            amendment.total,
            amendment.lines,
            reader.background(situation, order),
            amendment.amendment_id,
            _cause(situation, caller.actor, max(amended_at, order.sale.entry.occurred_at), fingerprint),
        )

    key = keys.of("amend", order_id=order_id, amendment_id=amendment.amendment_id)
    return _correct(caller.authorized_member_id(member_id), order_id, correct, key, fingerprint, now)


def claim(member_id: str, order_id: str, request: Claim, *, caller: Caller, now: datetime) -> Outcome | Asked:
    """Move an order that was credited to somebody else by mistake, and all that came of it, to this member.

    Open the review that it waits for, if it moves more than is left of an operator's day. Raises OrderNotFoundError,
    InvalidStateError if the order is this member's, ForbiddenError for a storefront that comes too late, and
    TryAgainError while others keep claiming it.
    """
    require_order_id(order_id)
    order_id = kept_as(order_id)
    member = caller.authorized_member_id(member_id)
    try:
        return _claim_from_anybody(member, order_id, request, Hand(caller.actor, now, ()))
    except TooMuchForOneError as error:
        return _ask_to_claim(member, order_id, request, error.points, caller, now)


def claim_agreed(review: Review, by: Hand) -> Outcome:
    """Move an order as a review asks. Raises as `claim`."""
    details = review.details
    request = Claim(claim_id=details["claim_id"], reason=details["reason"], note=details.get("note"))
    member = accounts.load_survivor(review.member_id).member_id
    return _claim_from_anybody(member, details["order_id"], request, by)


def _ask_to_claim(member: str, order_id: str, request: Claim, points: int, caller: Caller, now: datetime) -> Asked:
    review = Review(
        review_id=reviews.id_of("claim", member, order_id, request.claim_id),
        kind="claim",
        member_id=member,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Claim the order {order_ids.shown(order_id)}, which moves {points} points: {request.reason}",
        details={"order_id": order_id, "claim_id": request.claim_id, **explained(request.reason, request.note)},
        fingerprint=request_ids.fingerprint(request),
    )
    return asking.ask(review, audit.trail(caller, "claim.requested", now, member, review_id=review.review_id))


def _claim_from_anybody(member: str, order_id: str, request: Claim, by: Hand) -> Outcome:
    """Claim an order from whose it is, whoever claims it meanwhile. Raises TryAgainError while others keep doing so."""
    for attempt in range(OWNERS_MAX):
        try:
            return _claim(member, order_id, request, by)
        except OrderBelongsToAnotherMemberError:
            client.back_off(attempt)
    raise TryAgainError("the order is being claimed by others; the same request may be sent again")


def _claim(member: str, order_id: str, request: Claim, by: Hand) -> Outcome:
    """Claim the order from whose it is now. Raises OrderBelongsToAnotherMemberError if it is another's meanwhile."""
    fingerprint = request_ids.fingerprint(request)
    key = keys.of("claim_in", order_id=order_id, claim_id=request.claim_id)
    booked = ledger.load_entry(key)
    owner = booked.source["from"] if booked else _owner(order_id)
    if owner == member:
        raise InvalidStateError("the order is credited to this member already")
    reader = OrderReader(order_id)

    def decide(situation: Situation) -> Decision:
        order = reader.find(situation)
        first = situation.entry(keys.of("earn", order_id=order_id)) or order.sale.entry
        _require_in_time(first, order.sale.entry, by.actor, situation.now)
        # Of two members of one pool, the first one's points are drawn from there.
        losing, gaining = situation.accounts[:2], situation.accounts[2:4]
        source = {
            "order_id": order_id,
            "claim_id": request.claim_id,
            **explained(request.reason, request.note),
            "from": losing[0].member_id,
            "to": gaining[0].member_id,
        }
        cause = _cause(situation, by.actor, situation.now, fingerprint)._replace(requested_by=by.requested_by)
        background = reader.background(situation, order)
        entries = corrections.claimed(losing, gaining, order, background, source, cause)
        return Decision(entries, by.writes(situation))

    outcome = operation.run(
        [owner, wallet_of(owner), member, wallet_of(member)],
        decide,
        key=key,
        fingerprint=fingerprint,
        now=by.now,
        reads=[*reader.reads(owner), *by.reads()],
        asks=reader.asks_for_all,
    )
    loser, of_loser, gainer, of_gainer, *pools = outcome.accounts
    return outcome._replace(accounts=(gainer, of_gainer, loser, of_loser, *pools))


def _correct(
    member: str,
    order_id: str,
    correct: Callable[[Situation, OrderReader], Sequence[Entry]],
    key: Key,
    fingerprint: str,
    now: datetime,
    reads: Sequence[Key] = (),
) -> Outcome:
    reader = OrderReader(order_id)

    def run() -> Outcome:
        return operation.run(
            [member, wallet_of(member)],
            lambda situation: Decision(correct(situation, reader)),
            key=key,
            fingerprint=fingerprint,
            now=now,
            reads=[*reader.reads(member), *reads],
            asks=reader.asks_for_all,
        )

    return for_owner(run, member, order_id, key, fingerprint, now)


def _cause(situation: Situation, actor: str, occurred_at: datetime, fingerprint: str = "") -> Cause:
    return Cause(occurred_at, situation.now, actor, fingerprint, situation.caps)


def _owner(order_id: str) -> str:
    """Whose an order is now. Raises OrderNotFoundError."""
    claimed = orders.load_state(order_id).claim
    entry = ledger.load_entry(claimed or keys.of("earn", order_id=order_id))
    if entry is None:
        raise OrderNotFoundError(f"no order {order_ids.shown(order_id)!r} has earned points")
    return accounts.load_survivor(entry.member_id).member_id


def _order_of(member_id: str, refund_id: str) -> str:
    """The order that a member's refund is of.

    Raises RefundNotFoundError, MemberMergedError, and InvalidRequestError if it is of several.
    """
    account = accounts.load_account(member_id).account
    accounts.require_not_merged(account)
    entries = [entry for name in account.ids for entry in ledger.load_whole_history(name)]
    found = {one.source["order_id"] for one in entries if one.type == "refund" and one.source["refund_id"] == refund_id}
    # Of an order that the member has claimed, another may have returned something.
    claimed = {one.source["order_id"] for one in entries if one.type == "claim_in"} - found
    refunds = ledger.load_entries([keys.of("refund", order_id=one, refund_id=refund_id) for one in sorted(claimed)])
    found |= {one.source["order_id"] for one in refunds if one is not None}
    if not found:
        raise RefundNotFoundError(f"the member has no refund {refund_id!r}")
    if len(found) > 1:
        names = ", ".join(sorted(map(order_ids.shown, found)))
        raise InvalidRequestError(Fault("/order_id", f"say of which order: there are refunds {refund_id!r} of {names}"))
    return found.pop()


def _require_in_time(first: Entry, credited: Entry, actor: str, now: datetime) -> None:
    """Raises ForbiddenError for a storefront that claims an order too long after it was booked, or a second time."""
    if is_operator(actor):
        return
    if credited != first:
        raise ForbiddenError("the order was claimed before; an operator may still claim it")
    if now > first.recorded_at + timedelta(hours=CLAIM_HOURS):
        raise ForbiddenError(f"a storefront may claim an order within {CLAIM_HOURS} hours; an operator may still do so")
