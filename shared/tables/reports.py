"""Reports on the whole ledger, as a job has stored them, and months that are closed.

A month's statement is a head and pages of lines: a shop with many pools has more lines than an item holds. A closed
month is an attribute of its statement's head, so that neither can be replaced.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from shared import settings
from shared.domain.fields import Instant, Stored
from shared.tables import client, partitions, records
from shared.tables.client import Item, Key

STATEMENTS, INSIGHTS, CLOSED = "STATEMENTS", "INSIGHTS", "closed"
LINES_A_PAGE = 100
_PAGES_MAX = 1000
"""Megabytes of pages: more than any shop has pools."""


class ReportLine(Stored):
    """A number of a statement: of what, in units, in minor units of money, and which question to the lake it answers.

    A line of the journal has an amount, and what to debit and credit.
    """

    section: str
    subject: str = ""
    line: str
    units: int | None = None
    amount: int | None = None
    query: str = ""
    debit: str = ""
    credit: str = ""


class StatementHead(Stored):
    """A month's statement without its lines: as of when, of how many lines, and why it is provisional, if it is."""

    month: str
    currency: str
    as_of: Instant
    provisional: str = ""
    lines: int


class StatementPage(Stored):
    """Some of a statement's lines."""

    lines: tuple[ReportLine, ...]


class ClosedMonth(Stored):
    """A month that is closed: from when to before when, which entries count in it, and what its statement says.

    What is booked after `as_of` counts in later months. `entries` and `fingerprint` are of those that count in this
    one, `locators` find one of them that was changed, and `statement` is the digest of the statement. `hash` covers all
    of that and `previous`, the hash of the month before.
    """

    month: str
    from_at: Instant
    to_at: Instant
    as_of: Instant
    entries: int
    fingerprint: str
    locators: tuple[str, ...]
    statement: str
    previous: str
    hash: str


class Report(Stored):
    """A table of texts, by the name of the report, with the question to the lake that it answers."""

    report: str
    title: str
    as_of: Instant
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    query: str


def load_statement(month: str) -> tuple[StatementHead, ClosedMonth | None] | None:
    """The head of a month's statement, and how the month was closed, if it is; None if no statement was stored."""
    item = client.get(settings.loyalty_table(), Key(STATEMENTS, month))
    return (records.read(StatementHead, item), closed_of(item)) if item else None


def load_lines(head: StatementHead, first: int, limit: int) -> list[ReportLine] | None:
    """At most `limit` lines from one on; None if the statement was stored anew meanwhile."""
    found: list[ReportLine] = []
    end = min(first + limit, head.lines)
    for number in range(first // LINES_A_PAGE, -(-end // LINES_A_PAGE)):
        item = client.get(settings.loyalty_table(), _page_key(head, number))
        if item is None:
            return None
        found += records.read(StatementPage, item).lines
    return found[first % LINES_A_PAGE :][: end - first]


def store_statement(head: StatementHead, lines: Sequence[ReportLine], closed: ClosedMonth | None = None) -> bool:
    """Store a month's statement in place of the one that is stored, unless the month is closed; whether it was stored.

    With `closed`, which names the statement's digest, the month is closed by the same write. Whoever reads meanwhile
    finds the one statement or the other: the pages come first, and those of before go last.
    """
    table, version = settings.loyalty_table(), _version(head)
    known = load_statement(head.month)
    if known is not None and known[1] is not None:
        return False
    first, *pages = _statement_items(head, lines)
    if closed is not None:
        first |= records.attributes(closed, CLOSED)
    for page in pages:
        _put(table, page)
    is_stored = client.put_if(table, first, f"attribute_not_exists({CLOSED})")
    for old in partitions.items(table, f"{STATEMENTS}#{head.month}", pages_max=_PAGES_MAX):
        if old["sk"]["S"].startswith(version) != is_stored:
            _delete(table, old)
    return is_stored


def statement_digest(head: StatementHead, lines: Sequence[ReportLine]) -> str:
    """The digest that a statement has once it is stored."""
    return whole_digest(map(digest, _statement_items(head, lines)))


def digest(item: Item) -> str:
    """The digest of one item of a statement, with its place."""
    text = "\n".join((item["pk"]["S"], item["sk"]["S"], item["body"]["S"]))
    return sha256(text.encode()).hexdigest()


def whole_digest(digests: Iterable[str]) -> str:
    """The digest of a statement, from those of its items."""
    return sha256("\n".join(sorted(digests)).encode()).hexdigest()


def closed_months() -> Iterator[ClosedMonth]:
    """Every closed month, the first one first."""
    items = partitions.items(settings.loyalty_table(), STATEMENTS)
    return (closed for item in items if (closed := closed_of(item)))


def closed_of(item: Item) -> ClosedMonth | None:
    """How the month was closed whose statement's head an item is; None if it is open."""
    return records.read(ClosedMonth, item, CLOSED) if CLOSED in item else None


def load_report(name: str) -> Report | None:
    """A report as it was stored last; None if none of that name was."""
    item = client.get(settings.loyalty_table(), Key(INSIGHTS, name))
    return records.read(Report, item) if item else None


def store_reports(made: Sequence[Report]) -> None:
    """Store reports in place of all that are stored."""
    table, names = settings.loyalty_table(), {report.report for report in made}
    for report in made:
        _put(table, _item(Key(INSIGHTS, report.report), report))
    for old in partitions.items(table, INSIGHTS):
        if old["sk"]["S"] not in names:
            _delete(table, old)


def _statement_items(head: StatementHead, lines: Sequence[ReportLine]) -> list[dict[str, Any]]:
    """The head's item, and those of the pages."""
    starts = range(0, len(lines), LINES_A_PAGE)
    pages = [StatementPage(lines=tuple(lines[start : start + LINES_A_PAGE])) for start in starts]
    items = [_item(_page_key(head, number), page) for number, page in enumerate(pages)]
    return [_item(Key(STATEMENTS, head.month), head), *items]


def _page_key(head: StatementHead, number: int) -> Key:
    return Key(f"{STATEMENTS}#{head.month}", f"{_version(head)}{number:05}")


def _version(head: StatementHead) -> str:
    return f"{head.as_of.isoformat(timespec='microseconds')}#"


def _item(key: Key, record: Stored) -> dict[str, Any]:
    return {**client.key_of(key), **records.attributes(record)}


def _put(table: str, item: Item) -> None:
    client.ask(lambda: client.client().put_item(TableName=table, Item=item))


def _delete(table: str, item: Item) -> None:
    key = {"pk": item["pk"], "sk": item["sk"]}
    client.ask(lambda: client.client().delete_item(TableName=table, Key=key))
