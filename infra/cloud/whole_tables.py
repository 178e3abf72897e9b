"""Work on whole tables in the cloud: a state machine that has parts worked on by as many calls as the table bears.

What it does is in `infra/tools/cloud_run.py`. `loyalty verify --in-cloud` starts it, and so does a schedule.
"""

import json
from typing import Any

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.cloud.buckets import plain, private_bucket
from infra.cloud.functions import Builder
from infra.cloud.nag import acknowledge
from infra.cloud.options import Options
from infra.cloud.tables import Data
from infra.tools.cloud_run import ARN, BUCKET

NAME = "whole_tables"
KEPT_DAYS = 30
AT_ONCE_MAX = 40
"""Parts worked on at once: each reads some hundred items a second, and tills need the table, too."""
PART_SECONDS_MAX = 300
ATTEMPTS_MAX = 3
VERIFIED = "cron(30 3 ? * SUN,WED *)"
"""Twice a week, so that an alarm that looks a week back sees a run at any time."""
_INVOKE = "arn:aws:states:::lambda:invoke"


def add_whole_tables(scope: Construct, builder: Builder, data: Data, options: Options) -> None:
    """The bucket of runs, the function, the state machine and its schedule."""
    bucket = private_bucket(scope, "Runs", options, KEPT_DAYS)
    acknowledge(bucket, "AwsSolutions-S1", "the runs alone write and read there")
    worker = builder.whole_tables(
        NAME, {"LOYALTY_TABLE": data.loyalty.table_name, "DUE_SHARDS": options.shards, BUCKET: bucket.bucket_name}
    )
    table = data.loyalty.table_arn
    _grant(worker.role, ["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:GetItem"], table)
    _grant(worker.role, ["dynamodb:Query"], f"{table}/index/history")
    _grant_objects(worker.role, bucket)
    name = f"{Stack.of(scope).stack_name}-whole-tables"
    role = iam.Role(scope, "StatesRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    definition = machine_definition(worker.function.function_arn, bucket.bucket_name)
    machine = sfn.StateMachine(
        scope,
        "WholeTables",
        state_machine_name=name,
        role=role,
        definition_body=sfn.DefinitionBody.from_string(Stack.of(scope).to_json_string(definition)),
    )
    _let_run(role, name, worker.function.function_arn)
    _grant_objects(role, bucket)
    machine.node.add_dependency(role)
    objects = f"AwsSolutions-IAM5[Resource::<{Stack.of(scope).get_logical_id(plain(bucket))}.Arn>/runs/*]"
    for who in (worker.role, role):
        acknowledge(who, objects, "a run names its own objects")
    here = "<AWS::Region>:<AWS::AccountId>"
    own = f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:{here}:execution:{name}/*]"
    acknowledge(role, own, "AWS names the executions of parts itself")
    acknowledge(machine, "AwsSolutions-SF1", "each run keeps its own history, and its function has a log")
    acknowledge(machine, "AwsSolutions-SF2", "what a part took is in the function's log")
    _schedule(scope, machine, options)
    CfnOutput(scope, ARN, value=machine.state_machine_arn)


def machine_definition(function_arn: str, bucket: str) -> dict[str, Any]:
    """Go on with a command; if parts are waiting, work on them and go on again."""
    retry = [
        {
            "ErrorEquals": ["States.TaskFailed", "States.Timeout"],
            "IntervalSeconds": 5,
            "MaxAttempts": ATTEMPTS_MAX - 1,
            "BackoffRate": 2,
        }
    ]
    call = {"Type": "Task", "Resource": _INVOKE, "Retry": retry}
    part = {**call, "Parameters": {"FunctionName": function_arn, "Payload.$": "$"}, "ResultSelector": {}, "End": True}
    selected = {"part.$": "$$.Map.Item.Value.part", "digest.$": "$$.Map.Item.Value.digest"}
    return {
        "StartAt": "Begin",
        "States": {
            "Begin": {
                "Type": "Pass",
                "Parameters": {
                    "command.$": "$.command",
                    "run.$": "$$.Execution.Name",
                    "now.$": "$$.Execution.StartTime",
                },
                "Next": "Go on",
            },
            "Go on": {
                **call,
                "Parameters": {"FunctionName": function_arn, "Payload.$": "$"},
                "ResultSelector": {"is.$": "$.Payload"},
                "ResultPath": "$.step",
                "Next": "Is anything left",
            },
            "Is anything left": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.step.is.done", "BooleanEquals": True, "Next": "End"}],
                "Default": "Work on parts",
            },
            "Work on parts": {
                "Type": "Map",
                "Label": "Parts",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": bucket, "Key.$": "$.step.is.parts"},
                },
                "ItemSelector": {**selected, "folder.$": "$.step.is.folder", "work.$": "$.step.is.work"},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                    "StartAt": "Work on a part",
                    "States": {"Work on a part": {**part, "TimeoutSeconds": PART_SECONDS_MAX - 5}},
                },
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": bucket, "Prefix": "runs/children"},
                },
                "MaxConcurrency": AT_ONCE_MAX,
                "ToleratedFailurePercentage": 100,
                "ResultPath": "$.worked",  # a null would be left out of the template
                "Next": "Go on",
            },
            "End": {"Type": "Pass", "OutputPath": "$.step.is", "End": True},
        },
    }


def _let_run(role: iam.Role, name: str, function_arn: str) -> None:
    """What the state machine may do beside its objects: call the function, and run its parts."""
    here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    _grant(role, ["lambda:InvokeFunction"], function_arn)
    _grant(role, ["states:StartExecution"], f"arn:{Aws.PARTITION}:states:{here}:stateMachine:{name}")
    runs = f"arn:{Aws.PARTITION}:states:{here}:execution:{name}/*"
    _grant(role, ["states:DescribeExecution", "states:StopExecution"], runs)


def _grant_objects(role: iam.Role, bucket: s3.Bucket) -> None:
    """Which parts there are is read, and what they came to is written."""
    _grant(role, ["s3:GetObject", "s3:PutObject"], bucket.arn_for_objects("runs/*"))
    _grant(role, ["s3:ListBucket"], bucket.bucket_arn)


def _grant(role: iam.Role, actions: list[str], resource: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))


def _schedule(scope: Construct, machine: sfn.StateMachine, options: Options) -> None:
    role = iam.Role(scope, "VerifyScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
    _grant(role, ["states:StartExecution"], machine.state_machine_arn)
    schedule = scheduler.CfnSchedule(
        scope,
        "verify-schedule",
        schedule_expression=VERIFIED,
        schedule_expression_timezone=options.time_zone,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=machine.state_machine_arn, role_arn=role.role_arn, input=json.dumps({"command": "verify"})
        ),
    )
    schedule.node.add_dependency(role)
