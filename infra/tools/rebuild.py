"""`loyalty rebuild`: a restored table made whole from its ledger, while nobody else writes to it.

Each account becomes what its entries make, and so do the sums kept beside accounts. Nothing is guessed: an entry that
is missing stays missing, is named, and its effect leaves the account. Entries after a missing one were decided
on what the ledger no longer shows; they are withdrawn only if a file is given to keep them. Each run works out anew
from the table what is to be done: after a crash, run it again; a run that finds nothing writes nothing.
"""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from infra.errors import LocalError
from infra.tools.aggregates import put_right
from infra.tools.consistent_prefix import Place, Restored
from infra.tools.derived_items import OfEntries
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.ledger import BrokenLedgerError, book_all
from shared.tables import accounts, keys, ledger, upkeep
from shared.tables.client import CancelledError, Item, Key, get, key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKERS = 8


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


def rebuild(
    client: "DynamoDBClient",
    table: str,
    *,
    writes: bool,
    withdrawn_to: Path | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Report:
    """Make a table whole, or with `writes` False say what would be done. The environment names the same table.

    `withdrawn_to` is appended to. Raises LocalError if somebody else writes to the table.
    """
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    restored = Restored((item for page in pages for item in page["Items"]), lambda key: get(table, key))
    kept, why = restored.kept()
    found: list[_Found] = []
    of_entries = OfEntries()
    job = _Rebuild(client, table, restored, withdrawn_to if writes else None, writes=writes)
    withdraws = withdrawn_to is not None

    def see_to(member_id: str) -> _Found:
        return job.see_to(member_id, kept[member_id], why.get(member_id), withdraws=withdraws)

    with ThreadPoolExecutor(WORKERS) as workers:
        for one in workers.map(see_to, restored.members):
            of_entries.take(one.ledger)
            found.append(one._replace(ledger=[]))
            progress()
    sums = put_right(client, table, restored.derived, of_entries, writes=writes)
    return Report(
        accounts=len(restored.accounts),
        put_right=(*(line for one in found for line in one.put_right), *sums.put_right),
        lost=tuple(line for one in found for line in one.lost),
        withdrawn=tuple(_line(entry, why[entry.member_id]) for one in found for entry in one.withdrawn),
        left=(*(line for one in found for line in one.left), *sums.left),
    )


class _Rebuild:
    """One run over a table."""

    def __init__(
        self, client: "DynamoDBClient", table: str, restored: Restored, keeps: Path | None, *, writes: bool
    ) -> None:
        self._client, self._table = client, table
        self._restored = restored
        self._keeps = keeps
        self._writes = writes

    def see_to(self, member_id: str, kept: int, why: str | None, *, withdraws: bool) -> _Found:
        ledger = self._ledger(member_id)
        standing_at = self._restored.standing_sequence(member_id)
        present = self._restored.sequences[member_id]
        lost = [f"{Place(member_id, number)}" for number in range(1, standing_at + 1) if number not in present]
        if why and not withdraws:
            return _Found([], lost, [], [f"{member_id}: {why}; {len(ledger) - kept} entries follow it"], ledger)
        staying, beyond = ledger[:kept], ledger[kept:]
        if self._writes and beyond:
            self._withdraw(beyond)
        try:
            changed = self._put_account(member_id, staying)
        except BrokenLedgerError as error:
            return _Found([], lost, beyond, [f"{member_id}: the entries cannot be replayed: {error}"], staying)
        return _Found([changed] if changed else [], lost, beyond, [], staying)

    def _ledger(self, member_id: str) -> list[Entry]:
        """All entries, the oldest first. Raises LocalError if the index has not all that the table has."""
        oldest_first = ledger.load_whole_history(member_id)[::-1]
        if {entry.sequence for entry in oldest_first} != self._restored.sequences[member_id]:
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
            self._client.delete_item(
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
            self._client.delete_item(TableName=self._table, Key=key_of(key))


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
