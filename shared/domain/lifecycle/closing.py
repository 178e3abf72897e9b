"""Members who go for good, or into another: their own account, their wallet, and their part in a pool."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.account import Account, Entry
from shared.domain.ledger import book_all
from shared.domain.program.program import Program
from shared.domain.spending.pools import contribute, leave, pool_among
from shared.domain.spending.store_credit import erase_wallet, merge_wallets
from shared.domain.spending.transfers import erase, merge


def erase_whole(
    member: Account, wallet: Account, beside: Sequence[Account], program: Program, *, now: datetime, actor: str
) -> list[Entry]:
    """Close a member's accounts; what they have put into a pool stays there while somebody else shares it.

    `beside` has their pool, if they share in one.
    """
    pool = pool_among(member, beside)
    change_id = f"erase-{member.member_id}"
    left = leave(member, pool, program, change_id=change_id, now=now, actor=actor) if pool else []
    member = _after(member, left)
    return [
        *left,
        *erase(member, program, now=now, actor=actor),
        *erase_wallet(wallet, program, now=now, actor=actor),
    ]


def merge_whole(
    gone: Account,
    into: Account,
    wallets: tuple[Account, Account],
    beside: Sequence[Account],
    program: Program,
    *,
    now: datetime,
    actor: str,
) -> list[Entry]:
    """Make two members one: `gone` leaves their pool first; what `into` gets goes into theirs.

    `wallets` are those of `gone` and `into`, `beside` has the pools. Raises as `merge` does.
    """
    entries: list[Entry] = []
    left_pool, pool = pool_among(gone, beside), pool_among(into, beside)
    if left_pool is not None:
        change_id = f"merge-{gone.member_id}-{into.member_id}"
        entries += leave(gone, left_pool, program, change_id=change_id, now=now, actor=actor)
    entries += merge(_after(gone, entries), into, program, now=now, actor=actor)
    if pool is not None:
        entries += contribute(_after(into, entries), _after(pool, entries), program, now=now, actor=actor)
    return [*entries, *merge_wallets(*wallets, program, now=now, actor=actor)]


def _after(account: Account, entries: Sequence[Entry]) -> Account:
    return book_all(account, (entry for entry in entries if entry.member_id == account.member_id))
