"""`loyalty rebuild`: a restored table made whole from its ledger, while nobody else writes to it.

Each account becomes what its entries make, and so do the sums kept beside accounts. Nothing is guessed: an entry that
is missing stays missing, is named, and its effect leaves the account. Entries after a missing one were decided
on what the ledger no longer shows; they are withdrawn only if a file is given to keep them. Each run works out anew
from the table what is to be done: after a crash, run it again; a run that finds nothing writes nothing.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from infra.errors import LocalError
from infra.tools.aggregates import put_right
from infra.tools.consistent_prefix import Place, Restored
from infra.tools.derived_items import OfEntries
from infra.tools.parts import Part, Run, Tell
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import BrokenLedgerError, book_all
from shared.tables import accounts, keys, ledger, upkeep
from shared.tables import client as database
from shared.tables.client import CancelledError, Item, Key, get, key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKERS = 8
"""Threads of a process: each waits for the database most of its time."""
MEMBERS_A_PART = 500


class Report(NamedTuple):
    """What a rebuild found, one line for each: put right, lost, withdrawn, and what it cannot put right."""

    accounts: int
    put_right: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class _Found(NamedTuple):
    """What is the matter with one member: lines for the report, the entries to withdraw, those that stay."""

    put_right: list[str]
    lost: list[str]
    withdrawn: list[Entry]
    left: list[str]
    ledger: list[Entry]


class _Told(NamedTuple):
    """What the scan of the table says of a member: how many entries can be kept, and why no more, if there are."""

    member_id: str
    kept: int
    why: str | None
    standing_at: int
    """How many entries the stored account has booked."""
    present: list[tuple[int, int]]
    """The entries that are there, from which to which."""

    @property
    def sequences(self) -> set[int]:
        """The numbers of the entries that are there."""
        return {number for first, last in self.present for number in range(first, last + 1)}


def rebuild(
    client: "DynamoDBClient", table: str, run: Run, *, writes: bool, withdrawn_to: Path | None = None
) -> Report:
    """Make a table whole, or with `writes` False say what would be done. The environment names the same table.

    `withdrawn_to` is appended to. The run is told of each account. Raises LocalError if somebody else writes to the
    table.
    """
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    restored = Restored((item for page in pages for item in page["Items"]), lambda key: get(table, key))
    of_all = {"table": table, "writes": writes, "withdrawn_to": str(withdrawn_to.resolve()) if withdrawn_to else None}
    parts = ({"name": f"accounts from {some[0].member_id} on", "members": some, **of_all} for some in _told(restored))
    found, of_entries = run.through("members", rebuild_part, parts), OfEntries()
    lines: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda one: str(one["first"])):
        of_entries.add(one["made"])
        for kind, more in one["lines"].items():
            lines.setdefault(kind, []).extend(more)
    sums = put_right(client, table, restored.derived, of_entries, writes=writes)
    return Report(
        accounts=len(restored.accounts),
        put_right=(*lines.get("put_right", ()), *sums.put_right),
        lost=tuple(lines.get("lost", ())),
        withdrawn=tuple(lines.get("withdrawn", ())),
        left=(*lines.get("left", ()), *sums.left),
    )


def rebuild_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Make some members' accounts whole: lines for the report, and what the entries make that stay."""
    of_entries = OfEntries()
    lines: dict[str, list[str]] = {"put_right": [], "lost": [], "withdrawn": [], "left": []}
    members = [_Told(*told) for told in part["members"]]
    job = _Rebuild(part["table"], Path(part["withdrawn_to"]) if part["withdrawn_to"] else None, writes=part["writes"])
    with ThreadPoolExecutor(WORKERS) as workers:
        for told, one in zip(members, workers.map(job.see_to, members), strict=True):
            of_entries.take(one.ledger)
            lines["put_right"] += one.put_right
            lines["lost"] += one.lost
            lines["withdrawn"] += (_line(entry, str(told.why)) for entry in one.withdrawn)
            lines["left"] += one.left
            tell(1)
    return {"first": members[0].member_id, "lines": lines, "made": of_entries.as_json()}


def _told(restored: Restored) -> Iterator[list[_Told]]:
    """What was found of all members, of some at a time."""
    kept, why = restored.kept()
    members = iter(restored.members)
    while some := list(islice(members, MEMBERS_A_PART)):
        yield [
            _Told(
                name,
                kept[name],
                why.get(name),
                restored.standing_sequence(name),
                list(_ranges(sorted(restored.sequences[name]))),
            )
            for name in some
        ]


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers, as those that follow one another, from which to which."""
    for _, some in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in some]
        yield run[0], run[-1]


class _Rebuild:
    """A run over the members of a part of a table; without a file, nothing is withdrawn."""

    def __init__(self, table: str, keeps: Path | None, *, writes: bool) -> None:
        self._table, self._keeps, self._writes = table, keeps, writes

    def see_to(self, told: _Told) -> _Found:
        member_id, kept, present = told.member_id, told.kept, told.sequences
        ledger = self._ledger(member_id, present)
        lost = [f"{Place(member_id, number)}" for number in range(1, told.standing_at + 1) if number not in present]
        if told.why and not self._keeps:
            return _Found([], lost, [], [f"{member_id}: {told.why}; {len(ledger) - kept} entries follow it"], ledger)
        staying, beyond = ledger[:kept], ledger[kept:]
        if self._writes and beyond:
            self._withdraw(beyond)
        try:
            changed = self._put_account(member_id, staying)
        except BrokenLedgerError as error:
            return _Found([], lost, beyond, [f"{member_id}: the entries cannot be replayed: {error}"], staying)
        return _Found([changed] if changed else [], lost, beyond, [], staying)

    def _ledger(self, member_id: str, present: set[int]) -> list[Entry]:
        """All entries, the oldest first. Raises LocalError if the index has not all that the table has."""
        oldest_first = ledger.load_whole_history(member_id)[::-1]
        if {entry.sequence for entry in oldest_first} != present:
            raise LocalError(
                f"the index history does not have the entries of {member_id} that the table has: "
                "wait until the restored table is ACTIVE, and let nobody write to it"
            )
        return oldest_first

    def _put_account(self, member_id: str, ledger: Sequence[Entry]) -> str | None:
        """Make the account what the ledger makes; what changed about it, None if nothing."""
        key = keys.account_key(member_id)
        existing = get(self._table, key)
        made = book_all(Account(member_id=member_id), ledger)
        if existing is not None and _is_same(existing, made):
            return None
        if existing is None and not ledger:
            return None
        if self._writes:
            try:
                self._write_account(key, existing, made)
            except (CancelledError, ClientError) as error:
                if isinstance(error, ClientError) and not _is_refused(error):
                    raise
                raise LocalError(f"somebody else is writing to {member_id}: let nobody, and rebuild again") from error
        if not ledger:
            return f"{member_id}: the account is gone, since it has no entry that can be kept"
        before = "missing" if existing is None else f"at entry {existing['sequence']['N']}"
        return f"{member_id}: the account, {before}, is rebuilt from {len(ledger)} entries: balance {made.balance}"

    def _write_account(self, key: Key, existing: Item | None, made: Account) -> None:
        if made.sequence:
            upkeep.replace_account(existing, made)
        elif existing is not None:
            database.client().delete_item(
                TableName=self._table,
                Key=key_of(key),
                ConditionExpression="revision = :read",
                ExpressionAttributeValues={":read": existing["revision"]},
            )

    def _withdraw(self, entries: Sequence[Entry]) -> None:
        """Take entries out of the table, the newest first, once they are in the file."""
        places = [keys.entry_key(entry) for entry in reversed(entries)]
        if self._keeps is None:
            raise AssertionError("nothing is withdrawn without a file to keep it")
        _append(self._keeps, [get(self._table, key) for key in places])
        for key in places:
            database.client().delete_item(TableName=self._table, Key=key_of(key))


def _is_refused(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def _is_same(existing: Item, made: Account) -> bool:
    is_numbered = int(existing["sequence"]["N"]) == made.sequence
    return (
        is_numbered and accounts.account_of(existing).as_known().model_dump_json() == made.as_known().model_dump_json()
    )


def _line(entry: Entry, why: str) -> str:
    key = keys.entry_key(entry)
    return f"{entry.entry_id} ({entry.type} of {entry.points} points, {key.pk} {key.sk}): {why}"


def _append(path: Path, items: Sequence[Item | None]) -> None:
    """Items as lines of JSON; they are on the disk when this returns."""
    lines = "".join(f"{json.dumps(item, sort_keys=True)}\n" for item in items if item is not None)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, lines.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
