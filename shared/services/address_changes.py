"""A member's changes of themself, and of the addresses by which they are found and written to.

What the shop enters counts at once. An address that a member enters waits, reserved for nobody, until they enter the
code that was sent there. The address before it is told, with a link that undoes what a member has changed.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared import runtime
from shared.caller import Caller
from shared.domain.errors import (
    CodeExpiredError,
    Fault,
    InvalidRequestError,
    LinkNotFoundError,
    MemberNotFoundError,
    TryAgainError,
)
from shared.domain.members.address_changes import (
    AddressChange,
    asked,
    differences,
    ended_by_shop,
    ended_by_undoing,
    require_may_change,
    superseded,
    waiting,
)
from shared.domain.members.codes import read
from shared.domain.members.members import (
    AddressKind,
    Change,
    Member,
    addressed,
    asked_for,
    changed,
    require_active,
    require_theirs_to_change,
)
from shared.domain.program.program import Program
from shared.messaging import address_notices as notices
from shared.services import guess_limits, profiles
from shared.tables import address_changes, audit, members, notes, programs, sessions
from shared.tables.client import Write
from shared.tables.members import StoredMember

SAVE_ATTEMPTS_MAX = 3
_BY_LINK = "member:undo-link"
"""Who undid a change, as entries name their actor."""


class Profile(NamedTuple):
    """A member's profile, and the addresses that they have entered and are still to confirm."""

    member: Member
    waiting: Sequence[AddressChange] = ()


def read_member(member_id: str, *, caller: Caller, now: datetime) -> Profile:
    """A member's profile. What waits for their confirmation is theirs alone to see. Raises MemberNotFoundError."""
    member = profiles.read_member(member_id, caller=caller, now=now)
    if not caller.is_member:
        return Profile(member)
    return Profile(member, waiting(address_changes.of_member(member.member_id), now))


def change_member(member_id: str, change: Change, *, caller: Caller, now: datetime) -> Profile:
    """Change a member's profile, identifiers and consent.

    Raises MemberNotFoundError, MemberNotActiveError, ConsentRequiredError, InvalidRequestError, also for what a member
    may not change of themself, IdentifierTakenError, TooManyRequestsError for a member who has asked for too many
    codes, and TryAgainError if the profile was changed meanwhile.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    require_active(before.member)
    program = programs.load_program()
    if caller.is_member:
        return _change_own(before, change, program, caller, now)
    after = changed(before.member, change, program.country, now)
    if after == before.member:
        return Profile(after)
    trail = audit.trail(caller, "member.changed", now, after.member_id)
    told = _changed_by_shop(before.member, after, now)
    profiles.save(before, after, actor=caller.actor, now=now, also=[*trail, *told])
    if differences(before.member, after):
        # Whoever has had the address may be signed in by it.
        sessions.end_all(after.member_id)
    return Profile(after)


def confirm(member_id: str, code: str, *, caller: Caller, now: datetime) -> Profile:
    """Make an address the member's by the code that was sent there; once is enough.

    Raises MemberNotFoundError, MemberNotActiveError, InvalidRequestError for a code that was sent to no address of
    theirs, CodeExpiredError, IdentifierTakenError if somebody else has the address by now, TooManyRequestsError for a
    member who has guessed too often, and TryAgainError if the profile was changed meanwhile.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    require_active(before.member)
    guess_limits.require_may_guess(caller, now)
    known = address_changes.of_member(before.member.member_id)
    given = read(code).encode()
    change = next((one for one in known if hmac.compare_digest(_code(one), given)), None)
    if change is None:
        guess_limits.count(caller, now)
        raise InvalidRequestError(Fault("/code", "is not the code that was sent last; ask for a new one if it is lost"))
    if change.is_made:
        return Profile(before.member, waiting(known, now))
    if change.ends_at <= now:
        raise CodeExpiredError("the code is no longer valid; enter the address again to get a new one")
    after = addressed(before.member, change.kind, change.value)
    after = after.has_proven(change.kind, change.value) if change.value else after
    profiles.save(before, after, actor=caller.actor, now=now, also=_made(before.member, change, known, now))
    return Profile(after, [one for one in waiting(known, now) if one.kind != change.kind])


def undo(token: str, *, now: datetime) -> str:
    """Put the address back to which a link was sent, and end all that came after it; the program's name.

    Once is enough. Whoever has the link may use it. Raises LinkNotFoundError, before anything is read if the link was
    not made here, IdentifierTakenError if somebody else has the old address by now, and TryAgainError if the profile
    kept being changed by others.
    """
    link = notices.link_of(token)
    for attempts_left in reversed(range(SAVE_ATTEMPTS_MAX)):
        try:
            _undo(link, now)
            # Whoever has changed the address may be signed in.
            sessions.end_all(link.member_id)
            break
        except TryAgainError:
            if attempts_left == 0:
                raise
    return programs.load_program().name


def read_link(token: str) -> str:
    """The name of the program that a link belongs to. Changes nothing. Raises LinkNotFoundError."""
    notices.link_of(token)
    return programs.load_program().name


def _undo(link: notices.Link, now: datetime) -> None:
    try:
        before = members.load_member(link.member_id)
    except MemberNotFoundError:
        raise _over() from None
    known = address_changes.of_member(link.member_id)
    change = next((one for one in known if one.change_id == link.change_id), None)
    if change is None or change.ends_at <= now or before.member.status != "active" or before.member.erasure:
        raise _over()
    if change.is_undone:
        return
    if not change.can_be_undone:
        raise _over()
    ended = address_changes.remove(link.member_id, ended_by_undoing(known, change))
    also = [address_changes.put(link.member_id, change.undone()), *ended]
    after = addressed(before.member, change.kind, change.old)
    after = after.has_proven(change.kind, change.old) if change.old else after
    profiles.save(before, after, actor=_BY_LINK, now=now, also=also)


def _change_own(before: StoredMember, change: Change, program: Program, caller: Caller, now: datetime) -> Profile:
    """What a member changes of themself. Their new addresses wait; those that they remove are told."""
    is_place_shops = program.standing_rules is not None and bool(program.standing_rules.no_expiry_in)
    require_theirs_to_change(change, is_place_shops=is_place_shops)
    rest, given = asked_for(change, program.country)
    after = changed(before.member, rest, program.country, now)
    new = {kind: value for kind, value in given.items() if value != getattr(before.member, kind)}
    removed = differences(before.member, after)
    known = address_changes.of_member(after.member_id)
    for kind in (*new, *removed):
        require_may_change(known, kind, now)
    if new:
        guess_limits.require_may_guess(caller, now)
        guess_limits.count(caller, now)
    waits = [asked(kind, value, now, runtime.random().choice) for kind, value in new.items()]
    ended = [one for kind in (*given, *removed) for one in superseded(known, kind)]
    also = [*_sent(after.member_id, waits, now), *address_changes.remove(after.member_id, ended)]
    for kind in removed:
        also += _made(before.member, asked(kind, None, now, runtime.random().choice), (), now)
    if after != before.member or also:
        profiles.save(before, after, actor=caller.actor, now=now, also=also)
    return Profile(after, [*(one for one in waiting(known, now) if one not in ended), *waits])


def _sent(member_id: str, waits: Sequence[AddressChange], now: datetime) -> list[Write]:
    """What keeps changes that wait, and has their codes sent."""
    return [
        write
        for one in waits
        for write in (
            address_changes.put(member_id, one),
            notes.put(notices.note_on(member_id, one, notices.CODE), now),
        )
    ]


def _made(before: Member, change: AddressChange, known: Sequence[AddressChange], now: datetime) -> list[Write]:
    """What keeps a change that a member has made, ends others that waited, and tells the address before."""
    made = change.made(getattr(before, change.kind), now)
    others = [one for one in superseded(known, change.kind) if one.change_id != change.change_id]
    return [*_told(before.member_id, made, now), *address_changes.remove(before.member_id, others)]


def _changed_by_shop(before: Member, after: Member, now: datetime) -> list[Write]:
    """What tells the addresses that the shop has changed, and ends what members have changed or want to."""
    kinds = differences(before, after)
    known = address_changes.of_member(before.member_id) if kinds else []
    writes: list[Write] = []
    for kind in kinds:
        writes += address_changes.remove(before.member_id, ended_by_shop(known, kind))
        if (old := getattr(before, kind)) is not None:
            change = _by_shop(kind, getattr(after, kind), now).made(old, now)
            writes += _told(before.member_id, change, now)
    return writes


def _by_shop(kind: AddressKind, value: str | None, now: datetime) -> AddressChange:
    return asked(kind, value, now, runtime.random().choice).model_copy(update={"is_shops": True})


def _told(member_id: str, made: AddressChange, now: datetime) -> list[Write]:
    """What keeps a change that was made, and tells the address before, if there was one."""
    kept = address_changes.put(member_id, made)
    if made.old is None:
        return [kept]
    return [kept, notes.put(notices.note_on(member_id, made, notices.CHANGED), now)]


def _code(change: AddressChange) -> bytes:
    return notices.code_for(change.change_id).encode()


def _over() -> LinkNotFoundError:
    return LinkNotFoundError("there is no such link, or its week is over; ask the shop to put the address back")
