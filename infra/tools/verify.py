"""The invariants over a whole table."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from infra.tools.derived_items import Derived, OfEntries, makers_of, name_of
from infra.tools.totals import outstanding
from infra.tools.transaction_groups import Together
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.invariants import breaches
from shared.domain.subaccounts import is_wallet
from shared.tables.accounts import account_of
from shared.tables.client import Key, key_of
from shared.tables.ledger import entry_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX = 5
"""How often an account is read again while others keep writing to it."""

Progress = Callable[[int], None]
View = Callable[[Account], Account]
"""How an account is seen: as it was booked, or as an answer shows it."""


class Violation(NamedTuple):
    """An invariant, by its number, that a member's account breaks, and how."""

    invariant: int
    member_id: str
    detail: str


class Report(NamedTuple):
    """What was looked at, and what is wrong with it."""

    accounts: int
    entries: int
    violations: list[Violation]
    outstanding: int = 0
    """Points that are available, pending or held."""
    credit: int = 0
    """Store credit likewise, in minor units of the program's currency."""

    def first_of_each(self) -> list[Violation]:
        """The first violation of each invariant."""
        firsts: dict[int, Violation] = {}
        for violation in self.violations:
            firsts.setdefault(violation.invariant, violation)
        return [firsts[number] for number in sorted(firsts)]


def as_booked(account: Account) -> Account:
    """The account as its last entry left it."""
    return account


def check(
    client: "DynamoDBClient", loyalty_table: str, progress: Progress | None = None, view: View = as_booked
) -> Report:
    """Check every account against all its entries, what is kept beside them (refunds of an order, stock, budgets), and
    that whatever moved between accounts stands on both sides. What is outstanding is added up of sound accounts as
    `view` shows them, and of others as booked.

    Memory grows with the number of members and of refunded orders, not with the ledger. `progress` is told of each
    account. What is wrong with the table as a whole is looked at again, in case others are writing to it.
    """
    table = _Table(client, loyalty_table)
    for _ in range(READS_MAX):
        report, of_table = _check_once(table, progress, view)
        if not of_table:
            break
    return report._replace(violations=[*report.violations, *of_table])


def _check_once(table: "_Table", progress: Progress | None, view: View) -> tuple[Report, list[Violation]]:
    derived, of_entries, together = Derived(), OfEntries(), Together()
    members, seen, entries, points, credit = [], 0, 0, 0, 0
    for item in table.items():
        if item["sk"]["S"] == "ACCOUNT":
            members.append(item["pk"]["S"].removeprefix("MEMBER#"))
        elif "type" in item:
            seen += 1
            together.take(item)
        else:
            derived.take(item)
    violations: list[Violation] = []
    for number, member_id in enumerate(sorted(members), start=1):
        found, account, ledger = _check_member(table, member_id)
        violations += found
        entries += len(ledger)
        if account is not None:
            held = outstanding(account if found else view(account))
            points, credit = (points, credit + held) if is_wallet(member_id) else (points + held, credit)
        of_entries.take(ledger)
        if progress:
            progress(number)
    of_table = [
        Violation(3, "", f"{name} is {holds}, {makers_of(name)} make {made}")
        for name, holds, made in derived.all_wrong(of_entries)
    ]
    of_table += [
        Violation(5, one.member_id, f"entry {one.entry_id} stands without {name_of(key)}, written with it")
        for key, one in together.alone.items()
        if not table.has(key)
    ]
    if entries < seen:
        of_table.append(Violation(3, "", f"{seen - entries} entries belong to no account"))
    return Report(len(members), entries, violations, points, credit), of_table


class _Table:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def items(self) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def has(self, place: Key) -> bool:
        found = self._client.get_item(TableName=self._name, Key=key_of(place), ConsistentRead=True)
        return "Item" in found

    def account(self, member_id: str) -> Account:
        key: Any = {"pk": {"S": f"MEMBER#{member_id}"}, "sk": {"S": "ACCOUNT"}}
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)["Item"]
        return account_of(item)

    def ledger(self, member_id: str) -> list[Entry]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName="history",
            KeyConditionExpression="member_id = :member",
            ExpressionAttributeValues={":member": {"S": member_id}},
        )
        return [entry_of(item) for page in pages for item in page["Items"]]


def _check_member(table: _Table, member_id: str) -> tuple[list[Violation], Account | None, list[Entry]]:
    """An account under traffic is looked at again until its entries were read as they stood with it."""
    for _ in range(READS_MAX):
        try:
            account, ledger = table.account(member_id), table.ledger(member_id)
        except ValidationError as error:
            return [Violation(4, member_id, f"the stored account or an entry cannot be read: {error}")], None, []
        if not ledger or ledger[-1].sequence == account.sequence:
            break
    return (
        [Violation(breach.invariant, member_id, breach.detail) for breach in breaches(account, ledger)],
        account,
        ledger,
    )
