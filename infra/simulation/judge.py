"""Holds what callers are told against the books: results and refusals of services."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from infra.simulation.books import Booked, Books, Tally, name_of
from infra.simulation.traffic.requests import Request
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import LoyaltyError, MemberNotActiveError
from shared.services.accounts import AccountView
from shared.services.approvals import Done
from shared.services.gifts import OfferedGift
from shared.services.redemptions import Redemption
from shared.tables import ledger
from shared.tables.operation import Outcome

_NAMELESS = frozenset({"arrive", "approve", "reject", "withdraw", "return"})
_OWN = frozenset({"order", "refund", "transfer", "adjust", "reserve", "gift", "payout"})
"""Requests at whose key nobody else's entry can exist; a redemption's next step may have been taken by others."""


class Told(NamedTuple):
    """What a result says: the request's own entry, other entries, accounts as they are, whether it had been done."""

    entry: Entry | None = None
    others: tuple[Entry, ...] = ()
    accounts: tuple[Account, ...] = ()
    replayed: bool = False


def told_by(result: Any) -> Told:  # noqa: ANN401 - each service has its own
    """What a service's result says of the ledger."""
    match result:
        case Outcome() as outcome:
            return Told(outcome.entry, (), outcome.accounts, outcome.replayed)
        case Redemption(outcome=outcome):
            return told_by(outcome)
        case Done(outcome=outcome, replayed=replayed):
            return (Told() if outcome is None else told_by(outcome))._replace(replayed=replayed)
        case OfferedGift(offer=offer, replayed=replayed):
            return Told(others=(offer,), replayed=replayed)
        case AccountView(account=account, others=others):
            return Told(accounts=(account, *others))
        case _:  # Nothing of the ledger. A review, a newcomer and an erased member say whether it had been done.
            return Told(replayed=getattr(result, "replayed", False))


class Judge:
    """Finds what callers may not be told."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def refused(self, request: Request[Any], error: LoyaltyError, before: int) -> None:
        """Hold a refusal against the books, which had `before` commits when the request was sent."""
        if request.entry_id is not None and not request.intrudes and not self._has_left(request, error):
            self._books.breach(
                f"{request.kind} was answered with {request.entry_id}, and is refused now: {error.detail}"
            )
        booked = self._booked(request)
        is_own = request.kind in _OWN and not request.intrudes
        if booked is not None and booked.commit <= before and is_own and not self._was_claimed(request):
            self._books.breach(
                f"{request.kind} is booked at {request.key}, and was refused: {error.code} {error.detail}"
            )

    def answered(self, request: Request[Any], told: Told, before: int) -> str | None:
        """Hold a result against the books; the id of the entry that it is about."""
        if request.intrudes and not self._was_merged(request) and not self._was_claimed(request):
            self._books.breach(
                f"{request.kind} at {request.key} with another payload or member was answered: {told.entry}"
            )
        booked = self._booked(request)
        # Of two copies at once, the one that books may be answered after the other, which is told of a replay.
        if not told.replayed and booked is not None and booked.commit <= before:
            self._books.breach(f"{request.kind} at {request.key} was booked before, and is answered as booked now")
        for account in told.accounts:
            for breach in self._unlike_the_sums(account, booked_now=told.entry is not None and not told.replayed):
                self._books.breach(f"{account.member_id} after {request.kind}: {breach}")
        return self._entry_of(request, told, booked)

    def _entry_of(self, request: Request[Any], told: Told, booked: Booked | None) -> str | None:
        """The entry that a result is about, which must exist; for one request it is always the same."""
        if request.key is not None and booked is None:
            self._books.breach(f"{request.kind} was answered, and nothing is booked at {request.key}: {told}")
            return None
        for entry in told.others:
            self._known(request, entry)
        if told.entry is None:
            return name_of(booked) if booked else None
        known = self._known(request, told.entry)
        if known is None:
            return None
        name = told.entry.entry_id
        if booked is not None and known is not booked:
            # The order has been claimed since: its replay shows where it is now, and the first entry stays.
            if not self._was_claimed(request):
                self._books.breach(f"the entry {name} was answered for {request.key}; it has another key")
            return name
        if request.entry_id not in {None, name}:
            self._books.breach(f"{request.kind} was answered with {request.entry_id} and {name}")
        if request.key is not None:
            self._books.acknowledged[request.key] = name
        return name

    def _known(self, request: Request[Any], entry: Entry) -> Booked | None:
        """The booked entry that somebody was told, which must say the same."""
        known = self._books.entry_ids.get(entry.entry_id)
        if known is None:
            self._books.breach(f"the entry {entry.entry_id} was answered for {request.kind}; it does not exist")
        elif ledger.entry_of(known.item) != entry:
            self._books.breach(f"{entry.entry_id} was told as {entry}, it is {known.raw}")
        return known

    def _unlike_the_sums(self, account: Account, *, booked_now: bool) -> Iterable[str]:
        """How an account that was told differs from the sums of the entries up to its last one.

        A replay shows it with what time has done since, which is booked later.
        """
        if min(*account.lots.values(), *account.pending.values(), account.debt, 0) < 0:
            yield f"told something negative: {account}"
        tally = self._books.member_of(account.member_id) or Tally(account.member_id)
        if account.sequence > tally.sequence:
            if booked_now:
                yield f"told the entry {account.sequence} of {tally.sequence}"
            return
        if (balance := tally.balances[account.sequence]) != account.balance:
            yield f"told the balance {account.balance} after the entry {account.sequence}, it was {balance}"
        if account.sequence == tally.sequence and (said := _sums_of(account)) != (sums := _sums(tally)):
            yield f"told {said}, the sums are {sums}"

    def _has_left(self, request: Request[Any], error: LoyaltyError) -> bool:
        """Whether the answered entry is on the account of somebody who is gone, and whom this request does not name.

        Somebody who is to be erased counts as gone: their data are used no more.

        An identifier is somebody else's by then; a review or gift leads to the member asked, not to the survivor of a
        merge. An order that was claimed is another member's.
        """
        if self._was_claimed(request):
            return True
        owner = self._books.member_of(request.owner or "")
        is_gone = owner is not None and owner.status in {"erased", "lapsed", "merged"}
        is_gone = is_gone or isinstance(error, MemberNotActiveError)
        return request.kind in _NAMELESS and is_gone

    def _was_claimed(self, request: Request[Any]) -> bool:
        """Whether a request is about an order that was claimed: whose it is has changed, and so has who is answered."""
        return request.kind == "claim" or (request.key is not None and request.key[0] in self._books.claimed)

    def _was_merged(self, request: Request[Any]) -> bool:
        """Whether the entry at a request's key is on the account of a member who has been merged since."""
        booked = self._booked(request)
        return booked is not None and self._books.tally(booked.raw["member_id"]).status == "merged"

    def _booked(self, request: Request[Any]) -> Booked | None:
        return self._books.booked.get(request.key) if request.key else None


def _sums_of(account: Account) -> tuple[object, ...]:
    return dict(account.lots), dict(account.pending), set(account.holds), account.debt, account.status


def _sums(tally: Tally) -> tuple[object, ...]:
    return tally.lots, tally.pending, set(tally.holds), tally.debt, tally.status
