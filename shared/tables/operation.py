"""The only module that speaks to DynamoDB: keys, items, transactions, indexes.

An operation reads the account, decides, and writes the entries and the account in one transaction: the entries if
their keys are absent, the account if its revision is unchanged. Whoever loses a race decides again on the account that
the failure carries. An entry's key is its cause, so a repeated request finds the entry that stands.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from shared import settings
from shared.domain.account import Account, Entry
from shared.domain.calendar import local_day
from shared.domain.errors import (
    IdempotencyMismatchError,
    LoyaltyError,
    MemberNotActiveError,
    MemberNotFoundError,
    OrderBelongsToAnotherMemberError,
    ProgramChangedError,
    RewardUnavailableError,
    TryAgainError,
)
from shared.domain.invariants import Breach, breaches
from shared.domain.ledger import book_all, combined
from shared.domain.lifecycle.passing_of_time import Settled, due_on, reminded_through, settle
from shared.domain.points.partner_funding import settlement_month
from shared.domain.program.defaults import default_program
from shared.domain.program.program import Program
from shared.domain.spending.pools import pools_of, through_pools
from shared.tables import budgets, client, keys
from shared.tables.client import CancelledError, Item, Key, Write

PROGRAM_SECONDS = 30
"""For how long a program is used before it is read again: what a changed one takes to be seen everywhere."""
ATTEMPTS_MAX = 14
SETTLE_ENTRIES_MAX = 40
"""Entries of time that one transaction books beside an operation's own; far below DynamoDB's 100 items."""
ALSO_TOGETHER_MAX = 8
"""Further writes that go along with what time has done; more have a transaction of their own."""
HISTORY_PAGES_MAX = 100
"""Pages of a megabyte: more than a member ever fills."""
SEQUENCE_MAX = 10**15
EXPIRY_RUN, REMINDER_RUN = "EXPIRY", "REMINDERS"
"""Under which names the scheduled runs note how far they have come."""


class Stored(NamedTuple):
    """An account as read: how often written, through which day reminders are dealt with, its day in the index `due`."""

    account: Account
    revision: int
    reminded_on: date
    due_on: date | None = None


class Outcome(NamedTuple):
    """What an operation did: its entry, the accounts after it (those asked for, in order), whether it had been done."""

    entry: Entry
    accounts: tuple[Account, ...]
    replayed: bool


Beside = Callable[[Sequence[Account]], Sequence[str]]
"""From the members' accounts to further ones that a decision about them needs."""

Refused = Callable[[CancelledError], None]
"""Raises a refusal if that is what it means that conditions of `also` failed; its writes are counted from 0."""

Also = Callable[[Sequence[Entry]], Sequence[Write]]
"""From the entries that were decided to what else is written in their transaction."""

Decide = Callable[[Sequence[Account], Sequence[Item | None], Program, datetime], Sequence[Entry]]
"""From settled accounts, further items, the program and the instant to entries, the operation's own among them."""


def entry_of(item: Item) -> Entry:
    """The entry that an item holds."""
    return Entry.model_validate_json(item["body"]["S"])


def account_of(item: Item) -> Account:
    """The account that an item holds."""
    return Account.model_validate_json(item["state"]["S"])


def _nobody(_: Sequence[Account]) -> Sequence[str]:
    return ()


def _not_refused(_: CancelledError) -> None:
    """Whatever stood in the way, trying again may help."""


# Accounts and entries ------------------------------------------------------------------------------------------------


def load_account(member_id: str) -> Stored:
    """A member's account. Raises MemberNotFoundError."""
    return _stored(member_id, client.get(settings.loyalty_table(), keys.account_key(member_id)))


def load_accounts(members: Sequence[str]) -> list[Account]:
    """Several accounts as they stood at one instant. Raises MemberNotFoundError."""
    return [one.account for one in _load(members, ())[0]]


def load_with_pool(member_id: str) -> tuple[Account, ...]:
    """A member's account, and after it, at the cost of one more read, the pool that they share in."""
    account = load_account(member_id).account
    return (account, *(load_account(name).account for name in pools_of([account])))


def load_gift(gift_id: str) -> list[Entry]:
    """The entries of a gift's life; none if there is no such gift."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=1,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.gift_key(gift_id, "").pk}},
        ConsistentRead=True,
    )
    return [entry_of(item) for item in items]


def load_entry(key: Key) -> Entry | None:
    """The entry at a key, if one stands there."""
    item = client.get(settings.loyalty_table(), key)
    return entry_of(item) if item else None


def load_entries(keys: Sequence[Key]) -> list[Entry | None]:
    """For each of some different keys the entry that stands there, if one does; in as few requests as there can be."""
    found: list[Entry | None] = []
    for start in range(0, len(keys), client.READS_TOGETHER_MAX):
        items = client.get_together(settings.loyalty_table(), keys[start : start + client.READS_TOGETHER_MAX])
        found += [entry_of(item) if item else None for item in items]
    return found


def load_redemption(redemption_id: str) -> list[Entry]:
    """The entries of a redemption's life; none if there is no such redemption."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=1,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.redemption_key(redemption_id, "reserve").pk}},
        ConsistentRead=True,
    )
    return [entry_of(item) for item in items]


def load_history(member_id: str, limit: int, before: int = SEQUENCE_MAX) -> list[Entry]:
    """At most `limit` of a member's entries, newest first, those numbered below `before`."""
    values: dict[str, Any] = {":member": {"S": member_id}, ":before": {"N": str(before)}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            IndexName="history",
            KeyConditionExpression="member_id = :member AND #sequence < :before",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
    )
    return [entry_of(item) for item in answer["Items"]]


def load_whole_history(member_id: str) -> list[Entry]:
    """All of a member's entries, newest first."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=HISTORY_PAGES_MAX,
        IndexName="history",
        KeyConditionExpression="member_id = :member",
        ExpressionAttributeValues={":member": {"S": member_id}},
        ScanIndexForward=False,
    )
    return [entry_of(item) for item in items]


def load_partner_entries(
    partner_id: str, month: str, limit: int, after: str | None = None
) -> tuple[list[Entry], str | None]:
    """At most `limit` of a partner's entries of a month (2026-11), as they were booked, and where the next begins."""
    begin: dict[str, Any] = {}
    if after is not None:
        begin = {":after": {"S": after}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            IndexName="partner",
            KeyConditionExpression="partner_pk = :pk" + (" AND partner_sk > :after" if begin else ""),
            ExpressionAttributeValues={":pk": {"S": keys.partner_month(partner_id, month)}, **begin},
            Limit=limit,
        )
    )
    items = answer["Items"]
    more = items[-1]["partner_sk"]["S"] if items and "LastEvaluatedKey" in answer else None
    return [entry_of(item) for item in items], more


def all_partner_entries(partner_id: str, month: str, pages_max: int) -> Iterator[Entry]:
    """All of a partner's entries of a month. Raises TryAgainError beyond `pages_max` megabytes."""
    found = client.query(
        settings.loyalty_table(),
        pages_max=pages_max,
        IndexName="partner",
        KeyConditionExpression="partner_pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.partner_month(partner_id, month)}},
    )
    return (entry_of(item) for item in found)


def operate(
    members: Sequence[str],
    decide: Decide,
    *,
    key: Key,
    fingerprint: str,
    now: datetime,
    reads: Sequence[Key] = (),
    also: Sequence[Write] | Also = (),
    beside: Beside = _nobody,
    shares: bool = True,
    caps: dict[str, int] | None = None,
    refused: Refused = _not_refused,
) -> Outcome:
    """Settle the members' accounts, decide, and write once; or answer from the entry that already stands at `key`.

    `reads` are further items that the decision needs, from the same instant as the accounts. `also`, or what it makes
    of the entries, is written in the same transaction. `beside` names the accounts that the members' own bring in, such
    as a partner's: the decision gets them after the members', at the cost of one more read. So are the members' pools:
    if `shares`, what the decision takes is drawn from there and what comes goes there, and it sees none of that; if
    not, it gets the pools themselves, last. `caps` is filled in with what is left of budgets, by name, before `decide`
    is asked again for entries that draw no more than that. `refused` says what it means to the caller if conditions of
    `also` did not hold. Raises whatever `decide` and `refused` raise, IdempotencyMismatchError if the standing entry
    has another fingerprint, MemberNotFoundError, MemberNotActiveError, and TryAgainError when others kept winning the
    race.
    """
    program = load_program()
    caps = {} if caps is None else caps
    caps.update(budgets.used_up())
    beside = _with_pools(beside, members)
    decide = through_pools(decide) if shares else decide
    stored, items = _load(members, reads)
    for attempt in range(ATTEMPTS_MAX):
        entries: list[Entry] = []
        more: Sequence[Write] | None = None
        try:
            stored = _with_those_beside(stored, len(members), beside)
            entries, more = _planned(decide, _settled(stored, program, now), items, program, now, also)
            is_whole = more is not None
            after = _write(stored, entries, program, more or ())
        except CancelledError as cancelled:
            if more:
                refused(cancelled)
            stored = _current(cancelled, stored)
            standing = _standing(cancelled, entries, key)
            if standing is not None:
                return _replayed(standing, fingerprint, stored, program, now)
            if not (_refilled(cancelled, entries, program, caps) or attempt == 0) or reads:
                stored, items = _load_later(members, reads, attempt)
        except LoyaltyError:
            standing = load_entry(key)
            if standing is None:
                raise
            stored = _caught_up(standing, stored, members, beside)
            return _replayed(standing, fingerprint, stored, program, now)
        else:
            stored = after
            if is_whole:
                return _done(entries, key, stored)
    raise TryAgainError("the account is being changed by others; the same request may be sent again")


def enroll(entry: Entry, also: Sequence[Write], more: Sequence[Entry] = ()) -> Outcome:
    """Write `also`, and a new account with its first entry and `more` that follow it at once.

    Raises CancelledError, which counts `also` from 0.
    """
    program = load_program()
    stored = _opened(entry, [entry, *more], program)
    client.transact([*also, *(_entry_put(one, program) for one in (entry, *more)), _account_put(stored)])
    return Outcome(entry, (stored.account,), replayed=False)


def enroll_together(newcomers: Sequence[tuple[Entry, Sequence[Write]]]) -> bool:
    """Write several new accounts with their first entries, and what goes with each; all or none, and which it was.

    For much work at once: whoever is told of none does each alone, which says what stood in the way.
    """
    program = load_program()
    writes = [write for _, also in newcomers for write in also]
    for entry, _ in newcomers:
        writes += [_entry_put(entry, program), _account_put(_opened(entry, [entry], program))]
    if len(writes) > client.WRITES_TOGETHER_MAX:
        return False
    try:
        client.transact(writes)
    except (LoyaltyError, CancelledError):
        return False
    return True


def book_together(members: Sequence[str], decide: Callable[[Account, Program], Sequence[Entry]], now: datetime) -> bool:
    """Book what `decide` makes of several members' accounts, one by one; all or none, and which it was.

    For much work at once: whoever is told of none does each alone (`operate`), which says what stood in the way: time
    has done something to an account, it was merged, the rules refuse one, others were writing, or it is too much.
    """
    program = load_program()
    try:
        stored, _ = _load(members, ())
        if not all(_is_plain(one.account, program, now) for one in stored):
            return False
        entries = [entry for one in stored for entry in decide(one.account, program)]
        if len(stored) + len(entries) > client.WRITES_TOGETHER_MAX:
            return False
        _write(stored, entries, program, ())
    except (LoyaltyError, CancelledError):
        return False
    return True


def settle_stored(member_id: str, now: datetime, stored: Stored | None = None, *, not_before: date = date.min) -> int:
    """Book what time has done to one account, and move it to its next day in the index `due`, `not_before` a day.

    How many entries were booked; `stored` is the account if it has been read. Raises TryAgainError when others kept
    winning the race.
    """
    program = load_program()
    stored = stored or load_account(member_id)
    booked = 0
    for attempt in range(ATTEMPTS_MAX):
        [settled] = _settled([stored], program, now)
        stands_under = _stands_under(stored.account, program, stored.reminded_on, not_before)
        if not settled.entries and stored.due_on == stands_under:
            return booked
        try:
            [stored] = _write([stored], settled.entries, program, (), not_before)
        except CancelledError:
            client.back_off(attempt)
            stored = load_account(member_id)
            continue
        booked += len(settled.entries)
        if settled.complete:
            return booked
    raise TryAgainError(f"the account {member_id} could not be settled")


def audit(member_id: str, stored: Stored | None = None) -> list[Breach]:
    """The invariants that an account breaks against its whole ledger; none where the index is a moment behind it.

    `stored` is the account if it has been read.
    """
    account = (stored or load_account(member_id)).account
    newest_first = load_whole_history(member_id)
    entries = [entry for entry in reversed(newest_first) if entry.sequence <= account.sequence]
    is_caught_up = bool(entries) and entries[-1].sequence == account.sequence
    return breaches(account, entries) if is_caught_up else []


def replace_account(standing: Item | None, account: Account) -> None:
    """Put an account over the item that stands, if one does: for repairs, which have found that its ledger makes it.

    Raises CancelledError if somebody else has written it since it was read.
    """
    program = load_program()
    today = local_day(account.booked_at, program.time_zone) if account.booked_at else date.min
    reminded_on = date.fromisoformat(standing["reminded_on"]["S"]) if standing else today
    revision = int(standing["revision"]["N"]) if standing else 0
    due = _stands_under(account, program, reminded_on)
    client.transact([_account_put(Stored(account, revision + 1, reminded_on, due))])


def mark_reminded(stored: Stored, through: date) -> bool:
    """Note that reminders through a day are dealt with; False if the account was changed meanwhile."""
    try:
        _write([stored._replace(reminded_on=through)], (), load_program(), ())
    except CancelledError:
        return False
    return True


def due_members(day: date, shard: int, pages_max: int) -> Iterator[str]:
    """Members whose accounts time changes, or who are to be reminded, on `day`; one shard of them."""
    values = {":pk": {"S": f"DUE#{day.isoformat()}#{shard}"}}
    found = client.query(
        settings.loyalty_table(),
        pages_max=pages_max,
        IndexName="due",
        KeyConditionExpression="due_pk = :pk",
        ExpressionAttributeValues=values,
    )
    return (item["due_sk"]["S"] for item in found)


def load_day(name: str) -> date | None:
    """A day noted under a name: how far a scheduled run has come."""
    item = client.get(settings.loyalty_table(), Key("SCHEDULE", name))
    return date.fromisoformat(item["on"]["S"]) if item else None


def note_day(name: str, day: date) -> None:
    """Note how far a scheduled run has come."""
    item = {**client.key_of(Key("SCHEDULE", name)), "on": {"S": day.isoformat()}}
    client.ask(lambda: client.client().put_item(TableName=settings.loyalty_table(), Item=item))


def stock_taken(reward_ids: Iterable[str]) -> dict[str, int]:
    """How many pieces of each limited reward are gone."""
    names = list(reward_ids)
    taken: dict[str, int] = {}
    for start in range(0, len(names), client.READS_TOGETHER_MAX):
        some = names[start : start + client.READS_TOGETHER_MAX]
        items = client.get_together(settings.loyalty_table(), [keys.stock_key(name) for name in some])
        taken |= {name: int(item["taken"]["N"]) if item else 0 for name, item in zip(some, items, strict=True)}
    return taken


# The program ---------------------------------------------------------------------------------------------------------

_PROGRAM_KEY = Key("PROGRAM", "CURRENT")
_program: tuple[float, Program] | None = None


def load_program() -> Program:
    """The current program, from memory for at most `PROGRAM_SECONDS`; the default until a shop stores its own."""
    global _program  # noqa: PLW0603 - what one execution environment remembers
    if _program is None or time.monotonic() - _program[0] > PROGRAM_SECONDS:
        item = client.get(settings.loyalty_table(), _PROGRAM_KEY)
        program = Program.model_validate_json(item["body"]["S"]) if item else default_program()
        _program = (time.monotonic(), program)
    return _program[1]


def forget_program() -> None:
    """Read the program again when next needed."""
    global _program  # noqa: PLW0603
    _program = None
    budgets.forget()


def replace_program(program: Program, version: int, also: Sequence[Write] = ()) -> Program:
    """Store a program over version `version`, with `also`; it becomes the next one, and every version stays.

    Storing again what already followed that version changes nothing. Raises ProgramChangedError if something else did,
    TryAgainError if another write was in the way.
    """
    table = settings.loyalty_table()
    stored = program.model_copy(update={"version": version + 1})
    writes = [client.put_over(table, _PROGRAM_KEY, version if version > 1 else 0, **_body(stored))]
    kept = [default_program(), stored] if version == 1 else [stored]
    writes += [client.put_new(table, Key("PROGRAM", f"VERSION#{one.version}"), **_body(one)) for one in kept]
    if version == 1:
        writes[0]["Put"]["Item"]["revision"] = {"N": "2"}
    try:
        client.transact([*writes, *also])
    except CancelledError as cancelled:
        if not cancelled.failed:
            raise TryAgainError("the program is being replaced; the same request may be sent again") from cancelled
        if not any(item and item["body"] == _body(stored)["body"] for item in cancelled.failed.values()):
            raise ProgramChangedError(f"version {version} is not the current one; read it again") from cancelled
    finally:
        forget_program()
    budgets.apply(stored)
    return stored


# What happens inside an operation ------------------------------------------------------------------------------------


def _load(members: Sequence[str], reads: Sequence[Key]) -> tuple[list[Stored], list[Item | None]]:
    if len(members) == 1 and not reads:
        return [load_account(members[0])], []
    wanted = [*(keys.account_key(member_id) for member_id in members), *reads]
    items = client.get_together(settings.loyalty_table(), wanted)
    stored = [_stored(member_id, item) for member_id, item in zip(members, items, strict=False)]
    return stored, items[len(members) :]


def _with_pools(beside: Beside, members: Sequence[str]) -> Beside:
    """Those that `beside` names, and the pools that the members share in, unless they are named already."""
    return lambda accounts: [*beside(accounts), *(name for name in pools_of(accounts) if name not in members)]


def _with_those_beside(stored: list[Stored], members: int, beside: Beside) -> list[Stored]:
    """The members' accounts and those that they bring in, read if they are not the ones at hand."""
    wanted = list(beside([one.account for one in stored[:members]]))
    if wanted == [one.account.member_id for one in stored[members:]]:
        return stored
    return [*stored[:members], *(_load(wanted, ())[0] if wanted else ())]


def _load_later(members: Sequence[str], reads: Sequence[Key], attempt: int) -> tuple[list[Stored], list[Item | None]]:
    """Wait, then read. Who lost once needs neither: the failure shows the account. Who loses again is in a crowd."""
    client.back_off(attempt)
    return _load(members, reads)


def _stored(member_id: str, item: Item | None) -> Stored:
    if item is None:
        if keys.is_side_account(member_id):
            return Stored(Account(member_id=member_id), 0, date.min)
        raise MemberNotFoundError(f"there is no member {member_id}")
    account = account_of(item)
    due = date.fromisoformat(item["due_pk"]["S"].split("#")[1]) if "due_pk" in item else None
    return Stored(account, int(item["revision"]["N"]), date.fromisoformat(item["reminded_on"]["S"]), due)


def _settled(stored: Sequence[Stored], program: Program, now: datetime) -> list[Settled]:
    entries_max = SETTLE_ENTRIES_MAX // max(1, sum(one.account.sequence > 0 for one in stored))
    return [settle(one.account, program, _instant(now, one.account), entries_max) for one in stored]


def _instant(now: datetime, account: Account) -> datetime:
    """The present, but never before the account's last entry: clocks of two machines differ."""
    return max(now, account.booked_at or now)


def _planned(
    decide: Decide,
    settled: Sequence[Settled],
    items: Sequence[Item | None],
    program: Program,
    now: datetime,
    also: Sequence[Write] | Also,
) -> tuple[list[Entry], Sequence[Write] | None]:
    """What time has done to the accounts and what `decide` makes of them; what else to write, None if it must wait.

    The decision is left for the next transaction while time has done more than one books, or anything if much else is
    to be written.
    """
    accounts = [one.account for one in settled]
    for account in accounts:
        if not account.is_open:
            where = f" into {account.merged_into}" if account.merged_into else ""
            raise MemberNotActiveError(f"the member {account.member_id} was {account.status}{where}")
        now = _instant(now, account)
    of_time = [entry for one in settled for entry in one.entries]
    if not all(one.complete for one in settled):
        return of_time, None
    decided = decide(accounts, items, program, now)
    more = also(decided) if callable(also) else also
    return (of_time, None) if of_time and len(more) > ALSO_TOGETHER_MAX else ([*of_time, *decided], more)


def _write(
    stored: Sequence[Stored],
    entries: Sequence[Entry],
    program: Program,
    also: Sequence[Write],
    not_before: date = date.min,
) -> list[Stored]:
    """Accounts, entries, stock, sums, `also`; nothing for an account that was not there and stays empty."""
    writes: list[Write] = []
    after: list[Stored] = []
    for one in stored:
        account = book_all(one.account, (entry for entry in entries if entry.member_id == one.account.member_id))
        if account.sequence == 0:
            after.append(one)
            continue
        booked_on = local_day(account.booked_at, program.time_zone) if account.booked_at else one.reminded_on
        reminded_on = reminded_through(one.account, program, one.reminded_on, booked_on)
        stands_under = _stands_under(account, program, reminded_on, not_before)
        next_one = Stored(account, one.revision + 1, reminded_on, stands_under)
        writes.append(_account_put(next_one))
        after.append(next_one)
    writes += [_entry_put(entry, program) for entry in entries]
    writes += _stock_writes(entries, program)
    writes += [write for entry in entries for write in _refunded_writes(entry)]
    writes += budgets.draws(entries)
    client.transact([*also, *writes])
    return after


def _opened(first: Entry, entries: Sequence[Entry], program: Program) -> Stored:
    """A new account with its entries."""
    account = book_all(Account(member_id=first.member_id), entries)
    today = local_day(first.recorded_at, program.time_zone)
    return Stored(account, 1, today, due_on(account, program, today))


def _is_plain(account: Account, program: Program, now: datetime) -> bool:
    """Whether an account is open, nobody was merged into it, and time has nothing to book on it."""
    is_settled = not settle(account, program, _instant(now, account), 1).entries
    return account.is_open and not account.merged_from and is_settled


def _stands_under(account: Account, program: Program, reminded_on: date, not_before: date = date.min) -> date | None:
    """The day in the index `due`: not long before the account was last written, for runs may have passed that.

    The day before will do, since runs overlap by weeks, and by the clock of another machine it may still be that.
    """
    due = due_on(account, program, reminded_on)
    if due is None or account.booked_at is None:
        return due
    written_on = max(reminded_on, local_day(account.booked_at, program.time_zone))
    return max(due, written_on - timedelta(days=1), not_before)


def _account_put(stored: Stored) -> Write:
    account = stored.account
    attributes: dict[str, Any] = {
        "state": {"S": account.model_dump_json(exclude_defaults=True)},
        "sequence": {"N": str(account.sequence)},
        "reminded_on": {"S": stored.reminded_on.isoformat()},
    }
    if stored.due_on is not None:
        shard = zlib.crc32(account.member_id.encode()) % settings.due_shards()
        attributes["due_pk"] = {"S": f"DUE#{stored.due_on.isoformat()}#{shard}"}
        attributes["due_sk"] = {"S": account.member_id}
    key = keys.account_key(account.member_id)
    return client.put_over(settings.loyalty_table(), key, stored.revision - 1, **attributes)


def _entry_put(entry: Entry, program: Program) -> Write:
    of_partner: dict[str, Any] = {}
    if entry.partner is not None:
        month = settlement_month(entry, program)
        booked_at = entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
        of_partner["partner_pk"] = {"S": keys.partner_month(entry.partner.partner_id, month)}
        of_partner["partner_sk"] = {"S": f"{booked_at}#{entry.entry_id}"}
    return client.put_new(
        settings.loyalty_table(),
        keys.entry_key(entry),
        member_id={"S": entry.member_id},
        sequence={"N": str(entry.sequence)},
        type={"S": entry.type},
        # What the stream's filter for `follow` looks at.
        **({"follow": {"S": entry.type}} if entry.concerns_others else {}),
        **of_partner,
        **_body(entry),
    )


def _body(record: Entry | Program) -> dict[str, Any]:
    return {"body": {"S": record.model_dump_json(exclude_defaults=True)}}


def _stock_writes(entries: Sequence[Entry], program: Program) -> Iterator[Write]:
    """One write for each reward: what the entries together take from its shelf or put back."""
    for reward_id, change in combined(*(entry.stock for entry in entries)).items():
        update: dict[str, Any] = {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(keys.stock_key(reward_id)),
            "UpdateExpression": "ADD taken :pieces",
            "ExpressionAttributeValues": {":pieces": {"N": str(-change)}},
        }
        reward = program.reward(reward_id)
        if change < 0 and reward is not None and reward.stock is not None:
            untouched = "attribute_not_exists(taken) OR " if reward.stock else ""
            update["ConditionExpression"] = f"{untouched}taken < :stock"
            update["ExpressionAttributeValues"][":stock"] = {"N": str(reward.stock)}
        yield {"Update": update}


def _refunded_writes(entry: Entry) -> Iterator[Write]:
    if entry.refunded is not None:
        item = {**client.key_of(keys.refunded_key(entry.source["order_id"])), "amount": {"N": str(entry.refunded)}}
        yield {"Put": {"TableName": settings.loyalty_table(), "Item": item}}


def _standing(cancelled: CancelledError, entries: Sequence[Entry], key: Key) -> Entry | None:
    """The entry that stood at the operation's own key, if that is what the transaction met."""
    for item in cancelled.failed.values():
        if (
            item
            and (item["pk"]["S"], item["sk"]["S"]) == key
            and any(keys.entry_key(entry) == key for entry in entries)
        ):
            return entry_of(item)
    return None


def _current(cancelled: CancelledError, stored: Sequence[Stored]) -> list[Stored]:
    """The accounts as the failure shows them. Those that it does not are as they were read."""
    met = {item["pk"]["S"]: item for item in cancelled.failed.values() if item and "state" in item}
    accounts = [one.account.member_id for one in stored]
    return [
        _stored(name, met[pk]) if (pk := keys.account_key(name).pk) in met else one
        for name, one in zip(accounts, stored, strict=True)
    ]


def _done(entries: Sequence[Entry], key: Key, stored: Sequence[Stored]) -> Outcome:
    own = next(entry for entry in entries if keys.entry_key(entry) == key)
    return Outcome(own, tuple(one.account for one in stored), replayed=False)


def _caught_up(standing: Entry, stored: list[Stored], members: Sequence[str], beside: Beside) -> list[Stored]:
    """The accounts, read again if an entry is newer than its account: it was booked since, perhaps by this request."""
    is_ahead = any(
        one.account.member_id == standing.member_id and one.account.sequence < standing.sequence for one in stored
    )
    return _with_those_beside(_load(members, ())[0], len(members), beside) if is_ahead else stored


def _refilled(cancelled: CancelledError, entries: Sequence[Entry], program: Program, caps: dict[str, int]) -> bool:
    """Whether budgets stood in the way; then they have been seen to, or `caps` says what is left of them.

    Raises RewardUnavailableError if it was a reward's stock.
    """
    needs = budgets.short(cancelled, entries)
    if needs:
        caps.update(budgets.refill(needs, program))
    else:
        _require_stock(cancelled, entries)
    return bool(needs)


def _require_stock(cancelled: CancelledError, entries: Sequence[Entry]) -> None:
    """Raises RewardUnavailableError if nothing but a reward's stock, which alone shows no item, stood in the way."""
    taken = [reward_id for entry in entries for reward_id, change in entry.stock.items() if change < 0]
    if cancelled.failed and taken and not any(cancelled.failed.values()):
        raise RewardUnavailableError(f"{', '.join(taken)}: none is left")


def _replayed(standing: Entry, fingerprint: str, stored: Sequence[Stored], program: Program, now: datetime) -> Outcome:
    accounts = tuple(one.account for one in _settled(stored, program, now))
    return Outcome(_same(standing, fingerprint, accounts), accounts, replayed=True)


def _same(standing: Entry, fingerprint: str, accounts: Sequence[Account]) -> Entry:
    """The standing entry, if the request that made it was this one."""
    ours = {member_id for account in accounts for member_id in (account.member_id, *account.merged_from)}
    if standing.member_id not in ours:
        if "order_id" in standing.source and standing.type in {"earn", "refund"}:
            raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")
        raise IdempotencyMismatchError("the key was used for another member")
    if standing.fingerprint != fingerprint:
        raise IdempotencyMismatchError("the key was used before with another payload; use a new key for a new request")
    return standing
