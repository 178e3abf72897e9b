"""What ends with an account waits for the person: written when they are erased, met when they come again, or lifted.

They are known again by a confirmed address alone, for the program's `remembered_days`: numbers are given to others in
time. One that only the shop has entered leads to them as it is; variants of it do so once they have answered from it:
nobody is held to what somebody else ran up under a spelling of their address. An address that a member changes for
another waits likewise: whoever joins with it has joined before. Operators see what waits or was met, and can lift it.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.actors import STREAM
from shared.domain.calendar import local_day
from shared.domain.earning.enrolment import open_side
from shared.domain.entry import Entry
from shared.domain.errors import RememberedNotFoundError, TryAgainError
from shared.domain.fields import Record, Text
from shared.domain.ledger import book_all
from shared.domain.lifecycle.remembered import (
    Remembered,
    lifted,
    met,
    met_in_wallet,
    remembered_of,
    together,
    was_joined,
)
from shared.domain.members.members import Identity, Member
from shared.domain.program.program import Program
from shared.domain.subaccounts import is_wallet, member_of, wallet_of
from shared.tables import accounts, audit, client, keys, ledger, members, operation, programs
from shared.tables import remembered as cases
from shared.tables.client import CancelledError, Write
from shared.tables.operation import Decision, Situation

CHAIN_MAX = 10
"""How many accounts of one person, each ended, are followed to the one that they have now."""


class Lift(Record):
    """Why what is remembered is lifted. The member reads `reason`, and only operators `note`."""

    reason: Text
    note: Text | None = None


class Found(NamedTuple):
    """What waits for somebody who joins, or confirms an address."""

    cases: Sequence[cases.Case]
    what: Remembered

    def accounts(self, member_id: str) -> list[str]:
        """Whose accounts meet it: the member's, and their wallet's if they owe money."""
        return [member_id, *([wallet_of(member_id)] if self.what.credit_debt else [])]

    def entries(self, found: Sequence[Account], program: Program, *, now: datetime, actor: str) -> list[Entry]:
        """What books it on the member's account, and in their wallet if that is among those `found`."""
        if self.what.is_nothing:
            return []
        account, *wallets = found
        reference = self.cases[0].name
        entries = [met(account, program, self.what, reference=reference, now=now, actor=actor)]
        for wallet in wallets if self.what.credit_debt else ():
            opening = open_side(wallet, program, now=now, actor=actor)
            opened = book_all(wallet, opening)
            in_wallet = met_in_wallet(opened, program, self.what, reference=reference, now=now, actor=actor)
            entries += [*opening, in_wallet]
        return entries

    def writes(self, member_id: str) -> list[Write]:
        """What notes that the member has met it."""
        return [cases.met(case, member_id) for case in self.cases if case.waits]


class Memory(NamedTuple):
    """What is remembered of a member. `forget_at`: until when it waits; None: it is booked on their account."""

    member_id: str
    what: Remembered
    forget_at: datetime | None


def find(addresses: Iterable[Identity], program: Program, now: datetime) -> Found:
    """What waits for whoever joins with these confirmed addresses."""
    waiting = cases.waiting(addresses, now) if program.remembered_days else []
    return Found(waiting, together([case.what for case in waiting], _today(program, now)))


def find_for_member(addresses: Iterable[Identity], program: Program, now: datetime) -> Found:
    """What waits for a member who has these confirmed addresses from now on.

    They have joined already: that somebody left an address, or joined again by another one, means nothing for them.
    """
    waiting = [one for one in find(addresses, program, now).cases if one.waits]
    return Found(waiting, together([case.what for case in waiting], _today(program, now)))


def writes(member: Member, account: Account, wallet: Account, program: Program, now: datetime) -> list[Write]:
    """What remembers a member whose accounts end as they are."""
    what, days = remembered_of(account, wallet, program), program.remembered_days
    addresses = member.addresses_since(now - timedelta(days=days))[: cases.ADDRESSES_MAX]
    opened = cases.opened(member.member_id, addresses, member.proven, what, now, days)
    former = {one.identity for one in member.former}
    return [*opened, *cases.not_left(one for one in addresses if one in former)] if opened else []


def left(before: Member, after: Member, program: Program, now: datetime) -> list[Write]:
    """What remembers the addresses that are a member's no more: they are not to join anew with them."""
    kept = after.confirmed_addresses()
    return cases.left((one for one in before.confirmed_addresses() if one not in kept), now, program.remembered_days)


def owe(entry: Entry, now: datetime) -> None:
    """Add what a refund could not take of a member who is gone to what waits for them, or book it where they are now.

    Once is enough. Nobody owes it if nothing waits for them any more. Raises TryAgainError if others were first.
    """
    member_id, mark = member_of(entry.member_id), members.private_fingerprint(f"owed:{entry.entry_id}")
    more = Remembered(credit_debt=entry.owed) if is_wallet(entry.member_id) else Remembered(debt=entry.owed)
    for _ in range(CHAIN_MAX):
        case = cases.load(member_id, now) if member_id else None
        if case is None or mark in case.what.counted:
            return
        if case.met_by is None:
            debts = {"debt": case.what.debt + more.debt, "credit_debt": case.what.credit_debt + more.credit_debt}
            what = case.what.model_copy(update={**debts, "counted": (*case.what.counted, mark)})
            _write([cases.changed(case, what)])
            return
        survivor = accounts.load_survivor(case.met_by)
        if survivor.is_open:
            _book_debt(survivor.member_id, more, mark, now)
            return
        member_id = survivor.member_id


def read(member_id: str, *, caller: Caller, now: datetime) -> Memory:
    """What waits for a member who is gone, or was booked on the account of one who is here.

    If neither, what waits for whoever joins with an address that one who is here has left. Raises MemberNotFoundError,
    RememberedNotFoundError.
    """
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    accounts.require_not_merged(account)
    audit.record(caller, "remembered.read", now, account.member_id)
    if not account.is_open:
        case = _waiting_case(account.member_id, now)
        return Memory(account.member_id, case.what, case.forget_at)
    entries = _unlifted(account)
    if not entries:
        return _left_by(account.member_id, _former(account.member_id), now)
    return _booked(account.member_id, entries, now)


def lift(member_id: str, request: Lift, *, caller: Caller, now: datetime) -> Memory:
    """Let nothing wait for a member who is gone any more, or take back what was booked on the account of one who is
    here; what it was. Addresses that one who is here has left are those of somebody new from now on.

    Raises MemberNotFoundError, RememberedNotFoundError, TryAgainError.
    """
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    accounts.require_not_merged(account)
    trail = audit.trail(caller, "remembered.lifted", now, account.member_id, reason=request.reason, note=request.note)
    if not account.is_open:
        case = _waiting_case(account.member_id, now)
        _write([cases.changed(case, Remembered(counted=case.what.counted)), *trail])
        return Memory(account.member_id, case.what, case.forget_at)
    entries, former = _unlifted(account), _former(account.member_id)
    if not entries:
        kept = _left_by(account.member_id, former, now)
        _write([*cases.not_left(former), *trail])
        return kept
    names = list(dict.fromkeys([account.member_id, *(_booked_on(entry, account) for entry in entries)]))

    def decide(situation: Situation) -> Decision:
        return Decision(_lifts(situation, entries, request, caller), [*cases.not_left(former), *trail])

    first = entries[0]
    reference = first.source["reference"]
    operation.run(
        names,
        decide,
        key=keys.of("remembered_lift", member_id=_booked_on(first, account), reference=reference),
        fingerprint=request_ids.fingerprint(request),
        now=now,
        shares=False,
    )
    return _booked(account.member_id, entries, now)


def _booked(member_id: str, entries: Sequence[Entry], now: datetime) -> Memory:
    today = _today(programs.load_program(), now)
    return Memory(member_id, together([_as_met(entry) for entry in entries], today), None)


def _lifts(situation: Situation, entries: Sequence[Entry], request: Lift, caller: Caller) -> list[Entry]:
    made: list[Entry] = []
    known = {one.member_id: one for one in situation.accounts}
    for entry in entries:
        name = _booked_on(entry, situation.account)
        one = lifted(
            known[name],
            situation.program,
            entry,
            reason=request.reason,
            note=request.note,
            now=situation.now,
            actor=caller.actor,
            fingerprint=request_ids.fingerprint(request),
        )
        known[name] = book_all(known[name], [one])
        made.append(one)
    return made


def _waiting_case(member_id: str, now: datetime) -> cases.Case:
    case = cases.load(member_id, now)
    if case is None or case.what.is_nothing:
        raise RememberedNotFoundError(f"nothing waits for whoever was the member {member_id}")
    return case


def _booked_on(entry: Entry, account: Account) -> str:
    """The account that has by now what an entry has booked: the member's, or their wallet."""
    return wallet_of(account.member_id) if is_wallet(entry.member_id) else account.member_id


def _unlifted(account: Account) -> list[Entry]:
    """What was booked on a member's account and in their wallet, the oldest first, and has not been lifted.

    What members had met who were merged into this one is among it.
    """
    names = (*account.ids, *map(wallet_of, account.ids))
    entries = [one for name in names for one in ledger.load_whole_history(name)[::-1]]
    gone = {(_booked_on(one, account), one.source["reference"]) for one in entries if one.type == "remembered_lift"}
    booked = [one for one in entries if one.type == "remembered"]
    return [one for one in booked if (_booked_on(one, account), one.source["reference"]) not in gone]


def _former(member_id: str) -> list[Identity]:
    """The addresses that a member has left."""
    member = members.load_member(member_id).member
    return [one.identity for one in member.former]


def _left_by(member_id: str, former: Sequence[Identity], now: datetime) -> Memory:
    """What waits for whoever joins with an address that a member has left. Raises RememberedNotFoundError."""
    waiting = cases.load_left(former, now)
    if not waiting:
        raise RememberedNotFoundError(f"nothing of an earlier account, or address, of the member {member_id} waits")
    return Memory(member_id, Remembered(joined=True), max(case.forget_at for case in waiting))


def _today(program: Program, now: datetime) -> date:
    return local_day(now, program.time_zone)


def _as_met(entry: Entry) -> Remembered:
    owed = {"credit_debt" if is_wallet(entry.member_id) else "debt": -entry.points}
    joined = was_joined(entry)
    return Remembered(joined=joined, frozen=entry.frozen or "", uses=entry.uses, badges=entry.badges, **owed)


def _book_debt(member_id: str, what: Remembered, reference: str, now: datetime) -> None:
    names = [member_id, *([wallet_of(member_id)] if what.credit_debt else [])]

    def decide(situation: Situation) -> Decision:
        found, program, moment = situation.accounts[: len(names)], situation.program, situation.now
        if not what.credit_debt:
            return Decision([met(found[0], program, what, reference=reference, now=moment, actor=STREAM)])
        opening = open_side(found[-1], program, now=moment, actor=STREAM)
        wallet = book_all(found[-1], opening)
        booked = met_in_wallet(wallet, program, what, reference=reference, now=moment, actor=STREAM)
        return Decision([*opening, booked])

    key = keys.of("remembered", member_id=names[-1], reference=reference)
    operation.run(names, decide, key=key, fingerprint="", now=now, shares=False)


def _write(changes: Sequence[Write]) -> None:
    try:
        client.transact(changes)
    except CancelledError as cancelled:
        raise TryAgainError("another write was in the way; the same request may be sent again") from cancelled
