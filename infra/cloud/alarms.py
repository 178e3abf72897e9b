"""Alarms: few, each with a severity, and each with an entry in RUNBOOK.md beside this file.

What fails in an answer is seen by the API, and what fails in the background by what it leaves behind: letters in a dead
queue, an old message, a run that did not come. So there is no alarm for every function's every error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aws_cdk import Duration, NestedStack, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_backup as backup
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import openapi, tables
from infra.cloud.api import TOO_MANY_REQUESTS
from infra.cloud.functions import Function
from infra.cloud.options import Options
from infra.cloud.permissions import NEEDS
from infra.cloud.queues import Queues
from infra.cloud.stack_resources import alarm_name
from infra.cloud.tables import Data
from infra.cloud.triggers import SCHEDULES
from infra.tools.publish_totals import LEDGER_CHECKS, LEDGER_VIOLATIONS
from shared import telemetry

Severity = Literal["page", "ticket"]
"""`page`: members or tills notice now, somebody gets up. `ticket`: for the next working day."""

PERIOD = Duration.minutes(5)
RELEASE_PERIOD = Duration.minutes(1)
PERIODS_LONG = 3
"""How many periods in a row make a trouble of what a single one may be by chance."""
SERVER_ERRORS_MAX = 5
REFUSED_PERCENT_MAX = 1
REQUESTS_MIN = 100
"""Below so many requests in a period a share says nothing."""
TILL_FUNCTIONS = ("earn", "redeem")
TILL_SECONDS_MAX = 3
BACKGROUND_ERRORS_MAX = 10
TABLE_THROTTLES_MAX = 10
STREAM_AGE_MINUTES_MAX = 15
QUEUE_AGE_MINUTES_MAX: Mapping[str, int] = {
    "expiry": 120,
    "birthdays": 240,
    "reminders": 240,
    "statements": 720,
    "webhook": 60,
    "message": 720,
}
"""Expiry may take its time: balances are right even so. Messages of a month's end take hours at the mail service's
rate; what is urgent does not wait behind them. What a webhook has refused three times no longer counts, and until then
half an hour passes.
"""
REFUSED_MESSAGES_MAX = 10
"""An address now and then is wrong; more than that, and it is the account or the sender."""
RUNS: Mapping[str, int] = {"expire": 2, "birthdays": 2}
"""Functions that a schedule calls every hour, and the hours without one good run that are too many."""
BOUNCES_MAX, COMPLAINTS_MAX = 0.05, 0.001
"""Above these shares SES reviews an account, and may stop all of its e-mail."""
BACKUPLESS_DAYS_MAX = 2
UNVERIFIED_DAYS_MAX = 7
"""CloudWatch looks no further back."""


@dataclass(frozen=True)
class Watched:
    """Everything that alarms and the dashboard speak of."""

    functions: Mapping[str, Function]
    token_trigger: lambda_.IFunction | None
    """Without it nobody gets a token; None where the issuer is somebody else's."""
    link_trigger: lambda_.IFunction | None
    """None where nobody signs up."""
    api: apigateway.HttpApi
    data: Data
    queues: Queues
    backups: backup.IBackupVault | None
    """None where no vault elsewhere is named."""


@dataclass(frozen=True)
class _Rule:
    """When an alarm goes off: its metric is above `above` for `periods` in a row."""

    name: str
    severity: Severity
    what: str
    metric: cloudwatch.IMetric
    above: float = 0
    periods: int = 1
    is_missing_bad: bool = False
    stops: codedeploy.LambdaDeploymentGroup | None = None
    """The release that it takes back."""


def add_alarms(scope: Construct, watched: Watched, options: Options) -> sns.Topic:
    """All alarms, and the topic that they tell of trouble and of its end.

    Alarms have a stack of their own, so that the outer one has room for more functions. Who has subscribed to the
    topic would have to confirm it again if it moved, and what takes a release back is there before that release: both
    stay.
    """
    topic = _topic(scope, options)
    stack, inner = Stack.of(scope).stack_name, NestedStack(scope, "Watching")
    for rule in _rules(scope, watched, options):
        alarm = cloudwatch.Alarm(
            scope if rule.stops else inner,
            rule.name,
            alarm_name=alarm_name(stack, rule.name),
            alarm_description=f"[{rule.severity}] {rule.what}. What to do: infra/cloud/RUNBOOK.md#{rule.name}",
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=rule.periods,
            metric=rule.metric,
            threshold=rule.above,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if rule.is_missing_bad
            else cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
        alarm.add_ok_action(actions.SnsAction(topic))
        if rule.stops:
            rule.stops.add_alarm(alarm)
    return topic


def counted(scope: Construct, name: str, statistic: str = "Sum", period: Duration = PERIOD) -> cloudwatch.Metric:
    """A metric of our own, as this stack's functions count it."""
    return cloudwatch.Metric(
        namespace=telemetry.NAMESPACE,
        metric_name=name,
        dimensions_map={"service": Stack.of(scope).stack_name},
        period=period,
        statistic=statistic,
    )


def _topic(scope: Construct, options: Options) -> sns.Topic:
    topic = sns.Topic(scope, "Alarms", display_name="Loyalty alarms", enforce_ssl=True)
    # A policy of its own takes the place of the one that lets everything in the account publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsArrive",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    if options.alarm_email:
        topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
    return topic


def _rules(scope: Construct, watched: Watched, options: Options) -> Iterable[_Rule]:
    yield from _of_callers(scope, watched)
    yield from _of_releases(watched)
    yield from _of_tables(watched.data)
    yield from _of_queues(watched)
    yield from _of_time(scope, watched)
    if watched.backups:
        yield from of_backups(watched.backups)
    yield from _of_books(scope, options)
    yield from _of_mail(scope)


def _of_callers(scope: Construct, watched: Watched) -> Iterable[_Rule]:
    api = watched.api
    yield _Rule(
        "server-errors",
        "page",
        "The API answers with 5xx",
        api.metric_server_error(period=PERIOD),
        above=SERVER_ERRORS_MAX,
    )
    refused = cloudwatch.MathExpression(
        expression=f"IF(requests >= {REQUESTS_MIN}, 100 * FILL(refused, 0) / requests, 0)",
        label="percent",
        period=PERIOD,
        using_metrics={"requests": api.metric_count(period=PERIOD), "refused": counted(scope, TOO_MANY_REQUESTS)},
    )
    yield _Rule(
        "refused", "page", "Calls are refused with 429", refused, above=REFUSED_PERCENT_MAX, periods=PERIODS_LONG
    )
    for name in TILL_FUNCTIONS:
        yield _Rule(
            f"{name}-slow",
            "page",
            f"One in a hundred calls of {name} takes over {TILL_SECONDS_MAX} seconds",
            watched.functions[name].function.metric_duration(period=PERIOD, statistic="p99"),
            above=Duration.seconds(TILL_SECONDS_MAX).to_milliseconds(),
            periods=PERIODS_LONG,
        )
    awaited = [watched.functions[name].function for name, needs in NEEDS.items() if needs.is_snapshot]
    throttles = _summed({one.node.id: one.metric_throttles(period=PERIOD) for one in awaited})
    yield _Rule("functions-throttled", "page", "The account has no room for calls that people wait for", throttles)
    if watched.token_trigger:
        errors = watched.token_trigger.metric_errors(period=PERIOD)
        yield _Rule("sign-in-errors", "page", "The user pool issues no tokens", errors)
    if watched.link_trigger:
        errors = watched.link_trigger.metric_errors(period=PERIOD)
        yield _Rule("sign-up-errors", "ticket", "Who has signed up is linked to no member", errors)


def _of_releases(watched: Watched) -> Iterable[_Rule]:
    """Errors of a version while it shares the calls with the one before; afterwards there are no such figures."""
    for name, one in watched.functions.items():
        if one.release is None:
            continue
        errors = cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions_map={
                "FunctionName": one.function.function_name,
                "Resource": f"{one.function.function_name}:live",
                "ExecutedVersion": one.release.version.version,
            },
            period=RELEASE_PERIOD,
            statistic="Sum",
        )
        what = f"The new version of {name} fails, and is taken back"
        yield _Rule(f"{name}-release", "ticket", what, errors, stops=one.release.group)


def _of_tables(data: Data) -> Iterable[_Rule]:
    for table, declared in ((data.loyalty, tables.LOYALTY), (data.people, tables.PEOPLE)):
        for index in (None, *(one.name for one in declared.indexes)):
            name = f"{declared.name}-{index}" if index else declared.name
            throttles = {kind: _throttles(table, kind, index) for kind in ("Read", "Write")}
            yield _Rule(
                f"{name}-throttled",
                "page",
                f"DynamoDB refuses requests to {name}",
                _summed({kind.lower(): metric for kind, metric in throttles.items()}),
                above=TABLE_THROTTLES_MAX,
            )


def _throttles(table: dynamodb.ITable, kind: str, index: str | None) -> cloudwatch.IMetric:
    where = {"GlobalSecondaryIndexName": index} if index else {}
    return table.metric(
        f"{kind}ThrottleEvents",
        period=PERIOD,
        statistic="Sum",
        dimensions_map={"TableName": table.table_name, **where},
    )


def _of_queues(watched: Watched) -> Iterable[_Rule]:
    working: Mapping[str, sqs.Queue] = {
        **watched.queues.runs,
        "webhook": watched.queues.webhooks,
        "message": watched.queues.messages,
    }
    for name, queue in working.items():
        minutes = QUEUE_AGE_MINUTES_MAX[name]
        yield _Rule(
            f"{name}-waits",
            "ticket",
            f"Messages of the {name} queue wait for over {minutes} minutes",
            queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum"),
            above=Duration.minutes(minutes).to_seconds(),
        )
    for name, queue in watched.queues.dead_letters.items():
        letters = queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")
        yield _Rule(f"{name}-dead-letters", "ticket", f"Work of the kind {name} was given up", letters)
    for name in ("notify", "consequences"):
        yield _Rule(
            f"{name}-behind",
            "page",
            f"{name} is over {STREAM_AGE_MINUTES_MAX} minutes behind the ledger",
            watched.functions[name].function.metric("IteratorAge", period=PERIOD, statistic="Maximum"),
            above=Duration.minutes(STREAM_AGE_MINUTES_MAX).to_milliseconds(),
        )
    awaited = {*openapi.http_functions(), *openapi.page_functions()}
    background = [one for name, one in watched.functions.items() if name not in awaited]
    yield _Rule(
        "background-errors",
        "ticket",
        "Functions that nobody waits for keep failing",
        _summed({one.function.node.id: one.function.metric_errors(period=PERIOD) for one in background}),
        above=BACKGROUND_ERRORS_MAX,
        periods=PERIODS_LONG,
    )


def _of_time(scope: Construct, watched: Watched) -> Iterable[_Rule]:
    for name, hours in RUNS.items():
        period = Duration.hours(hours)
        function = watched.functions[name].function
        missing = cloudwatch.MathExpression(
            expression="IF(FILL(calls, 0) - FILL(failed, 0) < 1, 1, 0)",
            label="no good run",
            period=period,
            using_metrics={
                "calls": function.metric_invocations(period=period, statistic="Sum"),
                "failed": function.metric_errors(period=period, statistic="Sum"),
            },
        )
        yield _Rule(f"{name}-late", "ticket", f"No good run of {name} for {hours} hours", missing, is_missing_bad=True)
    works = [one.work for one in SCHEDULES.values() if one.work]
    day = Duration.days(1)
    late = cloudwatch.MathExpression(
        expression=" + ".join(f"IF(FILL({work}, 0) < 1, 1, 0)" for work in works),
        label="works without a good run",
        period=day,
        using_metrics={work: counted(scope, telemetry.run_metric(work), period=day) for work in works},
    )
    yield _Rule("runs-late", "ticket", "Scheduled work of notify had no good run for a day", late, is_missing_bad=True)


def of_backups(vault: backup.IBackupVault) -> Iterable[_Rule]:
    """Of a stack whose backups are copied elsewhere."""

    def jobs(name: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Backup",
            metric_name=name,
            dimensions_map={"BackupVaultName": vault.backup_vault_name},
            period=period,
            statistic="Sum",
        )

    hour, day = Duration.hours(1), Duration.days(1)
    failed = _summed(
        {name: jobs(f"NumberOf{kind}JobsFailed", hour) for name, kind in (("backups", "Backup"), ("copies", "Copy"))},
        hour,
    )
    yield _Rule("backups-failed", "ticket", "A backup of a table, or its copy elsewhere, failed", failed)
    missing = cloudwatch.MathExpression(
        expression="IF(FILL(done, 0) < 1, 1, 0)",
        label="no backup",
        period=day,
        using_metrics={"done": jobs("NumberOfBackupJobsCompleted", day)},
    )
    what = f"No backup of a table was made for {BACKUPLESS_DAYS_MAX} days"
    yield _Rule("backups-late", "ticket", what, missing, periods=BACKUPLESS_DAYS_MAX, is_missing_bad=True)


def _of_books(scope: Construct, options: Options) -> Iterable[_Rule]:
    yield _Rule("invariants", "page", "An account breaks an invariant", counted(scope, "InvariantViolations"))
    checks, day = "FILL(checks, 0)", Duration.days(1)
    unverified = cloudwatch.MathExpression(
        expression=f"IF({checks} < 1, 1, 0)",
        label="not verified",
        period=day,
        using_metrics={"checks": counted(scope, LEDGER_CHECKS, period=day)},
    )
    what = f"The ledger was not verified for {UNVERIFIED_DAYS_MAX} days"
    yield _Rule("not-verified", "ticket", what, unverified, periods=UNVERIFIED_DAYS_MAX, is_missing_bad=True)
    broken = counted(scope, LEDGER_VIOLATIONS, statistic="Maximum")
    yield _Rule("ledger-broken", "page", "A check of the whole ledger found something wrong", broken)
    yield _Rule("not-settled", "ticket", "Accounts could not be settled", counted(scope, "AccountsNotSettled"))
    if options.is_kept:  # nobody is earning where things are tried out
        hour = Duration.hours(1)
        flat = cloudwatch.MathExpression(
            expression="IF(FILL(earned, 0) < 1, 1, 0)",
            label="nothing earned",
            period=hour,
            using_metrics={"earned": counted(scope, "PointsEarned", period=hour)},
        )
        hours = options.points_flat_hours
        what = f"Nobody has earned a point for {hours} hours"
        yield _Rule("points-flat", "ticket", what, flat, periods=hours, is_missing_bad=True)


def _of_mail(scope: Construct) -> Iterable[_Rule]:
    hour = Duration.hours(1)
    refused = counted(scope, "MessagesRefused", period=hour)
    what = f"Over {REFUSED_MESSAGES_MAX} messages in an hour were refused for good"
    yield _Rule("messages-refused", "page", what, refused, above=REFUSED_MESSAGES_MAX)
    # Of the account as a whole: by these figures SES decides, whoever sent what bounced.
    for name, metric, limit in (
        ("mail-bounces", "Reputation.BounceRate", BOUNCES_MAX),
        ("mail-complaints", "Reputation.ComplaintRate", COMPLAINTS_MAX),
    ):
        rate = cloudwatch.Metric(namespace="AWS/SES", metric_name=metric, period=hour, statistic="Average")
        yield _Rule(name, "page", f"Over {limit:.1%} of e-mails end so that SES may stop all", rate, above=limit)


def _summed(metrics: Mapping[str, cloudwatch.IMetric], period: Duration = PERIOD) -> cloudwatch.MathExpression:
    """The sum of several; what has no data, or never had any, is left out of it."""
    return cloudwatch.MathExpression(
        expression=f"SUM([{', '.join(metrics)}])", label="sum", period=period, using_metrics=dict(metrics)
    )
