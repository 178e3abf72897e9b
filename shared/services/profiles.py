"""A member's profile: read, and changed together with the traits that segments look at, or not at all.

An e-mail address or phone number that a member enters waits until they have confirmed it: see `address_changes`.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from shared.caller import Caller
from shared.domain.entry import Entry
from shared.domain.errors import NothingChangesError
from shared.domain.ledger import book_all
from shared.domain.members.members import Member, attributed, with_former
from shared.domain.points.eligibility import is_excluded_address
from shared.domain.points.segments import change_traits, profiled
from shared.domain.program.program import Program
from shared.services import remembered
from shared.tables import audit, keys, members, operation, programs
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation


def read_member(member_id: str, *, caller: Caller, now: datetime) -> Member:
    """A member's profile. Raises MemberNotFoundError."""
    member = members.load_member(caller.authorized_member_id(member_id)).member
    audit.record(caller, "member.read", now, member.member_id)
    return member


def save(before: members.StoredMember, after: Member, *, actor: str, now: datetime, also: Sequence[Write] = ()) -> None:
    """Write a changed profile, and `also`, and an entry if the member's traits change with it.

    What waits for the owner of an address that is theirs from now on is booked before, and an address that is theirs no
    more is remembered. Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    after = with_former(before.member, attributed(after, actor, before.member), now)
    program = programs.load_program()
    known = before.member.confirmed_addresses()
    new = [one for one in after.confirmed_addresses() if one not in known]
    waiting = remembered.find_for_member(new, program, now)
    also = [*also, *remembered.left(before.member, after, program, now)]
    if not waiting.what.is_nothing:
        _save_and_meet(before, after, waiting, actor=actor, now=now, also=also)
        return
    also = [*also, *waiting.writes(after.member_id)]
    if not _changes_traits(before.member, after, program):
        members.save(before, after, also)
        return
    member_id, reference = after.member_id, f"profile-{before.revision + 1}"
    writes = members.writes(before, after)

    def note(situation: Situation) -> Decision:
        return Decision([_traits(situation, before.member, after, reference, actor)], [*writes, *also])

    key = keys.of("traits", member_id=member_id, reference=reference)
    try:
        operation.run([member_id], note, key=key, fingerprint="", now=now, refused=members.refusal_of(writes))
    except NothingChangesError:
        members.save(before, after, also)


def _save_and_meet(
    before: members.StoredMember,
    after: Member,
    waiting: remembered.Found,
    *,
    actor: str,
    now: datetime,
    also: Sequence[Write],
) -> None:
    """Write a changed profile with what has waited for the owner of its address, and `also`."""
    writes, member_id = members.writes(before, after), after.member_id

    def meet(situation: Situation) -> Decision:
        own, *wallets = situation.accounts[: len(waiting.accounts(member_id))]
        entries = waiting.entries([own, *wallets], situation.program, now=situation.now, actor=actor)
        account = book_all(own, entries[:1])
        if _changes_traits(before.member, after, situation.program):
            reference = f"profile-{before.revision + 1}"
            with suppress(NothingChangesError):
                entries.append(_traits(situation._replace(accounts=[account]), before.member, after, reference, actor))
        return Decision(entries, [*writes, *also, *waiting.writes(member_id)])

    operation.run(
        waiting.accounts(member_id),
        meet,
        key=keys.of("remembered", member_id=member_id, reference=waiting.cases[0].name),
        fingerprint="",
        now=now,
        shares=False,
        refused=members.refusal_of(writes),
    )


def _traits(situation: Situation, before: Member, after: Member, reference: str, actor: str) -> Entry:
    """The entry of the traits that a profile gives. Raises NothingChangesError if they are as they were."""
    channels, new_email = after.consent.marketing.channels, after.email if after.email != before.email else None
    traits = profiled(situation.account.traits, situation.program, after.place, channels, new_email)
    return change_traits(
        situation.account, situation.program, traits, reference=reference, now=situation.now, actor=actor
    )


def _changes_traits(before: Member, after: Member, program: Program) -> bool:
    """Whether traits change with the profile: the place, an excluded address, opt-ins where there are segments."""
    if before.place != after.place:
        return True
    if before.email != after.email and is_excluded_address(program, after.email):
        return True
    return program.segments is not None and before.consent.marketing != after.consent.marketing
