"""The dashboard to look at when an alarm goes off."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra import tables
from infra.cloud import costs
from infra.cloud.alarms import PERIOD, Watched, counted
from infra.cloud.tables import Data
from infra.tools.publish_totals import OUTSTANDING_CREDIT, OUTSTANDING_LIABILITY, OUTSTANDING_POINTS

EXPRESSION_TERMS_MAX = 25
"""CloudWatch takes no expression of over 2,048 characters, so long sums are summed in parts."""
_WIDTH = 12


def add_dashboard(scope: Construct, watched: Watched) -> None:
    """The dashboard, named after the stack."""
    dashboard = cloudwatch.Dashboard(scope, "Dashboard", dashboard_name=Stack.of(scope).stack_name)
    for row in (_business(scope), _technical(watched), _money(watched)):
        dashboard.add_widgets(*row)


def _business(scope: Construct) -> Sequence[cloudwatch.IWidget]:
    flows = {
        "earned": counted(scope, "PointsEarned"),
        "redeemed": counted(scope, "PointsRedeemed"),
        "expired": counted(scope, "PointsExpired"),
        "taken": counted(scope, "PointsTakenBack"),
    }
    change = cloudwatch.MathExpression(
        expression="RUNNING_SUM(FILL(changed, 0))",
        label="change over the time shown",
        period=PERIOD,
        using_metrics={"changed": counted(scope, "PointsChange")},
    )
    published = {
        "points": counted(scope, OUTSTANDING_POINTS, "Maximum"),
        "liability": counted(scope, OUTSTANDING_LIABILITY, "Maximum"),
    }
    # What stood at the beginning of the time shown, by any total published in it, and what has changed since then.
    outstanding = cloudwatch.MathExpression(
        expression="FILL(points - change, REPEAT) + change",
        label="points: the last total published, and the change since",
        period=PERIOD,
        using_metrics={"points": published["points"], "change": change},
    )
    owed = cloudwatch.MathExpression(
        expression="outstanding * FILL(liability / points, REPEAT)",
        label="liability, in the program's currency",
        period=PERIOD,
        using_metrics={"outstanding": outstanding, **published},
    )
    credit = cloudwatch.MathExpression(
        expression="FILL(credit, REPEAT)",
        label="store credit, in the program's currency: the last total published",
        period=PERIOD,
        using_metrics={"credit": counted(scope, OUTSTANDING_CREDIT, "Maximum")},
    )
    return [
        cloudwatch.GraphWidget(title="Points", left=list(flows.values()), width=_WIDTH),
        cloudwatch.GraphWidget(
            title="Points outstanding (totals: loyalty verify --publish)",
            left=[outstanding, change],
            right=[owed, credit],
            width=_WIDTH,
        ),
    ]


def _technical(watched: Watched) -> Sequence[cloudwatch.IWidget]:
    functions = [one.function for one in watched.functions.values()]
    latency = [watched.api.metric_latency(period=PERIOD, statistic=statistic) for statistic in ("p50", "p95", "p99")]
    letters = [queue.metric_approximate_number_of_messages_visible() for queue in watched.queues.dead_letters.values()]
    return [
        cloudwatch.GraphWidget(
            title="Requests and refusals",
            left=[watched.api.metric_count(period=PERIOD)],
            right=[watched.api.metric_client_error(period=PERIOD), watched.api.metric_server_error(period=PERIOD)],
            width=_WIDTH,
        ),
        cloudwatch.GraphWidget(title="Latency", left=latency, width=_WIDTH),
        cloudwatch.GraphWidget(
            title="Function durations, 95 of 100",
            left=[one.metric_duration(period=PERIOD, statistic="p95") for one in functions],
            width=_WIDTH,
        ),
        cloudwatch.GraphWidget(
            title="Failures",
            left=[one.metric_errors(period=PERIOD) for one in functions],
            right=letters,
            width=_WIDTH,
        ),
    ]


def _money(watched: Watched) -> Sequence[cloudwatch.IWidget]:
    """What DynamoDB, Lambda and the API cost, by the metrics they bill from and the prices of `infra.cloud.costs`."""
    terms: dict[str, tuple[cloudwatch.IMetric, str]] = {}
    for name, metric, price in _units(watched.data):
        terms[name] = (metric, f"FILL({name}, 0) * {price}")
    for name, one in watched.functions.items():
        second = costs.memory_gb(name) * costs.PRICES["lambda"].each
        durations = one.function.metric_duration(period=PERIOD, statistic="Sum")
        calls = one.function.metric_invocations(period=PERIOD, statistic="Sum")
        terms[name] = (durations, f"FILL({name}, 0) / 1000 * {second:.12f}")
        terms[f"{name}Calls"] = (calls, f"FILL({name}Calls, 0) * {costs.PRICES['lambda call'].each:.9f}")
    names = list(terms)
    parts = {
        f"part{first}": _sum_of({name: terms[name] for name in names[first : first + EXPRESSION_TERMS_MAX]})
        for first in range(0, len(names), EXPRESSION_TERMS_MAX)
    }
    requests = watched.api.metric_count(period=PERIOD)
    every = f"requests * {costs.PRICES['api'].each:.9f} + {' + '.join(parts)}"
    cost = cloudwatch.MathExpression(
        expression=f"IF(requests > 0, ({every}) / requests * 1000, 0)",
        label=f"dollars for a thousand requests, at the prices of {costs.LOOKED_UP_ON}",
        period=PERIOD,
        using_metrics={"requests": requests, **parts},
    )
    return [cloudwatch.GraphWidget(title="Cost per thousand operations", left=[cost], width=_WIDTH * 2)]


def _sum_of(terms: Mapping[str, tuple[cloudwatch.IMetric, str]]) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=" + ".join(term for _, term in terms.values()),
        period=PERIOD,
        using_metrics={name: metric for name, (metric, _) in terms.items()},
    )


def _units(data: Data) -> Iterable[tuple[str, cloudwatch.IMetric, str]]:
    """Name, metric and price of the units of each table and of each of its indexes, which are metered apart."""
    for table, declared in ((data.loyalty, tables.LOYALTY), (data.people, tables.PEOPLE)):
        for index in (None, *(one.name for one in declared.indexes)):
            where = {"GlobalSecondaryIndexName": index} if index else {}
            for kind in ("Read", "Write"):
                metric = table.metric(
                    f"Consumed{kind}CapacityUnits",
                    period=PERIOD,
                    statistic="Sum",
                    dimensions_map={"TableName": table.table_name, **where},
                )
                name = f"{declared.name}{(index or '').title()}{kind}"
                yield name, metric, f"{costs.PRICES[kind.lower()].each:.9f}"
