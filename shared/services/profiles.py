"""A member's profile, and what of it segments look at: changed together, or not at all."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.errors import NothingChangesError
from shared.domain.members.members import Member, attributed
from shared.domain.points.eligibility import is_excluded_address
from shared.domain.points.segments import change_traits, profiled
from shared.domain.program.program import Program
from shared.tables import keys, members, operation, programs
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation


def save(before: members.StoredMember, after: Member, *, actor: str, now: datetime, also: Sequence[Write] = ()) -> None:
    """Write a changed profile, and `also`; where the member's place or opt-ins are others, with an entry that says so.

    Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    after = attributed(after, actor, before.member)
    if not _shows(before.member, after, programs.load_program()):
        members.save(before, after, also)
        return
    member_id, reference = after.member_id, f"profile-{before.revision + 1}"
    writes = members.writes(before, after)

    def note(situation: Situation) -> Decision:
        traits = profiled(
            situation.account.traits, situation.program, after.place, after.consent.marketing.channels, after.email
        )
        entry = change_traits(
            situation.account, situation.program, traits, reference=reference, now=situation.now, actor=actor
        )
        return Decision([entry], [*writes, *also])

    key = keys.of("traits", member_id=member_id, reference=reference)
    try:
        operation.run([member_id], note, key=key, fingerprint="", now=now, refused=members.refusal_of(writes))
    except NothingChangesError:
        members.save(before, after, also)


def _shows(before: Member, after: Member, program: Program) -> bool:
    """Whether a change of profile is one of traits too."""
    if before.place != after.place:
        return True
    if is_excluded_address(program, before.email) != is_excluded_address(program, after.email):
        return True
    return program.segments is not None and before.consent.marketing != after.consent.marketing
