"""Erasing a member: the accounts are closed and the personal data is deleted; the pseudonymous ledger stays."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.calendar import local_day
from shared.domain.lifecycle.closing import erase_whole
from shared.domain.lifecycle.retention import erased_on
from shared.domain.members.members import Member, erased
from shared.domain.program.program import Program
from shared.domain.subaccounts import wallet_of
from shared.services import personal_data, remembered
from shared.tables import accounts, audit, keys, ledger, members, operation, programs
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation


class Erased(NamedTuple):
    """What is left of an erased member, and what has lapsed: points, and minor units of credit if they had a wallet.

    `replayed` if they had been erased before.
    """

    member: Member
    lapsed_points: int
    lapsed_credit: int | None
    program: Program
    replayed: bool


def erase_member(member_id: str, *, caller: Caller, now: datetime) -> Erased:
    """Close a member's accounts and delete their profile in one transaction, and then their other personal data.

    Raises MemberNotFoundError, and MemberNotActiveError for a member who was merged into another.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    rest = erased(before.member)
    is_there = before.member.status in {"active", "provisional"}
    trail = audit.trail(caller, "member.erased", now, rest.member_id)
    also = [*(members.writes(before, rest) if is_there else ()), *trail]
    outcome = close(rest.member_id, actor=caller.actor, now=now, also=also, known=before.member if is_there else None)
    personal_data.forget(outcome.accounts[0].ids)
    wallet = ledger.load_entry(keys.of("erase", member_id=wallet_of(rest.member_id)))
    credit = max(0, -wallet.points) if wallet else None
    return Erased(rest, max(0, -outcome.entry.points), credit, outcome.program, outcome.replayed)


def close(
    member_id: str, *, actor: str, now: datetime, also: Sequence[Write] = (), known: Member | None = None
) -> operation.Outcome:
    """Close a member's accounts for good, and write `also` with it: what forgets the person.

    What ends with them waits for whom the profile `known` tells of. Without either, the ledger's stream does both
    later. Raises MemberNotFoundError, MemberNotActiveError.
    """

    def end(situation: Situation) -> Decision:
        member, wallet, *beside = situation.accounts
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


def close_if_idle(member_id: str, now: datetime) -> bool:
    """Close the accounts of a member who has been away for longer than the program keeps data; whether it was done."""
    program = programs.load_program()
    if program.privacy is None:
        return False
    day = erased_on(accounts.load_account(member_id).account, program)
    if day is None or day > local_day(now, program.time_zone):
        return False
    close(member_id, actor="clock", now=now)
    return True
