"""What the dashboard cannot know by itself: all outstanding points, what they are worth, and all store credit.

Functions count changes, and work on what is due, never on all accounts. So the totals come from whoever has read them
all, once in a while, and the dashboard adds what has changed since.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import Any

import boto3
from iso4217 import Currency

from shared import telemetry
from shared.domain.program.program import Program

OUTSTANDING_POINTS, OUTSTANDING_LIABILITY = "OutstandingPoints", "OutstandingLiability"
OUTSTANDING_CREDIT = "OutstandingCredit"
LEDGER_CHECKS, LEDGER_VIOLATIONS = "LedgerChecks", "LedgerViolations"


def publish(stack: str, outstanding: int, credit: int, program: Program) -> None:
    """Put the totals of points, and of credit in minor units, into CloudWatch, for the dashboard of a stack.

    Money is shown there in whole units of the program's currency: what points are worth, where they can be paid with,
    and store credit, where the program gives some or there is any.
    """
    data: Any = [
        {"MetricName": name, "Dimensions": [{"Name": "service", "Value": stack}], "Value": float(total)}
        for name, total in _totals(outstanding, credit, program).items()
    ]
    client: Any = boto3.client("cloudwatch")
    client.put_metric_data(Namespace=telemetry.NAMESPACE, MetricData=data)


def count(outstanding: int, credit: int, program: Program, violations: int) -> None:
    """The same from a function of the stack, by its log, with how often the ledger was checked, and what was wrong."""
    totals = {name: floor(total) for name, total in _totals(outstanding, credit, program).items()}
    telemetry.count(**totals, **{LEDGER_CHECKS: 1, LEDGER_VIOLATIONS: violations})


def _totals(outstanding: int, credit: int, program: Program) -> Mapping[str, Fraction]:
    totals = {OUTSTANDING_POINTS: Fraction(outstanding)}
    unit = 10 ** (Currency(program.currency).exponent or 0)
    rate = program.redeeming.points_as_money
    if rate:
        totals[OUTSTANDING_LIABILITY] = Fraction(outstanding * rate.amount // rate.points, unit)
    if program.cashback or credit:
        totals[OUTSTANDING_CREDIT] = Fraction(credit, unit)
    return totals
