"""What calls functions besides the API: schedules, queues, the ledger's stream, the mail service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cloud import mail
from infra.cloud.functions import Function
from infra.cloud.options import Options
from infra.cloud.permissions import RUN_WORKERS
from infra.cloud.queues import ATTEMPTS_MAX, Queues
from infra.cloud.tables import Data


@dataclass(frozen=True)
class _Schedule:
    """When a function is called, and for which of its works; none waits for another."""

    function: str
    expression: str
    work: str | None = None


SCHEDULES: Mapping[str, _Schedule] = {
    "expire": _Schedule("expire", "cron(0 * * * ? *)"),
    # A day is listed by its first run; the others are for what that one left.
    "birthdays": _Schedule("birthdays", "cron(30 * * * ? *)"),
    # Nobody is written to at night.
    "reminders": _Schedule("notify", "cron(0 9-20 * * ? *)", "reminders"),
    "statements": _Schedule("notify", "cron(15 9-20 * * ? *)", "statements"),
    "partners": _Schedule("notify", "cron(45 9-20 * * ? *)", "partners"),
    # For some members it is morning while it is night where the program is at home.
    "waiting": _Schedule("notify", "cron(0 * * * ? *)", "waiting"),
    "resumed": _Schedule("notify", "cron(30 * * * ? *)", "resumed"),
}
SCHEDULE_RETRIES = 2
SCHEDULE_HOURS_MAX = 1
"""After this the next run is due, and does what this one left."""
PAGE_BATCH, WEBHOOK_BATCH, MESSAGE_BATCH = 1, 1, 10
"""A page is a hundred members, so it has a call of its own. Deliveries are handed over alone, too: one endpoint that is
slow holds up no delivery to another that came with it.
"""
STREAM_BATCH = 50
STREAM_HOURS_MAX = 20
"""Below the stream's own 24: what fails is set aside before it is gone."""
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


def add_schedules(scope: Construct, functions: dict[str, Function], queues: Queues, options: Options) -> None:
    """Hourly runs in the program's time zone; a run is given the instant that it was scheduled for."""
    called = {one.function: functions[one.function] for one in SCHEDULES.values()}
    role = iam.Role(scope, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["lambda:InvokeFunction"], resources=[one.entrance.function_arn for one in called.values()]
        )
    )
    role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queues.schedule_letters.queue_arn]))
    for name, one in called.items():
        _set_failures_aside(scope, name, one, queues)
    for name, schedule in SCHEDULES.items():
        _add_schedule(scope, f"{name}-schedule", called[schedule.function], role, queues, options, schedule)


def _set_failures_aside(scope: Construct, name: str, one: Function, queues: Queues) -> None:
    """What a function that nobody waits for keeps failing at goes to the dead letters."""
    lambda_.CfnEventInvokeConfig(
        scope,
        f"{name}-failures",
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queues.schedule_letters.queue_arn)
        ),
        function_name=one.function.function_name,
        maximum_event_age_in_seconds=Duration.hours(SCHEDULE_HOURS_MAX).to_seconds(),
        maximum_retry_attempts=SCHEDULE_RETRIES,
        qualifier="$LATEST",
    ).node.add_dependency(one.role)


def _add_schedule(
    scope: Construct,
    id_: str,
    one: Function,
    role: iam.Role,
    queues: Queues,
    options: Options,
    when: _Schedule,
) -> None:
    work = {"work": when.work} if when.work else {}
    schedule = scheduler.CfnSchedule(
        scope,
        id_,
        schedule_expression=when.expression,
        schedule_expression_timezone=options.time_zone,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=one.entrance.function_arn,
            role_arn=role.role_arn,
            input=json.dumps({"time": SCHEDULED_TIME, **work}),
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=queues.schedule_letters.queue_arn),
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_event_age_in_seconds=Duration.hours(SCHEDULE_HOURS_MAX).to_seconds(),
                maximum_retry_attempts=SCHEDULE_RETRIES,
            ),
        ),
    )
    schedule.node.add_dependency(role)


def add_mail_feedback(scope: Construct, feedback: Function, queues: Queues) -> None:
    """Bounces and complaints, as SES puts them on the account's own bus."""
    name = Stack.of(scope).stack_name
    pattern = events.EventPattern(
        source=["aws.ses"],
        detail_type=["Email Bounced", "Email Complaint Received"],
        # Other senders of the account are none of ours.
        detail={"mail": {"tags": {"ses:configuration-set": [name]}}},
    )
    rule = events.Rule(scope, "MailFeedback", event_pattern=pattern)
    rule.add_target(targets.LambdaFunction(feedback.entrance, retry_attempts=SCHEDULE_RETRIES))
    _set_failures_aside(scope, "mail_feedback", feedback, queues)


def add_queue_workers(scope: Construct, functions: dict[str, Function], queues: Queues, options: Options) -> None:
    """Messages to their workers, so many calls at once; what fails comes back."""
    for run, name in RUN_WORKERS.items():
        # A function reads a queue once: under another name, a second reader would come before the first goes.
        id_ = "expire-workers" if run == "expiry" else f"{run}-workers"
        _add_workers(scope, id_, functions[name], queues.runs[run], PAGE_BATCH, options.workers[run])
    for name, queue, batch, at_once_max in (
        ("messages", queues.messages, MESSAGE_BATCH, mail.workers_max(options)),
        ("webhook_deliveries", queues.webhooks, WEBHOOK_BATCH, options.webhook_workers),
    ):
        _add_workers(scope, f"{name}-workers", functions[name], queue, batch, at_once_max)


def _add_workers(scope: Construct, id_: str, worker: Function, queue: sqs.Queue, batch: int, at_once_max: int) -> None:
    mapping = lambda_.EventSourceMapping(
        scope,
        id_,
        target=worker.entrance,
        batch_size=batch,
        event_source_arn=queue.queue_arn,
        max_concurrency=at_once_max,
        report_batch_item_failures=True,
    )
    # Lambda tries the function's rights when the mapping is made.
    mapping.node.add_dependency(worker.role)


def add_stream_readers(
    scope: Construct, functions: dict[str, Function], data: Data, failed_records: s3.Bucket, options: Options
) -> None:
    """Who tells of new ledger entries hears of all, told from other items by their `type`, and of messages that are to
    go out at once; who draws consequences for others hears of the few entries that have any.
    """
    _add_stream_reader(scope, "StreamReader", functions["notify"], ("type", "note"), data, failed_records, options)
    _add_stream_reader(scope, "StreamFollower", functions["consequences"], ("follow",), data, failed_records, options)


def _add_stream_reader(
    scope: Construct,
    id_: str,
    reader: Function,
    attributes: tuple[str, ...],
    data: Data,
    failed_records: s3.Bucket,
    options: Options,
) -> None:
    """New items that have one of some attributes. A bad one is cut out of its batch and set aside, whole."""
    filters = [
        lambda_.FilterCriteria.filter(
            {
                "eventName": lambda_.FilterRule.is_equal("INSERT"),
                "dynamodb": {"NewImage": {attribute: {"S": lambda_.FilterRule.exists()}}},
            }
        )
        for attribute in attributes
    ]
    mapping = lambda_.EventSourceMapping(
        scope,
        id_,
        target=reader.entrance,
        batch_size=STREAM_BATCH,
        bisect_batch_on_error=True,
        event_source_arn=data.loyalty.table_stream_arn,
        filters=filters,
        max_record_age=Duration.hours(STREAM_HOURS_MAX),
        parallelization_factor=options.stream_workers,
        report_batch_item_failures=True,
        retry_attempts=ATTEMPTS_MAX,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
    )
    resource = cast("lambda_.CfnEventSourceMapping", mapping.node.default_child)
    resource.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
        on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failed_records.bucket_arn)
    )
    mapping.node.add_dependency(reader.role)
