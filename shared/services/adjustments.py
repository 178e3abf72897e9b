"""Giving or taking points by hand. What is above the program's limit for one operator, member and day takes another."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import (
    EntryNotFoundError,
    Fault,
    IdempotencyMismatchError,
    InvalidRequestError,
    InvalidStateError,
)
from shared.domain.explanations import explained
from shared.domain.fields import Record, Reference, SignedPoints, Text
from shared.domain.lifecycle.lapsed_points import lapsed_unspent, ledgers_of_lapsed
from shared.domain.points.operator_limits import TooMuchForOneError
from shared.domain.points.reviews import Review, Verdict
from shared.domain.program.program import Program
from shared.domain.spending.adjustments import adjust, undo
from shared.services import asking
from shared.services.asking import Asked, Hand
from shared.tables import accounts, audit, keys, ledger, operation, programs, reviews
from shared.tables.operation import Decision, Needs, Situation


class Adjustment(Record):
    """Points given (positive) or taken (negative) by hand. The member reads `reason`, and only operators `note`."""

    points: SignedPoints
    reason: Text
    note: Text | None = None
    reference: Reference


def adjust_points(
    member_id: str, adjustment: Adjustment, *, caller: Caller, now: datetime
) -> operation.Outcome | Asked:
    """Book an adjustment; or open the review that it waits for, if it is more than is left of the operator's day.

    Raises InvalidRequestError for 0 points, InsufficientPointsError, MemberNotActiveError, IdempotencyMismatchError,
    and InvalidStateError if the adjustment was reviewed under an earlier program and rejected.
    """
    member_id, program = caller.authorized_member_id(member_id), programs.load_program()
    if adjustment.points == 0:
        raise InvalidRequestError(Fault("/points", "must not be 0"))
    try:
        return _book(member_id, adjustment, program, caller, now)
    except TooMuchForOneError:
        return _ask(member_id, adjustment, caller, now)


class Undo(Record):
    """Why an adjustment is taken back. The member reads `reason`, and only operators `note`."""

    reason: Text
    note: Text | None = None


def undo_adjustment(
    member_id: str, entry_id: str, request: Undo, *, caller: Caller, now: datetime
) -> operation.Outcome | Asked:
    """Take an adjustment back, to the very lots; or open the review that it waits for, if two had agreed on it or it
    is of another day, and it moves more than is left of the operator's day.

    Raises EntryNotFoundError, and InvalidStateError for another entry.
    """
    member_id = caller.authorized_member_id(member_id)
    adjustment = _adjustment(member_id, entry_id)
    trail = audit.trail(caller, "points.adjustment_undone", now, member_id, reference=adjustment.source["reference"])
    try:
        return _undo(member_id, adjustment, request, Hand(caller.actor, now, trail))
    except TooMuchForOneError as error:
        return _ask_to_undo(member_id, adjustment, request, error.points, caller, now)


def undo_agreed(review: Review, by: Hand) -> operation.Outcome:
    """Take an adjustment back as a review asks. Raises as `undo_adjustment`."""
    member_id = accounts.load_survivor(review.member_id).member_id
    request = Undo(reason=review.details["reason"], note=review.details.get("note"))
    return _undo(member_id, _adjustment(member_id, review.details["entry_id"]), request, by)


def _undo(member_id: str, adjustment: Entry, request: Undo, by: Hand) -> operation.Outcome:
    fingerprint = request_ids.fingerprint(request)

    def asks(situation: Situation) -> Needs:
        known = situation.histories
        needed = ledgers_of_lapsed(situation.accounts, situation.program.expiry, adjustment, known)
        return Needs(histories=[name for name in needed if name not in known])

    def decide(situation: Situation) -> Decision:
        entry = undo(
            situation.account,
            situation.program,
            adjustment,
            reason=request.reason,
            note=request.note,
            now=situation.now,
            actor=by.actor,
            fingerprint=fingerprint,
            lapsed=lapsed_unspent(situation.account, situation.program.expiry, adjustment, situation.histories),
            requested_by=by.requested_by,
        )
        return Decision([entry], by.writes(situation))

    key = keys.of("adjust_undo", of=adjustment.member_id, reference=adjustment.source["reference"])
    return operation.run([member_id], decide, key=key, fingerprint=fingerprint, now=by.now, asks=asks, reads=by.reads())


def _adjustment(member_id: str, entry_id: str) -> Entry:
    """The adjustment that an entry of a member is. Raises EntryNotFoundError, InvalidStateError."""
    adjustment = _entry(accounts.load_account(member_id).account, entry_id)
    if adjustment.type != "adjust":
        raise InvalidStateError(f"only an adjustment can be undone, and {entry_id} is of the type {adjustment.type}")
    return adjustment


def _ask_to_undo(member_id: str, adjustment: Entry, request: Undo, points: int, caller: Caller, now: datetime) -> Asked:
    reference, fingerprint = adjustment.source["reference"], request_ids.fingerprint(request)
    review = Review(
        review_id=reviews.id_of("undo", adjustment.entry_id, fingerprint),
        kind="undo",
        member_id=member_id,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Take back the adjustment {reference}, which moves {points} points: {request.reason}",
        details={"entry_id": adjustment.entry_id, "reference": reference, **explained(request.reason, request.note)},
        fingerprint=fingerprint,
    )
    return asking.ask(
        review,
        audit.trail(caller, "adjustment_undo.requested", now, member_id, review_id=review.review_id),
    )


def _entry(account: Account, entry_id: str) -> Entry:
    """A member's entry, or one of those who were merged into them. Raises EntryNotFoundError."""
    owner, _, number = entry_id.rpartition("-")
    if owner in account.ids and number.isascii() and number.isdecimal() and 0 < int(number) <= ledger.SEQUENCE_MAX:
        for entry in ledger.load_history(owner, 1, int(number) + 1):
            if entry.entry_id == entry_id:
                return entry
    raise EntryNotFoundError(f"the member has no entry {entry_id!r}")


def _book(member_id: str, adjustment: Adjustment, program: Program, caller: Caller, now: datetime) -> operation.Outcome:
    reference, fingerprint = adjustment.reference, request_ids.fingerprint(adjustment)
    review_id = reviews.id_of("adjustment", member_id, reference)
    trail = audit.trail(caller, "points.adjusted", now, member_id, reference=reference)

    def decide(situation: Situation) -> Decision:
        entry = adjust(
            situation.account,
            situation.program,
            adjustment.points,
            reason=adjustment.reason,
            note=adjustment.note,
            reference=reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        review = reviews.among(situation.items, review_id)
        if review is None:
            return Decision([entry], trail)
        _require_open(review, fingerprint)
        return Decision([entry], [*trail, *reviews.close(review, Verdict("approved", caller.actor, now))])

    # Only a program that asks for two operators leaves reviews; no other pays for looking for one.
    reads = [reviews.key_of(review_id)] if program.operators else []
    key = keys.of("adjust", member_id=member_id, reference=reference)
    return operation.run([member_id], decide, key=key, fingerprint=fingerprint, now=now, program=program, reads=reads)


def _require_open(review: Review, fingerprint: str) -> None:
    """For an adjustment whose review was opened while the program asked for a second operator."""
    if review.fingerprint != fingerprint:
        raise IdempotencyMismatchError("the reference was used before with another payload")
    if review.state != "open":
        raise InvalidStateError(f"the adjustment was {review.state} by {review.decided_by} at {review.decided_at}")


def _ask(member_id: str, adjustment: Adjustment, caller: Caller, now: datetime) -> Asked:
    reference, points, reason = adjustment.reference, adjustment.points, adjustment.reason
    review = Review(
        review_id=reviews.id_of("adjustment", member_id, reference),
        kind="adjustment",
        member_id=member_id,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Adjust by {points} points: {reason}",
        details={"points": str(points), "reference": reference, **explained(reason, adjustment.note)},
        fingerprint=request_ids.fingerprint(adjustment),
    )
    return asking.ask(review, audit.trail(caller, "adjustment.requested", now, member_id, reference=reference))
