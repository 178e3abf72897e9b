"""What a marketer asks of the whole ledger: who orders, how often, for how much, and what is still to come.

Each table says which question to the lake it answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from infra.analytics.lake_queries import Lake
from infra.analytics.lifetime_value import History, Orders, Spend, fit_orders, fit_spend
from infra.errors import LocalError
from infra.tools.money import money
from shared.domain.calendar import add_months, local_day
from shared.tables import reports
from shared.tables.reports import Report

MONTH_DAYS, ACTIVE_DAYS, LAPSING_DAYS, YEAR_DAYS = 30, 90, 180, 365
COHORTS = 12
"""The last months of joining are shown, so many, and as many months after each."""
FORECAST_WEEKS = 52
AT_RISK_MAX = 20
"""Members who are listed as valuable and about to be lost."""
AT_RISK_BELOW = 0.5
"""They are more likely gone than not."""
_DAYS_A_WEEK = 7
_VALUABLE_SHARE = 10
"""Valuable is one in so many, by what they spent after their first order."""


class Table(NamedTuple):
    """A table of texts by its name in the API, the question that it answers, and what is to be said of it."""

    name: str
    title: str
    query: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Insights(NamedTuple):
    """All tables, as of an instant."""

    as_of: datetime
    tables: Sequence[Table]


class _Member(NamedTuple):
    member_id: str
    history: History


def insights(lake: Lake) -> Insights:
    """Every table that the ledger has enough for."""
    about = lake.ask_one("about")
    as_of = about["as_of"].replace(tzinfo=UTC)
    today, currency = local_day(as_of, about["time_zone"]), about["currency"]
    tables = (_members(lake, today), _orders(lake, today, currency), _redemption(lake, today))
    more = (_cohorts(lake, today), _rfm(lake, today, currency), *_forecast(lake, today, currency))
    return Insights(as_of, (*tables, *more))


def store(found: Insights) -> None:
    """Store every table where `GET /v1/insights/{report}` finds it, in place of those that are stored."""
    reports.store_reports(
        [
            Report(
                report=one.name,
                title=one.title,
                as_of=found.as_of,
                columns=tuple(one.columns),
                rows=tuple(map(tuple, one.rows)),
                note=one.note,
                query=one.query,
            )
            for one in found.tables
        ]
    )


def _before(today: date, days: int) -> date:
    return today - timedelta(days=days)


def _members(lake: Lake, today: date) -> Table:
    found = lake.ask_one(
        "insights_members", active_from=_before(today, ACTIVE_DAYS), lapsing_from=_before(today, LAPSING_DAYS)
    )
    words = {
        "members": "members",
        "joined": f"joined within {ACTIVE_DAYS} days",
        "active": f"active: ordered within {ACTIVE_DAYS} days",
        "lapsing": f"lapsing: within {LAPSING_DAYS} days",
        "lapsed": "lapsed: longer ago",
        "never_ordered": "never ordered",
    }
    rows = [(text, _count(found[name] or 0)) for name, text in words.items()]
    return Table("members", "Members", "insights_members", ("who", "how many"), rows)


def _orders(lake: Lake, today: date, currency: str) -> Table:
    found = lake.ask_one("insights_orders", year_from=_before(today, YEAR_DAYS))
    members, orders = found["members"], found["orders"]
    rows = [
        ("members who ordered", _count(members)),
        ("repeat rate", _share(found["repeat_members"], members)),
        ("orders", _count(orders)),
        ("orders a member", f"{orders / members:.2f}" if members else "-"),
        ("average order", money(found["order_value"] // orders, currency) if orders else "-"),
    ]
    return Table("orders", f"Orders of {YEAR_DAYS} days", "insights_orders", ("what", "figure"), rows)


def _redemption(lake: Lake, today: date) -> Table:
    found = lake.ask_one("insights_redemption", year_from=_before(today, YEAR_DAYS))
    rows = [
        ("points earned", _count(found["earned"])),
        ("points spent", _count(found["spent"])),
        ("redemption rate", _share(found["spent"], found["earned"])),
        ("members who spent, of those who earned", _share(found["spending_accounts"], found["earning_accounts"])),
    ]
    return Table("points", f"Points of {YEAR_DAYS} days", "insights_redemption", ("what", "figure"), rows)


def _cohorts(lake: Lake, today: date) -> Table:
    found = lake.ask("insights_cohorts")
    ordered = {(row["joined_in"], row["months_since"]): row["ordered"] for row in found}
    sizes = {row["joined_in"]: row["joined"] for row in found}
    rows = []
    for month, joined in list(sizes.items())[-COHORTS:]:
        shown = [since for since in range(COHORTS) if add_months(month, since) <= today]
        shares = [_share(ordered.get((month, since), 0), joined) for since in shown]
        rows.append([f"{month:%Y-%m}", _count(joined), *shares, *[""] * (COHORTS - len(shown))])
    columns = ("joined in", "members", *(f"+{since}" for since in range(COHORTS)))
    note = "Which share of those who joined in a month ordered in it, and in each month after."
    if len(sizes) > COHORTS:
        note += f" The last {COHORTS} months in which anybody joined."
    return Table("cohorts", "Cohorts", "insights_cohorts", columns, rows, note)


def _rfm(lake: Lake, today: date, currency: str) -> Table:
    found = lake.ask(
        "insights_rfm",
        month_from=_before(today, MONTH_DAYS),
        active_from=_before(today, ACTIVE_DAYS),
        lapsing_from=_before(today, LAPSING_DAYS),
        year_from=_before(today, YEAR_DAYS),
    )
    rows = [
        (
            row["recency"].partition(": ")[2],
            row["frequency"],
            _count(row["members"]),
            money(row["order_value"] // row["members"], currency),
        )
        for row in found
    ]
    columns = ("last order", "orders", "members", "spent by each")
    return Table("rfm", "Recency, frequency, money", "insights_rfm", columns, rows)


def _forecast(lake: Lake, today: date, currency: str) -> Iterator[Table]:
    members = [_member(row) for row in lake.ask("purchase_histories", last_day=today)]
    query, title = "purchase_histories", f"Forecast of {FORECAST_WEEKS} weeks"
    try:
        orders = fit_orders([one.history for one in members])
    except LocalError as error:
        yield Table("forecast", title, query, ("what", "figure"), (), str(error))
        return
    expected = [orders.expected(one.history, FORECAST_WEEKS) for one in members]
    rows = _order_rows(members, orders, expected)
    try:
        spend = fit_spend([one.history for one in members])
    except LocalError as error:
        yield Table("forecast", title, query, ("what", "figure"), rows, str(error))
        return
    comes_to = sum(number * spend.expected(one.history) for number, one in zip(expected, members, strict=True))
    worth = ("what they come to", money(round(comes_to), currency))
    fitted = f"BG/NBD: r {orders.r:.3f}, alpha {orders.alpha:.3f}, a {orders.a:.3f}, b {orders.b:.3f}"
    note = f"{fitted}, log-likelihood {orders.log_likelihood:.1f}. Time is in weeks."
    yield Table("forecast", title, query, ("what", "figure"), [*rows, worth], note)
    yield _at_risk(members, orders, spend, currency)


def _member(row: Mapping[str, Any]) -> _Member:
    repeats = row["repeats"]
    weeks = (row["days_to_last"] / _DAYS_A_WEEK, row["days_known"] / _DAYS_A_WEEK)
    return _Member(row["member_id"], History(repeats, *weeks, row["repeat_value"] / repeats if repeats else 0.0))


def _order_rows(members: Sequence[_Member], orders: Orders, expected: Sequence[float]) -> list[tuple[str, str]]:
    alive = sum(orders.alive(one.history) for one in members)
    return [
        ("members who have ordered", _count(len(members))),
        ("of whom are still there, as expected", _count(round(alive))),
        ("orders expected of them", _count(round(sum(expected)))),
    ]


def _at_risk(members: Sequence[_Member], orders: Orders, spend: Spend, currency: str) -> Table:
    """The most valuable members who are more likely gone than not."""

    def spent(one: _Member) -> float:
        return one.history.repeats * one.history.value

    valuable = sorted(members, key=spent, reverse=True)[: max(1, len(members) // _VALUABLE_SHARE)]
    lost = [one for one in valuable if one.history.repeats and orders.alive(one.history) < AT_RISK_BELOW]
    rows = [
        (
            one.member_id,
            _count(one.history.repeats),
            money(round(spend.expected(one.history)), currency),
            f"{100 * orders.alive(one.history):.0f} %",
        )
        for one in lost[:AT_RISK_MAX]
    ]
    columns = ("member", "orders after the first", "next order", "still there")
    note = f"Of the tenth that has spent most, {len(lost)} are more likely gone than not; {len(rows)} are shown."
    return Table("at_risk", "Valuable, and about to be lost", "purchase_histories", columns, rows, note)


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
