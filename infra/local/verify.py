"""The invariants over a whole table."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from shared.domain.account import Account, Entry
from shared.domain.invariants import breaches
from shared.domain.sides import is_wallet
from shared.keys import refunded_key, stock_key
from shared.store import entry_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX = 5
"""How often an account is read again while others keep writing to it."""

Progress = Callable[[int], None]


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
    """Points that are available, pending or held, as booked."""

    def first_of_each(self) -> list[Violation]:
        """The first violation of each invariant."""
        firsts: dict[int, Violation] = {}
        for violation in self.violations:
            firsts.setdefault(violation.invariant, violation)
        return [firsts[number] for number in sorted(firsts)]


def check(client: "DynamoDBClient", loyalty_table: str, progress: Progress | None = None) -> Report:
    """Check every account against all its entries, and the sums kept beside them (an order's refunds, rewards taken).

    Memory grows with the number of members and of refunded orders, not with the ledger. `progress` is told of each
    account. What is wrong with the table as a whole is looked at again, in case others are writing to it.
    """
    table = _Table(client, loyalty_table)
    for _ in range(READS_MAX):
        report, of_table = _check_once(table, progress)
        if not of_table:
            break
    return report._replace(violations=[*report.violations, *of_table])


def _check_once(table: "_Table", progress: Progress | None) -> tuple[Report, list[Violation]]:
    sums, expected = Counter[str](), Counter[str]()
    members, seen, entries, outstanding = [], 0, 0, 0
    for item in table.items():
        if item["sk"]["S"] == "ACCOUNT":
            members.append(item["pk"]["S"].removeprefix("MEMBER#"))
        elif "type" in item:
            seen += 1
        elif item["sk"]["S"] in {"REFUNDED", "STOCK"}:
            sums["#".join((item["pk"]["S"], item["sk"]["S"]))] = _sum_of(item)
        elif item["sk"]["S"] in {"TOTAL", "SLICE"}:
            sums.update(_spent_of(item))
    violations: list[Violation] = []
    for number, member_id in enumerate(sorted(members), start=1):
        found, account, ledger = _check_member(table, member_id)
        violations += found
        entries += len(ledger)
        if account is not None and not is_wallet(account.member_id):
            outstanding += account.balance + account.pending_points + account.held_points
        expected.update(_sums_of(ledger))
        if progress:
            progress(number)
    of_table = [
        Violation(3, "", f"{name} is {sums[name]}, the entries make {expected[name]}")
        for name in sorted(set(sums) | set(expected))
        if sums[name] != expected[name]
    ]
    if entries < seen:
        of_table.append(Violation(3, "", f"{seen - entries} entries belong to no account"))
    return Report(len(members), entries, violations, outstanding), of_table


class _Table:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def items(self) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def account(self, member_id: str) -> Account:
        key: Any = {"pk": {"S": f"MEMBER#{member_id}"}, "sk": {"S": "ACCOUNT"}}
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)["Item"]
        return Account.model_validate_json(item["state"]["S"])

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


def _sum_of(item: Mapping[str, Any]) -> int:
    return int(item["amount" if item["sk"]["S"] == "REFUNDED" else "taken"]["N"])


def _spent_of(item: Mapping[str, Any]) -> dict[str, int]:
    """What an item says of how much of its budget is spent: its total, less whatever is left in any of its items."""
    pk, total = item["pk"]["S"], int(item["budgeted"]["N"]) if "budgeted" in item else 0
    name = pk if item["sk"]["S"] == "TOTAL" else pk.rpartition("#")[0]
    return {name: total - int(item["remaining"]["N"])}


def _sums_of(ledger: list[Entry]) -> Counter[str]:
    sums = Counter[str]()
    refunded: dict[str, int] = {}
    for entry in ledger:
        if entry.refunded is not None:
            name = "#".join(refunded_key(entry.source["order_id"]))
            refunded[name] = max(entry.refunded, refunded.get(name, 0))
        sums.update({f"BUDGET#{name}": points for name, points in entry.budgets.items()})
        for reward_id, change in entry.stock.items():
            sums["#".join(stock_key(reward_id))] -= change
    sums.update(refunded)
    return sums
