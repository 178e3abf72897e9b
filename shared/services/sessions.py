"""Members who sign in to their pages: by a code to an address of theirs, for a session of some days.

Whoever joins signs in with the same code. What is answered never tells whether an address is a member's: only the
person who reads what was sent there learns it.
"""

import hmac
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from shared import runtime
from shared.caller import MEMBER, STOREFRONT, Caller, is_valid_id
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.errors import (
    CodeExpiredError,
    ConsentRequiredError,
    Fault,
    InvalidRequestError,
    MemberNotActiveError,
    TryAgainError,
)
from shared.domain.members.codes import read
from shared.domain.members.members import Enrollment, Identity, Member, require_active
from shared.domain.members.sign_ins import (
    ENTERED_WITHIN,
    SESSION_LASTS,
    Applicant,
    Session,
    SignIn,
    address_of,
    new_token,
)
from shared.domain.points.eligibility import require_age
from shared.messaging import sign_in_codes
from shared.services import enrolment, guess_limits, profiles
from shared.tables import accounts, client, members, notes, programs, sessions, sign_ins
from shared.tables.client import CancelledError

JOIN_PAGE = "join-page"
"""Who enrolls whoever joins by themself, as entries name their actor."""
_ENROLLS = Caller(JOIN_PAGE, frozenset({STOREFRONT}), None)


class SignedIn(NamedTuple):
    """A member who is signed in: their profile, their account, and the caller whom services ask about."""

    member: Member
    account: Account
    pools: tuple[Account, ...]
    """The pool that they share in, if they do."""
    caller: Caller


def ask(address: str, locale: str, enrollment: Enrollment | None, *, now: datetime) -> str:
    """Have a code sent to an address, and the token of the browser that has asked for it.

    With an `enrollment`, whose identifiers do not matter, whoever enters the code joins, unless the address is a
    member's by then. Without one, nothing is sent to an address that is nobody's; nothing else tells that.

    Raises InvalidRequestError, NotEligibleError for who may not join, and TooManyRequestsError for an address that was
    sent too many codes this hour.
    """
    program = programs.load_program()
    kind, value = address_of(address, program.country, is_new=enrollment is not None)
    if enrollment is not None:
        today = local_day(now, program.time_zone)
        require_age(program, today, is_confirmed=enrollment.age_confirmed, born_on=enrollment.birth_date)
    asker = _guesser("sign-in-address", f"{kind}:{value}")
    guess_limits.require_may_guess(asker, now)
    guess_limits.count(asker, now)
    member_id = members.find(Identity(kind=kind, value=value))
    token = new_token(runtime.random().choice)
    sign_in = SignIn(
        sign_in_id=sign_ins.id_of(token),
        kind=kind,
        value=value,
        locale=locale,
        applicant=_applicant(enrollment) if enrollment else None,
        ends_at=now + ENTERED_WITHIN,
    )
    is_awaited = member_id is not None or enrollment is not None
    told = [notes.put(sign_in_codes.note_on(sign_in, member_id), now)] if is_awaited else []
    client.transact([sign_ins.put(sign_in), *told])
    return token


def enter(token: str, code: str, *, now: datetime) -> str:
    """Sign in with the code that was sent for a token, and join if that was asked for; the session's token.

    Raises CodeExpiredError for a code that is over or was used, InvalidRequestError for a wrong one,
    TooManyRequestsError after too many, ConsentRequiredError for somebody who has not joined yet, and what keeps them
    from joining.
    """
    sign_in = sign_ins.load(sign_ins.id_of(token))
    if sign_in is None or sign_in.ends_at <= now:
        raise CodeExpiredError("the code is over or was used; ask for a new one")
    _require_code(sign_in, code, now)
    member_id = _signing_in(sign_in, now)
    secret = new_token(runtime.random().choice)
    session = Session(started_at=now, ends_at=now + SESSION_LASTS)
    try:
        client.transact([sign_ins.use(sign_in.sign_in_id), sessions.put(member_id, secret, session)])
    except CancelledError as cancelled:
        raise CodeExpiredError("the code was used; ask for a new one") from cancelled
    _prove(member_id, sign_in, now)
    return f"{member_id}.{secret}"


def signed_in(token: str, *, now: datetime) -> SignedIn | None:
    """Who has signed in with a session's token, in one request; None: nobody, it is over, or they are no member now."""
    member_id, _, secret = token.partition(".")
    if not is_valid_id(member_id):
        return None
    found = sessions.load(member_id, secret)
    if found is None or found.session.ends_at <= now:
        return None
    try:
        require_active(found.member)
    except (ConsentRequiredError, MemberNotActiveError):
        return None
    caller = Caller(member_id, frozenset({MEMBER}), member_id)
    return SignedIn(found.member, found.account, accounts.load_pools(found.account), caller)


def end(token: str) -> None:
    """End a session."""
    member_id, _, secret = token.partition(".")
    if is_valid_id(member_id):
        sessions.end(member_id, secret)


def end_all(*, caller: Caller) -> None:
    """End all sessions of a member."""
    sessions.end_all(caller.authorized_member_id("me"))


def _require_code(sign_in: SignIn, code: str, now: datetime) -> None:
    """Raises InvalidRequestError for a wrong code, TooManyRequestsError after too many."""
    guesser = _guesser("sign-in", sign_in.sign_in_id)
    guess_limits.require_may_guess(guesser, now)
    if not hmac.compare_digest(sign_in_codes.code_for(sign_in.sign_in_id).encode(), read(code).encode()):
        guess_limits.count(guesser, now)
        raise InvalidRequestError(Fault("/code", "is not the code that was sent last"))


def _signing_in(sign_in: SignIn, now: datetime) -> str:
    """Who signs in: the member with the address, or whoever joins with it."""
    member_id = members.find(Identity(kind=sign_in.kind, value=sign_in.value))
    known = members.load_member(member_id).member if member_id else None
    if known is not None and known.status == "active":
        require_active(known)
        return known.member_id
    if sign_in.applicant is None:
        raise ConsentRequiredError("whoever has this address has not joined yet")
    enrollment = sign_in.applicant.enrollment(sign_in.kind, sign_in.value)
    enrolled = enrolment.enroll_member(enrollment, key=sign_in.sign_in_id, caller=_ENROLLS, now=now)
    return enrolled.member.member_id


def _prove(member_id: str, sign_in: SignIn, now: datetime) -> None:
    """Note that the address is whoever's has signed in with it. If the profile is just being changed, the next time."""
    before = members.load_member(member_id)
    if Identity(kind=sign_in.kind, value=sign_in.value) not in before.member.proven:
        after = before.member.has_proven(sign_in.kind, sign_in.value)
        actor = Caller(member_id, frozenset({MEMBER}), member_id).actor
        with suppress(TryAgainError):
            profiles.save(before, after, actor=actor, now=now)


def _applicant(said: Enrollment) -> Applicant:
    """What is kept until the code is entered."""
    return Applicant.model_validate({name: getattr(said, name) for name in Applicant.model_fields})


def _guesser(about: str, name: str) -> Caller:
    """Under whose name guesses are counted: an address or a sign-in, so that no stranger keeps a member out."""
    who = f"{about}:{members.private_fingerprint(f'{about}:{name}')}"
    return Caller(who, frozenset({MEMBER}), who)
