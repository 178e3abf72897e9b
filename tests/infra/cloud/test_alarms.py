"""An alarm reaches somebody, and that somebody finds what to do."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions import notify
from infra import tables
from infra.cloud import alarms
from shared import telemetry
from tests.infra.cloud.conftest import Template, metrics_of

pytestmark = pytest.mark.stack

RUNBOOK = Path(alarms.__file__).with_name("RUNBOOK.md")
WITH_OPTIONS = {"sign-up-errors", "backups-failed", "backups-late"}
"""Alarms of what is not there without an option."""
ALARM_METRICS_MAX = 10
"""CloudWatch takes no alarm of more."""
NAME = re.compile(r"loyalty-prod/(.+)")
RESOURCES_OF_ONE_ANSWER = 100
"""As many as `describe-stack-resources` tells of."""
OWN = {"Ref": "AWS::AccountId"}


@pytest.fixture(scope="module", params=["prod", "dev"])
def template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def entries() -> dict[str, str]:
    """What the runbook says, by alarm."""
    sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    return {name: text for name, _, text in (section.partition("\n") for section in sections)}


def test_every_alarm_and_its_end_reach_who_has_subscribed(prod: Template) -> None:
    for alarm in prod.properties("AWS::CloudWatch::Alarm"):
        for actions in (alarm["AlarmActions"], alarm["OKActions"]):
            [action] = actions
            topic = action["Ref"]
            assert prod.resources[topic]["Type"] == "AWS::SNS::Topic"
            assert _lets_cloudwatch_publish(prod, topic)
            assert [one["Endpoint"] for one in _subscriptions(prod, topic)] == ["ops@shop.example"]


def test_a_topic_that_only_says_who_may_not_publish_is_found_out(prod: Template) -> None:
    [topic] = [name for name, one in prod.resources.items() if one["Type"] == "AWS::SNS::Topic"]
    silent = Template(prod.path)
    for policy in silent.properties("AWS::SNS::TopicPolicy"):
        statements = policy["PolicyDocument"]["Statement"]
        statements[:] = [one for one in statements if one["Effect"] == "Deny"]
        assert statements
    assert not _lets_cloudwatch_publish(silent, topic)


def test_nobody_publishes_without_tls(prod: Template) -> None:
    [policy] = prod.properties("AWS::SNS::TopicPolicy")
    [denied] = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_alarm_has_its_entry_in_the_runbook_and_the_other_way_round(
    prod: Template, entries: Mapping[str, str]
) -> None:
    described = {_name(one): one["AlarmDescription"] for one in prod.properties("AWS::CloudWatch::Alarm")}
    assert set(described) | WITH_OPTIONS == set(entries)
    for name, description in described.items():
        [severity] = re.findall(r"^\[(page|ticket)\] ", description)
        assert description.endswith(f"RUNBOOK.md#{name}")
        assert f"\nSeverity: {severity}\n" in entries[name]
    assert not WITH_OPTIONS & set(described)


def test_an_entry_says_what_it_means_what_members_notice_and_three_commands(entries: Mapping[str, str]) -> None:
    for name, text in entries.items():
        assert re.search(r"\*\*What it means\.\*\* [\w`]", text), name
        assert re.search(r"\*\*What members notice\.\*\* [\w`]", text), name
        [commands] = re.findall(r"```sh\n(.*?)\n```", text, flags=re.DOTALL)
        assert len(commands.splitlines()) == 3, name
        assert all(line.startswith(("aws ", "loyalty ")) for line in commands.splitlines()), name


def test_the_runbook_names_what_is_in_the_stack(prod: Template, entries: Mapping[str, str]) -> None:
    text = "".join(entries.values())
    functions = {one["FunctionName"] for one in prod.properties("AWS::Lambda::Function")}
    named = re.findall(r"(?:/aws/lambda/|FunctionName,Value=|--function-name )\$STACK-(\w+)", text)
    assert named
    assert {f"loyalty-prod-{name}" for name in named if name != "sign_up"} <= functions
    for prefix in re.findall(r"\$\(resource (\w+)\)", text):
        found = [name for name in prod.resources if re.fullmatch(rf"{prefix}[0-9A-F]{{8}}", name)]
        assert len(found) == 1, prefix
    [enroll] = [one for one in prod.properties("AWS::Lambda::Function") if one["FunctionName"] == "loyalty-prod-enroll"]
    assert set(re.findall(r"\$\(table (\w+)\)", text)) <= set(enroll["Environment"]["Variables"])


def test_the_runbooks_shell_finds_a_resource_however_many_there_are(tmp_path: Path, prod: Template) -> None:
    [given] = re.findall(r"```sh\n(export STACK=.*?)```", RUNBOOK.read_text(), flags=re.DOTALL)
    listed = "".join(f"{name}\tphysical-{name}\n" for name in prod.apart()[prod.path.name])
    assert listed.count("\n") > RESOURCES_OF_ONE_ANSWER
    aws = tmp_path / "aws"
    aws.write_text(f"#!/bin/sh\n[ \"$2\" = list-stack-resources ] && cat <<'END'\n{listed}END\n")
    aws.chmod(0o755)
    for prefix in sorted(set(re.findall(r"\$\(resource (\w+)\)", RUNBOOK.read_text()))):
        done = subprocess.run(
            ["/bin/bash", "-c", f'{given}\nresource {prefix}; echo "$FROM $NOW"'],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        found, times = done.stdout.splitlines()
        assert re.fullmatch(rf"physical-{prefix}[0-9A-F]{{8}}", found), prefix
        began, now = map(datetime.fromisoformat, times.split())
        assert timedelta(0) <= timedelta(hours=3) - (now - began) < timedelta(minutes=1)


def test_tables_and_each_index_and_every_queue_are_watched(template: Template) -> None:
    watched = [one for alarm in template.properties("AWS::CloudWatch::Alarm") for one in metrics_of(alarm)]
    throttled = [
        {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        for metric in watched
        if metric["MetricName"] == "WriteThrottleEvents"
    ]
    assert len([one for one in throttled if "GlobalSecondaryIndexName" not in one]) == 2
    indexes = {one["GlobalSecondaryIndexName"] for one in throttled if "GlobalSecondaryIndexName" in one}
    assert indexes == {index.name for index in tables.LOYALTY.indexes}
    queues = {
        json.dumps(dimension["Value"])
        for metric in watched
        if metric["Namespace"] == "AWS/SQS"
        for dimension in metric["Dimensions"]
    }
    assert len(queues) == len(template.of("AWS::SQS::Queue"))


def test_every_work_that_a_schedule_asks_for_is_missed_when_it_no_longer_runs(template: Template) -> None:
    asked = [json.loads(one["Target"]["Input"]) for one in template.properties("AWS::Scheduler::Schedule")]
    works = {one["work"] for one in asked if "work" in one}
    assert works == set(notify.WORK)
    [late] = [one for one in template.properties("AWS::CloudWatch::Alarm") if str(one["AlarmName"]).count("/runs-late")]
    looked_at = {one["MetricStat"]["Metric"]["MetricName"] for one in late["Metrics"] if "MetricStat" in one}
    assert looked_at == {telemetry.run_metric(work) for work in works}
    [expression] = [one["Expression"] for one in late["Metrics"] if "Expression" in one]
    assert all(f"IF(FILL({work}, 0) < 1, 1, 0)" in expression for work in works)
    assert late["TreatMissingData"] == "breaching"


def test_a_shop_that_is_closed_over_sunday_gets_nobody_up(prod: Template) -> None:
    [flat] = [one for one in prod.properties("AWS::CloudWatch::Alarm") if _name(one) == "points-flat"]
    assert flat["AlarmDescription"].startswith("[ticket]")
    [measured] = [one["MetricStat"]["Period"] for one in flat["Metrics"] if "MetricStat" in one]
    closed = timedelta(hours=39)  # from Saturday at six to Monday at nine
    assert timedelta(seconds=measured * flat["EvaluationPeriods"]) > closed


def test_own_metrics_are_those_of_the_stack_alone(template: Template) -> None:
    [filtered] = template.properties("AWS::Logs::MetricFilter")
    [counted] = filtered["MetricTransformations"]
    assert counted["Dimensions"] == [{"Key": "service", "Value": "$.service"}]
    [stage] = template.properties("AWS::ApiGatewayV2::Stage")
    services = {json.loads(stage["AccessLogSettings"]["Format"])["service"]}
    for function in template.properties("AWS::Lambda::Function"):
        variables = function.get("Environment", {}).get("Variables", {})
        if "FUNCTION" in variables:
            services.add(variables["POWERTOOLS_SERVICE_NAME"])
    for alarm in template.properties("AWS::CloudWatch::Alarm"):
        for metric in metrics_of(alarm):
            if metric["Namespace"] == "Loyalty":
                services |= {one["Value"] for one in metric["Dimensions"]}
    assert len(services) == 1
    assert services != {"loyalty"}


def test_no_alarm_looks_at_more_than_cloudwatch_takes(template: Template) -> None:
    assert all(
        0 < len(metrics_of(alarm)) <= ALARM_METRICS_MAX for alarm in template.properties("AWS::CloudWatch::Alarm")
    )


def _name(alarm: Mapping[str, Any]) -> str:
    found = NAME.fullmatch(alarm["AlarmName"])
    assert found
    return found[1]


def _lets_cloudwatch_publish(template: Template, topic: str) -> bool:
    """Whether a policy of the topic says so for this account, and nothing that is denied is in the way."""
    statements = [
        statement
        for policy in template.properties("AWS::SNS::TopicPolicy")
        if {"Ref": topic} in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    wanted = {
        "Action": "sns:Publish",
        "Condition": {"StringEquals": {"aws:SourceAccount": OWN}},
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": {"Ref": topic},
    }
    allowed = [{name: one[name] for name in wanted if name in one} for one in statements if one["Effect"] == "Allow"]
    return wanted in allowed


def _subscriptions(template: Template, topic: str) -> list[Mapping[str, Any]]:
    return [one for one in template.properties("AWS::SNS::Subscription") if one["TopicArn"] == {"Ref": topic}]
