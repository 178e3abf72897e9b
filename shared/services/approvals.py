"""Deciding reviews: what each kind of review books when an operator approves or rejects it, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from shared import request_ids
from shared.caller import Caller, is_valid_id
from shared.domain.earning.challenges import action_deed, with_challenges
from shared.domain.earning.referrals import reviewed
from shared.domain.entry import Entry
from shared.domain.errors import (
    ForbiddenError,
    IdempotencyMismatchError,
    MemberNotActiveError,
    ReviewNotFoundError,
    TryAgainError,
)
from shared.domain.fields import Record, Text
from shared.domain.points.approvals import approve_action, reject_action
from shared.domain.points.reviews import Review, ReviewKind, Ruling, Verdict, decided
from shared.domain.spending.adjustments import adjust
from shared.services import adjustments, erasure, merges, order_corrections
from shared.services.asking import Hand, require_open
from shared.tables import accounts, audit, client, keys, operation, programs, reviews
from shared.tables.client import CancelledError, Key, Write
from shared.tables.operation import Decision, Situation

Book = Callable[[Situation, Review, Verdict], Sequence[Entry]]
"""From a situation, the review and the verdict, given at the situation's instant, to entries."""

Decide = Callable[[Review, Verdict, Sequence[Write]], "Done"]
"""Books what a verdict brings, with the writes that close the review."""


class Rejection(Record):
    """Why a review is rejected. The member reads `reason`, and only operators `note`."""

    reason: Text
    note: Text | None = None


class Booking(NamedTuple):
    """What a verdict on reviews of a kind books. `key` is the key of its entry; None: it books nothing."""

    book: Book
    key: Callable[[Review, str, Ruling], Key | None]
    reads: Callable[[Review], Sequence[Key]] = lambda _: ()
    members: Callable[[Review], Sequence[str]] = lambda review: (review.member_id,)
    """Whose accounts it takes; answers show the first one."""
    needs_another: bool = False
    """Whether the operator who asked may not approve it."""


class Done(NamedTuple):
    """A review as it was decided, and what was booked; `replayed` if it had been decided before."""

    review: Review
    outcome: operation.Outcome | None
    replayed: bool


def open_reviews(kind: ReviewKind | None, limit: int, after: str | None) -> tuple[Sequence[Review], str | None]:
    """At most `limit` open reviews, of each kind the longest waiting first, and where the next page begins."""
    return reviews.listing(kind, limit, after)


def approve(review_id: str, *, caller: Caller, now: datetime) -> Done:
    """Approve a review, and book what it brings.

    Raises ReviewNotFoundError, ForbiddenError if another operator has to approve it, InvalidStateError if it was
    rejected, ProgramChangedError if a program waits and another has been stored since, and whatever the booking raises.
    """
    return _decide(review_id, Verdict("approved", caller.actor, now), caller)


def reject(review_id: str, rejection: Rejection, *, caller: Caller, now: datetime) -> Done:
    """Reject a review, with a reason.

    Raises ReviewNotFoundError, InvalidStateError if it was approved, IdempotencyMismatchError if it was rejected for
    another reason, and whatever the booking raises.
    """
    verdict = Verdict(
        "rejected", caller.actor, now, rejection.reason, request_ids.fingerprint(rejection), rejection.note
    )
    return _decide(review_id, verdict, caller)


def _decide(review_id: str, verdict: Verdict, caller: Caller) -> Done:
    """Book what the verdict brings, close the review, and leave a trace."""
    if not is_valid_id(review_id):
        raise ReviewNotFoundError(f"there is no review {review_id}")
    review = reviews.load(review_id)
    also = _closing(review, verdict, caller)
    return DECIDERS[review.kind](review, verdict, also)


def _agreeing(book: Callable[[Review, Hand], operation.Outcome]) -> Decide:
    """Let a service book what another operator has asked for. A rejection books nothing."""

    def decide(review: Review, verdict: Verdict, also: Sequence[Write]) -> Done:
        if verdict.decision == "rejected" or review.state == "rejected":
            return _closed(review, verdict, also)
        _require_another(review, verdict)
        outcome = book(review, Hand(verdict.actor, verdict.at, also, agreed=review))
        return _done(review, verdict, outcome, also)

    return decide


def _decide_by_booking(booking: Booking, review: Review, verdict: Verdict, also: Sequence[Write]) -> Done:
    """Book, in an operation on the members, what the verdict brings."""
    if booking.needs_another:
        _require_another(review, verdict)
    members = list(booking.members(review))
    try:
        return _booked(review, booking, verdict, members, also)
    except (MemberNotActiveError, IdempotencyMismatchError):  # perhaps the member has been merged since
        survivors = [accounts.load_survivor(member_id) for member_id in members]
        left = [one.member_id for one in survivors if one.is_open]
        if len(left) == len(members) and left != members:
            return _booked(review, booking, verdict, left, also)
        if len(left) == len(members) or verdict.decision == "approved":
            raise
        return _closed(review, verdict, also)


def _closing(review: Review, verdict: Verdict, caller: Caller) -> list[Write]:
    """What closes a review, and leaves a trace of who did."""
    what, review_id = f"review.{verdict.decision}", review.review_id
    trail = audit.trail(caller, what, verdict.at, review.member_id or None, review_id=review_id)
    return [*reviews.close(review, verdict), *trail]


def _decide_erasure(review: Review, verdict: Verdict, also: Sequence[Write]) -> Done:
    """Erase the member, or let what is kept of them be used again."""
    if review.state != "open":
        return _closed(review, verdict, also)
    if verdict.decision == "rejected":
        erasure.refuse(review.member_id, actor=verdict.actor, now=verdict.at, also=also)
        return Done(decided(review, verdict), None, replayed=False)
    outcome = erasure.erase_reviewed(review.member_id, actor=verdict.actor, now=verdict.at, also=also)
    return Done(decided(review, verdict), outcome, outcome.replayed)


def _decide_program(review: Review, verdict: Verdict, also: Sequence[Write]) -> Done:
    """Store the program that waits, if the one that it is to replace is still the current one."""
    _require_another(review, verdict)
    if review.state == "open" and verdict.decision == "approved":
        programs.replace_program(programs.load_proposed(review.review_id), int(review.details["version"]), also)
        return Done(decided(review, verdict), None, replayed=False)
    return _closed(review, verdict, also)


def _require_another(review: Review, verdict: Verdict) -> None:
    """Raises ForbiddenError if the operator who asked approves it."""
    if verdict.decision == "approved" and review.requested_by == verdict.actor:
        raise ForbiddenError("the operator who asked for it cannot approve it; another operator has to")


def _booked(review: Review, booking: Booking, verdict: Verdict, members: list[str], also: Sequence[Write]) -> Done:
    key = booking.key(review, members[0], verdict.decision)
    if key is None:
        return _closed(review, verdict, also)

    def book(situation: Situation) -> Decision:
        require_open(reviews.among(situation.items, review.review_id) or review)
        return Decision(booking.book(situation, review, verdict._replace(at=situation.now)), also)

    outcome = operation.run(
        members,
        book,
        key=key,
        fingerprint=review.fingerprint if verdict.decision == "approved" else verdict.fingerprint,
        now=verdict.at,
        reads=[reviews.key_of(review.review_id), *booking.reads(review)],
    )
    return _done(review, verdict, outcome, also)


def _done(review: Review, verdict: Verdict, outcome: operation.Outcome, also: Sequence[Write]) -> Done:
    """The review once its booking is done, now or before."""
    if not outcome.replayed:
        return Done(decided(review, verdict), outcome, replayed=False)
    existing = reviews.load(review.review_id)
    if existing.state == "open":  # booked while one operator could do it alone, or by somebody else
        return _closed(existing, verdict, also)._replace(outcome=outcome, replayed=True)
    return Done(existing, outcome, replayed=True)


def _closed(review: Review, verdict: Verdict, also: Sequence[Write]) -> Done:
    """The review without anything booked."""
    if review.state == "open":
        try:
            client.transact(also)
        except CancelledError:
            review = reviews.load(review.review_id)
            if review.state == "open":
                raise TryAgainError("another write was in the way; the same request may be sent again") from None
        else:
            return Done(decided(review, verdict), None, replayed=False)
    if review.state != verdict.decision:
        require_open(review)
    if (review.reason, review.note) != (verdict.reason, verdict.note):
        raise IdempotencyMismatchError("the review was rejected before for another reason")
    return Done(review, None, replayed=True)


def _decide_action(situation: Situation, review: Review, verdict: Verdict) -> Sequence[Entry]:
    account, program = situation.account, situation.program
    earned = situation.entry(keys.of("earn", **review.details))
    if earned is None:
        raise AssertionError("an action that waits for approval has its entry")
    if verdict.decision == "rejected":
        return [reject_action(account, program, earned, verdict)]
    entry = approve_action(account, program, earned, verdict)
    return with_challenges(account, program, entry, action_deed(program, entry))


def _adjust(situation: Situation, review: Review, verdict: Verdict) -> Sequence[Entry]:
    entry = adjust(
        situation.account,
        situation.program,
        int(review.details["points"]),
        reason=review.details["reason"],
        note=review.details.get("note"),
        reference=review.details["reference"],
        now=verdict.at,
        actor=verdict.actor,
        fingerprint=review.fingerprint,
        requested_by=review.requested_by,
    )
    return [entry]


def _decide_referral(situation: Situation, review: Review, verdict: Verdict) -> Sequence[Entry]:
    is_approved = verdict.decision == "approved"
    return reviewed(
        situation.account,
        situation.program,
        is_approved=is_approved,
        now=verdict.at,
        actor=verdict.actor,
        fingerprint=review.fingerprint if is_approved else verdict.fingerprint,
    )


def _adjustment_key(review: Review, member_id: str, decision: Ruling) -> Key | None:
    if decision == "rejected":
        return None
    return keys.of("adjust", member_id=member_id, reference=review.details["reference"])


DECIDERS: Mapping[ReviewKind, Decide] = {
    "action": partial(
        _decide_by_booking,
        Booking(
            _decide_action,
            key=lambda review, _, decision: keys.of(
                "approve" if decision == "approved" else "reject", **review.details
            ),
            reads=lambda review: [keys.of("earn", **review.details)],
        ),
    ),
    "adjustment": partial(_decide_by_booking, Booking(_adjust, key=_adjustment_key, needs_another=True)),
    "claim": _agreeing(order_corrections.claim_agreed),
    "erasure": _decide_erasure,
    "merge": _agreeing(merges.merge_agreed),
    "program": _decide_program,
    "rate": _closed,
    "referral": partial(
        _decide_by_booking,
        Booking(_decide_referral, key=lambda review, *_: keys.of("referral_review", friend=review.member_id)),
    ),
    "undo": _agreeing(adjustments.undo_agreed),
}
