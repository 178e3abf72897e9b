"""The forecast finds what was published about a real shop's customers, and foresees what they did next."""

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.analytics.lifetime_value import MEMBERS_MIN, History, Orders, fit_orders, fit_spend
from infra.errors import LocalError

CUSTOMERS = Path(__file__).parents[2] / "data" / "cdnow_39_weeks.csv"
WEEKS = 39


class Customer(NamedTuple):
    """Some customers of one history, and on how many days they bought in the 39 weeks after it, together."""

    history: History
    customers: int
    days_after: int


@pytest.fixture(scope="module")
def customers() -> list[Customer]:
    with CUSTOMERS.open(encoding="utf-8", newline="") as file:
        return [customer({name: int(number) for name, number in row.items()}) for row in csv.DictReader(file)]


def customer(row: dict[str, int]) -> Customer:
    repeats = row["repeats"]
    value = row["repeat_value"] / repeats if repeats else 0.0
    history = History(repeats, row["days_to_last"] / 7, row["days_known"] / 7, value)
    return Customer(history, row["customers"], row["days_after"])


@pytest.fixture(scope="module")
def histories(customers: list[Customer]) -> list[History]:
    return [one.history for one in customers for _ in range(one.customers)]


@pytest.fixture(scope="module")
def orders(histories: list[History]) -> Orders:
    return fit_orders(histories)


def test_orders_are_fitted_as_published(histories: list[History], orders: Orders) -> None:
    """Fader, Hardie and Lee (2005), table 2."""
    assert len(histories) == 2357
    found = (round(orders.r, 3), round(orders.alpha, 3), round(orders.a, 3), round(orders.b, 3))
    assert found == (0.243, 4.414, 0.793, 2.426)
    assert round(orders.log_likelihood, 1) == -9582.4


def test_spend_is_fitted_as_published(histories: list[History]) -> None:
    """Fader and Hardie (2013), in dollars: p 6.25, q 3.74, v 15.44."""
    spend = fit_spend(histories)
    assert (round(spend.p, 2), round(spend.q, 2), round(spend.v / 100, 2)) == (6.25, 3.74, 15.44)
    one, nobody = History(2, 30.0, 38.0, 2234.0), History(0, 0.0, 38.0)
    everybody = spend.expected(nobody)
    assert one.value < spend.expected(one) < everybody, "between their own average and that of all"


@pytest.mark.parametrize(("low", "high", "off_max"), [(0, 0, 0.25), (1, 1, 0.25), (2, 3, 0.25), (4, 29, 0.15)])
def test_it_foresees_what_customers_do_next(
    customers: list[Customer], orders: Orders, low: int, high: int, off_max: float
) -> None:
    group = [one for one in customers if low <= one.history.repeats <= high]
    foreseen = sum(one.customers * orders.expected(one.history, WEEKS) for one in group)
    assert foreseen == pytest.approx(sum(one.days_after for one in group), rel=off_max)


def test_who_stays_away_longer_than_usual_is_likely_gone(orders: Orders) -> None:
    usual, away = History(5, 36.0, 38.0), History(5, 12.0, 38.0)
    assert orders.alive(usual) > 0.8
    assert orders.alive(away) < 0.2
    assert orders.alive(History(0, 0.0, 38.0)) == 1.0, "by this model one leaves after an order only"
    assert orders.expected(usual, 0.0) == pytest.approx(0.0, abs=1e-9)


def test_too_few_tell_nothing(histories: list[History]) -> None:
    with pytest.raises(LocalError, match=f"takes {MEMBERS_MIN}"):
        fit_orders(histories[: MEMBERS_MIN - 1])
    with pytest.raises(LocalError, match="0 members have ordered again"):
        fit_spend([one for one in histories if not one.repeats])
