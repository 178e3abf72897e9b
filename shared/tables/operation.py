"""An operation: read, decide, write once.

It reads the accounts, settles them at one instant, asks a decision of the rules, and writes its entries and the
accounts in one transaction: the entries if their keys are absent, the accounts if their revisions are unchanged.
An operation that loses a race decides again on the account that the failure carries. An entry's key is its cause, so a
repeated request finds the entry that exists already.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from shared import settings
from shared.domain.account import Account
from shared.domain.earning.kept_orders import Sale
from shared.domain.entry import Entry
from shared.domain.errors import (
    IdempotencyMismatchError,
    LoyaltyError,
    MemberMergedError,
    OrderBelongsToAnotherMemberError,
    TryAgainError,
)
from shared.domain.ledger import BrokenLedgerError
from shared.domain.lifecycle.passing_of_time import Settled, settle
from shared.domain.program.program import Program
from shared.domain.spending.order_payments import Payments, changes
from shared.domain.spending.pools import SharedBooks, drawn_by, pools_of
from shared.tables import accounts, budgets, client, keys, ledger, order_payments, orders, stock
from shared.tables.accounts import StoredAccount
from shared.tables.client import CancelledError, Item, Key, Write
from shared.tables.orders import OrderState
from shared.tables.programs import load_program, load_version
from shared.tables.transaction import opened, write

ATTEMPTS_MAX = 14
SETTLE_ENTRIES_MAX = 40
"""Entries of time that one transaction books beside an operation's own; far below DynamoDB's 100 items."""
FURTHER_WRITES_MAX = 8
"""Further writes that go along with what time has done; more have a transaction of their own."""


class Situation(NamedTuple):
    """What a decision is made on: settled accounts, the program and the instant of the whole request.

    The accounts are the members' in the order asked for, then their pools where the decision does not share them.
    `caps` says what is left of budgets that are nearly used up, by name. `items` are the further reads, and what the
    decision has asked for, by key: None for what is not there.
    `of_time` is what time has done to the accounts, booked in the same transaction as what is decided.
    """

    accounts: Sequence[Account]
    program: Program
    now: datetime
    caps: Mapping[str, int]
    items: Mapping[Key, Item | None]
    histories: Mapping[str, Sequence[Entry]] = {}
    """All entries of accounts that the decision has asked for, the oldest first, those of time that are booked with it
    among them."""
    programs: Mapping[int, Program] = {}
    """Earlier versions of the program that it has asked for."""
    of_time: Sequence[Entry] = ()

    @property
    def account(self) -> Account:
        """The first member's account."""
        return self.accounts[0]

    def entry(self, key: Key) -> Entry | None:
        """The entry that was read at a key, if there is one."""
        item = self.items.get(key)
        return ledger.entry_of(item) if item else None

    def other_account(self, member_id: str) -> Account | None:
        """An account that was read beside the members' and is not changed, if there is one."""
        item = self.items.get(keys.account_key(member_id))
        return accounts.account_of(item) if item else None

    def order_state(self, order_id: str) -> OrderState:
        """How an order stands, by what was read."""
        return orders.state_of(self.items.get(keys.refunded_key(order_id)))

    def returned(self, redemption_id: str) -> int:
        """How much of a redemption has come back in parts: points, or minor units of credit."""
        item = self.items.get(keys.returned_key(redemption_id))
        return int(item["amount"]["N"]) if item else 0

    def payments(self, order_id: str) -> Payments:
        """What redemptions pay of an order, without the holds of the accounts that time has released."""
        stored = order_payments.payments_of(self.items.get(keys.paid_key(order_id)))
        return stored.after(changes(self.of_time).get(order_id, Payments()))


class Needs(NamedTuple):
    """What more a decision must know: items by their keys, whole ledgers by whose they are, versions of the program."""

    items: Sequence[Key] = ()
    histories: Sequence[str] = ()
    versions: Sequence[int] = ()


NOTHING_MORE = Needs()


class Decision(NamedTuple):
    """What comes of a situation: entries, and what else is written with them."""

    entries: Sequence[Entry]
    writes: Sequence[Write] = ()


class Outcome(NamedTuple):
    """What an operation did: its entry, the accounts after it (those asked for, in order), whether it had been done.

    `program` and `now` are those of the whole request.
    """

    entry: Entry
    accounts: tuple[Account, ...]
    replayed: bool
    program: Program
    now: datetime
    order: Sale | None = None
    """How the order stands by now that the entry credits, where a replay has looked."""


Decide = Callable[[Situation], Decision]
"""A pure rule. It is asked as often as the race asks, and twice where the members share a pool."""

Asks = Callable[[Situation], Needs]
"""Says what a decision must know beside what was read; asked again once that is there, until it is nothing more."""

Refused = Callable[[CancelledError], None]
"""Raises a refusal if that is what it means that conditions of a decision's writes failed; they count from 0."""


class _Plan(NamedTuple):
    """What one attempt writes, on the items that it was decided on. Not whole: time has done so much that it waits."""

    entries: Sequence[Entry]
    writes: Sequence[Write]
    items: Mapping[Key, Item | None]
    is_whole: bool = True


class AnotherCallersKeyError(Exception):
    """Another caller has used the same key before. It is no refusal: see `caller_keys`."""


def _not_refused(_: CancelledError) -> None:
    """Whatever stood in the way, trying again may help."""


def run(
    members: Sequence[str],
    decide: Decide,
    *,
    key: Key,
    fingerprint: str,
    now: datetime,
    program: Program | None = None,
    reads: Sequence[Key] = (),
    shares: bool = True,
    may_be_closed: bool = False,
    refused: Refused = _not_refused,
    asks: Asks = lambda _: NOTHING_MORE,
    actor: str | None = None,
) -> Outcome:
    """Settle the members' accounts, decide, and write once; or answer from the entry that exists already at `key`.

    `program` is the version that the request has read, if it has. `reads` are further items that the decision needs,
    from the same instant as the accounts. If `may_be_closed`, it is decided on members who are gone, too. The members'
    pools are read too: if `shares`, what the decision takes is drawn from there and what comes goes there, and it sees
    none of that; if not, it gets the pools themselves, last.
    `asks` says what more the decision must know, which is then read. `refused` says what it means to the caller if
    conditions of the decision's writes did not hold. `actor` is who calls, where `key` follows from one that callers
    choose. Raises whatever `decide`, `asks` and `refused` raise, IdempotencyMismatchError if the existing entry has
    another fingerprint, AnotherCallersKeyError if it has another actor, MemberNotFoundError, MemberMergedError,
    MemberNotActiveError, and TryAgainError when others kept winning the race.
    """
    program = program or load_program()
    caps: Mapping[str, int] = budgets.used_up()
    stored, items = accounts.load_together(members, reads)
    for attempt in range(ATTEMPTS_MAX):
        plan = None
        try:
            stored = _with_pools(stored, len(members))
            situation = Situation((), program, now, caps, items)
            how = {"shares": shares, "may_be_closed": may_be_closed}
            stored, plan, instant = _planned_with_all(decide, asks, stored, situation, **how)
            after = write(stored, plan.entries, program, plan.writes, read=plan.items)
        except CancelledError as cancelled:
            booked = plan.entries if plan else ()
            if plan and plan.writes:
                refused(cancelled)
            stored = _as_the_failure_shows(cancelled, stored)
            existing = _met_at(key, cancelled, booked)
            if existing is not None:
                _require_own(existing, actor)
                return _replayed(existing, fingerprint, stored, program, now)
            refilled = _refilled(cancelled, booked, program)
            caps = {**caps, **(refilled or {})}
            # Who lost once need not read: the failure shows the account. Who loses again is in a crowd, and waits.
            if (refilled is None and attempt > 0) or reads:
                client.back_off(attempt)
                stored, items = accounts.load_together(members, reads)
        except (LoyaltyError, BrokenLedgerError) as error:
            # What is booked already may not be booked upon itself: its points are spent, its voucher is there.
            existing = ledger.load_entry(key)
            # A merged member's survivor may have booked it: whoever follows the merge finds it there.
            if existing is None or (isinstance(error, MemberMergedError) and not _is_of(existing, stored)):
                raise
            _require_own(existing, actor)
            return _replayed(existing, fingerprint, _caught_up(existing, stored, members), program, now)
        else:
            stored = after
            if plan.is_whole:
                own = next(entry for entry in plan.entries if keys.entry_key(entry) == key)
                found = tuple(one.account for one in stored)
                return Outcome(own, found, replayed=False, program=program, now=instant)
    raise TryAgainError("the account is being changed by others; the same request may be sent again")


def enroll(booked: Sequence[Entry], further: Sequence[Write], program: Program, now: datetime) -> Outcome:
    """Write `further`, and a new account with its first entries, and its wallet's; the outcome shows the first one.

    Raises CancelledError, which counts `further` from 0.
    """
    names = dict.fromkeys(one.member_id for one in booked)
    stored = [opened([one for one in booked if one.member_id == name], program) for name in names]
    client.transact([*further, *(ledger.put(one, program) for one in booked), *map(accounts.put, stored)])
    return Outcome(booked[0], (stored[0].account,), replayed=False, program=program, now=now)


def _present(now: datetime, settled: Iterable[Account]) -> datetime:
    """The instant of a whole operation: `now`, but never before any account's last entry. Machines' clocks differ."""
    return max((one.present(now) for one in settled), default=now)


def _with_pools(stored: list[StoredAccount], members: int) -> list[StoredAccount]:
    """The members' accounts and the pools that they share in, read if they are not the ones at hand."""
    own = [one.account for one in stored[:members]]
    wanted = [name for name in pools_of(own) if name not in {one.member_id for one in own}]
    if wanted == [one.account.member_id for one in stored[members:]]:
        return stored
    return [*stored[:members], *(accounts.load_together(wanted)[0] if wanted else ())]


def _settled(stored: Sequence[StoredAccount], program: Program, now: datetime) -> list[Settled]:
    entries_max = SETTLE_ENTRIES_MAX // max(1, sum(one.account.sequence > 0 for one in stored))
    return [settle(one.account, program, now, entries_max) for one in stored]


def _planned_with_all(
    decide: Decide,
    asks: Asks,
    stored: list[StoredAccount],
    situation: Situation,
    *,
    shares: bool,
    may_be_closed: bool,
) -> tuple[list[StoredAccount], _Plan, datetime]:
    """The plan of the situation's instant, and the accounts that it is made on.

    If it reverses points that a member has drawn from a pool and has left that since, the pool is read, too: they go
    back there.
    """
    while True:
        instant = _present(situation.now, [one.account for one in stored])
        now = situation._replace(now=instant)
        plan = _planned(decide, asks, stored, now, shares=shares, may_be_closed=may_be_closed)
        known = {one.account.member_id for one in stored}
        left = [name for name in drawn_by(plan.entries) if name not in known] if shares else []
        if not left:
            return stored, plan, instant
        stored = [*stored, *accounts.load_together(left)[0]]


def _planned(
    decide: Decide,
    asks: Asks,
    stored: Sequence[StoredAccount],
    situation: Situation,
    *,
    shares: bool,
    may_be_closed: bool,
) -> _Plan:
    """What time has done to the accounts, and what `decide` makes of them.

    The decision is left for the next transaction while time has done more than one books, or anything if much else is
    to be written.
    """
    settled = _settled(stored, situation.program, situation.now)
    require = accounts.require_not_merged if may_be_closed else accounts.require_open
    for account in (one.account for one in settled):
        require(account)
    of_time = [entry for one in settled for entry in one.entries]
    if not all(one.complete for one in settled):
        return _Plan(of_time, (), situation.items, is_whole=False)
    situation = _informed(asks, situation._replace(accounts=[one.account for one in settled], of_time=of_time))
    decision = _through_pools(decide, situation) if shares else decide(situation)
    if of_time and len(decision.writes) > FURTHER_WRITES_MAX:
        return _Plan(of_time, (), situation.items, is_whole=False)
    return _Plan([*of_time, *decision.entries], decision.writes, situation.items)


def _informed(asks: Asks, situation: Situation) -> Situation:
    """The situation with all that the decision asks for."""
    while any(needs := asks(situation)):
        items = client.get_together(settings.loyalty_table(), needs.items) if needs.items else []
        found = dict(zip(needs.items, items, strict=True))
        histories = {name: _history(name, situation) for name in needs.histories}
        versions = {version: load_version(version) for version in needs.versions}
        situation = situation._replace(
            items={**situation.items, **found},
            histories={**situation.histories, **histories},
            programs={**situation.programs, **versions},
        )
    return situation


def _history(member_id: str, situation: Situation) -> list[Entry]:
    """All of an account's entries, through those that time has just made. Raises TryAgainError if the index lags."""
    own = [entry for entry in situation.of_time if entry.member_id == member_id]
    account = next((one for one in situation.accounts if one.member_id == member_id), None)
    for attempt in range(ATTEMPTS_MAX):
        booked = ledger.load_history_to(member_id, account.sequence - len(own) if account else None)
        if booked is not None:
            return [*booked, *own]
        client.back_off(attempt)
    raise TryAgainError("the member's last entries cannot be listed yet; the same request may be sent again")


def _through_pools(decide: Decide, situation: Situation) -> Decision:
    """The decision, with what it takes drawn from the members' pools and what it leaves put into them.

    It is made twice: once to see what it needs of the pools, and again on accounts that have it.
    """
    books = SharedBooks(situation.accounts, situation.program, situation.now)
    planned = decide(situation._replace(accounts=books.as_own()))
    if not planned.entries or not books.has_pools:
        return planned
    decided = decide(situation._replace(accounts=books.drawn_for(planned.entries)))
    return decided._replace(entries=books.shared(decided.entries))


def _met_at(key: Key, cancelled: CancelledError, booked: Sequence[Entry]) -> Entry | None:
    """The entry that existed at the operation's own key, if that is what the transaction met."""
    if not any(keys.entry_key(entry) == key for entry in booked):
        return None
    met = (item for item in cancelled.failed.values() if item and (item["pk"]["S"], item["sk"]["S"]) == key)
    return next((ledger.entry_of(item) for item in met), None)


def _as_the_failure_shows(cancelled: CancelledError, stored: Sequence[StoredAccount]) -> list[StoredAccount]:
    """The accounts as the failure shows them. Those that it does not are as they were read."""
    met = {item["pk"]["S"]: item for item in cancelled.failed.values() if item and "state" in item}
    names = [one.account.member_id for one in stored]
    return [
        accounts.stored_of(name, met[pk]) if (pk := keys.account_key(name).pk) in met else one
        for name, one in zip(names, stored, strict=True)
    ]


def _caught_up(existing: Entry, stored: list[StoredAccount], members: Sequence[str]) -> list[StoredAccount]:
    """The accounts, read again if an entry is newer than its account: it was booked since, perhaps by this request."""
    is_ahead = any(
        one.account.member_id == existing.member_id and one.account.sequence < existing.sequence for one in stored
    )
    return _with_pools(accounts.load_together(members)[0], len(members)) if is_ahead else stored


def _refilled(cancelled: CancelledError, booked: Sequence[Entry], program: Program) -> Mapping[str, int] | None:
    """What is left of the budgets that stood in the way, now that they are refilled as shelves are; None if none did.

    Raises RewardUnavailableError if no piece is left of a reward.
    """
    missed = stock.missed(cancelled, booked, program)
    stock.restock(missed)
    needs = budgets.short(cancelled, booked)
    if needs:
        return budgets.refill(needs, program)
    return {} if missed else None


def _replayed(
    existing: Entry, fingerprint: str, stored: Sequence[StoredAccount], program: Program, now: datetime
) -> Outcome:
    now = _present(now, [one.account for one in stored])
    found = tuple(one.account for one in _settled(stored, program, now))
    existing = _same(existing, fingerprint, found)
    if any(account.merged_into for account in found):
        found = accounts.load_survivors(found)
    return Outcome(existing, found, replayed=True, program=program, now=now)


def _require_own(existing: Entry, actor: str | None) -> None:
    """Raises AnotherCallersKeyError if somebody else than `actor` booked what exists."""
    if actor not in {None, existing.actor}:
        raise AnotherCallersKeyError(f"what exists is {existing.actor}'s")


def _is_of(entry: Entry, stored: Sequence[StoredAccount]) -> bool:
    """Whether an entry is some account's, or of one that was merged into it."""
    return any(entry.member_id in one.account.ids for one in stored)


def _same(existing: Entry, fingerprint: str, found: Sequence[Account]) -> Entry:
    """The existing entry, if the request that made it was this one."""
    ours = {member_id for account in found for member_id in account.ids}
    if existing.member_id not in ours:
        if "order_id" in existing.source and existing.type in {"earn", "refund"}:
            raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
        raise IdempotencyMismatchError("the key was used for another member")
    if existing.fingerprint != fingerprint:
        raise another_payload(existing)
    return existing


def another_payload(existing: Entry) -> IdempotencyMismatchError:
    """The refusal of a request that is another than the one that made the existing entry: it says what stands."""
    booked = f"the order with a total of {existing.order.total}" if existing.order else f"{existing.points} points"
    return IdempotencyMismatchError(f"{booked} is booked under this id or key: send the request as it was then")
