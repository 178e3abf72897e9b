"""Storing statements where `GET /v1/statements/{month}` finds them, and closing the months that are final.

A month closes in its order, once it has been over for a while and nothing due before its end is unbooked. From then on
its statement stays as it is, its entries are covered by its hash, and what is booked later counts in the months after.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.analytics.lake_queries import Lake
from infra.analytics.statement import Period, Statement, month_statement, period_of
from infra.errors import LocalError
from infra.tools import segments
from infra.tools.closed_months import Bounds, Closings, Sums, add_all, bounds_of, by_month, closings_of, with_hash
from infra.tools.parts import Part, Run, Tell
from shared.domain.calendar import add_months, local_day, month_of, period_begins_on
from shared.tables import ledger, reports
from shared.tables.reports import ClosedMonth, ReportLine, StatementHead

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WAIT = timedelta(hours=1)
"""So long a month is over before it closes: longer than anything is under way, and than any clock is wrong."""
_BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC)


class Stored(NamedTuple):
    """A month whose statement was stored. `hash`: empty unless it is closed."""

    month: str
    hash: str


def store(lake: Lake, database: "DynamoDBClient", table: str, run: Run, through: str) -> list[Stored]:
    """Store the statement of every month that is not closed, through a month such as 2026-11, and close what can be.

    The lake is one of the run's instant. Raises LocalError if entries appear in a month that is over.
    """
    closed = list(reports.closed_months())
    both = [(period, month_statement(lake, period.month)) for period in _open_periods(lake, closed, through)]
    closing = [period for period, _ in takewhile(lambda one: _may_close(*one, run.now), both)]
    sums = _sums(lake, database, table, run, closed, closing) if closing else {}
    previous, stored = closed[-1].hash if closed else "", []
    for period, statement in both:
        hash_ = ""
        if period.month in sums:
            hash_ = previous = _close(period, statement, run.now, sums[period.month], previous)
        else:
            reports.store_statement(*_as_stored(statement))
        stored.append(Stored(period.month, hash_))
    return stored


def sums_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """What the entries of a segment's accounts come to that count in some `months`, by month."""
    closings, sums = closings_of(part["closings"]), {month: Sums() for month in part["months"]}
    for page in segments.accounts(part, ConsistentRead=True):
        for account in page:
            items = list(ledger.stored_history(account["pk"]["S"].removeprefix("MEMBER#")))
            for month, item in by_month(items, list(map(ledger.entry_of, items)), closings):
                if month in sums:
                    sums[month].take(item)
            tell(1)
    return {month: one.as_json() for month, one in sums.items()}


def _open_periods(lake: Lake, closed: Sequence[ClosedMonth], through: str) -> list[Period]:
    """The months from the first that is not closed through another; none where that is closed."""
    about = lake.ask_one("about")
    first = through
    if closed:
        first = _after(closed[-1].month)
    elif first_at := lake.ask_one("first_entry")["first_at"]:
        first = min(through, month_of(local_day(first_at.replace(tzinfo=UTC), about["time_zone"])))
    return [period_of(lake, month, about["time_zone"]) for month in _months(first, through)]


def _months(first: str, through: str) -> Iterator[str]:
    month = first
    while month <= through:
        yield month
        month = _after(month)


def _after(month: str) -> str:
    return month_of(add_months(period_begins_on(month), 1))


def _may_close(period: Period, statement: Statement, now: datetime) -> bool:
    return not statement.provisional and now >= period.to_at + WAIT


def _sums(
    lake: Lake,
    database: "DynamoDBClient",
    table: str,
    run: Run,
    closed: Sequence[ClosedMonth],
    closing: Sequence[Period],
) -> dict[str, Sums]:
    """What the entries of the months that close come to. Raises LocalError if it is not what the lake has of them."""
    bounds = [*map(bounds_of, closed), *(Bounds(period.month, period.to_at, run.now) for period in closing)]
    sums = {period.month: Sums() for period in closing}
    named = {"closings": Closings(bounds).as_json(), "months": list(sums)}
    of_table = ({**part, **named} for part in segments.segments(database, table, run))
    for found in run.through("closing", sums_part, of_table):
        add_all(sums, found)
    for number, period in enumerate(closing):
        from_at = period.from_at if closed or number else _BEFORE_ALL
        in_lake = lake.ask_one("month_entries", from_at=from_at, to_at=period.to_at)
        if in_lake["entries"] != sums[period.month].entries:
            raise LocalError(f"entries appear in {period.month}, which is over: try again, or run `loyalty verify`")
    return sums


def _close(period: Period, statement: Statement, now: datetime, sums: Sums, previous: str) -> str:
    """Store a month as closed, and return its hash. Raises LocalError if somebody else has closed it just now."""
    head, lines = _as_stored(statement)
    month = ClosedMonth(
        month=period.month,
        from_at=period.from_at,
        to_at=period.to_at,
        as_of=now,
        entries=sums.entries,
        fingerprint=sums.fingerprint,
        locators=sums.locators,
        statement=reports.statement_digest(head, lines),
        previous=previous,
        hash="",
    )
    closed = with_hash(month)
    if not reports.store_statement(head, lines, closed):
        raise LocalError(f"{period.month} was closed by somebody else meanwhile")
    return closed.hash


def _as_stored(statement: Statement) -> tuple[StatementHead, list[ReportLine]]:
    lines = [
        ReportLine(
            section=one.section, subject=one.subject, line=one.what, units=one.units, amount=one.amount, query=one.query
        )
        for one in statement.lines
    ]
    posted = partial(ReportLine, section="journal")
    lines += [posted(line=one.text, amount=one.amount, debit=one.debit, credit=one.credit) for one in statement.journal]
    head = StatementHead(
        month=statement.month,
        currency=statement.currency,
        as_of=statement.as_of.replace(tzinfo=UTC),
        provisional=statement.provisional,
        lines=len(lines),
    )
    return head, lines
