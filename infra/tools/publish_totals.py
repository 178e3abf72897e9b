"""What the dashboard cannot know by itself: all outstanding points, what they are worth, and all store credit.

Functions count changes, and work on what is due, never on all accounts. So the totals come from whoever has read them
all, once in a while, and the dashboard adds what has changed since.
"""

from typing import Any

import boto3
from iso4217 import Currency

from shared import telemetry
from shared.domain.program.program import Program

OUTSTANDING_POINTS, OUTSTANDING_LIABILITY = "OutstandingPoints", "OutstandingLiability"
OUTSTANDING_CREDIT = "OutstandingCredit"


def publish(stack: str, outstanding: int, credit: int, program: Program) -> None:
    """Put the totals of points, and of credit in minor units, into CloudWatch, for the dashboard of a stack.

    Money is shown there in whole units of the program's currency: what points are worth, where they can be paid with,
    and store credit, where the program gives some or there is any.
    """
    totals: dict[str, float] = {OUTSTANDING_POINTS: outstanding}
    unit = 10 ** (Currency(program.currency).exponent or 0)
    rate = program.redeeming.points_as_money
    if rate:
        totals[OUTSTANDING_LIABILITY] = outstanding * rate.amount // rate.points / unit
    if program.cashback or credit:
        totals[OUTSTANDING_CREDIT] = credit / unit
    data: Any = [
        {"MetricName": name, "Dimensions": [{"Name": "service", "Value": stack}], "Value": total}
        for name, total in totals.items()
    ]
    client: Any = boto3.client("cloudwatch")
    client.put_metric_data(Namespace=telemetry.NAMESPACE, MetricData=data)
