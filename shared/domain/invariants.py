"""What must hold for every account after every operation, checked from its entries alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.domain.account import Account, Totals
from shared.domain.entry import Entry
from shared.domain.ledger import BrokenLedgerError, book_all


class Breach(NamedTuple):
    """One invariant, by its number from 1 to 5, that an account breaks, and how."""

    invariant: int
    detail: str


def breaches(account: Account, entries: Sequence[Entry]) -> list[Breach]:
    """Every breach of an account against all its entries in ledger order; none if all is well.

    1. The balance is the sum of its lots, and nothing is negative or empty, no voucher either; an account in debt has
       no balance.
    2. What is held is the sum of the holds, each of them the sum of its lots.
    3. Every bucket is the sum of its entries' effects; entries are numbered 1, 2, 3 and so on without a gap.
    4. Replaying the entries gives the stored account.
    5. All points ever granted, plus debt, are in a bucket or have left as some entry type says that points leave.
    """
    of_entries = [*_sums(account, entries), *_replay(account, entries), *_whereabouts(account, entries)]
    return sorted([*standing_breaches(account), *of_entries])


def standing_breaches(account: Account) -> list[Breach]:
    """Breaches of the first two, which an account shows by itself: cheap enough to look for whenever one is read."""
    return sorted([*_lots(account), *_vouchers(account), *_holds(account)])


def _lots(account: Account) -> Iterator[Breach]:
    for name, lots in (("available", account.lots), ("pending", account.pending)):
        for day, points in lots.items():
            if points <= 0:
                yield Breach(1, f"the {name} lot {day} holds {points} points")
    if account.debt < 0 or (account.debt > 0 and account.balance > 0):
        yield Breach(1, f"there is a debt of {account.debt} and a balance of {account.balance} at the same time")
    negative = [name for name in Totals.model_fields if getattr(account.totals, name) < 0]
    negative += [name for name, amount in account.qualifying.items() if amount < 0]
    if negative:
        yield Breach(1, f"negative: {', '.join(negative)}")


def _vouchers(account: Account) -> Iterator[Breach]:
    for voucher_id, voucher in account.vouchers.items():
        if not 0 < voucher.left <= voucher.of:
            yield Breach(1, f"of the voucher {voucher_id}, good for {voucher.of}, {voucher.left} are left")


def _holds(account: Account) -> Iterator[Breach]:
    for redemption_id, hold in account.holds.items():
        if hold.points != sum(hold.lots.values()) or hold.points <= 0:
            yield Breach(2, f"the hold {redemption_id} of {hold.points} points has lots of {sum(hold.lots.values())}")


def _sums(account: Account, entries: Sequence[Entry]) -> Iterator[Breach]:
    buckets = (
        ("available", account.balance, sum(entry.available_effect for entry in entries)),
        ("pending", account.pending_points, sum(entry.pending_effect for entry in entries)),
        ("held", account.held_points, sum(entry.held_effect for entry in entries)),
        ("debt", account.debt, sum(entry.debt for entry in entries)),
    )
    for name, stored, of_entries in buckets:
        if stored != of_entries:
            yield Breach(3, f"{name} is {stored}, its entries make {of_entries}")
    numbers = [entry.sequence for entry in entries]
    if numbers != list(range(1, account.sequence + 1)):
        yield Breach(3, f"the account is at sequence {account.sequence}, its entries are {_runs(numbers)}")


def _replay(account: Account, entries: Sequence[Entry]) -> Iterator[Breach]:
    try:
        replayed = book_all(Account(member_id=account.member_id), entries)
    except BrokenLedgerError as error:
        yield Breach(4, f"the entries cannot be replayed: {error}")
        return
    if replayed.model_dump_json() == account.model_dump_json():
        return
    # What a newer release keeps in fields that this one does not know, this one cannot replay: it is not compared.
    replayed, account = replayed.as_known(), account.as_known()
    if replayed.model_dump_json() != account.model_dump_json():
        differ = [name for name in Account.model_fields if getattr(replayed, name) != getattr(account, name)]
        yield Breach(4, f"replayed, the entries give another account; these differ: {', '.join(differ) or 'order'}")


def _whereabouts(account: Account, entries: Sequence[Entry]) -> Iterator[Breach]:
    expired = sum(entry.expired_points for entry in entries)
    moved = [(entry.type, entry.net_effect + entry.expired_points) for entry in entries]
    granted = sum(max(0, points) for type_, points in moved if type_ != "reverse")
    left = expired + sum(max(0, -points) for _, points in moved)
    returned = sum(points for type_, points in moved if type_ == "reverse")
    forgiven = -sum(sum(entry.forgiven_lots.values()) for entry in entries if entry.type == "reverse")
    totals = account.totals
    ways = (totals.captured, totals.expired, totals.taken_back, totals.transferred_out, totals.forfeited)
    # What another account captured before it was merged into this one counts as granted when it is reversed here.
    regranted = totals.granted - granted
    if not 0 <= regranted <= returned + forgiven or sum(ways) != left - returned + regranted:
        detail = (
            f"totals say {totals.granted} granted and {sum(ways)} gone; entries say {granted} and {left - returned}"
        )
        yield Breach(5, detail)
    kept = account.balance + account.pending_points + account.held_points
    if totals.granted + account.debt != kept + sum(ways):
        detail = f"{totals.granted} granted and {account.debt} owed, but {kept} kept and {sum(ways)} gone"
        yield Breach(5, detail)


def _runs(numbers: Sequence[int]) -> str:
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    return f"{len(numbers)} up to {max(numbers, default=0)}, without {missing[:5]}"
