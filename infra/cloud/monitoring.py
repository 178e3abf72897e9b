"""Alarms, and the dashboard to look at when one goes off."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra import tables
from infra.cloud import costs
from infra.cloud.functions import Function
from infra.cloud.options import Options
from infra.cloud.queues import Queues
from infra.cloud.tables import Data
from infra.tools.publish_totals import OUTSTANDING_CREDIT, OUTSTANDING_LIABILITY, OUTSTANDING_POINTS
from shared import telemetry

PERIOD = Duration.minutes(5)
STREAM_AGE_MINUTES_MAX = 15
EXPIRY_WAIT_HOURS_MAX = 2
"""Expiry runs every hour: two hours without one, or with a message unworked, is late. Balances are right even so."""
FAILURES_MAX = 0
SERVER_ERRORS_MAX = 5
_WIDTH = 12


@dataclass(frozen=True)
class Watched:
    """Everything that alarms and the dashboard speak of."""

    functions: Mapping[str, Function]
    api: apigateway.HttpApi
    data: Data
    queues: Queues


def add_operations(scope: Construct, watched: Watched, options: Options) -> sns.Topic:
    """Alarms to a topic, and the dashboard."""
    topic = sns.Topic(scope, "Alarms", display_name="Loyalty alarms", enforce_ssl=True)
    if options.alarm_email:
        topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
    for alarm in _alarms(scope, watched):
        alarm.add_alarm_action(actions.SnsAction(topic))
    dashboard = cloudwatch.Dashboard(scope, "Dashboard", dashboard_name=Stack.of(scope).stack_name)
    for row in (_business(), _technical(watched), _money(watched)):
        dashboard.add_widgets(*row)
    return topic


def _alarms(scope: Construct, watched: Watched) -> Iterable[cloudwatch.Alarm]:
    for name, one in watched.functions.items():
        yield _above(scope, f"{name}-errors", one.function.metric_errors(period=PERIOD), FAILURES_MAX)
        yield _above(scope, f"{name}-throttles", one.function.metric_throttles(period=PERIOD), FAILURES_MAX)
    for name, queue in watched.queues.dead_letters.items():
        metric = queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")
        yield _above(scope, f"{name}-dead-letters", metric, FAILURES_MAX)
    yield _above(scope, "server-errors", watched.api.metric_server_error(period=PERIOD), SERVER_ERRORS_MAX)
    yield _above(scope, "invariants", _counted("InvariantViolations"), FAILURES_MAX)
    yield _above(scope, "accounts-not-settled", _counted("AccountsNotSettled"), FAILURES_MAX)
    for id_, name in {"stream-age": "notify", "follower-age": "consequences"}.items():
        age = watched.functions[name].function.metric("IteratorAge", period=PERIOD, statistic="Maximum")
        yield _above(scope, id_, age, Duration.minutes(STREAM_AGE_MINUTES_MAX).to_milliseconds())
    late = Duration.hours(EXPIRY_WAIT_HOURS_MAX)
    waiting = watched.queues.expiry.metric_approximate_age_of_oldest_message(period=PERIOD)
    yield _above(scope, "expiry-unworked", waiting, late.to_seconds())
    yield cloudwatch.Alarm(
        scope,
        "expiry-late",
        alarm_description=f"No expiry run for {EXPIRY_WAIT_HOURS_MAX} hours",
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluation_periods=1,
        metric=watched.functions["expire"].function.metric_invocations(period=late, statistic="Sum"),
        threshold=1,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
    )


def _above(scope: Construct, name: str, metric: cloudwatch.IMetric, limit: float) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        scope,
        name,
        alarm_description=f"Loyalty: {name.replace('-', ' ')}",
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=1,
        metric=metric,
        threshold=limit,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def _business() -> Sequence[cloudwatch.IWidget]:
    flows = {
        "earned": _counted("PointsEarned"),
        "redeemed": _counted("PointsRedeemed"),
        "expired": _counted("PointsExpired"),
        "taken": _counted("PointsTakenBack"),
    }
    change = cloudwatch.MathExpression(
        expression="RUNNING_SUM(FILL(changed, 0))",
        label="change over the time shown",
        period=PERIOD,
        using_metrics={"changed": _counted("PointsChange")},
    )
    published = {
        "points": _counted(OUTSTANDING_POINTS, "Maximum"),
        "liability": _counted(OUTSTANDING_LIABILITY, "Maximum"),
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
        using_metrics={"credit": _counted(OUTSTANDING_CREDIT, "Maximum")},
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
    used: dict[str, cloudwatch.IMetric] = {"requests": watched.api.metric_count(period=PERIOD)}
    parts = [f"requests * {costs.PRICES['api'].each:.9f}"]
    for name, metric, price in _units(watched.data):
        used[name] = metric
        parts.append(f"FILL({name}, 0) * {price}")
    for name, one in watched.functions.items():
        used[name] = one.function.metric_duration(period=PERIOD, statistic="Sum")
        used[f"{name}Calls"] = one.function.metric_invocations(period=PERIOD, statistic="Sum")
        second = costs.memory_gb(name) * costs.PRICES["lambda"].each
        parts.append(f"FILL({name}, 0) / 1000 * {second:.12f}")
        parts.append(f"FILL({name}Calls, 0) * {costs.PRICES['lambda call'].each:.9f}")
    cost = cloudwatch.MathExpression(
        expression=f"IF(requests > 0, ({' + '.join(parts)}) / requests * 1000, 0)",
        label=f"dollars for a thousand requests, at the prices of {costs.LOOKED_UP_ON}",
        period=PERIOD,
        using_metrics=used,
    )
    return [cloudwatch.GraphWidget(title="Cost per thousand operations", left=[cost], width=_WIDTH * 2)]


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


def _counted(name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """A metric of our own."""
    return cloudwatch.Metric(
        namespace=telemetry.NAMESPACE,
        metric_name=name,
        dimensions_map={"service": telemetry.SERVICE},
        period=PERIOD,
        statistic=statistic,
    )
