"""Erasing a member: accounts closed, the person forgotten, in one transaction where both are at hand."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.calendar import local_day
from shared.domain.lifecycle.closing import erase_whole
from shared.domain.lifecycle.retention import erased_on
from shared.domain.subaccounts import wallet_of
from shared.tables import accounts, keys, operation, programs
from shared.tables.client import Write
from shared.tables.operation import Decision, Situation


def close(member_id: str, *, actor: str, now: datetime, also: Sequence[Write] = ()) -> operation.Outcome:
    """Close a member's accounts for good, and write `also` with it: what forgets the person.

    Without `also`, the ledger's stream does that later. Raises MemberNotFoundError, MemberNotActiveError.
    """

    def end(situation: Situation) -> Decision:
        member, wallet, *beside = situation.accounts
        return Decision(erase_whole(member, wallet, beside, situation.program, now=situation.now, actor=actor), also)

    return operation.run(
        [member_id, wallet_of(member_id)],
        end,
        key=keys.of("erase", member_id=member_id),
        fingerprint="",
        now=now,
        shares=False,
    )


def close_if_idle(member_id: str, now: datetime) -> bool:
    """Close the accounts of a member who has been away for as long as the program keeps such; whether they were."""
    program = programs.load_program()
    if program.privacy is None:
        return False
    day = erased_on(accounts.load_account(member_id).account, program)
    if day is None or day > local_day(now, program.time_zone):
        return False
    close(member_id, actor="clock", now=now)
    return True
