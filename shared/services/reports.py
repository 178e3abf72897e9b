"""What operators read of the whole ledger, as a job has stored it: a month's statement, and insights."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.domain.errors import ReportNotFoundError, foreign_cursor
from shared.tables import reports
from shared.tables.reports import ClosedMonth, Report, ReportLine, StatementHead

_NAME = re.compile(r"[a-z_]{1,64}", re.ASCII)


class StatementPage(NamedTuple):
    """Some lines of a month's statement, where the next page begins, and how the month was closed, if it was."""

    head: StatementHead
    closed: ClosedMonth | None
    lines: Sequence[ReportLine]
    next_first: int | None


def read_statement(month: str, first: int, limit: int, as_of: str | None) -> StatementPage:
    """At most `limit` lines of a month's statement from one on.

    `as_of` is that of the statement which the page before is of. Raises ReportNotFoundError; InvalidRequestError if
    another was stored since.
    """
    found = reports.load_statement(month)
    if found is None:
        raise ReportNotFoundError(f"no statement of {month} is stored")
    head, closed = found
    lines = reports.load_lines(head, first, limit)
    if lines is None or as_of not in (None, head.as_of.isoformat()) or first > head.lines:
        raise foreign_cursor()
    more = first + limit
    return StatementPage(head, closed, lines, more if more < head.lines else None)


def read_report(name: str) -> Report:
    """A report of the insights as it was stored last. Raises ReportNotFoundError."""
    found = reports.load_report(name) if _NAME.fullmatch(name) else None
    if found is None:
        raise ReportNotFoundError(f"no report {name!r} is stored")
    return found
