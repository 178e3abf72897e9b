"""Reading the trail of what operators did, and whose personal data they looked at."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.calendar import month_of
from shared.tables import audit
from shared.tables.audit import Trace


def read_month(
    month: str | None, limit: int, before: str | None, *, now: datetime
) -> tuple[Sequence[Trace], str | None]:
    """At most `limit` traces of a month in UTC (2026-11; None: the current one), the newest first.

    `before` is where the page begins; the second value is where the next one does.
    """
    return audit.listing(month or month_of(now.date()), limit, before)
