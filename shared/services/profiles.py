"""A member's profile, and what of it segments look at: changed together, or not at all."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.account import Account, Entry
from shared.domain.errors import NothingChangesError
from shared.domain.members.members import Member, attributed
from shared.domain.points.eligibility import is_excluded_address
from shared.domain.points.segments import change_traits, profiled
from shared.domain.program.program import Program
from shared.tables import keys, members, operation
from shared.tables.client import CancelledError, Item, Write


def save(before: members.StoredMember, after: Member, *, actor: str, now: datetime, also: Sequence[Write] = ()) -> None:
    """Write a changed profile, and `also`; where the member's place or opt-ins are others, with an entry that says so.

    Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    after = attributed(after, actor, before.member)
    if not _shows(before.member, after, operation.load_program()):
        members.save(before, after, also)
        return
    member_id, reference = after.member_id, f"profile-{before.revision + 1}"
    writes = members.writes(before, after)

    def note(accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime) -> list[Entry]:
        traits = profiled(accounts[0].traits, program, after.place, after.consent.marketing.channels, after.email)
        return [change_traits(accounts[0], program, traits, reference=reference, now=now, actor=actor)]

    def refused(cancelled: CancelledError) -> None:
        if any(index < len(writes) for index in cancelled.failed):
            raise members.identity_taken(cancelled, writes) from cancelled

    key = keys.traits_key(member_id, reference)
    try:
        operation.operate([member_id], note, key=key, fingerprint="", now=now, also=[*writes, *also], refused=refused)
    except NothingChangesError:
        members.save(before, after, also)


def _shows(before: Member, after: Member, program: Program) -> bool:
    """Whether a change of profile is one of traits too."""
    if before.place != after.place:
        return True
    if is_excluded_address(program, before.email) != is_excluded_address(program, after.email):
        return True
    return program.segments is not None and before.consent.marketing != after.consent.marketing
