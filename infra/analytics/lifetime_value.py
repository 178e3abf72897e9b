"""How often members will still order, and for how much: the models BG/NBD and gamma-gamma, fitted by likelihood.

BG/NBD: Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2). Gamma-gamma: Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value". Time is in
weeks. These are estimates, so they are floats; nothing that is booked depends on them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

from infra.errors import LocalError

MEMBERS_MIN = 100
"""Fewer members with orders tell too little of how the others differ."""
_LOGS = (-7.0, 9.0)
"""Between the logarithms of what a parameter can be: from a thousandth to some thousands."""
_TOLERANCE = 1e-12
_Floats = NDArray[np.float64]


class History(NamedTuple):
    """A member's orders: how many after the first, the last one after how many weeks, and for how many they are known.

    `value` is what one of the orders after the first came to on average, in minor units; 0 without any.
    """

    repeats: int
    last_weeks: float
    weeks: float
    value: float = 0.0


class Orders(NamedTuple):
    """How members differ in how often they order (`r`, `alpha`) and in when they leave (`a`, `b`)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def alive(self, one: History) -> float:
        """The chance that a member has not left."""
        if not one.repeats:
            return 1.0
        stayed = (self.alpha + one.weeks) / (self.alpha + one.last_weeks)
        odds = self.a / (self.b + one.repeats - 1) * stayed ** (self.r + one.repeats)
        return float(1 / (1 + odds))

    def expected(self, one: History, weeks: float) -> float:
        """How many orders a member is expected to place in the next `weeks` (equation 10)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, known = one.repeats, one.weeks
        left = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + known + weeks))
        grown = 1 - ((alpha + known) / (alpha + known + weeks)) ** (r + x) * left
        return float((a + b + x - 1) / (a - 1) * grown * self.alive(one))


class Spend(NamedTuple):
    """How members differ in what an order comes to."""

    p: float
    q: float
    v: float

    def expected(self, one: History) -> float:
        """What a member's next order comes to, in minor units: between their own average and that of all."""
        return (self.v + one.repeats * one.value) * self.p / (self.p * one.repeats + self.q - 1)


def fit_orders(histories: Sequence[History]) -> Orders:
    """The parameters under which the histories are likeliest. Raises LocalError if there are too few, or no answer."""
    if len(histories) < MEMBERS_MIN:
        raise LocalError(f"{len(histories)} members have ordered: a forecast takes {MEMBERS_MIN}")
    x, last, known = _columns(histories)
    r, alpha, a, b = _likeliest(lambda values: -_log_likelihood(values, x, last, known), 4)
    likelihood = float(_log_likelihood(np.array([r, alpha, a, b]), x, last, known))
    return Orders(r, alpha, a, b, likelihood)


def fit_spend(histories: Sequence[History]) -> Spend:
    """The same for what orders come to, from members who ordered again. Raises LocalError as `fit_orders` does."""
    again = [one for one in histories if one.repeats and one.value > 0]
    if len(again) < MEMBERS_MIN:
        raise LocalError(f"{len(again)} members have ordered again: a forecast of what they spend takes {MEMBERS_MIN}")
    x = np.array([one.repeats for one in again], dtype=np.float64)
    scale = float(np.mean([one.value for one in again]))  # so that the search begins near its end
    mean = np.array([one.value for one in again], dtype=np.float64) / scale

    def unlikely(values: _Floats) -> float:
        p, q, v = values
        found = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        found += (p * x - 1) * np.log(mean) + p * x * np.log(x) - (p * x + q) * np.log(x * mean + v)
        return -float(np.sum(found))

    p, q, v = _likeliest(unlikely, 3)
    return Spend(p, q, v * scale)


def _columns(histories: Sequence[History]) -> tuple[_Floats, _Floats, _Floats]:
    table = np.array([(one.repeats, one.last_weeks, one.weeks) for one in histories], dtype=np.float64)
    return table[:, 0], table[:, 1], table[:, 2]


def _log_likelihood(values: _Floats, x: _Floats, last: _Floats, known: _Floats) -> float:
    """Equation 6 of the paper, summed, in logarithms."""
    r, alpha, a, b = values
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    common += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    stays = -(r + x) * np.log(alpha + known)
    leaves = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + last)
    return float(np.sum(common + np.where(x > 0, np.logaddexp(stays, leaves), stays)))


def _likeliest(unlikely: Callable[[_Floats], float], parameters: int) -> list[float]:
    """Where a function of positive parameters is least; it is searched over their logarithms."""

    def over_logs(logs: _Floats) -> float:
        return unlikely(np.exp(logs))

    bounds = [_LOGS] * parameters
    found = minimize(over_logs, np.zeros(parameters), method="L-BFGS-B", bounds=bounds, tol=_TOLERANCE)
    if not found.success:
        raise LocalError(f"the forecast found no answer: {found.message}")
    return [float(value) for value in np.exp(found.x)]
