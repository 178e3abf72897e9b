"""Erasing a member: the accounts are closed and the personal data is deleted; the pseudonymous ledger stays.

An operator decides on the erasure of members who are frozen or owe something. Until then nothing that is kept of them
is used.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.actors import CLOCK
from shared.domain.calendar import add_months, local_day
from shared.domain.errors import InvalidStateError
from shared.domain.lifecycle.closing import erase_whole, why_reviewed
from shared.domain.lifecycle.retention import erased_on
from shared.domain.members.members import ErasureRequest, Member, erased, leaving
from shared.domain.points.reviews import Review
from shared.domain.program.program import Program
from shared.domain.subaccounts import wallet_of
from shared.services import personal_data, profiles, remembered
from shared.tables import accounts, audit, keys, ledger, members, operation, programs, reviews
from shared.tables.client import Write
from shared.tables.members import StoredMember
from shared.tables.operation import Decision, Situation

_MONTHS_TO_DECIDE = 1
"""Article 12(3) of the General Data Protection Regulation: within one month of the request."""


class Erased(NamedTuple):
    """What is left of an erased member, and what has lapsed: points, and minor units of credit if they had a wallet.

    `replayed` if they had been erased before.
    """

    member: Member
    lapsed_points: int
    lapsed_credit: int | None
    program: Program
    replayed: bool


class Awaited(NamedTuple):
    """An erasure that waits for an operator; `replayed` if it was asked for before."""

    member_id: str
    request: ErasureRequest
    replayed: bool


class _WaitsForReviewError(InvalidStateError):
    """An operator has to decide first."""


def erase_member(member_id: str, *, caller: Caller, now: datetime) -> Erased | Awaited:
    """Close a member's accounts and delete their profile in one transaction, and then their other personal data.

    If an operator has to decide first, ask, and use nothing of the profile meanwhile. Raises MemberNotFoundError, and
    MemberNotActiveError for a member who was merged into another.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    if before.member.erasure is not None:
        return Awaited(before.member.member_id, before.member.erasure, replayed=True)
    trail = audit.trail(caller, "member.erased", now, before.member.member_id)
    try:
        outcome = _erase(before, actor=caller.actor, now=now, also=trail, is_reviewed=False)
    except _WaitsForReviewError as waits:
        return _ask(before, str(waits), caller, now)
    rest = erased(before.member)
    wallet = ledger.load_entry(keys.of("erase", member_id=wallet_of(rest.member_id)))
    credit = max(0, -wallet.points) if wallet else None
    return Erased(rest, max(0, -outcome.entry.points), credit, outcome.program, outcome.replayed)


def erase_reviewed(member_id: str, *, actor: str, now: datetime, also: Sequence[Write]) -> operation.Outcome:
    """Erase a member whose erasure an operator has approved, and write `also`."""
    return _erase(members.load_member(member_id), actor=actor, now=now, also=also, is_reviewed=True)


def refuse(member_id: str, *, actor: str, now: datetime, also: Sequence[Write]) -> None:
    """Let a member's personal data be used again, whose erasure an operator has refused, and write `also`.

    Raises TryAgainError if the profile was changed meanwhile.
    """
    before = members.load_member(member_id)
    profiles.save(before, before.member.model_copy(update={"erasure": None}), actor=actor, now=now, also=also)


def close_if_idle(member_id: str, now: datetime) -> bool:
    """Close the accounts of a member who has been away for longer than the program keeps data; whether it was done.

    Those on whom an operator would have to decide are kept.
    """
    program = programs.load_program()
    if program.privacy is None:
        return False
    day = erased_on(accounts.load_account(member_id).account, program)
    if day is None or day > local_day(now, program.time_zone):
        return False
    try:
        _close(member_id, actor=CLOCK, now=now, is_reviewed=False)
    except _WaitsForReviewError:
        return False
    return True


def _erase(
    before: StoredMember, *, actor: str, now: datetime, also: Sequence[Write], is_reviewed: bool
) -> operation.Outcome:
    known = before.member if before.member.status in {"active", "provisional"} else None
    profile = members.writes(before, erased(known)) if known else []
    also = [*profile, *also]
    outcome = _close(before.member.member_id, actor=actor, now=now, is_reviewed=is_reviewed, also=also, known=known)
    personal_data.forget(outcome.accounts[0].ids)
    return outcome


def _close(
    member_id: str,
    *,
    actor: str,
    now: datetime,
    is_reviewed: bool,
    also: Sequence[Write] = (),
    known: Member | None = None,
) -> operation.Outcome:
    """Close a member's accounts for good, and write `also` with it: what forgets the person.

    What ends with them waits for whom the profile `known` tells of. Without either, the ledger's stream does both
    later. Raises MemberNotFoundError, MemberNotActiveError, and _WaitsForReviewError unless it is reviewed.
    """

    def end(situation: Situation) -> Decision:
        member, wallet, *beside = situation.accounts
        why = why_reviewed(member, wallet)
        if why and not is_reviewed:
            raise _WaitsForReviewError(why)
        entries = erase_whole(member, wallet, beside, situation.program, now=situation.now, actor=actor)
        waits = remembered.writes(known, member, wallet, situation.program, situation.now) if known else []
        return Decision(entries, [*also, *waits])

    return operation.run(
        [member_id, wallet_of(member_id)],
        end,
        key=keys.of("erase", member_id=member_id),
        fingerprint="",
        now=now,
        shares=False,
    )


def _ask(before: StoredMember, why: str, caller: Caller, now: datetime) -> Awaited:
    """Ask an operator, and use nothing of the profile meanwhile."""
    member_id = before.member.member_id
    due_on = add_months(local_day(now, programs.load_program().time_zone), _MONTHS_TO_DECIDE)
    review_id = reviews.id_of("erasure", member_id, str(before.revision))
    request = ErasureRequest(review_id=review_id, requested_at=now, due_on=due_on)
    review = Review(
        review_id=review_id,
        kind="erasure",
        member_id=member_id,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Erase a member who {why}",
        due_on=due_on,
    )
    trail = audit.trail(caller, "member.erasure_requested", now, member_id, review_id=review_id)
    also = [*reviews.put(review), *trail]
    profiles.save(before, leaving(before.member, request, now=now), actor=caller.actor, now=now, also=also)
    return Awaited(member_id, request, replayed=False)
