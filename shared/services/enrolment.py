"""Joining the program: as somebody new, or as the provisional member whose points wait for an identifier.

A provisional member becomes a member by agreeing to the terms, or by joining with the same identifier.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared import request_ids, runtime
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.enrolment import enroll
from shared.domain.earning.provisional import confirm
from shared.domain.earning.referrals import on_joining
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    IdempotencyMismatchError,
    IdentifierTakenError,
    InvalidRequestError,
    LoyaltyError,
    TryAgainError,
)
from shared.domain.ledger import book, book_all
from shared.domain.members.members import Enrollment, Member, attributed, claimed, joined, new_referral_code
from shared.domain.points.eligibility import require_age
from shared.domain.points.segments import first_traits
from shared.domain.program.program import Program
from shared.domain.subaccounts import wallet_of
from shared.services import remembered
from shared.tables import audit, keys, ledger, members, operation, programs, referrals
from shared.tables.client import CancelledError, Write
from shared.tables.operation import Decision, Situation

REFERRAL_CODE_ATTEMPTS_MAX = 3


class Enrolled(NamedTuple):
    """Who has joined; `replayed` if the same request had enrolled them before."""

    member: Member
    replayed: bool


def enroll_member(request: Enrollment, *, key: str, caller: Caller, now: datetime) -> Enrolled:
    """Enroll somebody; `key` tells the request from others of the same caller.

    Raises InvalidRequestError, NotEligibleError, IdentifierTakenError, IdempotencyMismatchError.
    """
    program = programs.load_program()
    member_id = _member_id(caller, key)
    fingerprint = members.private_fingerprint(f"enroll:{request_ids.fingerprint(request)}")
    member = joined(request, member_id=member_id, referral_code="", country=program.country, now=now)
    member = newcomer(attributed(member, caller.actor), program, request.fingerprints)
    waiting = remembered.find(member.confirmed_addresses(), program, now)
    try:
        brought = _admitted(request, member, program, waiting, now, caller.actor)
    except LoyaltyError:
        before = _enrolled_before(member_id, fingerprint)
        if before is None:
            raise
        return before
    entries = _first_entries(member, program, brought, waiting, now, caller.actor, fingerprint)
    noted = waiting.writes(member_id)
    also = [*(brought.writes if brought else ()), *noted, *audit.trail(caller, "member.enrolled", now, member_id)]
    for _ in range(REFERRAL_CODE_ATTEMPTS_MAX):
        code = new_referral_code(request.name, runtime.random().choice)
        member = member.model_copy(update={"referral_code": code})
        writes = members.writes(None, member)
        try:
            operation.enroll(entries, [*writes, *also], program, now)
        except CancelledError as cancelled:
            before = _enrolled_before(member_id, fingerprint)
            if before is not None:
                return before
            refusal = members.identity_taken(cancelled, writes)
            if not isinstance(refusal, TryAgainError):
                return _claim_or_refuse(member, program, refusal, fingerprint, now, caller)
        else:
            return Enrolled(member, replayed=False)
    raise TryAgainError("no free referral code was found; the same request may be sent again")


def _member_id(caller: Caller, key: str) -> str:
    """The id of whoever is enrolled by a caller's key."""
    plain = members.new_member_id(f"{caller.subject}|{key}")
    member_id = members.new_member_id(f"{request_ids.part(caller.subject, '|')}|{key}")
    if member_id != plain:  # perhaps enrolled when names were taken as they are, though two could make one text
        entry = ledger.load_entry(keys.of("enroll", member_id=plain))
        return plain if entry is not None and entry.actor == caller.actor else member_id
    return member_id


def newcomer(member: Member, program: Program, fingerprints: Sequence[str]) -> Member:
    """Somebody who joins, with keyed hashes of the fingerprints that tell their card and address from others'."""
    hashes = tuple(dict.fromkeys(members.keyed_hash(f"fingerprint:{one}") for one in fingerprints))
    has_age = program.standing_rules is not None and program.standing_rules.minimum_age is not None
    return member.model_copy(update={"fingerprints": hashes, "age_confirmed": has_age})


def confirmed(
    before: members.StoredMember,
    after: Member,
    *,
    actor: str,
    fingerprint: str,
    now: datetime,
    also: Sequence[Write] = (),
) -> operation.Outcome:
    """Make a provisional member a member with the profile `after`; the points that waited become theirs.

    Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    after = attributed(after, actor, before.member)
    writes, program = members.writes(before, after), programs.load_program()
    waiting = remembered.find(after.confirmed_addresses(), program, now)
    member_id = after.member_id

    def agree(situation: Situation) -> Decision:
        traits = first_traits(situation.program, after.place, after.consent.marketing.channels, after.email)
        entry = confirm(
            situation.account,
            situation.program,
            now=situation.now,
            actor=actor,
            fingerprint=fingerprint,
            traits=traits,
            is_new=not waiting.what.joined,
        )
        found = [book(situation.account, entry), *situation.accounts[1:]]
        remembers = waiting.entries(found, situation.program, now=situation.now, actor=actor)
        return Decision([entry, *remembers], [*writes, *also, *waiting.writes(member_id)])

    return operation.run(
        waiting.accounts(member_id),
        agree,
        key=keys.of("confirm", member_id=member_id),
        fingerprint=fingerprint,
        now=now,
        program=program,
        refused=members.refusal_of(writes),
    )


def _admitted(
    request: Enrollment, member: Member, program: Program, waiting: remembered.Found, now: datetime, actor: str
) -> referrals.Brought | None:
    """What follows from the referral code that they join with. Raises whatever keeps them from joining."""
    today = local_day(now, program.time_zone)
    if waiting.what.joined and request.referral_code is not None and program.referrals is not None:
        raise InvalidRequestError(Fault("/referral_code", "is for new customers; this person has been a member before"))
    require_age(program, today, is_confirmed=request.age_confirmed, born_on=request.birth_date)
    return referrals.brought(member, program, now, actor)


def _first_entries(
    member: Member,
    program: Program,
    brought: referrals.Brought | None,
    waiting: remembered.Found,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    entry = enroll(
        member.member_id,
        program,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        traits=first_traits(program, member.place, member.consent.marketing.channels, member.email),
        referred=brought.referred if brought else None,
        is_new=not waiting.what.joined,
    )
    account = book(Account(member_id=member.member_id), entry)
    opened = [account, Account(member_id=wallet_of(member.member_id))]
    remembers = waiting.entries(opened, program, now=now, actor=actor)
    return [entry, *remembers, *on_joining(book_all(account, remembers[:1]), program, now=now, actor=actor)]


def _enrolled_before(member_id: str, fingerprint: str) -> Enrolled | None:
    """What the key enrolled before, if anything. Raises IdempotencyMismatchError if that was another request."""
    entry = ledger.load_entry(keys.of("enroll", member_id=member_id))
    if entry is None:
        return None
    if entry.fingerprint != fingerprint:
        raise IdempotencyMismatchError("the key was used before to enroll another member; use a new key")
    return Enrolled(members.load_member(member_id).member, replayed=True)


def _claim_or_refuse(
    joining: Member, program: Program, refusal: IdentifierTakenError, fingerprint: str, now: datetime, caller: Caller
) -> Enrolled:
    """Let somebody who joins with the identifier of a provisional member be that member. Raises `refusal` otherwise."""
    claim = None if program.automatic_enrolment is None else _claim(joining, program, fingerprint, now, caller)
    if claim is None:
        raise refusal
    return claim


def _claim(joining: Member, program: Program, fingerprint: str, now: datetime, caller: Caller) -> Enrolled | None:
    """Let somebody who joins be the provisional member with one of their identifiers; None if there is no such member.

    Raises InvalidRequestError if they name an advocate: advocates are paid for new customers only.
    """
    fingerprint = members.private_fingerprint(f"claim:{joining.member_id}:{fingerprint}")
    found = {members.find(one) for one in joining.identities() if one.kind != "referral_code"} - {None}
    if len(found) != 1:
        return None
    known = members.load_member(str(found.pop()))
    if known.member.status == "active":
        entry = ledger.load_entry(keys.of("confirm", member_id=known.member.member_id))
        is_same = entry is not None and entry.fingerprint == fingerprint
        return Enrolled(known.member, replayed=True) if is_same else None
    if known.member.status != "provisional":
        return None
    if joining.referred_by_code is not None and program.referrals is not None:
        raise InvalidRequestError(Fault("/referral_code", "is for new customers; this person has ordered before"))
    after = claimed(known.member, joining)
    trail = audit.trail(caller, "member.enrolled", now)
    confirmed(known, after, actor=caller.actor, fingerprint=fingerprint, now=now, also=trail)
    return Enrolled(after, replayed=False)
