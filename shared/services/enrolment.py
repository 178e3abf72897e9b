"""How a provisional member becomes a member: by consent, or by joining with the same identifier."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.earning.provisional import confirm
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.members.members import Member, attributed, claimed
from shared.domain.points.segments import first_traits
from shared.domain.program.program import Program
from shared.tables import keys, ledger, members, operation, programs
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation


def newcomer(member: Member, program: Program, fingerprints: Sequence[str]) -> Member:
    """Somebody who joins, with keyed hashes of what tells their card and address from others'."""
    marks = tuple(dict.fromkeys(members.keyed_hash(f"fingerprint:{one}") for one in fingerprints))
    has_age = program.standing_rules is not None and program.standing_rules.minimum_age is not None
    return member.model_copy(update={"fingerprints": marks, "age_confirmed": has_age})


def confirmed(
    before: members.StoredMember,
    after: Member,
    *,
    actor: str,
    fingerprint: str,
    now: datetime,
    also: Sequence[Write] = (),
) -> operation.Outcome:
    """Make a provisional member one who has agreed, with the profile `after`; what waited is theirs.

    Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    after = attributed(after, actor, before.member)
    writes = members.writes(before, after)

    def agree(situation: Situation) -> Decision:
        traits = first_traits(situation.program, after.place, after.consent.marketing.channels, after.email)
        entry = confirm(
            situation.account,
            situation.program,
            now=situation.now,
            actor=actor,
            fingerprint=fingerprint,
            traits=traits,
        )
        return Decision([entry], [*writes, *also])

    member_id = after.member_id
    return operation.run(
        [member_id],
        agree,
        key=keys.of("confirm", member_id=member_id),
        fingerprint=fingerprint,
        now=now,
        refused=members.refusal_of(writes),
    )


def claim(
    joining: Member, *, actor: str, fingerprint: str, now: datetime, also: Sequence[Write] = ()
) -> tuple[Member, bool] | None:
    """Let somebody who joins have what waits for one of their identifiers: the member, and whether it was before.

    None if nobody provisional has it. Raises InvalidRequestError if they name an advocate: those bring new customers.
    """
    found = {members.find(one) for one in joining.identities() if one.kind != "referral_code"} - {None}
    if len(found) != 1:
        return None
    known = members.load_member(str(found.pop()))
    if known.member.status == "active":
        entry = ledger.load_entry(keys.of("confirm", member_id=known.member.member_id))
        return (known.member, True) if entry is not None and entry.fingerprint == fingerprint else None
    if known.member.status != "provisional":
        return None
    if joining.referred_by_code is not None and programs.load_program().referrals is not None:
        raise InvalidRequestError(Fault("/referral_code", "is for new customers; this person has ordered before"))
    after = claimed(known.member, joining)
    confirmed(known, after, actor=actor, fingerprint=fingerprint, now=now, also=also)
    return after, False
