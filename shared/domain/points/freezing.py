"""Freezing a member: points still come and expire, open redemptions end as they would, but nothing new is spent.

What they have put into a pool is taken out of it (see `pooling`), so that nobody else spends it meanwhile.
"""

from datetime import datetime

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError, MemberFrozenError
from shared.domain.explanations import explained_to_member
from shared.domain.ledger import draft
from shared.domain.program.program import Program


def freeze(
    account: Account,
    program: Program,
    *,
    reason: str,
    note: str | None = None,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Freeze the account under a reference. Raises InvalidStateError if it is frozen already."""
    if account.frozen:
        raise InvalidStateError(f"the member is frozen already, under the reference {account.frozen!r}")
    return draft(
        account,
        "freeze",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        frozen=reference,
        source={"reference": reference, **explained_to_member(reason, note)},
    )


def unfreeze(
    account: Account,
    program: Program,
    *,
    reason: str,
    note: str | None = None,
    reference: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Let the account spend again. Raises InvalidStateError if it is not frozen."""
    if not account.frozen:
        raise InvalidStateError("the member is not frozen")
    return draft(
        account,
        "unfreeze",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        frozen="",
        source={"reference": reference, **explained_to_member(reason, note), "frozen_under": account.frozen},
    )


def require_not_frozen(account: Account) -> None:
    """Raises MemberFrozenError. For whatever spends points or gives them away."""
    if account.frozen:
        raise MemberFrozenError(
            f"an operator has frozen the member under the reference {account.frozen!r}: until that ends nothing is "
            "spent, given away or paid out; points still come in, and open redemptions can be captured or cancelled"
        )
