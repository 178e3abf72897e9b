"""What calls functions besides the API: schedules, queues, the ledger's stream."""

import json
from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.cloud.data import Data
from infra.cloud.functions import Function
from infra.cloud.options import Options
from infra.cloud.queues import ATTEMPTS_MAX, Queues

SCHEDULES = {
    "expire": "cron(0 * * * ? *)",
    # Nobody is written to at night.
    "notify": "cron(0 9-20 * * ? *)",
}
SCHEDULE_RETRIES = 2
SCHEDULE_HOURS_MAX = 1
"""After this the next run is due, and does what this one left."""
QUEUE_BATCH, QUEUE_WORKERS_MAX = 10, 10
STREAM_BATCH, STREAM_WORKERS = 50, 4
STREAM_HOURS_MAX = 20
"""Below the stream's own 24: what fails goes to the dead letters before it is gone."""
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


def add_schedules(scope: Construct, functions: dict[str, Function], queues: Queues, options: Options) -> None:
    """Hourly runs in the program's time zone; a run is told the instant it stands for."""
    called = {name: functions[name] for name in SCHEDULES}
    role = iam.Role(scope, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["lambda:InvokeFunction"], resources=[one.entrance.function_arn for one in called.values()]
        )
    )
    role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queues.schedule_letters.queue_arn]))
    for name, one in called.items():
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
        schedule = scheduler.CfnSchedule(
            scope,
            f"{name}-schedule",
            schedule_expression=SCHEDULES[name],
            schedule_expression_timezone=options.time_zone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=one.entrance.function_arn,
                role_arn=role.role_arn,
                input=json.dumps({"time": SCHEDULED_TIME}),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=queues.schedule_letters.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=Duration.hours(SCHEDULE_HOURS_MAX).to_seconds(),
                    maximum_retry_attempts=SCHEDULE_RETRIES,
                ),
            ),
        )
        schedule.node.add_dependency(role)


def add_queue_workers(scope: Construct, functions: dict[str, Function], queues: Queues) -> None:
    """Messages in batches; those that fail come back alone."""
    for name, queue in {"expire": queues.expiry, "deliver": queues.webhooks}.items():
        mapping = lambda_.EventSourceMapping(
            scope,
            f"{name}-workers",
            target=functions[name].entrance,
            batch_size=QUEUE_BATCH,
            event_source_arn=queue.queue_arn,
            max_concurrency=QUEUE_WORKERS_MAX,
            report_batch_item_failures=True,
        )
        # Lambda tries the function's rights when the mapping is made.
        mapping.node.add_dependency(functions[name].role)


def add_stream_reader(scope: Construct, notify: Function, data: Data, queues: Queues) -> None:
    """New ledger entries, told from other items by their `type`. A bad one is cut out of its batch and set aside."""
    entry = {
        "eventName": lambda_.FilterRule.is_equal("INSERT"),
        "dynamodb": {"NewImage": {"type": {"S": lambda_.FilterRule.exists()}}},
    }
    mapping = lambda_.EventSourceMapping(
        scope,
        "StreamReader",
        target=notify.entrance,
        batch_size=STREAM_BATCH,
        bisect_batch_on_error=True,
        event_source_arn=data.loyalty.table_stream_arn,
        filters=[lambda_.FilterCriteria.filter(entry)],
        max_record_age=Duration.hours(STREAM_HOURS_MAX),
        parallelization_factor=STREAM_WORKERS,
        report_batch_item_failures=True,
        retry_attempts=ATTEMPTS_MAX,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
    )
    resource = cast("lambda_.CfnEventSourceMapping", mapping.node.default_child)
    resource.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
        on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=queues.stream_letters.queue_arn)
    )
    mapping.node.add_dependency(notify.role)
