"""Invitations to a pool: a random code that lets one person join, for a week."""

from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain import codes
from shared.domain.account import Account
from shared.domain.errors import CodeExpiredError
from shared.domain.subaccounts import owner_of

VALID_FOR = timedelta(days=7)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 as D. Crockford wrote it down: no two signs look alike."""
_LENGTH, _GROUP = 12, 4
"""60 bits, in groups that can be read aloud."""
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Invitation(NamedTuple):
    """Who may join which pool until when: whoever is the first to bring the code.

    `invited_by` is a member of the pool; empty: the shop. `pool_sequence` is the number of the pool's last entry when
    the invitation was made.
    """

    pool_id: str
    invited_by: str
    pool_sequence: int
    expires_at: datetime
    is_used: bool = False


def code_of(digest: str) -> str:
    """The code that hexadecimal digits make: as random as they are, up to 60 bits."""
    return codes.grouped(codes.of_digest(digest, _LENGTH, _ALPHABET), _GROUP)


def as_typed(text: str) -> str:
    """What a person meant who typed a code: without its hyphens, in capitals, with misread signs set right."""
    return text.upper().translate(_MISREAD)


def require_valid(
    invitation: Invitation | None, pool: Account, inviter: Account | None, left_at: int, now: datetime
) -> None:
    """Raises CodeExpiredError unless the invitation opens this pool, still, to who left it with its entry `left_at`.

    Who left is let in again only by an invitation made since. What a member has sent is void while they are frozen,
    and once they no longer share the pool.
    """
    is_open = (
        invitation is not None
        and invitation.pool_id == owner_of(pool.member_id)
        and not invitation.is_used
        and now < invitation.expires_at
        and invitation.pool_sequence >= left_at
        and (not invitation.invited_by or _may_invite(inviter, pool))
    )
    if not is_open:
        raise CodeExpiredError("the invitation does not exist, was used, or is no longer valid; ask for a new one")


def _may_invite(inviter: Account | None, pool: Account) -> bool:
    return inviter is not None and inviter.member_id in pool.pool_members and not inviter.frozen
