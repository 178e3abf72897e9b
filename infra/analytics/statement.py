"""The accountant's month: what points, store credit, pools and partners came to, in units and in money.

Every line says which question to the lake it answers. Points are worth what the program in force said, before the month
and at its end; what a new worth changes of what was there is a line of its own. Money is rounded once over the running
sum, so that all lines add up to the closing to the minor unit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from infra.analytics import breakage
from infra.analytics.columns import COMES
from infra.analytics.journal import Posting, postings
from infra.analytics.lake_queries import Lake
from infra.analytics.lines import Line
from infra.errors import LocalError, UsageError
from shared.domain.calendar import add_months, month_of, period_begins_on, start_of_day

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_WAYS = ("moved_in", "moved_out", "earned", "given_back", "spent", "expired", "taken_back", "forfeited")
"""In this order: what moved between accounts cancels out, and takes nothing of the rounding with it."""
_PARTNERS = {"issued": 1, "taken_back": -1, "redeemed": -1, "reversed": 1}
"""The movements of a partner: above 0 where it owes the shop."""


class Statement(NamedTuple):
    """A month. `provisional`: it is not over, or something of it is not booked yet, and why.

    `closed`: the hash of a closed month.
    """

    month: str
    currency: str
    as_of: datetime
    provisional: str
    closed: str
    lines: Sequence[Line]
    journal: Sequence[Posting]

    @property
    def state(self) -> str:
        """How far the month is, in words."""
        if self.closed:
            return f"closed, hash {self.closed}"
        return f"provisional: {self.provisional}" if self.provisional else "final, not closed yet"


class _Worth(NamedTuple):
    """So many points are worth `amount` minor units; `points` 0: they have no price."""

    points: int
    amount: int

    def of(self, units: int | Fraction) -> int | None:
        """Minor units, rounded down as what is owed to members together."""
        return floor(units * Fraction(self.amount, self.points)) if self.points else None


class Period(NamedTuple):
    """A month in a lake: its days, the instants between which entries count in it, and its hash if it is closed."""

    lake: Lake
    month: str
    closed: str
    first: date
    end: date
    from_at: datetime
    to_at: datetime

    def ask(self, name: str) -> Sequence[Mapping[str, Any]]:
        """What of the lake lies in it and before."""
        return self.lake.ask(name, from_at=self.from_at, to_at=self.to_at)

    def worth(self, at: datetime) -> _Worth:
        """What a point was worth at an instant; before anything was booked, as at the end."""
        rows = self.lake.ask("worth", at=at) or self.lake.ask("worth", at=self.to_at)
        return _Worth(rows[0]["worth_points"] or 0, rows[0]["worth_amount"] or 0) if rows else _Worth(0, 0)


_MINOR_UNITS = _Worth(1, 1)


def month_statement(lake: Lake, month: str) -> Statement:
    """The statement of a month such as 2026-11. Raises UsageError for another text, or a month that has not begun.

    Raises LocalError if the lake's numbers contradict one another.
    """
    about = lake.ask_one("about")
    period = period_of(lake, month, about["time_zone"])
    as_of = about["as_of"]
    if period.from_at.replace(tzinfo=None) > as_of:
        raise UsageError(f"{month} has not begun: the ledger is as of {as_of} UTC")
    points, credit = (_of_unit(period, unit) for unit in ("points", "credit"))
    lines = [*points, *credit, *_pools(period), *_partners(period), *_ageing(period, [*points, *credit])]
    deferred = _deferred(period)
    lines += deferred
    provisional = "" if period.closed else _provisional(period, as_of)
    journal = postings([*lines, *_before(period)])
    return Statement(month, about["currency"], as_of, provisional, period.closed, lines, journal)


def period_of(lake: Lake, month: str, zone: str) -> Period:
    """A month such as 2026-11 in a lake. Raises UsageError for another text.

    A closed month has the instants that it was closed with, and the month after begins there, whatever the program's
    time zone has become since.
    """
    if not _MONTH.fullmatch(month):
        raise UsageError(f"{month!r} is not a month: write it as 2026-11")
    first = period_begins_on(month)
    end = add_months(first, 1)
    from_at, to_at, hash_ = start_of_day(first, zone), start_of_day(end, zone), ""
    for closed in lake.ask("closed_months"):
        if closed["month"] == month:
            from_at, to_at, hash_ = (
                closed["from_at"].replace(tzinfo=UTC),
                closed["to_at"].replace(tzinfo=UTC),
                closed["hash"],
            )
        elif closed["month"] == month_of(add_months(first, -1)):
            from_at = closed["to_at"].replace(tzinfo=UTC)
    return Period(lake, month, hash_, first, end, from_at, to_at)


def _provisional(period: Period, as_of: datetime) -> str:
    if as_of < period.to_at.replace(tzinfo=None):
        return f"the month is not over: this is as of {as_of} UTC"
    [row] = period.lake.ask("unbooked", to_at=period.to_at)
    waiting = f"{row['entries']} entries that time has caused in it or before are not booked yet"
    return waiting if row["entries"] else ""


def _of_unit(period: Period, unit: str) -> list[Line]:
    rows = [row for row in period.ask("statement_lines") if row["unit"] == unit]
    if not rows:
        return []
    worths = (period.worth(period.from_at), period.worth(period.to_at))
    lines = _flow(unit, rows[0], worths if unit == "points" else (_MINOR_UNITS, _MINOR_UNITS), "statement_lines")
    return [*lines, Line("statement", unit, "of which owed", -rows[0]["owed"], None, "statement_lines")]


def _pools(period: Period) -> Iterator[Line]:
    worths = (period.worth(period.from_at), period.worth(period.to_at))
    for row in period.ask("statement_pools"):
        yield from _flow(f"pool {row['pool']}", row, worths, "statement_pools")


def _flow(subject: str, row: Mapping[str, Any], worths: tuple[_Worth, _Worth], query: str) -> list[Line]:
    """From the opening to the closing. Raises LocalError if the ways between them lead elsewhere."""
    before, after = worths
    running, opening = row["opening"], before.of(row["opening"])
    lines = [Line("statement", subject, "opening", running, opening, query)]
    revalued = after.of(running)
    if opening is not None and revalued is not None and revalued != opening:
        lines.append(Line("statement", subject, "revalued", 0, revalued - opening, query))
    for way in _WAYS:
        units = row[way] if way in COMES else -row[way]
        came = after.of(running + units), after.of(running)
        running += units
        amount = came[0] - came[1] if came[0] is not None and came[1] is not None else None
        lines.append(Line("statement", subject, way.replace("_", " "), units, amount, query))
    if running != row["closing"]:
        raise LocalError(f"{subject}: {running} by what moved, {row['closing']} by the accounts: run `loyalty verify`")
    return [*lines, Line("statement", subject, "closing", running, after.of(running), query)]


def _partners(period: Period) -> Iterator[Line]:
    """What each partner's points come to, since the beginning; payments are not in the ledger."""
    rows = period.ask("statement_partners")
    for partner in dict.fromkeys(row["partner"] for row in rows):
        of_partner = [row for row in rows if row["partner"] == partner]
        units, exact = 0, Fraction(0)
        steps = [("opening", "before", _PARTNERS), *((name, "during", {name: way}) for name, way in _PARTNERS.items())]
        for what, when, signs in steps:
            before = _nearest(exact)
            moved = [row for row in of_partner if row["movement"] in signs]
            came = sum(signs[row["movement"]] * row[when] for row in moved)
            units += came
            exact += sum(signs[row["movement"]] * row[when] * _price(row) for row in moved)
            name = what.replace("_", " ")
            amount = _nearest(exact) - before
            yield Line("statement", f"partner {partner}", name, came, amount, "statement_partners")
        yield Line("statement", f"partner {partner}", "closing", units, _nearest(exact), "statement_partners")


def _price(row: Mapping[str, Any]) -> Fraction:
    return Fraction(row["price_amount"], row["price_points"])


def _nearest(exact: Fraction) -> int:
    return floor(exact + Fraction(1, 2))


def _ageing(period: Period, of_units: Sequence[Line]) -> list[Line]:
    """When what is outstanding ends. Raises LocalError if it is not what the statement closes with."""
    rows = period.lake.ask("ageing", to_at=period.to_at)
    lines = []
    for unit, worth in (("points", period.worth(period.to_at)), ("credit", _MINOR_UNITS)):
        running = 0
        for row in (row for row in rows if row["unit"] == unit):
            before, running = running, running + row["units"]
            amounts = worth.of(running), worth.of(before)
            amount = amounts[0] - amounts[1] if amounts[0] is not None and amounts[1] is not None else None
            ends = f"{row['ends_in']:%Y-%m}" if row["ends_in"] else "never"
            lines.append(Line("ageing", unit, ends, row["units"], amount, "ageing"))
        closing = sum((line.units or 0) for line in of_units if line.subject == unit and line.what == "closing")
        owed = sum((line.units or 0) for line in of_units if line.subject == unit and line.what == "of which owed")
        if running != closing - owed:
            raise LocalError(f"{unit}: {running} in lots, {closing - owed} by the ledger: run `loyalty verify`")
    return lines


def _deferred(period: Period) -> list[Line]:
    """What of the points' worth is revenue not yet earned: all of it, less what will go unspent."""
    worth = period.worth(period.to_at)
    rows = [row for row in period.lake.ask("ageing", to_at=period.to_at) if row["unit"] == "points"]
    outstanding = sum(row["units"] for row in rows)
    ending = sum(row["units"] for row in rows if row["ends_in"])
    found = _breakage(period, period.to_at, period.end)
    what = [("outstanding", outstanding, "ageing")]
    if found is None:
        what.append((f"expected breakage: fewer than {breakage.ACCOUNTS_MIN} accounts to tell it from", 0, "breakage"))
        found = breakage.Breakage(Fraction(0), Fraction(0), Fraction(0), 0)
    else:
        shares = f"{_percent(found.share)} of what ends, {_percent(found.low)} to {_percent(found.high)}"
        what.append((f"expected breakage: {shares}", -floor(found.share * ending), "breakage"))
    lines = [Line("deferred revenue", "points", name, units, worth.of(units), query) for name, units, query in what]
    for name, share in (
        ("deferred", found.share),
        ("deferred, at least", found.high),
        ("deferred, at most", found.low),
    ):
        units = outstanding - floor(share * ending)
        lines.append(Line("deferred revenue", "points", name, units, worth.of(units), "breakage"))
    return lines


def _before(period: Period) -> list[Line]:
    """The breakage that was expected when the month began, for the journal to carry on from."""
    rows = [row for row in period.lake.ask("ageing", to_at=period.from_at) if row["unit"] == "points"]
    found = _breakage(period, period.from_at, period.first)
    ending = sum(row["units"] for row in rows if row["ends_in"])
    units = -floor(found.share * ending) if found else 0
    worth = period.worth(period.from_at)
    return [Line("deferred revenue before", "points", "expected breakage", units, worth.of(units), "breakage")]


def _breakage(period: Period, at: datetime, first_open_day: date) -> breakage.Breakage | None:
    return breakage.estimated(period.lake.ask_one("breakage", to_at=at, **breakage.window(first_open_day)))


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.1f} %"
