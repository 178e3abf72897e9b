"""Members who go for good, or into another: their own account, their wallet, and their part in a pool."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.enrolment import open_side
from shared.domain.entry import Entry
from shared.domain.facets import Traits
from shared.domain.ledger import book, book_all, draft, negative
from shared.domain.points.operator_limits import agreed, counting
from shared.domain.program.program import Program
from shared.domain.spending.merges import merge
from shared.domain.spending.pools import contribute, leave, pool_among
from shared.domain.spending.redemptions import release
from shared.domain.vouchers import taken_away


def erase_whole(
    member: Account, wallet: Account, beside: Sequence[Account], program: Program, *, now: datetime, actor: str
) -> list[Entry]:
    """Close a member's accounts; they leave their pool with their own part first, which is forfeited with the rest.

    `beside` has that pool, if they share in one.
    """
    pool = pool_among(member, beside)
    change_id = f"erase-{member.member_id}"
    left = leave(member, pool, program, change_id=change_id, now=now, actor=actor, for_good=True) if pool else []
    member = _after(member, left)
    return [
        *left,
        *erase(member, program, now=now, actor=actor),
        *_erase_wallet(wallet, program, now=now, actor=actor),
    ]


def why_reviewed(member: Account, wallet: Account) -> str | None:
    """Why an operator decides on erasing a member; None: nobody need."""
    reasons = [
        "is frozen" if member.frozen else "",
        f"owes {member.debt} points" if member.debt else "",
        f"owes {wallet.debt} minor units of store credit" if wallet.debt else "",
    ]
    return " and ".join(filter(None, reasons)) or None


def merge_whole(
    gone: Account,
    into: Account,
    wallets: tuple[Account, Account],
    beside: Sequence[Account],
    program: Program,
    *,
    now: datetime,
    actor: str,
    requested_by: str | None = None,
) -> list[Entry]:
    """Make two members one: `gone` leaves their pool first, with their own part; what `into` gets goes into theirs.

    `wallets` are those of `gone` and `into`, `beside` has the pools. With `requested_by`, that operator asked for it
    and `actor` approved it. Raises as `merge` does, and TooMuchForOneError if nobody approved it and it moves more
    points than is left of what one operator may move of the two together.
    """
    entries: list[Entry] = []
    left_pool, pool = pool_among(gone, beside), pool_among(into, beside)
    if left_pool is not None:
        change_id = f"merge-{gone.member_id}-{into.member_id}"
        entries += leave(gone, left_pool, program, change_id=change_id, now=now, actor=actor, for_good=True)
    out, received = merge(_after(gone, entries), into, program, now=now, actor=actor)
    today, moved = local_day(now, program.time_zone), received.points
    received = counting(received, into, program, moved, today, requested_by=requested_by, become_one=[gone])
    both = agreed(requested_by, actor)
    entries += [one.model_copy(update={"source": {**one.source, **both}}) for one in (out, received)]
    if pool is not None:
        entries += contribute(_after(into, entries), _after(pool, entries), program, now=now, actor=actor)
    return [*entries, *_merge_wallets(*wallets, program, now=now, actor=actor)]


def erase(account: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Close an account for good: open redemptions are cancelled, what is left is forfeited, what is owed forgiven."""
    entries = []
    for redemption_id in account.holds:
        entry = release(account, program, redemption_id, "cancel", occurred_at=now, now=now, actor=actor)
        account = book(account, entry)
        entries.append(entry)
    last = draft(
        account,
        "erase",
        occurred_at=now,
        recorded_at=now,
        points=-(account.balance + account.pending_points - account.debt),
        program_version=program.version,
        actor=actor,
        lots=negative(account.lots),
        pending=negative(account.pending),
        debt=-account.debt,
        traits=None if account.traits == Traits() else Traits(),
        vouchers=taken_away(account.vouchers),
    )
    return [*entries, last]


def _merge_wallets(gone: Account, into: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Move a wallet into another, which is opened if need be; nothing if there is none to move."""
    if not gone.sequence:
        return []
    opening = open_side(into, program, now=now, actor=actor)
    moved = merge(gone, book_all(into, opening), program, now=now, actor=actor)
    return [*opening, *moved]


def _erase_wallet(wallet: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Close a wallet for good; nothing if there is none."""
    return erase(wallet, program, now=now, actor=actor) if wallet.sequence else []


def _after(account: Account, entries: Sequence[Entry]) -> Account:
    return book_all(account, (entry for entry in entries if entry.member_id == account.member_id))
