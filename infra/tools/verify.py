"""The invariants over a whole table."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from infra.tools import closed_months, parts, segments
from infra.tools.closed_months import Closings, Proof, Sums
from infra.tools.derived_items import Derived, OfEntries, makers_of, name_of
from infra.tools.parts import Part, Run, Tell
from infra.tools.totals import outstanding
from infra.tools.transaction_groups import Together
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.invariants import breaches
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.subaccounts import is_wallet
from shared.tables import client as database
from shared.tables import programs
from shared.tables.accounts import account_of
from shared.tables.client import Item, Key, key_of
from shared.tables.ledger import entry_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX = 5
"""How often an account is read again while others keep writing to it."""
ACCOUNTS_A_PART = 500

View = Callable[[Account], Account]
"""How an account is seen: as it was booked, or as an answer shows it."""


_OF_CLOSED_MONTHS = 6
"""The invariant of the table as a whole: what counts in a closed month is as it was when the month was closed."""


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


def check(client: "DynamoDBClient", loyalty_table: str, view: View = as_booked) -> Report:
    """Check every account against all its entries, what is kept beside them (refunds of an order, stock, budgets), and
    that whatever moved between accounts stands on both sides. What is outstanding is added up of sound accounts as
    `view` shows them, and of others as booked.

    Memory grows with the number of members and of refunded orders, not with the ledger. What is wrong with the table
    as a whole is looked at again, in case others are writing to it.
    """
    table = _Table(client, loyalty_table)

    def check_once(_: int) -> _Checked:
        looked = _look(table, table.pages())
        proof = _proof_of([looked])
        checked = _check_members(table, looked["accounts"], view, proof.closings(), parts.nobody)
        return _checked([looked], proof, [checked], lambda numbers: _find(table, looked["accounts"], numbers))

    return _checked_until_still(check_once)


def check_by_parts(client: "DynamoDBClient", loyalty_table: str, run: Run) -> Report:
    """As `check`, by the run's workers and as of its instant. The run is told of each account.

    Memory grows with the number of orders that were refunded or paid with points, not with that of members.
    """
    of_table = segments.segments(client, loyalty_table, run)

    def check_once(attempt: int) -> _Checked:
        looked = run.through(f"items-{attempt}", look_part, of_table)

        def of_accounts(**more: Any) -> Iterator[Part]:  # noqa: ANN401 - JSON
            for some in (some for one in looked for some in _some_of(one["accounts"])):
                yield {"name": f"accounts from {some[0]} on", "table": loyalty_table, "members": some, **more}

        def find(numbers: Mapping[str, str]) -> Iterator[Any]:
            found = run.telling(parts.nobody).through(f"changed-{attempt}", find_part, of_accounts(numbers=numbers))
            return (one for some in found for one in some)

        proof = _proof_of(looked)
        checks = of_accounts(now=run.now.isoformat(), closings=proof.closings().as_json())
        return _checked(looked, proof, run.through(f"accounts-{attempt}", check_part, checks), find)

    return _checked_until_still(check_once)


def look_part(part: Part, _: Tell) -> Any:  # noqa: ANN401 - JSON
    """What stands in a segment of a table: its accounts, how many entries, and what is kept beside them."""
    return _look(_Table(database.client(), part["table"]), segments.pages(part, ConsistentRead=True))


def check_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """What is wrong with some members, what they hold at `now`, and what their entries make."""
    program, now = programs.load_program(), datetime.fromisoformat(part["now"])
    table = _Table(database.client(), part["table"])
    closings = closed_months.closings_of(part["closings"])
    return _check_members(table, part["members"], lambda account: up_to_date(account, program, now), closings, tell)


def find_part(part: Part, _: Tell) -> Any:  # noqa: ANN401 - JSON
    """Which entries of some members have one of `numbers`: member, entry, and what the number stands for."""
    return list(_find(_Table(database.client(), part["table"]), part["members"], part["numbers"]))


class _Member(NamedTuple):
    """What is wrong with an account, and what was read of it: nothing if it cannot be read."""

    violations: list[Violation]
    account: Account | None = None
    ledger: Sequence[Entry] = ()
    items: Sequence[Item] = ()


class _Checked(NamedTuple):
    """What was found of the accounts, and what is wrong with the table as a whole."""

    report: Report
    of_table: list[Violation]


def _checked_until_still(check_once: Callable[[int], _Checked]) -> Report:
    for attempt in range(READS_MAX):
        report, of_table = check_once(attempt)
        if not of_table:
            break
    return report._replace(violations=[*report.violations, *of_table])


def _checked(
    looked: Iterable[Any], proof: Proof, checked: Iterable[Any], find: Callable[[Mapping[str, str]], Iterable[Any]]
) -> _Checked:
    """All that was found, put together. `proof` is of what was looked at, `find` finds entries by their numbers."""
    derived, of_entries, sums = Derived(), OfEntries(), Counter[str]()
    alone: list[Violation] = []
    violations: list[Violation] = []
    for one in looked:
        derived.add(one["derived"])
        alone += (Violation(*violation) for violation in one["alone"])
        sums.update(accounts=len(one["accounts"]), seen=one["entries"])
    closed = dict[str, Sums]()
    for one in checked:
        of_entries.add(one["made"])
        closed_months.add_all(closed, one["closed"])
        violations += (Violation(*violation) for violation in one["violations"])
        sums.update(one["sums"])
    of_table = [
        Violation(3, "", f"{name} is {holds}, {makers_of(name)} make {made}")
        for name, holds, made in derived.all_wrong(of_entries)
    ]
    of_table += alone
    if sums["entries"] < sums["seen"]:
        of_table.append(Violation(3, "", f"{sums['seen'] - sums['entries']} entries belong to no account"))
    violations += _of_closed_months(proof, closed, find)
    violations.sort(key=lambda violation: violation.member_id)
    report = Report(sums["accounts"], sums["entries"], violations, sums["points"], sums["credit"])
    return _Checked(report, of_table)


def _proof_of(looked: Iterable[Any]) -> Proof:
    proof = Proof()
    for one in looked:
        proof.add(one["proof"])
    return proof


def _of_closed_months(
    proof: Proof, sums: Mapping[str, Sums], find: Callable[[Mapping[str, str]], Iterable[Any]]
) -> Iterator[Violation]:
    wrong, numbers = proof.changed(sums)
    yield from (Violation(_OF_CLOSED_MONTHS, "", detail) for detail in wrong)
    if numbers:
        for member_id, entry_id, month in find(numbers):
            detail = f"entry {entry_id} is not as it was when {month} was closed"
            yield Violation(_OF_CLOSED_MONTHS, member_id, detail)


def _look(table: "_Table", pages: Iterable[Sequence[Item]]) -> dict[str, Any]:
    derived, together, proof = Derived(), Together(), Proof()
    members, entries = [], 0
    for item in chain.from_iterable(pages):
        if item["sk"]["S"] == "ACCOUNT":
            members.append(item["pk"]["S"].removeprefix("MEMBER#"))
        elif "type" in item:
            entries += 1
            together.take(item)
        else:
            derived.take(item)
            proof.take(item)
    alone = [
        Violation(5, one.member_id, f"entry {one.entry_id} stands without {name_of(key)}, written with it")
        for key, one in together.alone.items()
        if not table.has(key)
    ]
    found = {"derived": derived.as_json(), "proof": proof.as_json(), "alone": alone}
    return {"accounts": sorted(members), "entries": entries, **found}


def _check_members(
    table: "_Table", members: Iterable[str], view: View, closings: Closings, tell: Tell
) -> dict[str, Any]:
    of_entries, sums, closed = OfEntries(), Counter[str](), defaultdict[str, Sums](Sums)
    violations: list[Violation] = []
    for member_id in members:
        found, account, ledger, items = _check_member(table, member_id)
        violations += found
        of_entries.take(ledger)
        for month, item in closed_months.by_month(items, ledger, closings):
            closed[month].take(item)
        sums["entries"] += len(ledger)
        if account is not None:
            sums["credit" if is_wallet(member_id) else "points"] += outstanding(account if found else view(account))
        tell(1)
    in_months = {month: one.as_json() for month, one in closed.items()}
    return {"violations": violations, "made": of_entries.as_json(), "sums": sums, "closed": in_months}


def _find(table: "_Table", members: Iterable[str], numbers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for member_id in members:
        for item in table.ledger(member_id):
            month = numbers.get(str(closed_months.number_of(item)))
            if month is not None:
                yield member_id, f"{member_id}-{item['sequence']['N']}", month


def _some_of(members: Sequence[str]) -> Iterator[Sequence[str]]:
    return (members[start : start + ACCOUNTS_A_PART] for start in range(0, len(members), ACCOUNTS_A_PART))


class _Table:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def pages(self) -> Iterator[Sequence[Item]]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        return (page["Items"] for page in pages)

    def has(self, place: Key) -> bool:
        found = self._client.get_item(TableName=self._name, Key=key_of(place), ConsistentRead=True)
        return "Item" in found

    def account(self, member_id: str) -> Account:
        key: Any = {"pk": {"S": f"MEMBER#{member_id}"}, "sk": {"S": "ACCOUNT"}}
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)["Item"]
        return account_of(item)

    def ledger(self, member_id: str) -> list[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName="history",
            KeyConditionExpression="member_id = :member",
            ExpressionAttributeValues={":member": {"S": member_id}},
        )
        return [item for page in pages for item in page["Items"]]


def _check_member(table: _Table, member_id: str) -> _Member:
    """An account under traffic is looked at again until its entries were read as they stood with it."""
    for _ in range(READS_MAX):
        try:
            account, items = table.account(member_id), table.ledger(member_id)
            ledger = list(map(entry_of, items))
        except ValidationError as error:
            return _Member([Violation(4, member_id, f"the stored account or an entry cannot be read: {error}")])
        if not ledger or ledger[-1].sequence == account.sequence:
            break
    found = [Violation(breach.invariant, member_id, breach.detail) for breach in breaches(account, ledger)]
    return _Member(found, account, ledger, items)
