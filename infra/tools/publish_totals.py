"""What the dashboard cannot know by itself: all outstanding points, and what they are worth.

Functions count changes, and work on what is due, never on all accounts. So the totals come from whoever has read them
all, once in a while, and the dashboard adds what has changed since.
"""

from typing import Any

import boto3
from iso4217 import Currency

from shared import telemetry
from shared.domain.program.program import Program

OUTSTANDING_POINTS, OUTSTANDING_LIABILITY = "OutstandingPoints", "OutstandingLiability"


def publish(outstanding: int, program: Program) -> None:
    """Put both totals into CloudWatch; the liability in whole units of the currency, where points are money."""
    totals: dict[str, float] = {OUTSTANDING_POINTS: outstanding}
    rate = program.redeeming.points_as_money
    if rate:
        minor = outstanding * rate.amount // rate.points
        totals[OUTSTANDING_LIABILITY] = minor / 10 ** (Currency(program.currency).exponent or 0)
    data: Any = [
        {"MetricName": name, "Dimensions": [{"Name": "service", "Value": telemetry.SERVICE}], "Value": total}
        for name, total in totals.items()
    ]
    client: Any = boto3.client("cloudwatch")
    client.put_metric_data(Namespace=telemetry.NAMESPACE, MetricData=data)
