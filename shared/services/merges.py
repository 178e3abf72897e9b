"""Merging two members into one: points, identifiers, history."""

from collections.abc import Sequence
from datetime import datetime

from shared.caller import Caller
from shared.domain.calendar import local_day
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.lifecycle.closing import merge_whole
from shared.domain.members.members import require_staying, united
from shared.domain.points.operator_limits import TooMuchForOneError
from shared.domain.points.reviews import Review
from shared.domain.subaccounts import wallet_of
from shared.services import asking
from shared.services.asking import Asked, Hand
from shared.tables import audit, keys, members, operation, programs, reviews
from shared.tables.client import Write
from shared.tables.members import StoredMember
from shared.tables.operation import Decision, Situation


def merge_members(member_id: str, from_member_id: str, *, caller: Caller, now: datetime) -> operation.Outcome | Asked:
    """Take another member in, each lot with its expiry date. The outcome's first account is the one that stays.

    Open the review that it waits for, if it moves more than is left of an operator's day. Raises MemberNotFoundError,
    MemberNotActiveError, MemberFrozenError, ConsentRequiredError, InvalidStateError, and InvalidRequestError if both
    are the same.
    """
    if member_id == from_member_id:
        raise InvalidRequestError(Fault("/from_member_id", "must be another member"))
    pair = _pair(caller.authorized_member_id(member_id), from_member_id)
    into_id, gone_id = (one.member.member_id for one in pair)
    trail = audit.trail(caller, "members.merged", now, into_id, from_member_id=gone_id)
    try:
        return _merge(pair, Hand(caller.actor, now, trail))
    except TooMuchForOneError as error:
        return _ask(into_id, gone_id, error.points, caller, now)


def merge_agreed(review: Review, by: Hand) -> operation.Outcome:
    """Take another member in as a review asks. Raises as `merge_members`."""
    return _merge(_pair(review.member_id, review.details["from_member_id"]), by)


def _pair(member_id: str, from_member_id: str) -> tuple[StoredMember, StoredMember]:
    """Who stays and who goes. Raises MemberNotFoundError, MemberNotActiveError."""
    pair = members.load_member(member_id), members.load_member(from_member_id)
    for one in pair:
        require_staying(one.member)
    return pair


def _merge(pair: tuple[StoredMember, StoredMember], by: Hand) -> operation.Outcome:
    into, gone = pair
    into_id, gone_id = into.member.member_id, gone.member.member_id

    def decide(situation: Situation) -> Decision:
        stays, goes, wallet, gone_wallet, *beside = situation.accounts
        entries = merge_whole(
            goes,
            stays,
            (gone_wallet, wallet),
            beside,
            situation.program,
            now=situation.now,
            actor=by.actor,
            requested_by=by.requested_by,
        )
        return Decision(entries, [*_profile_writes(gone, into), *by.writes(situation)])

    return operation.run(
        [into_id, gone_id, wallet_of(into_id), wallet_of(gone_id)],
        decide,
        key=keys.of("merge_out", **{"from": gone_id, "into": into_id}),
        fingerprint="",
        now=by.now,
        reads=by.reads(),
        shares=False,
    )


def _ask(into_id: str, gone_id: str, points: int, caller: Caller, now: datetime) -> Asked:
    """Ask another operator. What was rejected may be asked for again on another day."""
    day = local_day(now, programs.load_program().time_zone)
    review = Review(
        review_id=reviews.id_of("merge", gone_id, into_id, day.isoformat()),
        kind="merge",
        member_id=into_id,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Merge the member {gone_id} into {into_id}, which moves {points} points",
        details={"from_member_id": gone_id, "points": str(points)},
    )
    return asking.ask(review, audit.trail(caller, "merge.requested", now, into_id, review_id=review.review_id))


def _profile_writes(gone: StoredMember, into: StoredMember) -> Sequence[Write]:
    """What unites the profiles; nothing for those who are provisional or closed, whom the rules refuse."""
    if gone.member.status != "active" or into.member.status != "active":
        return ()
    return members.moves(gone, into, *united(gone.member, into.member))
